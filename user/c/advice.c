// SPDX-License-Identifier: MIT
// Advice that is done or refused, on memory and files, and calls that remember what they were told.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

#define FAILS(call, error)                               \
	do {                                             \
		errno = 0;                               \
		CHECK((long)(call) == -1 && errno == (error)); \
	} while (0)

static char *anonymous(int pages)
{
	char *at = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(at != MAP_FAILED);
	for (int page = 0; page < pages; page++)
		at[page * PAGE] = (char)('a' + page);
	return at;
}

// What a child reads at an address, or the signal that this gives.
static int child_reads(volatile char *at)
{
	fflush(stdout);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0)
		_exit(*at);
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void children(void)
{
	char *at = anonymous(6);
	CHECK(madvise(at + PAGE, PAGE, MADV_WIPEONFORK) == 0 && madvise(at + 2 * PAGE, 2 * PAGE, MADV_DONTFORK) == 0);
	CHECK(madvise(at + 3 * PAGE, PAGE, MADV_WIPEONFORK) == 0 && madvise(at + 3 * PAGE, PAGE, MADV_DOFORK) == 0);
	printf("children read:");
	for (int page = 0; page < 6; page++)
		printf(" %d", child_reads(at + page * PAGE));
	CHECK(at[PAGE] == 'b' && at[2 * PAGE] == 'c' && at[3 * PAGE] == 'd');
	CHECK(madvise(at, 6 * PAGE, MADV_KEEPONFORK) == 0 && madvise(at, 6 * PAGE, MADV_DOFORK) == 0);
	for (int page = 0; page < 6; page++)
		printf(" %d", child_reads(at + page * PAGE));
	// The advice goes with the memory, and goes away with it.
	char *away = anonymous(8);
	CHECK(madvise(at, 2 * PAGE, MADV_WIPEONFORK) == 0);
	CHECK(mremap(at, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, away) == away);
	away[2 * PAGE] = away[3 * PAGE] = 'm';
	CHECK(mmap(at, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
	at[0] = 'n';
	printf(", moved: %d %d %d %d, anew: %d", child_reads(away), child_reads(away + PAGE), child_reads(away + 3 * PAGE),
	       child_reads(away + 4 * PAGE), child_reads(at));
	puts("");
	fflush(stdout);
	// A grandchild's is wiped, too.
	pid_t child = fork();
	if (child == 0) {
		away[0] = 'w';
		_exit(child_reads(away));
	}
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(munmap(at, 6 * PAGE) == 0 && munmap(away, 8 * PAGE) == 0);
}

static void each(void)
{
	char *own = anonymous(3);
	int fd = open("advice.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, 3 * PAGE) == 0);
	char *shared = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(shared != MAP_FAILED && copy != MAP_FAILED);
	memset(shared, 's', 3 * PAGE);
	CHECK(madvise(own, PAGE, MADV_DONTNEED) == 0 && own[0] == 0 && own[PAGE] == 'b');
	CHECK(madvise(shared, PAGE, MADV_DONTNEED) == 0 && shared[0] == 's');
	FAILS(madvise(shared, PAGE, MADV_FREE), EINVAL);
	FAILS(madvise(copy, PAGE, MADV_FREE), EINVAL);
	FAILS(madvise(shared, PAGE, MADV_WIPEONFORK), EINVAL);
	FAILS(madvise(copy, PAGE, MADV_WIPEONFORK), EINVAL);
	FAILS(madvise(own, PAGE, MADV_REMOVE), EINVAL);
	FAILS(madvise(copy, PAGE, MADV_REMOVE), EACCES);
	// A hole, for all who have the file.
	pid_t child = fork();
	if (child == 0)
		_exit(madvise(shared + PAGE, PAGE, MADV_REMOVE));
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	char bytes[3];
	CHECK(pread(fd, bytes, 3, PAGE - 1) == 3 && bytes[0] == 's' && bytes[1] == 0);
	CHECK(shared[PAGE - 1] == 's' && shared[PAGE] == 0 && shared[2 * PAGE - 1] == 0 && shared[2 * PAGE] == 's');
	// Hints.
	static const int hints[] = { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_MERGEABLE,
		MADV_UNMERGEABLE, MADV_DONTDUMP, MADV_DODUMP, MADV_COLD, MADV_PAGEOUT };
	for (unsigned index = 0; index < sizeof hints / sizeof *hints; index++)
		CHECK(madvise(own + PAGE, PAGE, hints[index]) == 0 && own[PAGE] == 'b');
	CHECK(madvise(own + PAGE, PAGE, 22 /* MADV_POPULATE_READ */) == 0);
	CHECK(mprotect(own + PAGE, PAGE, PROT_READ) == 0);
	FAILS(madvise(own + PAGE, PAGE, 23 /* MADV_POPULATE_WRITE */), EINVAL);
	CHECK(madvise(own, PAGE, 23) == 0);
	FAILS(madvise(own, PAGE, 77), EINVAL);
	FAILS(madvise(own, 0, 77), EINVAL);
	FAILS(madvise(own + 1, PAGE, MADV_NORMAL), EINVAL);
	CHECK(madvise(own, 0, MADV_DONTNEED) == 0);
	CHECK(munmap(own + PAGE, PAGE) == 0);
	own[0] = own[2 * PAGE] = 'x';
	// What lies around a hole is advised nevertheless.
	FAILS(madvise(own, 3 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK(own[0] == 0 && own[2 * PAGE] == 0);
	FAILS(mlock(own, 3 * PAGE), ENOMEM);
	CHECK(mlock(own + 5, PAGE - 5) == 0 && munlock(own, PAGE) == 0);
	FAILS(mlock2(own, PAGE, 2), EINVAL);
	FAILS(mlockall(0), EINVAL);
	FAILS(mlockall(MCL_ONFAULT), EINVAL);
	FAILS(mlockall(8), EINVAL);
	FAILS(msync(own, 3 * PAGE, MS_SYNC), ENOMEM);
	FAILS(msync(own + 1, PAGE, MS_SYNC), EINVAL);
	FAILS(msync(own, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	FAILS(msync(own, PAGE, 8), EINVAL);
	CHECK(msync(own, PAGE, MS_SYNC) == 0);
	// What is mapped once more at its own place was unmapped first.
	FAILS(mremap(shared, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, shared), EFAULT);
	FAILS(mlock(shared, PAGE), ENOMEM);
	CHECK(shared[2 * PAGE] == 's');

	CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0 && posix_fadvise(fd, 0, 0, 9) == EINVAL);
	CHECK(posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL) == EINVAL && posix_fadvise(999, 0, 0, 0) == EBADF);
	int ends[2];
	CHECK(pipe(ends) == 0 && posix_fadvise(ends[0], 0, 0, 0) == ESPIPE);
	FAILS(fsync(ends[0]), EINVAL);
	CHECK(fsync(fd) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
	CHECK(munmap(shared, 3 * PAGE) == 0 && munmap(own, 3 * PAGE) == 0 && close(fd) == 0 && unlink("advice.tmp") == 0);
	puts("advice is done or refused");
}

static void remembered(void)
{
	struct sched_param none = { 0 }, one = { 1 };
	errno = 0;
	CHECK(getpriority(PRIO_PROCESS, 0) == 0 && errno == 0 && setpriority(PRIO_PROCESS, 0, 5) == 0);
	CHECK(getpriority(PRIO_PROCESS, 0) == 5 && syscall(SYS_getpriority, PRIO_PROCESS, 0) == 15);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		CHECK(getpriority(PRIO_PROCESS, 0) == 5 && setpriority(PRIO_PROCESS, 0, 99) == 0);
		_exit(getpriority(PRIO_PROCESS, 0));
	}
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child && status == 19 << 8);
	FAILS(getpriority(PRIO_PROCESS, 99999), ESRCH);
	FAILS(setpriority(3, 0, 0), EINVAL);
	CHECK(sched_getscheduler(0) == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &none) == 0);
	CHECK(sched_getscheduler(0) == SCHED_BATCH && sched_setscheduler(0, SCHED_OTHER, &none) == 0);
	FAILS(sched_setscheduler(0, SCHED_OTHER, &one), EINVAL);
	FAILS(sched_setscheduler(0, SCHED_FIFO, &none), EINVAL);
	FAILS(sched_setscheduler(0, 77, &none), EINVAL);
	FAILS(sched_getscheduler(99999), ESRCH);
	FAILS(sched_getscheduler(-1), EINVAL);
	CHECK(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_OTHER) == 0);
	cpu_set_t set;
	FAILS(sched_getaffinity(99999, sizeof set, &set), ESRCH);
	CHECK(personality(0xffffffff) == 0 && personality(ADDR_NO_RANDOMIZE) == 0);
	CHECK(personality(0xffffffff) == ADDR_NO_RANDOMIZE && personality(0) == ADDR_NO_RANDOMIZE);
	CHECK(prctl(PR_GET_DUMPABLE) == 1 && prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 0);
	FAILS(prctl(PR_SET_DUMPABLE, 7), EINVAL);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	FAILS(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
	FAILS(syscall(SYS_getgroups, -1, NULL), EINVAL);
	puts("what was said is remembered");
}

// A removed directory still knows where it was, whatever has been made since.
static void removed(void)
{
	struct stat before, after;
	char name[257];
	CHECK(mkdir("advice.dir", 0700) == 0 && mkdir("advice.dir/inner", 0700) == 0);
	int start = open(".", O_RDONLY);
	CHECK(start >= 0 && stat("advice.dir", &before) == 0 && chdir("advice.dir/inner") == 0);
	CHECK(unlinkat(start, "advice.dir/inner", AT_REMOVEDIR) == 0 && unlinkat(start, "advice.dir", AT_REMOVEDIR) == 0);
	CHECK(mkdirat(start, "advice.new", 0700) == 0 && stat("..", &after) == 0);
	CHECK(before.st_ino == after.st_ino && after.st_nlink == 0 && fstatat(start, ".", &before, 0) == 0);
	CHECK(stat("../..", &after) == 0 && before.st_ino == after.st_ino);
	FAILS(open("../x", O_CREAT | O_RDWR, 0600), ENOENT);
	FAILS(mkdir("x", 0700), ENOENT);
	int fd = open(".", O_RDONLY);
	char entries[100];
	FAILS(syscall(SYS_getdents64, fd, entries, sizeof entries), ENOENT);
	FAILS(syscall(SYS_getcwd, entries, sizeof entries), ENOENT);
	CHECK(close(fd) == 0 && fchdir(start) == 0 && close(start) == 0 && rmdir("advice.new") == 0);
	memset(name, 'a', 256);
	name[256] = 0;
	FAILS(stat(name, &after), ENAMETOOLONG);
	FAILS(open(name, O_RDONLY), ENAMETOOLONG);
	name[255] = 0;
	FAILS(stat(name, &after), ENOENT);
	puts("removed directories");
}

int main(void)
{
	children();
	each();
	remembered();
	removed();
	return 0;
}
