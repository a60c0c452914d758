// SPDX-License-Identifier: MIT
// What event loops are made of: eventfd, epoll in all its ways, poll and select with masks.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FAILS(call, error)                                     \
	do {                                                   \
		errno = 0;                                     \
		CHECK((long)(call) == -1 && errno == (error)); \
	} while (0)

static uint64_t take(int fd)
{
	uint64_t value = 0;
	return read(fd, &value, sizeof value) == sizeof value ? value : 0;
}

static void put(int fd, uint64_t value)
{
	CHECK(write(fd, &value, sizeof value) == sizeof value);
}

static int state(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLIN | POLLOUT };
	CHECK(poll(&one, 1, 0) >= 0);
	return one.revents;
}

static void *adds_later(void *argument)
{
	int fd = *(int *)argument;
	usleep(2000);
	put(fd, 3);
	return NULL;
}

static void *takes_later(void *argument)
{
	usleep(2000);
	return (void *)take(*(int *)argument);
}

static void counts(void)
{
	int fd = eventfd(5, EFD_CLOEXEC | EFD_NONBLOCK), plain = eventfd(0, 0), one = eventfd(2, EFD_SEMAPHORE);
	CHECK(fd >= 0 && plain >= 0 && one >= 0);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_NONBLOCK) && fcntl(plain, F_GETFD) == 0);
	put(fd, 7);
	CHECK(take(fd) == 12 && state(fd) == POLLOUT);
	uint64_t value = -1ull;
	FAILS(read(fd, &value, 8), EAGAIN);
	FAILS(read(fd, &value, 7), EINVAL);
	value = -1ull;
	FAILS(write(fd, &value, 8), EINVAL);
	FAILS(write(fd, &value, 4), EINVAL);
	FAILS(pread(fd, &value, 8, 0), ESPIPE);
	put(fd, -2ull);
	CHECK(state(fd) == POLLIN);
	value = 1;
	FAILS(write(fd, &value, 8), EAGAIN);
	CHECK(take(fd) == -2ull);
	CHECK(take(one) == 1 && take(one) == 1 && state(one) == POLLOUT);
	struct iovec parts[2] = { { (char *)&value, 3 }, { (char *)&value + 3, 5 } };
	put(fd, 9);
	CHECK(readv(fd, parts, 2) == 8 && value == 9);
	put(plain, 4);
	char *closed = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FAILS(read(plain, closed, 7), EINVAL);
	FAILS(read(plain, closed, 8), EFAULT);
	CHECK(state(plain) == POLLOUT);
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, adds_later, &plain) == 0);
	CHECK(take(plain) == 3 && pthread_join(thread, NULL) == 0);
	put(plain, -2ull);
	CHECK(pthread_create(&thread, NULL, takes_later, &plain) == 0);
	put(plain, 6);
	CHECK(pthread_join(thread, NULL) == 0 && take(plain) == 6);
	struct stat status;
	CHECK(fstat(fd, &status) == 0 && status.st_size == 0 && (status.st_mode & 0777) == 0600);
	FAILS(ftruncate(fd, 0), EINVAL);
	FAILS(eventfd(0, 0x1000), EINVAL);
	close(fd), close(plain), close(one);
	puts("counts");
}

static struct epoll_event told[8];

static int wait_for(int epoll, int timeout)
{
	memset(told, 0, sizeof told);
	return epoll_wait(epoll, told, 8, timeout);
}

static void look(int epoll, int operation, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };
	CHECK(epoll_ctl(epoll, operation, fd, &event) == 0);
}

static volatile int handled;

static void on_signal(int signal)
{
	handled += signal;
}

static void *signals_later(void *argument)
{
	usleep(2000);
	pthread_kill(*(pthread_t *)argument, SIGUSR1);
	return NULL;
}

