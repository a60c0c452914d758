// SPDX-License-Identifier: MIT
// Times that a program is told of: alarm, setitimer, timer_create with signals and threads, timerfd.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAILS(call, error)                                     \
	do {                                                   \
		errno = 0;                                     \
		CHECK((long)(call) == -1 && errno == (error)); \
	} while (0)

enum { MS = 1000000 };

static volatile int rung, last_code, last_value, by;

static void on_ring(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	rung++;
	last_code = info->si_code;
	last_value = info->si_value.sival_int;
	by = gettid();
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec time;
	CHECK(clock_gettime(clock, &time) == 0);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void real(void)
{
	CHECK(alarm(0) == 0 && alarm(10) == 0 && alarm(0) == 10);
	struct itimerval soon = { { 0, 0 }, { 0, 5000 } }, again = { { 0, 3000 }, { 0, 2000 } }, old;
	int64_t begun = now_ns(CLOCK_MONOTONIC);
	CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	FAILS(pause(), EINTR);
	CHECK(rung == 1 && now_ns(CLOCK_MONOTONIC) - begun >= 5 * MS && last_code == SI_KERNEL);
	CHECK(getitimer(ITIMER_REAL, &old) == 0 && old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
	// Again and again, while the program computes.
	CHECK(setitimer(ITIMER_REAL, &again, NULL) == 0);
	begun = now_ns(CLOCK_MONOTONIC);
	while (rung < 5)
		__asm__ volatile("");
	CHECK(now_ns(CLOCK_MONOTONIC) - begun >= 11 * MS);
	memset(&again, 0, sizeof again);
	CHECK(setitimer(ITIMER_REAL, &again, &old) == 0 && old.it_interval.tv_usec == 3000);
	CHECK(old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 3000);
	int before = rung;
	usleep(10000);
	CHECK(rung == before);
	// A child has none; a program that is executed would keep it.
	CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
	fflush(stdout);
	if (fork() == 0)
		_exit(getitimer(ITIMER_REAL, &old) == 0 && old.it_value.tv_usec == 0 ? 3 : 4);
	int status;
	while (wait(&status) == -1)
		CHECK(errno == EINTR);
	CHECK(status == 3 << 8);
	while (rung == before)
		pause();
	// What is ignored rings for nobody.
	signal(SIGALRM, SIG_IGN);
	again = (struct itimerval){ { 0, 100 }, { 0, 100 } };
	CHECK(setitimer(ITIMER_REAL, &again, NULL) == 0);
	usleep(3000);
	memset(&again, 0, sizeof again);
	CHECK(setitimer(ITIMER_REAL, &again, NULL) == 0);
	again.it_value.tv_usec = 1000000;
	FAILS(setitimer(ITIMER_REAL, &again, NULL), EINVAL);
	FAILS(setitimer(77, NULL, NULL), EINVAL);
	puts("real");
}

static void on_thread(union sigval value)
{
	__atomic_store_n(&last_value, value.sival_int, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&rung, 1, __ATOMIC_SEQ_CST);
}

static void posix(void)
{
	struct sigaction action = { .sa_sigaction = on_ring, .sa_flags = SA_SIGINFO };
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42 };
	timer_t timer, other;
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	struct itimerspec times = { { 0, 2 * MS }, { 0, 3 * MS } }, old;
	rung = 0;
	CHECK(timer_settime(timer, 0, &times, NULL) == 0);
	while (rung < 3)
		pause();
	CHECK(last_code == SI_TIMER && last_value == 42 && timer_getoverrun(timer) == 0);
	CHECK(timer_gettime(timer, &old) == 0 && old.it_interval.tv_nsec == 2 * MS && old.it_value.tv_nsec > 0);
	// While it is blocked, it rings once, and counts.
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	usleep(15000);
	siginfo_t info;
	CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_overrun >= 4 && info.si_value.sival_int == 42);
	CHECK(timer_getoverrun(timer) == info.si_overrun);
	CHECK(timer_delete(timer) == 0);
	FAILS(timer_gettime(timer, &old), EINVAL);
	while (sigtimedwait(&set, NULL, &(struct timespec){ 0, 0 }) == SIGUSR1)
		;
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	// By an absolute time, and to nobody.
	event.sigev_notify = SIGEV_NONE;
	CHECK(timer_create(CLOCK_REALTIME, &event, &other) == 0);
	int64_t due = now_ns(CLOCK_REALTIME) + 4 * MS;
	times = (struct itimerspec){ { 0, 0 }, { due / 1000000000, due % 1000000000 } };
	CHECK(timer_settime(other, TIMER_ABSTIME, &times, NULL) == 0);
	do {
		usleep(300);
		CHECK(timer_gettime(other, &old) == 0);
	} while (old.it_value.tv_nsec);
	CHECK(now_ns(CLOCK_REALTIME) >= due && timer_delete(other) == 0);
	// By a thread of the C library's.
	event = (struct sigevent){ .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread, .sigev_value.sival_int = 43 };
	rung = 0;
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	times = (struct itimerspec){ { 0, 2 * MS }, { 0, 2 * MS } };
	CHECK(timer_settime(timer, 0, &times, NULL) == 0);
	while (__atomic_load_n(&rung, __ATOMIC_SEQ_CST) < 3)
		usleep(1000);
	CHECK(last_value == 43 && timer_delete(timer) == 0);
	// By default SIGALRM, with the timer's own number.
	rung = 0;
	CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0);
	times = (struct itimerspec){ { 0, 0 }, { 0, 1 * MS } };
	CHECK(timer_settime(timer, 0, &times, &old) == 0 && old.it_value.tv_nsec == 0);
	while (!rung)
		pause();
	CHECK(last_code == SI_TIMER && by == getpid() && timer_delete(timer) == 0);
	FAILS(timer_create(99, NULL, &timer), EINVAL);
	event.sigev_notify = 77;
	FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), EINVAL);
	puts("posix");
}

