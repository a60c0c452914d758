// SPDX-License-Identifier: MIT
// Clocks and timers of processor time: they pass for whoever runs, and not for whoever sleeps.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

static volatile sig_atomic_t rings[65];
static volatile unsigned long work;

static void ring(int signal)
{
	rings[signal]++;
}

static long used_ns(clockid_t clock)
{
	struct timespec now;
	CHECK(clock_gettime(clock, &now) == 0);
	return now.tv_sec * 1000000000 + now.tv_nsec;
}

static void pause_ms(long milliseconds)
{
	struct timespec left = { milliseconds / 1000, milliseconds % 1000 * 1000000 };
	while (nanosleep(&left, &left) == -1)
		;
}

static void compute(void)
{
	for (int i = 0; i < 1000; i++)
		work = work * 3 + 1;
}

static void intervals(void)
{
	struct itimerval half = { .it_interval = { 0, 500 }, .it_value = { 0, 500 } }, none = { 0 }, left;
	CHECK(setitimer(ITIMER_PROF, &half, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &half, NULL) == 0);
	while (rings[SIGPROF] < 5 || rings[SIGVTALRM] < 5)
		compute();
	CHECK(getitimer(ITIMER_PROF, &left) == 0 && left.it_interval.tv_usec >= 500);
	CHECK(setitimer(ITIMER_PROF, &none, &left) == 0 && setitimer(ITIMER_VIRTUAL, &none, NULL) == 0);
	CHECK(getitimer(ITIMER_PROF, &left) == 0 && !left.it_value.tv_usec && !left.it_value.tv_sec);
	CHECK(setitimer(99, &none, NULL) == -1 && errno == EINVAL && getitimer(99, &left) == -1 && errno == EINVAL);
	printf("intervals ring while computing\n");
	// A long sleep is no processor time.
	struct itimerval second = { .it_value = { 1, 0 } };
	rings[SIGPROF] = rings[SIGVTALRM] = 0;
	CHECK(setitimer(ITIMER_PROF, &second, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &second, NULL) == 0);
	pause_ms(1300);
	CHECK(getitimer(ITIMER_VIRTUAL, &left) == 0 && left.it_value.tv_sec + left.it_value.tv_usec > 0);
	CHECK(setitimer(ITIMER_PROF, &none, NULL) == 0 && setitimer(ITIMER_VIRTUAL, &none, NULL) == 0);
	printf("asleep: %d and %d rings\n", rings[SIGPROF], rings[SIGVTALRM]);
}

static timer_t timer_on(clockid_t clock, int number, long after_ns, long again_ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
	struct itimerspec times = { { 0, again_ns }, { 0, after_ns } };
	timer_t timer;
	CHECK(timer_create(clock, &event, &timer) == 0 && timer_settime(timer, 0, &times, NULL) == 0);
	return timer;
}

static void *busy(void *end)
{
	while (!*(volatile int *)end)
		compute();
	return NULL;
}

static void timers(void)
{
	struct itimerspec left;
	timer_t own = timer_on(CLOCK_THREAD_CPUTIME_ID, SIGUSR1, 300000, 300000);
	timer_t all = timer_on(CLOCK_PROCESS_CPUTIME_ID, SIGUSR2, 300000, 0);
	while (rings[SIGUSR1] < 3 || rings[SIGUSR2] < 1)
		compute();
	CHECK(timer_gettime(all, &left) == 0 && !left.it_value.tv_nsec && !left.it_value.tv_sec);
	CHECK(timer_gettime(own, &left) == 0 && left.it_interval.tv_nsec == 300000);
	CHECK(timer_delete(own) == 0 && timer_delete(all) == 0);
	// At a time of the clock, and not after one.
	struct itimerspec at = { .it_value = { 0, 1 } };
	CHECK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &(struct sigevent){ .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN },
			   &all) == 0);
	rings[SIGRTMIN] = 0;
	CHECK(timer_settime(all, TIMER_ABSTIME, &at, NULL) == 0);
	while (!rings[SIGRTMIN])
		compute();
	CHECK(timer_delete(all) == 0);
	printf("timers of a thread and of all\n");

	// Another thread's time passes while this one waits for it.
	pthread_t thread;
	clockid_t clock;
	int end = 0;
	CHECK(pthread_create(&thread, NULL, busy, &end) == 0 && pthread_getcpuclockid(thread, &clock) == 0);
	rings[SIGUSR1] = rings[SIGUSR2] = 0;
	timer_t other = timer_on(clock, SIGUSR1, 200000, 0);
	own = timer_on(CLOCK_THREAD_CPUTIME_ID, SIGUSR2, 900000000, 0);
	while (!rings[SIGUSR1])
		pause_ms(1);
	long before = used_ns(CLOCK_THREAD_CPUTIME_ID);
	CHECK(used_ns(clock) >= 200000 && used_ns(CLOCK_PROCESS_CPUTIME_ID) > before);
	end = 1;
	CHECK(pthread_join(thread, NULL) == 0 && timer_delete(other) == 0 && timer_delete(own) == 0);
	printf("timer of another thread; %d rings of one's own\n", rings[SIGUSR2]);
	CHECK(timer_create(0xfffffff7, NULL, &own) == -1 && errno == EINVAL);
}

static void sums(void)
{
	struct rusage self, own;
	struct tms ticks;
	CHECK(getrusage(RUSAGE_SELF, &self) == 0 && getrusage(RUSAGE_THREAD, &own) == 0 && times(&ticks) != -1);
	CHECK(self.ru_utime.tv_sec * 1000000 + self.ru_utime.tv_usec >= own.ru_utime.tv_sec * 1000000 + own.ru_utime.tv_usec);
	CHECK(used_ns(CLOCK_PROCESS_CPUTIME_ID) >= used_ns(CLOCK_THREAD_CPUTIME_ID));
	struct timespec moment = { 0, 1 };
	printf("asleep by a thread's time: %s\n", strerror(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &moment, NULL)));
	// A child's timers are its own: it begins without any, and the parent's are not disturbed.
	struct itimerval second = { .it_value = { 5, 0 } }, left;
	CHECK(setitimer(ITIMER_PROF, &second, NULL) == 0);
	pid_t child = fork();
	if (child == 0) {
		CHECK(getitimer(ITIMER_PROF, &left) == 0 && left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0);
		_exit(0);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(getitimer(ITIMER_PROF, &left) == 0 && left.it_value.tv_sec > 0);
	// What nobody handles ends the program.
	child = fork();
	if (child == 0) {
		struct itimerval soon = { .it_value = { 0, 1000 } };
		signal(SIGPROF, SIG_DFL);
		CHECK(setitimer(ITIMER_PROF, &soon, NULL) == 0);
		for (;;)
			compute();
	}
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	printf("a child was ended by %s\n", strsignal(WTERMSIG(status)));
}

int main(void)
{
	int signals[] = { SIGPROF, SIGVTALRM, SIGUSR1, SIGUSR2, SIGRTMIN };
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++)
		CHECK(sigaction(signals[i], &(struct sigaction){ .sa_handler = ring }, NULL) == 0);
	intervals();
	timers();
	sums();
	return 0;
}
