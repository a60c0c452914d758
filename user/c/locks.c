// SPDX-License-Identifier: MIT
// Record locks of processes and of open files, and locks on whole files: who is kept out, who waits, what a close frees.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char path[] = "locks.tmp";

#define FAILS(call, error)                               \
	do {                                             \
		errno = 0;                               \
		CHECK((long)(call) == -1 && errno == (error)); \
	} while (0)

static int lock(int fd, int command, int type, off_t start, off_t length)
{
	struct flock flock = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
	return fcntl(fd, command, &flock);
}

// What keeps a lock on a range out: type, start and length, or nothing.
static void held(int fd, int command, int type, off_t start, off_t length, pid_t owner)
{
	struct flock flock = { .l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
	CHECK(fcntl(fd, command, &flock) == 0);
	if (flock.l_type == F_UNLCK)
		printf(" free");
	else
		printf(" %s %ld+%ld", flock.l_type == F_RDLCK ? "read" : "write", (long)flock.l_start, (long)flock.l_len);
	CHECK(flock.l_type == F_UNLCK || flock.l_pid == owner);
}

static pid_t begin(void)
{
	fflush(stdout);
	pid_t child = fork();
	CHECK(child >= 0);
	return child;
}

static void end(pid_t child)
{
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static int open_it(int flags)
{
	int fd = open(path, flags | O_CREAT, 0600);
	CHECK(fd >= 0);
	return fd;
}

static void records(void)
{
	int fd = open_it(O_RDWR);
	pid_t own = getpid();
	CHECK(lock(fd, F_SETLK, F_WRLCK, 100, 50) == 0 && lock(fd, F_SETLK, F_RDLCK, 120, 10) == 0);
	CHECK(lock(fd, F_SETLK, F_UNLCK, 140, 5) == 0 && lock(fd, F_SETLK, F_WRLCK, 200, 0) == 0);
	CHECK(lock(fd, F_SETLK, F_WRLCK, 150, -2) == 0);
	// One's own locks keep nobody out who is oneself.
	printf("own:");
	held(fd, F_GETLK, F_WRLCK, 0, 0, own);
	puts("");
	pid_t child = begin();
	if (child == 0) {
		printf("child:");
		for (off_t at = 95; at < 210; at += 5)
			held(fd, F_GETLK, F_WRLCK, at, 5, own);
		held(fd, F_GETLK, F_RDLCK, 120, 10, own);
		puts("");
		FAILS(lock(fd, F_SETLK, F_WRLCK, 120, 1), EAGAIN);
		FAILS(lock(fd, F_SETLK, F_RDLCK, 119, 2), EAGAIN);
		CHECK(lock(fd, F_SETLK, F_RDLCK, 120, 10) == 0 && lock(fd, F_SETLK, F_WRLCK, 140, 5) == 0);
		fflush(stdout);
		_exit(0);
	}
	end(child);
	// What the child had is free with its end; what another descriptor's close frees is all.
	CHECK(lock(fd, F_SETLK, F_WRLCK, 120, 25) == 0);
	CHECK(close(dup(fd)) == 0);
	child = begin();
	if (child == 0)
		_exit(lock(fd, F_SETLK, F_WRLCK, 0, 0) != 0);
	end(child);
	CHECK(lock(fd, F_SETLK, F_WRLCK, 7, 1) == 0 && close(open_it(O_RDONLY)) == 0);
	child = begin();
	if (child == 0)
		_exit(lock(fd, F_SETLK, F_WRLCK, 0, 0) != 0);
	end(child);
	// Where one is, and where the file ends.
	CHECK(ftruncate(fd, 1000) == 0 && lseek(fd, 500, SEEK_SET) == 500);
	struct flock flock = { .l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = -10, .l_len = 20 };
	CHECK(fcntl(fd, F_SETLK, &flock) == 0);
	flock.l_whence = SEEK_END;
	CHECK(fcntl(fd, F_SETLK, &flock) == 0);
	child = begin();
	if (child == 0) {
		printf("relative:");
		held(fd, F_GETLK, F_WRLCK, 0, 900, own);
		held(fd, F_GETLK, F_WRLCK, 900, 0, own);
		puts("");
		fflush(stdout);
		_exit(0);
	}
	end(child);
	int reader = open_it(O_RDONLY), writer = open_it(O_WRONLY);
	FAILS(lock(reader, F_SETLK, F_WRLCK, 0, 1), EBADF);
	FAILS(lock(writer, F_SETLK, F_RDLCK, 0, 1), EBADF);
	FAILS(lock(999, F_SETLK, F_RDLCK, 0, 1), EBADF);
	FAILS(lock(fd, F_SETLK, 9, 0, 1), EINVAL);
	FAILS(lock(fd, F_GETLK, F_UNLCK, 0, 1), EINVAL);
	FAILS(lock(fd, F_SETLK, F_WRLCK, -1, 1), EINVAL);
	FAILS(lock(fd, F_SETLK, F_WRLCK, 5, -6), EINVAL);
	FAILS(lock(fd, F_SETLK, F_WRLCK, INT64_MAX, 2), EOVERFLOW);
	FAILS(syscall(SYS_fcntl, fd, F_SETLK, 8), EFAULT);
	CHECK(close(reader) == 0 && close(writer) == 0 && close(fd) == 0);
}

static void on_signal(int signal)
{
	(void)signal;
}

static void get(int pipe)
{
	char byte;
	CHECK(read(pipe, &byte, 1) == 1);
}

// Waiting until it is free, until a signal, and in a circle.
static void waiting(void)
{
	int fd = open_it(O_RDWR), ends[2];
	CHECK(pipe(ends) == 0 && lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
	pid_t child = begin();
	if (child == 0) {
		CHECK(write(ends[1], "x", 1) == 1);
		CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0 && write(ends[1], "y", 1) == 1);
		_exit(0);
	}
	get(ends[0]);
	for (int round = 0; round < 20; round++)
		sched_yield();
	CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
	get(ends[0]);
	end(child);

	CHECK(lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
	child = begin();
	if (child == 0) {
		struct sigaction action = { .sa_handler = on_signal };
		CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && write(ends[1], "x", 1) == 1);
		FAILS(lock(fd, F_SETLKW, F_WRLCK, 0, 1), EINTR);
		_exit(0);
	}
	get(ends[0]);
	int status = 0;
	// The first signals may come before it waits.
	while (waitpid(child, &status, WNOHANG) == 0)
		CHECK(kill(child, SIGUSR1) == 0 && usleep(1000) == 0);
	CHECK(status == 0);

	// Three in a circle: whoever closes it is told, and it is not one after the first.
	pid_t children[2];
	int told[2];
	CHECK(pipe(told) == 0);
	for (int index = 0; index < 2; index++) {
		children[index] = begin();
		if (children[index] == 0) {
			CHECK(lock(fd, F_SETLK, F_WRLCK, index + 1, 1) == 0 && write(ends[1], "x", 1) == 1);
			int done = lock(fd, F_SETLKW, F_WRLCK, index, 1);
			CHECK(done == 0 || errno == EDEADLK);
			if (done != 0)
				CHECK(write(told[1], "d", 1) == 1);
			_exit(0);
		}
		get(ends[0]);
	}
	int done = lock(fd, F_SETLKW, F_WRLCK, 2, 1);
	CHECK(done == 0 || errno == EDEADLK);
	if (done != 0)
		CHECK(write(told[1], "d", 1) == 1);
	CHECK(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
	end(children[0]);
	end(children[1]);
	close(told[1]);
	char byte;
	CHECK(read(told[0], &byte, 1) == 1 && read(told[0], &byte, 1) == 0);
	close(told[0]);
	close(ends[0]);
	close(ends[1]);
	CHECK(close(fd) == 0);
	puts("waiting ok");
}

// Locks that belong to open files: they go on through fork and end with the last descriptor.
static void open_files(void)
{
	int one = open_it(O_RDWR), other = open_it(O_RDWR);
	CHECK(lock(one, F_OFD_SETLK, F_WRLCK, 10, 10) == 0);
	FAILS(lock(other, F_OFD_SETLK, F_RDLCK, 15, 1), EAGAIN);
	FAILS(lock(other, F_SETLK, F_WRLCK, 15, 1), EAGAIN);
	CHECK(lock(dup(one), F_OFD_SETLK, F_WRLCK, 12, 2) == 0);
	printf("open files:");
	held(other, F_OFD_GETLK, F_WRLCK, 0, 0, -1);
	held(one, F_OFD_GETLK, F_WRLCK, 0, 0, -1);
	held(one, F_GETLK, F_WRLCK, 0, 0, -1);
	puts("");
	pid_t child = begin();
	if (child == 0) {
		CHECK(lock(one, F_OFD_SETLK, F_UNLCK, 10, 5) == 0);
		_exit(close(one));
	}
	end(child);
	CHECK(lock(other, F_OFD_SETLK, F_WRLCK, 10, 5) == 0);
	FAILS(lock(other, F_OFD_SETLKW, 9, 10, 5), EINVAL);
	struct flock flock = { .l_type = F_WRLCK, .l_pid = 1 };
	FAILS(fcntl(other, F_OFD_SETLK, &flock), EINVAL);
	CHECK(close(other) == 0);
	other = open_it(O_RDWR);
	FAILS(lock(other, F_OFD_SETLK, F_WRLCK, 10, 10), EAGAIN);
	CHECK(lock(other, F_OFD_SETLK, F_WRLCK, 10, 5) == 0);
	CHECK(syscall(SYS_close_range, 3, ~0u, 0) == 0);
	one = open_it(O_RDWR);
	CHECK(lock(one, F_OFD_SETLK, F_WRLCK, 0, 0) == 0 && close(one) == 0);
}

static void whole_files(void)
{
	int one = open_it(O_RDONLY), other = open_it(O_RDONLY);
	CHECK(flock(one, LOCK_EX) == 0);
	FAILS(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	// Record locks are another matter.
	CHECK(lock(other, F_SETLK, F_RDLCK, 0, 0) == 0);
	CHECK(flock(dup(one), LOCK_EX | LOCK_NB) == 0 && flock(one, LOCK_SH) == 0 && flock(other, LOCK_SH) == 0);
	// To change a lock is to give it up first.
	FAILS(flock(one, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK(flock(other, LOCK_EX | LOCK_NB) == 0 && flock(other, LOCK_UN) == 0);
	FAILS(flock(one, LOCK_EX | LOCK_SH), EINVAL);
	FAILS(flock(one, LOCK_NB), EINVAL);
	FAILS(flock(999, LOCK_EX), EBADF);
	FAILS(flock(open(path, O_PATH), LOCK_EX), EBADF);
	CHECK(flock(one, LOCK_EX) == 0);
	pid_t child = begin();
	if (child == 0) {
		// It waits for what its parent gives up; the lock is not its own by fork.
		CHECK(syscall(SYS_close_range, 3, 100, 0) == 0);
		int third = open_it(O_RDONLY);
		CHECK(flock(third, LOCK_EX) == 0);
		_exit(0);
	}
	for (int round = 0; round < 20; round++)
		sched_yield();
	CHECK(waitpid(child, NULL, WNOHANG) == 0 && syscall(SYS_close_range, 3, 100, 0) == 0);
	end(child);
	puts("whole files ok");
}

int main(void)
{
	records();
	waiting();
	open_files();
	whole_files();
	CHECK(unlink(path) == 0);
	return 0;
}
