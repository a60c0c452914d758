// SPDX-License-Identifier: MIT
// A thread waits through a descriptor that another one closes: what becomes of its call, and of
// what it waited for.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

struct waiter {
	void (*wait)(struct waiter *);
	int fd;
	// What the call came to, and its error.
	long result;
	int error;
	volatile int number;
	pthread_t thread;
};

static void *begin(void *argument)
{
	struct waiter *waiter = argument;
	waiter->number = gettid();
	errno = 0;
	waiter->wait(waiter);
	waiter->error = errno;
	return NULL;
}

// Whether a thread sleeps, which the third field of its line tells.
static int sleeps(int number)
{
	char path[64], line[256] = "";
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", number);
	int fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && read(fd, line, sizeof line - 1) > 0);
	close(fd);
	return strstr(line, ") S ") != NULL;
}

static struct waiter start(void (*wait)(struct waiter *), int fd)
{
	return (struct waiter){ .wait = wait, .fd = fd };
}

// Has a thread wait, and closes the descriptor under it.
static void close_under(struct waiter *waiter)
{
	CHECK(pthread_create(&waiter->thread, NULL, begin, waiter) == 0);
	while (!waiter->number || !sleeps(waiter->number))
		sched_yield();
	CHECK(close(waiter->fd) == 0);
}

static void end(struct waiter *waiter, const char *name)
{
	CHECK(pthread_join(waiter->thread, NULL) == 0);
	printf("%s: %ld, %s\n", name, waiter->result, strerror(waiter->error));
}

static int open_file(void)
{
	int fd = open("closed.txt", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	return fd;
}

static void wait_flock(struct waiter *waiter)
{
	waiter->result = flock(waiter->fd, LOCK_EX);
}

static void whole_file(void)
{
	int holder = open_file(), other = open_file();
	CHECK(flock(holder, LOCK_EX) == 0);
	struct waiter waiter = start(wait_flock, other);
	close_under(&waiter);
	CHECK(flock(holder, LOCK_UN) == 0);
	end(&waiter, "flock");
	// The description went with the call, and the lock with the description.
	CHECK(flock(holder, LOCK_EX | LOCK_NB) == 0);
	close(holder);
}

static void wait_record(struct waiter *waiter)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	waiter->result = fcntl(waiter->fd, F_OFD_SETLKW, &lock);
}

static void record(void)
{
	int holder = open_file(), other = open_file();
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	CHECK(fcntl(holder, F_OFD_SETLK, &lock) == 0);
	struct waiter waiter = start(wait_record, other);
	close_under(&waiter);
	lock.l_type = F_UNLCK;
	CHECK(fcntl(holder, F_OFD_SETLK, &lock) == 0);
	end(&waiter, "record lock");
	lock.l_type = F_WRLCK;
	CHECK(fcntl(holder, F_OFD_SETLK, &lock) == 0);
	close(holder);
}

static void wait_own_record(struct waiter *waiter)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	waiter->result = fcntl(waiter->fd, F_SETLKW, &lock);
}

// A lock that belongs to the process goes with any of its descriptors of the file.
static void own_record(void)
{
	int ask[2], tell[2];
	char byte;
	CHECK(pipe(ask) == 0 && pipe(tell) == 0);
	pid_t child = fork();
	CHECK(child >= 0);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (child == 0) {
		int holder = open_file();
		CHECK(fcntl(holder, F_SETLK, &lock) == 0 && write(tell[1], "x", 1) == 1);
		CHECK(read(ask[0], &byte, 1) == 1);
		_exit(0);
	}
	CHECK(read(tell[0], &byte, 1) == 1);
	struct waiter waiter = start(wait_own_record, open_file());
	close_under(&waiter);
	CHECK(write(ask[1], "x", 1) == 1);
	end(&waiter, "record lock of the process");
	CHECK(waitpid(child, NULL, 0) == child);
	int other = open_file();
	CHECK(fcntl(other, F_OFD_SETLK, &lock) == 0);
	close(other);
	CHECK(unlink("closed.txt") == 0);
	for (int i = 0; i < 2; i++) {
		close(ask[i]);
		close(tell[i]);
	}
}

static void wait_epoll(struct waiter *waiter)
{
	struct epoll_event events[2];
	waiter->result = epoll_wait(waiter->fd, events, 2, -1);
}

static void epoll(void)
{
	int ends[2], epoll = epoll_create1(0);
	CHECK(pipe(ends) == 0);
	struct epoll_event event = { .events = EPOLLIN };
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
	struct waiter waiter = start(wait_epoll, epoll);
	close_under(&waiter);
	CHECK(write(ends[1], "x", 1) == 1);
	end(&waiter, "epoll_wait");
	close(ends[0]);
	close(ends[1]);
}

static void wait_poll(struct waiter *waiter)
{
	struct pollfd entry = { .fd = waiter->fd, .events = POLLIN };
	waiter->result = poll(&entry, 1, 30);
	CHECK(entry.revents == POLLNVAL);
}

static void wait_select(struct waiter *waiter)
{
	fd_set set, exceptions;
	FD_ZERO(&set);
	FD_ZERO(&exceptions);
	FD_SET(waiter->fd, &set);
	FD_SET(waiter->fd, &exceptions);
	struct timeval timeout = { .tv_usec = 30000 };
	waiter->result = select(waiter->fd + 1, &set, NULL, &exceptions, &timeout);
	CHECK(FD_ISSET(waiter->fd, &set) && FD_ISSET(waiter->fd, &exceptions));
}

static void ready(void (*wait)(struct waiter *), const char *name)
{
	int ends[2];
	CHECK(pipe(ends) == 0);
	struct waiter waiter = start(wait, ends[0]);
	close_under(&waiter);
	end(&waiter, name);
	close(ends[1]);
}

static void wait_read(struct waiter *waiter)
{
	char byte;
	waiter->result = read(waiter->fd, &byte, 1);
}

static void reading(void)
{
	int ends[2];
	CHECK(pipe(ends) == 0);
	struct waiter waiter = start(wait_read, ends[0]);
	close_under(&waiter);
	CHECK(write(ends[1], "x", 1) == 1);
	end(&waiter, "read");
	close(ends[1]);
}

// What `select` says at once, of descriptors that nobody has.
static void never_open(void)
{
	int ends[2];
	CHECK(pipe(ends) == 0);
	close(ends[0]);
	fd_set set;
	struct timeval none = { 0 };
	for (int which = 0; which < 3; which++) {
		FD_ZERO(&set);
		FD_SET(ends[0], &set);
		int result = select(ends[0] + 1, which == 0 ? &set : NULL, which == 1 ? &set : NULL,
				    which == 2 ? &set : NULL, &none);
		CHECK(result == -1 && errno == EBADF);
	}
	// To who writes, that nobody reads any more is news of both kinds.
	FD_ZERO(&set);
	FD_SET(ends[1], &set);
	fd_set writers = set;
	CHECK(select(ends[1] + 1, &set, &writers, NULL, &none) == 2);
	close(ends[1]);
}

int main(void)
{
	whole_file();
	record();
	own_record();
	epoll();
	reading();
	ready(wait_poll, "poll");
	ready(wait_select, "select");
	never_open();
	printf("done\n");
	return 0;
}
