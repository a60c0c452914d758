// SPDX-License-Identifier: MIT
// What system calls promise: time, identity, limits, memory, bad pointers, unknown numbers. Values that depend on the
// machine are checked, not printed.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096 };

// The call fails with this error.
#define FAILS(call, error)                        \
	do {                                      \
		errno = 0;                        \
		CHECK((long)(call) == -1);        \
		CHECK(errno == (error));          \
	} while (0)

static void times(void)
{
	struct timespec last = {0, 0}, now, resolution;
	for (int i = 0; i < 1000; i++) {
		CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0);
		CHECK(now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
		CHECK(now.tv_sec > last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec >= last.tv_nsec));
		last = now;
	}
	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec > 0);
	CHECK(clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0 && resolution.tv_nsec > 0);
	struct timeval day;
	CHECK(gettimeofday(&day, NULL) == 0 && day.tv_usec >= 0 && day.tv_usec < 1000000);
	CHECK(time(NULL) > 0);
	struct timespec moment = {0, 1000};
	CHECK(nanosleep(&moment, NULL) == 0);
	FAILS(syscall(SYS_clock_gettime, 999, &now), EINVAL);
	moment.tv_nsec = 1000000000;
	FAILS(nanosleep(&moment, NULL), EINVAL);
	puts("time ok");
}

static void identity(void)
{
	struct utsname name;
	CHECK(uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0 && strcmp(name.machine, "x86_64") == 0);
	CHECK(getpid() > 0 && syscall(SYS_gettid) == getpid() && getppid() >= 0);
	CHECK(getuid() == (uid_t)getauxval(AT_UID) && geteuid() == (uid_t)getauxval(AT_EUID));
	CHECK(getgid() == (gid_t)getauxval(AT_GID) && getegid() == (gid_t)getauxval(AT_EGID));
	CHECK(getauxval(AT_PAGESZ) == PAGE && getauxval(AT_SECURE) == 0);
	CHECK(getauxval(AT_PHDR) && getauxval(AT_PHNUM) > 0 && getauxval(AT_ENTRY));
	CHECK(getauxval(AT_RANDOM) && *(const uint64_t *)getauxval(AT_RANDOM) != 0);
	puts("identity ok");
}

static void limits(void)
{
	struct rlimit limit;
	CHECK(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= 1 << 20 && limit.rlim_cur <= limit.rlim_max);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 16);
	FAILS(getrlimit(99, &limit), EINVAL);
	unsigned char bytes[64] = {0}, more[64] = {0};
	CHECK(getrandom(bytes, sizeof bytes, 0) == sizeof bytes && getrandom(more, sizeof more, 0) == sizeof more);
	CHECK(memcmp(bytes, more, sizeof bytes) != 0);
	puts("limits ok");
}

static const char path[] = "reprise-syscalls.tmp";

static void memory(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	unsigned char *end = (unsigned char *)syscall(SYS_brk, 0);
	CHECK((unsigned char *)syscall(SYS_brk, end + 3 * PAGE) == end + 3 * PAGE);
	for (int i = 0; i < 3 * PAGE; i += 64)
		end[i] = 1;
	CHECK((unsigned char *)syscall(SYS_brk, end) == end);
	CHECK((unsigned char *)syscall(SYS_brk, -1L) == end);

	unsigned char *area = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != MAP_FAILED && ((uintptr_t)area & (PAGE - 1)) == 0);
	for (int i = 0; i < 8 * PAGE; i++)
		CHECK(area[i] == 0);
	memset(area, 0x77, 8 * PAGE);
	CHECK(mprotect(area + PAGE, PAGE, PROT_NONE) == 0);
	FAILS(write(fd, area + PAGE, 1), EFAULT);
	CHECK(mprotect(area + PAGE, PAGE, PROT_READ) == 0 && area[PAGE] == 0x77);
	FAILS(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, area + PAGE), EFAULT);
	CHECK(mprotect(area + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(mmap(area + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      area + 2 * PAGE);
	CHECK(area[2 * PAGE] == 0 && area[2 * PAGE - 1] == 0x77 && area[3 * PAGE] == 0x77);
	CHECK(munmap(area + 4 * PAGE, PAGE) == 0);
	FAILS(mprotect(area + 4 * PAGE, PAGE, PROT_READ), ENOMEM);
	FAILS(write(fd, area + 4 * PAGE, 1), EFAULT);
	CHECK(munmap(area + 4 * PAGE, PAGE) == 0);
	CHECK(close(fd) == 0 && unlink(path) == 0);

	unsigned char *grown = mremap(area, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	CHECK(grown != MAP_FAILED && grown[0] == 0x77 && grown[2 * PAGE - 1] == 0x77 && grown[2 * PAGE] == 0);
	unsigned char *shrunk = mremap(grown, 64 * PAGE, PAGE, 0);
	CHECK(shrunk == grown);
	FAILS(mprotect(grown + PAGE, PAGE, PROT_READ), ENOMEM);
	CHECK(munmap(grown, PAGE) == 0);
	FAILS(mremap(grown, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	if (grown != area)
		CHECK(munmap(area, 8 * PAGE) == 0);

	FAILS(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	FAILS(mmap((void *)0x12345001, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
	FAILS(mmap(NULL, 1ul << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	FAILS(mmap((void *)0x7ffffffff000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
	FAILS(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
	FAILS(munmap((void *)1, PAGE), EINVAL);
	FAILS(mprotect((void *)1, PAGE, PROT_READ), EINVAL);
	puts("memory ok");
}

static void bad_pointers(void)
{
	static const uintptr_t bad[] = {
		0, 1, 0x7ffffffff000, 0x800000000000, 0x8000000000000000, 0xffff800000000000, 0xffffffff80000000, UINTPTR_MAX,
	};
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10);
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		void *pointer = (void *)bad[i];
		CHECK(lseek(fd, 0, SEEK_SET) == 0);
		FAILS(syscall(SYS_read, fd, pointer, 4ul), EFAULT);
		FAILS(syscall(SYS_write, fd, pointer, 4ul), EFAULT);
		FAILS(syscall(SYS_uname, pointer), EFAULT);
		FAILS(syscall(SYS_fstat, fd, pointer), EFAULT);
		FAILS(syscall(SYS_open, pointer, O_RDONLY), EFAULT);
		FAILS(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, pointer), EFAULT);
		struct iovec vector = {pointer, 4};
		FAILS(syscall(SYS_writev, fd, &vector, 1), EFAULT);
		FAILS(syscall(SYS_writev, fd, pointer, 1), EFAULT);
		FAILS(syscall(SYS_getcwd, pointer, (size_t)4096), EFAULT);
	}
	CHECK(close(fd) == 0 && unlink(path) == 0);
	FAILS(read(77, NULL, 0), EBADF);
	FAILS(write(-1, "x", 1), EBADF);
	CHECK(write(1, path, 0) == 0);
	puts("bad pointers ok");
}

static void unknown(void)
{
	static const long numbers[] = {9999, 1 << 20, 0x7fffffff, -1};
	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		FAILS(syscall(numbers[i], 1, 2, 3, 4, 5, 6), ENOSYS);
	puts("unknown calls ok");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	times();
	identity();
	limits();
	memory();
	bad_pointers();
	unknown();
	return 0;
}
