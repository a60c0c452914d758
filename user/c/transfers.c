// cflags: -Wno-stringop-overflow -Wno-stringop-overread
// SPDX-License-Identifier: MIT
// Transfers that stop in the middle and go on: vectors through pipes and files, bad buffers, signals, limits.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PIPE = 65536, FIRST = 100000, SECOND = 40000 };

static unsigned char first[FIRST], second[SECOND], seen[FIRST + SECOND];
// The last bytes before a page that cannot be touched.
static unsigned char *edge;

#define FAILS(call, error)                               \
	do {                                             \
		errno = 0;                               \
		CHECK((long)(call) == -1 && errno == (error)); \
	} while (0)

static struct iovec part(void *base, size_t length)
{
	return (struct iovec){ base, length };
}

static int held(int pipe)
{
	int length = -1;
	CHECK(ioctl(pipe, FIONREAD, &length) == 0);
	return length;
}

static pid_t begin(void)
{
	fflush(stdout);
	pid_t child = fork();
	CHECK(child >= 0);
	return child;
}

static int status_of(pid_t child)
{
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

// A vector that waits in its first buffer and in its second; the list is gone by the time it goes on.
static void through_a_pipe(void)
{
	int ends[2];
	CHECK(pipe(ends) == 0);
	struct iovec *list = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = begin();
	if (child == 0) {
		close(ends[0]);
		list[0] = part(first, FIRST);
		list[1] = part(NULL, 0);
		list[2] = part(second, SECOND);
		if (fork() == 0) {
			while (held(ends[1]) < PIPE)
				sched_yield();
			memset(list, 0xff, PAGE);
			_exit(0);
		}
		_exit(writev(ends[1], list, 3) != FIRST + SECOND);
	}
	close(ends[1]);
	// Nothing is read before the list is overwritten: the pipe stays full until somebody has seen it so.
	while (*(volatile size_t *)&list[2].iov_len != SIZE_MAX)
		sched_yield();
	size_t done = 0;
	ssize_t length;
	do {
		list[0] = part(seen + done, 1);
		list[1] = part(seen + done + 1, 0);
		list[2] = part(seen + done + 1, 3000);
		length = readv(ends[0], list, done + 3001 < sizeof seen ? 3 : 1);
		CHECK(length >= 0);
		done += (size_t)length;
	} while (length > 0 && done < sizeof seen);
	CHECK(done == sizeof seen && read(ends[0], seen, 0) == 0);
	CHECK(memcmp(seen, first, FIRST) == 0 && memcmp(seen + FIRST, second, SECOND) == 0);
	CHECK(status_of(child) == 0);
	close(ends[0]);
	puts("a vector goes on where it stopped");
}

static void on_signal(int signal)
{
	(void)signal;
}

// A signal after some bytes: these count, and the call does not begin anew.
static void interrupted(int flags)
{
	int ends[2];
	CHECK(pipe(ends) == 0);
	pid_t child = begin();
	if (child == 0) {
		struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
		CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
		struct iovec list[2] = { part(first, 30000), part(second, SECOND) };
		_exit(writev(ends[1], list, 2) != PIPE);
	}
	while (held(ends[0]) < PIPE)
		sched_yield();
	CHECK(kill(child, SIGUSR1) == 0 && status_of(child) == 0 && held(ends[0]) == PIPE);
	close(ends[0]);
	close(ends[1]);
}

static void full_and_broken(void)
{
	int ends[2];
	CHECK(pipe2(ends, O_NONBLOCK) == 0);
	struct iovec list[2] = { part(first, PIPE - 10), part(second, SECOND) };
	CHECK(writev(ends[1], list, 2) == PIPE);
	FAILS(writev(ends[1], list, 2), EAGAIN);
	FAILS(write(ends[1], first, 1), EAGAIN);
	CHECK(write(ends[1], first, 0) == 0);
	CHECK(read(ends[0], seen, PIPE) == PIPE);
	CHECK(memcmp(seen, first, PIPE - 10) == 0 && memcmp(seen + PIPE - 10, second, 10) == 0);
	// A short write is whole or not at all, of however many buffers it is.
	CHECK(write(ends[1], first, PIPE - PAGE) == PIPE - PAGE);
	list[0].iov_len = PAGE / 2;
	list[1].iov_len = PAGE / 2;
	CHECK(writev(ends[1], list, 2) == PAGE);
	FAILS(writev(ends[1], list, 2), EAGAIN);
	// What cannot be taken stays.
	CHECK(read(ends[0], seen, PIPE) == PIPE && write(ends[1], "0123456789", 10) == 10);
	FAILS(read(ends[0], edge - 4, 10), EFAULT);
	CHECK(held(ends[0]) == 10 && read(ends[0], edge - 4, 4) == 4 && memcmp(edge - 4, "0123", 4) == 0);
	CHECK(read(ends[0], seen, 100) == 6);
	// Bad buffers: behind a whole page, and behind less.
	list[0] = part(first, PAGE);
	list[1] = part(edge, PAGE);
	CHECK(writev(ends[1], list, 2) == PAGE && held(ends[0]) == PAGE);
	list[0].iov_len = list[1].iov_len = 100;
	FAILS(writev(ends[1], list, 2), EFAULT);
	CHECK(held(ends[0]) == PAGE);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK(write(ends[1], first, 0) == 0);
	FAILS(writev(ends[1], list, 2), EPIPE);
	close(ends[1]);
	// The reader goes while the writer waits.
	CHECK(pipe(ends) == 0);
	pid_t child = begin();
	if (child == 0) {
		close(ends[1]);
		while (held(ends[0]) < PIPE)
			sched_yield();
		_exit(0);
	}
	close(ends[0]);
	list[0] = part(first, FIRST);
	list[1] = part(second, SECOND);
	CHECK(writev(ends[1], list, 2) == PIPE && status_of(child) == 0);
	signal(SIGPIPE, SIG_DFL);
	close(ends[1]);
	puts("full and broken pipes count");
}

static void files(void)
{
	int fd = open("transfers.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	struct iovec list[3] = { part("hello", 5), part(edge - 3, 10), part("never", 5) };
	memcpy(edge - 3, "abc", 3);
	CHECK(writev(fd, list, 3) == 8 && lseek(fd, 0, SEEK_CUR) == 8);
	list[1] = part(edge, 1);
	CHECK(writev(fd, list, 3) == 5);
	FAILS(writev(fd, list + 1, 2), EFAULT);
	CHECK(lseek(fd, 0, SEEK_CUR) == 13);
	list[0] = part(seen, 4);
	list[1] = part(edge - 2, 5);
	CHECK(preadv(fd, list, 2, 0) == 6 && memcmp(seen, "hell", 4) == 0 && memcmp(edge - 2, "oa", 2) == 0);
	CHECK(lseek(fd, 0, SEEK_CUR) == 13);
	CHECK(pwritev(fd, (struct iovec[]){ part("J", 1), part("E", 1) }, 2, 0) == 2);
	CHECK(pwritev2(fd, (struct iovec[]){ part("!", 1) }, 1, 0, RWF_APPEND) == 1 && lseek(fd, 0, SEEK_CUR) == 13);
	CHECK(pwritev2(fd, (struct iovec[]){ part("?", 1) }, 1, -1, RWF_DSYNC) == 1 && lseek(fd, 0, SEEK_CUR) == 14);
	CHECK(preadv2(fd, (struct iovec[]){ part(seen, 100) }, 1, 0, 0) == 14 && memcmp(seen, "JElloabchello?", 14) == 0);
	FAILS(preadv2(fd, (struct iovec[]){ part(seen, 1) }, 1, 0, 1 << 20), EOPNOTSUPP);
	FAILS(preadv(fd, list, 1, -5), EINVAL);
	FAILS(pread(999, seen, 1, -5), EINVAL);
	int ends[2];
	CHECK(pipe(ends) == 0);
	FAILS(pread(ends[1], seen, 1, 0), ESPIPE);
	FAILS(pwrite(ends[0], seen, 1, 0), ESPIPE);
	FAILS(preadv2(ends[0], (struct iovec[]){ part(seen, 1) }, 1, 0, 0), ESPIPE);
	FAILS(preadv2(ends[0], (struct iovec[]){ part(seen, 1) }, 1, -1, RWF_NOWAIT), EAGAIN);
	close(ends[0]);
	close(ends[1]);

	static struct iovec many[1025];
	for (int index = 0; index < 1025; index++)
		many[index] = part(first + 2 * index, index % 3);
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && writev(fd, many, 1024) == 1023 && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(read(fd, seen, 2000) == 1023);
	checksum(seen, 1023);
	FAILS(writev(fd, many, 1025), EINVAL);
	FAILS(writev(fd, many, -1), EINVAL);
	CHECK(writev(fd, (void *)8, 0) == 0);
	FAILS(writev(fd, (void *)8, 1), EFAULT);
	many[1].iov_len = SIZE_MAX;
	FAILS(writev(fd, many, 2), EINVAL);
	FAILS(write(fd, first, SIZE_MAX), EFAULT);
	int null = open("/dev/null", O_RDWR);
	CHECK(null >= 0);
	// More than a call can do is left out.
	many[0] = many[1] = part((void *)PAGE, 1ul << 46);
	CHECK(writev(null, many, 2) == 0x7ffff000);
	CHECK(close(null) == 0 && close(fd) == 0 && unlink("transfers.tmp") == 0);
	report("files");
}

static void others(void)
{
	FAILS(syscall(SYS_getrandom, edge, 10, 0), EFAULT);
	CHECK(syscall(SYS_getrandom, edge - 10, 20, 0) == 10 && syscall(SYS_getrandom, edge, 0, 0) == 0);
	int fd = open("/dev/zero", O_RDONLY);
	memset(edge - 8, 1, 8);
	CHECK(readv(fd, (struct iovec[]){ part(seen, 3), part(edge - 8, 9) }, 2) == 11 && edge[-1] == 0);
	CHECK(close(fd) == 0);
	// The upper half of a register with a 32-bit argument says nothing.
	CHECK(syscall(SYS_dup2, 1ul | 7ul << 32, 1ul | 1ul << 32) == 1);
	CHECK(syscall(SYS_readlink, "/proc/self/exe", seen, 3ul | 1ul << 32) == 3);
	CHECK(syscall(SYS_getpgid, 1ul << 32) == getpgrp() && syscall(SYS_prlimit64, 1ul << 32, 7, 0, 0) == 0);
	puts("others ok");
}

int main(void)
{
	edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(edge != MAP_FAILED);
	edge += PAGE;
	CHECK(mprotect(edge, PAGE, PROT_NONE) == 0);
	for (size_t index = 0; index < FIRST; index++)
		first[index] = (unsigned char)(random64() >> 20);
	for (size_t index = 0; index < SECOND; index++)
		second[index] = (unsigned char)(random64() >> 20);
	through_a_pipe();
	interrupted(0);
	interrupted(SA_RESTART);
	puts("interrupted transfers count");
	full_and_broken();
	files();
	others();
	return 0;
}