static void loops(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), ends[2], event = eventfd(0, EFD_NONBLOCK);
	CHECK(epoll >= 0 && pipe2(ends, O_NONBLOCK) == 0);
	CHECK(wait_for(epoll, 0) == 0);
	look(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN, 10);
	look(epoll, EPOLL_CTL_ADD, ends[1], EPOLLOUT, 11);
	look(epoll, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLET, 12);
	CHECK(wait_for(epoll, -1) == 1 && told[0].data.u64 == 11 && told[0].events == EPOLLOUT);
	look(epoll, EPOLL_CTL_MOD, ends[1], 0, 11);
	CHECK(wait_for(epoll, 3) == 0);
	CHECK(write(ends[1], "abc", 3) == 3);
	CHECK(wait_for(epoll, -1) == 1 && told[0].data.u64 == 10 && wait_for(epoll, -1) == 1);
	put(event, 1);
	CHECK(wait_for(epoll, -1) == 2 && told[0].data.u64 + told[1].data.u64 == 22);
	// Once a change.
	CHECK(wait_for(epoll, -1) == 1 && told[0].data.u64 == 10);
	put(event, 1);
	CHECK(wait_for(epoll, -1) == 2);
	// Once at all, until it is asked for again.
	look(epoll, EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT, 13);
	CHECK(wait_for(epoll, -1) == 1 && told[0].data.u64 == 13 && wait_for(epoll, 0) == 0);
	look(epoll, EPOLL_CTL_MOD, ends[0], EPOLLIN, 10);
	CHECK(state(epoll) == POLLIN);
	// Those come last that were told of.
	look(epoll, EPOLL_CTL_MOD, event, EPOLLIN, 12);
	CHECK(epoll_wait(epoll, told, 1, -1) == 1);
	uint64_t first = told[0].data.u64;
	CHECK(epoll_wait(epoll, told, 1, -1) == 1 && told[0].data.u64 != first);
	CHECK(take(event) == 2);
	// An end that is closed; the descriptor's last copy takes the entry with it.
	int copy = dup(ends[0]);
	CHECK(close(ends[1]) == 0 && wait_for(epoll, -1) == 1 && told[0].events == (EPOLLIN | EPOLLHUP));
	CHECK(close(ends[0]) == 0 && wait_for(epoll, 0) == 1 && close(copy) == 0 && wait_for(epoll, 0) == 0);
	struct epoll_event nothing = { 0 };
	FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &nothing), EEXIST);
	FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, &nothing), EINVAL);
	int stranger = eventfd(0, 0);
	FAILS(epoll_ctl(epoll, EPOLL_CTL_MOD, stranger, &nothing), ENOENT);
	close(stranger);
	FAILS(epoll_ctl(epoll, EPOLL_CTL_DEL, 77, &nothing), EBADF);
	FAILS(epoll_ctl(event, EPOLL_CTL_ADD, epoll, &nothing), EINVAL);
	FAILS(epoll_wait(event, told, 8, 0), EINVAL);
	FAILS(epoll_wait(epoll, told, 0, 0), EINVAL);
	int file = open("/dev/null", O_RDONLY);
	FAILS(epoll_ctl(epoll, EPOLL_CTL_ADD, file, &nothing), EPERM);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_DEL, event, NULL) == 0);
	look(epoll, EPOLL_CTL_ADD, event, EPOLLIN, 1);
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, adds_later, &event) == 0);
	CHECK(wait_for(epoll, -1) == 1 && pthread_join(thread, NULL) == 0 && take(event) == 3);
	close(file), close(event), close(epoll);
	puts("loops");
}

// A signal that only the wait lets through.
static void masks(void)
{
	sigset_t set, old, now;
	struct sigaction action = { .sa_handler = on_signal };
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, &old) == 0);
	int ends[2], epoll = epoll_create(1);
	CHECK(pipe(ends) == 0);
	struct pollfd one = { .fd = ends[0], .events = POLLIN };
	struct timespec time = { 0, 1000000 };
	fd_set reads;
	pthread_t self = pthread_self(), thread;
	for (int kind = 0; kind < 3; kind++) {
		for (int later = 0; later < 2; later++) {
			handled = 0;
			if (later)
				CHECK(pthread_create(&thread, NULL, signals_later, &self) == 0);
			else
				CHECK(raise(SIGUSR1) == 0 && handled == 0);
			FD_ZERO(&reads);
			FD_SET(ends[0], &reads);
			if (kind == 0)
				FAILS(ppoll(&one, 1, NULL, &old), EINTR);
			else if (kind == 1)
				FAILS(pselect(ends[0] + 1, &reads, NULL, NULL, NULL, &old), EINTR);
			else
				FAILS(epoll_pwait(epoll, told, 8, -1, &old), EINTR);
			CHECK(handled == SIGUSR1);
			CHECK(pthread_sigmask(0, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
			if (later)
				CHECK(pthread_join(thread, NULL) == 0);
		}
	}
	// Nothing comes: the time passes, and the mask is as before.
	handled = 0;
	CHECK(ppoll(&one, 1, &time, &old) == 0 && epoll_pwait(epoll, told, 8, 1, &old) == 0);
	CHECK(pselect(ends[0] + 1, &reads, NULL, NULL, &time, &old) == 0 && raise(SIGUSR1) == 0 && handled == 0);
	CHECK(write(ends[1], "x", 1) == 1 && ppoll(&one, 1, NULL, NULL) == 1);
	CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0 && handled == SIGUSR1);
	close(ends[0]), close(ends[1]), close(epoll);
	puts("masks");
}

int main(void)
{
	counts();
	loops();
	masks();
	return 0;
}
