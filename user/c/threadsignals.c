// SPDX-License-Identifier: MIT
// Signals and threads: who gets which, masks and stacks of each, waits for signals, faults in one
// thread while others run, stops and ends of all of them.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4 };

static volatile int ready, stop, handled_by[THREADS + 1], last_code;
static __thread int number;
static __thread volatile int own_handled;

static pthread_t start(void *(*run)(void *), long argument)
{
	pthread_t thread;
	int before = ready;
	CHECK(pthread_create(&thread, NULL, run, (void *)argument) == 0);
	while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) == before)
		sched_yield();
	return thread;
}

static long join(pthread_t thread)
{
	void *result;
	CHECK(pthread_join(thread, &result) == 0);
	return (long)result;
}

static void is_ready(void)
{
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	handled_by[number]++;
	own_handled++;
	last_code = info->si_code;
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags };
	CHECK(sigaction(signal, &action, NULL) == 0);
}

static void mask(int how, int signal)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal);
	CHECK(pthread_sigmask(how, &set, NULL) == 0);
}

static void *spins(void *argument)
{
	number = (long)argument;
	is_ready();
	while (!own_handled)
		sched_yield();
	return (void *)(long)own_handled;
}

static void *pauses(void *argument)
{
	number = (long)argument;
	sigset_t set;
	sigfillset(&set);
	sigdelset(&set, SIGUSR1);
	mask(SIG_BLOCK, SIGUSR1);
	is_ready();
	errno = 0;
	CHECK(sigsuspend(&set) == -1 && errno == EINTR);
	CHECK(own_handled == 1);
	return (void *)1;
}

static void to_one(void)
{
	handle(SIGUSR1, 0);
	pthread_t threads[THREADS];
	for (long i = 0; i < THREADS; i++)
		threads[i] = start(i % 2 ? spins : pauses, i + 1);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_kill(threads[THREADS - 1 - i], SIGUSR1) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(join(threads[i]) == 1 && handled_by[i + 1] == 1);
	CHECK(handled_by[0] == 0 && last_code == SI_TKILL);
	// A new thread has its maker's mask, and nothing that waits for its maker.
	mask(SIG_BLOCK, SIGUSR1);
	CHECK(raise(SIGUSR1) == 0);
	sigset_t set;
	CHECK(sigpending(&set) == 0 && sigismember(&set, SIGUSR1) && handled_by[0] == 0);
	mask(SIG_UNBLOCK, SIGUSR1);
	CHECK(handled_by[0] == 1);
	CHECK(syscall(SYS_tgkill, getpid(), 1 << 30, 0) == -1 && errno == ESRCH);
	CHECK(syscall(SYS_tgkill, getpid() + 1, gettid(), 0) == -1 && errno == ESRCH);
	CHECK(syscall(SYS_tgkill, 0, gettid(), 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_tkill, gettid(), 65) == -1 && errno == EINVAL);
	puts("to one");
}

static void *waits_for_handler(void *argument)
{
	number = (long)argument;
	if (number != 2)
		mask(SIG_BLOCK, SIGUSR2);
	is_ready();
	while (!stop)
		usleep(1000);
	return (void *)(long)own_handled;
}

// What is sent to the process goes to the first thread, or to one that does not block it.
static void to_all(void)
{
	handle(SIGUSR2, SA_RESTART);
	memset((void *)handled_by, 0, sizeof handled_by);
	pthread_t threads[THREADS];
	for (long i = 0; i < THREADS; i++)
		threads[i] = start(waits_for_handler, i + 1);
	CHECK(kill(getpid(), SIGUSR2) == 0 && handled_by[0] == 1 && last_code == SI_USER);
	mask(SIG_BLOCK, SIGUSR2);
	CHECK(kill(getpid(), SIGUSR2) == 0);
	while (!handled_by[2])
		sched_yield();
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		CHECK(join(threads[i]) == (i == 1));
	// Nobody takes it until somebody can.
	CHECK(kill(getpid(), SIGUSR2) == 0 && handled_by[0] == 1);
	mask(SIG_UNBLOCK, SIGUSR2);
	CHECK(handled_by[0] == 2);
	stop = 0;
	puts("to all");
}

static void *takes(void *argument)
{
	(void)argument;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	is_ready();
	int got = 0, sum = 0;
	while (got != SIGHUP) {
		CHECK(sigwait(&set, &got) == 0);
		sum += got;
	}
	return (void *)(long)sum;
}

