// SPDX-License-Identifier: MIT
// Mutexes that inherit priorities: handed on in order, between threads and processes, with
// timeouts, circles, and owners that end without giving them up.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

enum { THREADS = 8, ROUNDS = 500 };

static pthread_mutex_t mutex, other;
static pthread_barrier_t barrier;
static volatile long counter, handled;

static void make(pthread_mutex_t *made, int type, int robust, int shared)
{
	pthread_mutexattr_t attributes;
	CHECK(pthread_mutexattr_init(&attributes) == 0);
	CHECK(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0);
	CHECK(pthread_mutexattr_settype(&attributes, type) == 0);
	CHECK(pthread_mutexattr_setrobust(&attributes, robust) == 0);
	CHECK(pthread_mutexattr_setpshared(&attributes, shared) == 0);
	CHECK(pthread_mutex_init(made, &attributes) == 0);
	pthread_mutexattr_destroy(&attributes);
}

static void *add(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pthread_mutex_lock(&mutex) == 0);
		long seen = counter;
		if (i % 50 == 0)
			sched_yield();
		counter = seen + 1;
		CHECK(pthread_mutex_unlock(&mutex) == 0);
	}
	return unused;
}

static void counting(void)
{
	pthread_t threads[THREADS];
	make(&mutex, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_lock(&mutex) == EDEADLK);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, add, NULL) == 0);
	for (int i = 0; i < 100; i++)
		sched_yield();
	CHECK(counter == 0 && pthread_mutex_unlock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == EPERM);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	printf("counted to %ld\n", counter);
	CHECK(pthread_mutex_destroy(&mutex) == 0);
}

static void note(int signal)
{
	handled += signal == SIGUSR1;
}

// Waits for what the main thread has, in vain and with success; a signal comes meanwhile.
static void *wait_for_it(void *unused)
{
	struct timespec soon;
	CHECK(pthread_mutex_trylock(&mutex) == EBUSY);
	clock_gettime(CLOCK_REALTIME, &soon);
	CHECK(pthread_mutex_timedlock(&mutex, &soon) == ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &soon);
	CHECK(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &soon) == ETIMEDOUT);
	pthread_barrier_wait(&barrier);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(handled == 1);
	CHECK(pthread_mutex_unlock(&mutex) == 0);
	return unused;
}

static int is_waited_for(pthread_mutex_t *lock)
{
	return lock->__data.__lock & FUTEX_WAITERS;
}

static void waiting(void)
{
	pthread_t thread;
	struct sigaction action = { .sa_handler = note };
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	make(&mutex, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_create(&thread, NULL, wait_for_it, NULL) == 0);
	pthread_barrier_wait(&barrier);
	while (!is_waited_for(&mutex))
		sched_yield();
	CHECK(pthread_kill(thread, SIGUSR1) == 0);
	while (!handled)
		sched_yield();
	CHECK(pthread_mutex_unlock(&mutex) == 0 && pthread_join(thread, NULL) == 0);
	printf("waited through a handler\n");
}

// Has one lock and waits for the other one.
static void *cross(void *unused)
{
	CHECK(pthread_mutex_lock(&other) == 0);
	pthread_barrier_wait(&barrier);
	CHECK(pthread_mutex_lock(&mutex) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0 && pthread_mutex_unlock(&other) == 0);
	return unused;
}

static void circle(void)
{
	pthread_t thread;
	make(&other, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_create(&thread, NULL, cross, NULL) == 0);
	pthread_barrier_wait(&barrier);
	while (!is_waited_for(&mutex))
		sched_yield();
	// A C library waits for ever where the kernel says that this closes a circle: asked directly.
	CHECK(syscall(SYS_futex, &other.__data.__lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == -1);
	printf("a circle: %s\n", strerror(errno));
	CHECK(pthread_mutex_unlock(&mutex) == 0 && pthread_join(thread, NULL) == 0);
}

static void *leave(void *unused)
{
	CHECK(pthread_mutex_lock(&mutex) == 0);
	pthread_barrier_wait(&barrier);
	while (!is_waited_for(&mutex))
		sched_yield();
	return unused;
}

static void owners_that_end(void)
{
	pthread_t thread;
	make(&mutex, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
	CHECK(pthread_create(&thread, NULL, leave, NULL) == 0);
	pthread_barrier_wait(&barrier);
	CHECK(pthread_mutex_lock(&mutex) == EOWNERDEAD && pthread_mutex_consistent(&mutex) == 0);
	CHECK(pthread_mutex_unlock(&mutex) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);

	pthread_mutex_t *common =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	make(common, PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
	pid_t child = fork();
	if (child == 0) {
		CHECK(pthread_mutex_lock(common) == 0);
		while (!is_waited_for(common))
			sched_yield();
		_exit(0);
	}
	while (!common->__data.__lock)
		sched_yield();
	CHECK(pthread_mutex_lock(common) == EOWNERDEAD && pthread_mutex_consistent(common) == 0);
	CHECK(pthread_mutex_unlock(common) == 0 && waitpid(child, NULL, 0) == child);
	printf("took over from a thread and from a process\n");
}

// The words themselves, without a C library.
static void words(void)
{
	int word = 0;
	long own = gettid();
	CHECK(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0 && word == own);
	CHECK(syscall(SYS_futex, &word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0) == -1 && errno == EDEADLK);
	CHECK(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0 && word == 0);
	CHECK(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == -1 && errno == EPERM);
	word = FUTEX_OWNER_DIED;
	CHECK(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0 && word == (own | FUTEX_OWNER_DIED));
	word = 0x3ffffff0;
	CHECK(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == -1 && errno == ESRCH);
	CHECK(syscall(SYS_futex, (char *)&word + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_futex, (int *)8, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == -1 && errno == EFAULT);
	printf("words are what they should be\n");
}

int main(void)
{
	pthread_barrier_init(&barrier, NULL, 2);
	counting();
	waiting();
	circle();
	owners_that_end();
	words();
	return 0;
}