static uint64_t take(int fd)
{
	uint64_t value = 0;
	return read(fd, &value, sizeof value) == sizeof value ? value : 0;
}

static void files(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), other = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	CHECK(fd >= 0 && other >= 0);
	struct itimerspec times = { { 0, 2 * MS }, { 0, 3 * MS } }, old;
	int64_t begun = now_ns(CLOCK_MONOTONIC);
	CHECK(timerfd_settime(fd, 0, &times, NULL) == 0 && timerfd_gettime(fd, &old) == 0);
	CHECK(old.it_value.tv_nsec <= 3 * MS && old.it_interval.tv_nsec == 2 * MS);
	uint64_t sum = take(fd);
	CHECK(sum >= 1 && now_ns(CLOCK_MONOTONIC) - begun >= 3 * MS);
	usleep(9000);
	struct pollfd one = { .fd = fd, .events = POLLIN };
	CHECK(poll(&one, 1, -1) == 1 && one.revents == POLLIN);
	sum += take(fd);
	int64_t passed = now_ns(CLOCK_MONOTONIC) - begun;
	CHECK(sum >= 5 && (int64_t)sum <= (passed - 3 * MS) / (2 * MS) + 1);
	uint64_t value;
	FAILS(read(other, &value, 8), EAGAIN);
	FAILS(read(fd, &value, 7), EINVAL);
	FAILS(write(fd, &value, 8), EINVAL);
	int64_t due = now_ns(CLOCK_REALTIME) + 4 * MS;
	times = (struct itimerspec){ { 0, 0 }, { due / 1000000000, due % 1000000000 } };
	CHECK(timerfd_settime(other, TFD_TIMER_ABSTIME, &times, NULL) == 0);
	times = (struct itimerspec){ { 0, 0 }, { 0, 0 } };
	CHECK(timerfd_settime(fd, 0, &times, &old) == 0 && old.it_interval.tv_nsec == 2 * MS);
	int epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = 1 }, told[2];
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, other, &event) == 0);
	event.data.u64 = 2;
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
	CHECK(epoll_wait(epoll, told, 2, -1) == 1 && told[0].data.u64 == 1 && now_ns(CLOCK_REALTIME) >= due);
	CHECK(epoll_wait(epoll, told, 2, 2) == 0 && take(other) == 1);
	// In the past: at once.
	times = (struct itimerspec){ { 0, 0 }, { 1, 0 } };
	CHECK(timerfd_settime(other, TFD_TIMER_ABSTIME, &times, NULL) == 0);
	CHECK(epoll_wait(epoll, told, 2, -1) == 1 && take(other) == 1);
	FAILS(timerfd_create(99, 0), EINVAL);
	FAILS(timerfd_settime(1, 0, &times, NULL), EINVAL);
	times.it_value.tv_nsec = 1000000000;
	FAILS(timerfd_settime(fd, 0, &times, NULL), EINVAL);
	close(fd), close(other), close(epoll);
	puts("files");
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_ring, .sa_flags = SA_SIGINFO };
	CHECK(sigaction(SIGALRM, &action, NULL) == 0);
	real();
	posix();
	files();
	return 0;
}