static void waits(void)
{
	mask(SIG_BLOCK, SIGTERM);
	mask(SIG_BLOCK, SIGHUP);
	pthread_t taker = start(takes, 0);
	CHECK(kill(getpid(), SIGTERM) == 0);
	usleep(2000);
	CHECK(pthread_kill(taker, SIGTERM) == 0);
	usleep(2000);
	CHECK(kill(getpid(), SIGHUP) == 0);
	CHECK(join(taker) == 2 * SIGTERM + SIGHUP);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	struct timespec short_time = { 0, 3000000 };
	CHECK(sigtimedwait(&set, NULL, &short_time) == -1 && errno == EAGAIN);
	CHECK(kill(getpid(), SIGTERM) == 0);
	siginfo_t info;
	CHECK(sigtimedwait(&set, &info, &short_time) == SIGTERM && info.si_pid == getpid());
	puts("waits");
}

// A fault in one thread, on a stack of its own, while others run.

static __thread sigjmp_buf back;
static __thread char *fault_at, *stack;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	char here;
	CHECK(signal == SIGSEGV && info->si_addr == fault_at);
	CHECK(&here > stack && &here < stack + 32768);
	siglongjmp(back, 1);
}

static char *closed;

static void *faults(void *argument)
{
	stack = malloc(32768);
	stack_t alternate = { .ss_sp = stack, .ss_size = 32768 }, seen;
	CHECK(sigaltstack(NULL, &seen) == 0 && seen.ss_flags == SS_DISABLE);
	CHECK(sigaltstack(&alternate, NULL) == 0);
	is_ready();
	long count = 0;
	for (int i = 0; i < 100; i++) {
		fault_at = closed + 8 * (long)argument + i;
		if (sigsetjmp(back, 1))
			count++;
		else
			*fault_at = 1;
	}
	alternate.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&alternate, NULL) == 0);
	free(stack);
	return (void *)count;
}

static void *computes(void *argument)
{
	is_ready();
	uint64_t sum = (uint64_t)argument;
	for (long i = 0; i < 300000; i++)
		sum = sum * 6364136223846793005u + i;
	return (void *)sum;
}

static void in_one(void)
{
	closed = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(closed != MAP_FAILED);
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	pthread_t threads[THREADS];
	for (long i = 0; i < THREADS; i++)
		threads[i] = start(i % 2 ? faults : computes, i);
	for (int i = 0; i < THREADS; i++)
		checksum64(join(threads[i]));
	signal(SIGSEGV, SIG_DFL);
	report("in one");
}

// Stops, continuations and ends are of all threads.

static volatile long *shared;

static void *counts(void *argument)
{
	is_ready();
	for (;;) {
		shared[(long)argument]++;
		sched_yield();
	}
	return NULL;
}

static void of_all(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	int told[2], status;
	char byte;
	CHECK(pipe(told) == 0);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		start(counts, 0);
		start(counts, 1);
		CHECK(write(told[1], "x", 1) == 1);
		pause();
		_exit(9);
	}
	CHECK(read(told[0], &byte, 1) == 1);
	CHECK(kill(child, SIGSTOP) == 0);
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	long before[2] = { shared[0], shared[1] };
	usleep(20000);
	CHECK(shared[0] == before[0] && shared[1] == before[1]);
	CHECK(kill(child, SIGCONT) == 0);
	CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
	while (shared[0] == before[0] || shared[1] == before[1])
		sched_yield();
	CHECK(kill(child, SIGKILL) == 0);
	CHECK(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL);
	before[0] = shared[0], before[1] = shared[1];
	usleep(5000);
	CHECK(shared[0] == before[0] && shared[1] == before[1]);
	puts("of all");
}

// A child of one thread has that thread alone, with its mask and its storage.

static void *forks(void *argument)
{
	(void)argument;
	is_ready();
	number = 3;
	mask(SIG_BLOCK, SIGUSR1);
	pid_t child = fork();
	if (child == 0) {
		sigset_t set;
		CHECK(pthread_sigmask(0, NULL, &set) == 0 && sigismember(&set, SIGUSR1));
		CHECK(number == 3 && gettid() == getpid());
		long before = shared[2];
		usleep(3000);
		_exit(before == shared[2] ? 11 : 12);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	return (void *)(long)WEXITSTATUS(status);
}

static void of_a_thread(void)
{
	shared[2] = 0;
	CHECK(join(start(forks, 0)) == 11);
	puts("of a thread");
}

int main(void)
{
	to_one();
	to_all();
	waits();
	in_one();
	of_all();
	of_a_thread();
	return 0;
}
