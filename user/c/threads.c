// SPDX-License-Identifier: MIT
// Threads and what the C library offers them: locks of every kind, conditions, barriers, semaphores,
// storage of their own, cancellation, and locks whose owner has died.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8 };

// How often each thread takes each lock; another number may be asked for.
static int rounds = 2000;

static pthread_t start(void *(*run)(void *), void *argument)
{
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, run, argument) == 0);
	return thread;
}

static void *join(pthread_t thread)
{
	void *result = NULL;
	CHECK(pthread_join(thread, &result) == 0);
	return result;
}

// Identity, arguments, results, attributes.

static __thread long own = 7;

static void *identity(void *argument)
{
	CHECK(own == 7);
	own = (long)argument;
	CHECK(getpid() != gettid() && syscall(SYS_getpid) == getpid());
	sched_yield();
	CHECK(own == (long)argument);
	char name[16], read_back[16];
	snprintf(name, sizeof name, "thread %ld", own);
	CHECK(pthread_setname_np(pthread_self(), name) == 0);
	CHECK(pthread_getname_np(pthread_self(), read_back, sizeof read_back) == 0);
	CHECK(strcmp(name, read_back) == 0);
	return (void *)(own * own);
}

static void *use_stack(void *argument)
{
	volatile char much[200 << 10];
	memset((char *)much, 1, sizeof much);
	return (void *)((long)argument + much[sizeof much - 1]);
}

static void identities(void)
{
	CHECK(getpid() == gettid());
	pthread_t threads[THREADS];
	for (long i = 0; i < THREADS; i++)
		threads[i] = start(identity, (void *)i);
	for (long i = 0; i < THREADS; i++)
		checksum64((uint64_t)join(threads[i]));
	CHECK(own == 7);
	pthread_attr_t attributes;
	CHECK(pthread_attr_init(&attributes) == 0);
	CHECK(pthread_attr_setstacksize(&attributes, 256 << 10) == 0);
	pthread_t thread;
	CHECK(pthread_create(&thread, &attributes, use_stack, (void *)1) == 0);
	CHECK(join(thread) == (void *)2);
	// One after the other: numbers and stacks are used up by nobody.
	for (int i = 0; i < 300; i++)
		CHECK(join(start(use_stack, (void *)(long)i)) == (void *)(long)(i + 1));
	report("identities");
}

// Mutexes.

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count(void *argument)
{
	pthread_mutex_t *lock = argument;
	for (int i = 0; i < rounds; i++) {
		CHECK(pthread_mutex_lock(lock) == 0);
		long seen = counter;
		if (i % 64 == 0)
			sched_yield();
		counter = seen + 1;
		CHECK(pthread_mutex_unlock(lock) == 0);
	}
	return NULL;
}

static void counted(pthread_mutex_t *lock)
{
	counter = 0;
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(count, lock);
	for (int i = 0; i < THREADS; i++)
		join(threads[i]);
	CHECK(counter == THREADS * rounds);
	checksum64(counter);
}

static void *other_unlocks(void *argument)
{
	return (void *)(long)pthread_mutex_unlock(argument);
}

static void *other_tries(void *argument)
{
	int tried = pthread_mutex_trylock(argument);
	if (tried == 0)
		pthread_mutex_unlock(argument);
	return (void *)(long)tried;
}

static struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec time;
	clock_gettime(clock, &time);
	time.tv_nsec += ms * 1000000;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return time;
}

static void mutexes(void)
{
	counted(&mutex);
	for (int kind = PTHREAD_MUTEX_NORMAL; kind <= PTHREAD_MUTEX_ERRORCHECK; kind++) {
		pthread_mutexattr_t attributes;
		pthread_mutex_t lock;
		CHECK(pthread_mutexattr_init(&attributes) == 0);
		CHECK(pthread_mutexattr_settype(&attributes, kind) == 0);
		CHECK(pthread_mutex_init(&lock, &attributes) == 0);
		counted(&lock);
		CHECK(pthread_mutex_lock(&lock) == 0);
		CHECK(join(start(other_tries, &lock)) == (void *)EBUSY);
		struct timespec soon = in_ms(CLOCK_REALTIME, 5);
		if (kind == PTHREAD_MUTEX_RECURSIVE) {
			CHECK(pthread_mutex_lock(&lock) == 0 && pthread_mutex_unlock(&lock) == 0);
			CHECK(join(start(other_unlocks, &lock)) == (void *)EPERM);
		} else if (kind == PTHREAD_MUTEX_ERRORCHECK) {
			CHECK(pthread_mutex_lock(&lock) == EDEADLK);
			CHECK(join(start(other_unlocks, &lock)) == (void *)EPERM);
		} else {
			CHECK(pthread_mutex_timedlock(&lock, &soon) == ETIMEDOUT);
		}
		CHECK(pthread_mutex_unlock(&lock) == 0);
		CHECK(join(start(other_tries, &lock)) == 0);
		CHECK(pthread_mutex_destroy(&lock) == 0);
	}
	pthread_spinlock_t spin;
	CHECK(pthread_spin_init(&spin, 0) == 0 && pthread_spin_lock(&spin) == 0);
	CHECK(pthread_spin_trylock(&spin) == EBUSY && pthread_spin_unlock(&spin) == 0);
	report("mutexes");
}

// Conditions: a queue with room for few.

enum { ROOM = 3, ITEMS = 1500 };
static pthread_cond_t has_room = PTHREAD_COND_INITIALIZER, has_items = PTHREAD_COND_INITIALIZER;
static long queue[ROOM], queued, first;

static void *produce(void *argument)
{
	for (long i = 0; i < ITEMS; i++) {
		pthread_mutex_lock(&mutex);
		while (queued == ROOM)
			pthread_cond_wait(&has_room, &mutex);
		queue[(first + queued++) % ROOM] = (long)argument * ITEMS + i;
		pthread_cond_signal(&has_items);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *consume(void *argument)
{
	(void)argument;
	long sum = 0;
	for (long i = 0; i < ITEMS; i++) {
		pthread_mutex_lock(&mutex);
		while (queued == 0)
			pthread_cond_wait(&has_items, &mutex);
		sum += queue[first];
		first = (first + 1) % ROOM;
		queued--;
		pthread_cond_signal(&has_room);
		pthread_mutex_unlock(&mutex);
	}
	return (void *)sum;
}

static int released;

static void *await_release(void *argument)
{
	(void)argument;
	pthread_mutex_lock(&mutex);
	counter++;
	while (!released)
		pthread_cond_wait(&has_room, &mutex);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void conditions(void)
{
	pthread_t producers[3], consumers[3];
	for (long i = 0; i < 3; i++) {
		consumers[i] = start(consume, NULL);
		producers[i] = start(produce, (void *)i);
	}
	long sum = 0;
	for (int i = 0; i < 3; i++) {
		join(producers[i]);
		sum += (long)join(consumers[i]);
	}
	checksum64(sum);
	// All at once.
	counter = 0;
	pthread_t waiters[THREADS];
	for (int i = 0; i < THREADS; i++)
		waiters[i] = start(await_release, NULL);
	for (long seen = 0; seen < THREADS;) {
		sched_yield();
		pthread_mutex_lock(&mutex);
		seen = counter;
		pthread_mutex_unlock(&mutex);
	}
	pthread_mutex_lock(&mutex);
	released = 1;
	pthread_cond_broadcast(&has_room);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < THREADS; i++)
		join(waiters[i]);
	// Nobody signals: by either clock.
	pthread_mutex_lock(&mutex);
	struct timespec soon = in_ms(CLOCK_REALTIME, 20);
	CHECK(pthread_cond_timedwait(&has_items, &mutex, &soon) == ETIMEDOUT);
	struct timespec now = in_ms(CLOCK_REALTIME, 0);
	CHECK(now.tv_sec > soon.tv_sec || (now.tv_sec == soon.tv_sec && now.tv_nsec >= soon.tv_nsec));
	soon = in_ms(CLOCK_MONOTONIC, 20);
	CHECK(pthread_cond_clockwait(&has_items, &mutex, CLOCK_MONOTONIC, &soon) == ETIMEDOUT);
	now = in_ms(CLOCK_MONOTONIC, 0);
	CHECK(now.tv_sec > soon.tv_sec || (now.tv_sec == soon.tv_sec && now.tv_nsec >= soon.tv_nsec));
	pthread_mutex_unlock(&mutex);
	report("conditions");
}

// Barriers, readers and writers, semaphores, what is done once.

static pthread_barrier_t barrier;
static long steps[THREADS];

static void *step_together(void *argument)
{
	long serial = 0;
	for (int i = 0; i < 50; i++) {
		steps[(long)argument]++;
		int result = pthread_barrier_wait(&barrier);
		CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
		serial += result != 0;
		for (int j = 0; j < THREADS; j++)
			CHECK(steps[j] == i + 1);
		pthread_barrier_wait(&barrier);
	}
	return (void *)serial;
}

static pthread_rwlock_t readers = PTHREAD_RWLOCK_INITIALIZER;
static long pair[2], inside;

static void *read_pairs(void *argument)
{
	(void)argument;
	long most = 0;
	for (int i = 0; i < 300; i++) {
		pthread_rwlock_rdlock(&readers);
		long now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
		most = now > most ? now : most;
		CHECK(pair[0] == pair[1]);
		if (i % 16 == 0)
			sched_yield();
		CHECK(pair[0] == pair[1]);
		__atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
		pthread_rwlock_unlock(&readers);
	}
	return (void *)most;
}

static void *write_pairs(void *argument)
{
	(void)argument;
	for (int i = 0; i < 300; i++) {
		pthread_rwlock_wrlock(&readers);
		CHECK(inside == 0);
		pair[0]++;
		if (i % 16 == 0)
			sched_yield();
		pair[1]++;
		pthread_rwlock_unlock(&readers);
	}
	return NULL;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int initialised;

static void initialise(void)
{
	sched_yield();
	initialised++;
}

static void *need_it(void *argument)
{
	(void)argument;
	pthread_once(&once, initialise);
	CHECK(initialised == 1);
	return NULL;
}

static sem_t to_and_fro[2];

static void *fro(void *argument)
{
	(void)argument;
	for (int i = 0; i < 200; i++) {
		CHECK(sem_wait(&to_and_fro[0]) == 0);
		counter++;
		CHECK(sem_post(&to_and_fro[1]) == 0);
	}
	return NULL;
}

static void meetings(void)
{
	CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
	pthread_t threads[THREADS];
	for (long i = 0; i < THREADS; i++)
		threads[i] = start(step_together, (void *)i);
	long serial = 0;
	for (int i = 0; i < THREADS; i++)
		serial += (long)join(threads[i]);
	CHECK(serial == 50 && pthread_barrier_destroy(&barrier) == 0);
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(i % 4 ? read_pairs : write_pairs, NULL);
	for (int i = 0; i < THREADS; i++)
		join(threads[i]);
	CHECK(pair[0] == 600 && pair[1] == 600);
	struct timespec soon = in_ms(CLOCK_REALTIME, 5);
	CHECK(pthread_rwlock_rdlock(&readers) == 0 && pthread_rwlock_trywrlock(&readers) == EBUSY);
	CHECK(pthread_rwlock_timedwrlock(&readers, &soon) == ETIMEDOUT && pthread_rwlock_unlock(&readers) == 0);
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(need_it, NULL);
	for (int i = 0; i < THREADS; i++)
		join(threads[i]);
	CHECK(sem_init(&to_and_fro[0], 0, 0) == 0 && sem_init(&to_and_fro[1], 0, 0) == 0);
	counter = 0;
	pthread_t other = start(fro, NULL);
	for (int i = 0; i < 200; i++) {
		CHECK(counter == i && sem_post(&to_and_fro[0]) == 0 && sem_wait(&to_and_fro[1]) == 0);
		CHECK(counter == i + 1);
	}
	join(other);
	soon = in_ms(CLOCK_REALTIME, 5);
	CHECK(sem_timedwait(&to_and_fro[0], &soon) == -1 && errno == ETIMEDOUT);
	checksum64(counter);
	report("meetings");
}

// Storage with destructors, cleanup, cancellation.

static pthread_key_t keys[2];
static char said[200];

static void say(const char *word)
{
	strncat(said, word, sizeof said - strlen(said) - 1);
}

static void destroy(void *value)
{
	say(value);
	// Once more: destructors run until nothing is left, or four times.
	if (strcmp(value, "a ") == 0)
		pthread_setspecific(keys[1], "b ");
}

static void clean(void *argument)
{
	say(argument);
}

static void *with_storage(void *argument)
{
	(void)argument;
	pthread_setspecific(keys[0], "a ");
	pthread_cleanup_push(clean, "cleaned ");
	pthread_exit((void *)5);
	pthread_cleanup_pop(0);
	return NULL;
}

static int pipe_ends[2];

static void *waits_in_read(void *argument)
{
	char byte;
	pthread_cleanup_push(clean, "read ");
	if (argument)
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	counter = 1;
	ssize_t got = read(pipe_ends[0], &byte, 1);
	if (argument) {
		CHECK(got == 1);
		say("survived ");
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		pthread_testcancel();
	}
	pthread_cleanup_pop(0);
	return NULL;
}

static void unlock(void *lock)
{
	pthread_mutex_unlock(lock);
}

static void *waits_for_condition(void *argument)
{
	(void)argument;
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlock, &mutex);
	counter = 1;
	for (;;)
		pthread_cond_wait(&has_items, &mutex);
	pthread_cleanup_pop(1);
	return NULL;
}

static void *computes(void *argument)
{
	(void)argument;
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	pthread_cleanup_push(clean, "computed ");
	counter = 1;
	for (;;)
		__asm__ volatile("");
	pthread_cleanup_pop(0);
	return NULL;
}

static pthread_t started(void *(*run)(void *), void *argument)
{
	counter = 0;
	pthread_t thread = start(run, argument);
	while (__atomic_load_n(&counter, __ATOMIC_SEQ_CST) == 0)
		sched_yield();
	return thread;
}

static void endings(void)
{
	CHECK(pthread_key_create(&keys[0], destroy) == 0 && pthread_key_create(&keys[1], destroy) == 0);
	CHECK(join(start(with_storage, NULL)) == (void *)5);
	CHECK(pipe(pipe_ends) == 0);
	pthread_t thread = started(waits_in_read, NULL);
	CHECK(pthread_cancel(thread) == 0 && join(thread) == PTHREAD_CANCELED);
	thread = started(waits_in_read, (void *)1);
	CHECK(pthread_cancel(thread) == 0 && write(pipe_ends[1], "x", 1) == 1);
	CHECK(join(thread) == PTHREAD_CANCELED);
	thread = started(waits_for_condition, NULL);
	CHECK(pthread_cancel(thread) == 0 && join(thread) == PTHREAD_CANCELED);
	CHECK(pthread_mutex_trylock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
	thread = started(computes, NULL);
	CHECK(pthread_cancel(thread) == 0 && join(thread) == PTHREAD_CANCELED);
	printf("%s\n", said);
	report("endings");
}

// Locks whose owner has died, in this process and in another one.

static pthread_mutex_t *robust;

static void *dies_with_lock(void *argument)
{
	(void)argument;
	CHECK(pthread_mutex_lock(robust) == 0);
	return NULL;
}

static void *waits_for_dead(void *argument)
{
	(void)argument;
	counter = 1;
	int result = pthread_mutex_lock(robust);
	CHECK(result == EOWNERDEAD && pthread_mutex_consistent(robust) == 0);
	CHECK(pthread_mutex_unlock(robust) == 0);
	return (void *)1;
}

static void *holds_until_told(void *argument)
{
	(void)argument;
	char byte;
	CHECK(pthread_mutex_lock(robust) == 0);
	counter = 1;
	CHECK(read(pipe_ends[0], &byte, 1) == 1);
	return NULL;
}

static void heirs(void)
{
	robust = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(robust != MAP_FAILED);
	pthread_mutexattr_t attributes;
	CHECK(pthread_mutexattr_init(&attributes) == 0);
	CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
	CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
	CHECK(pthread_mutex_init(robust, &attributes) == 0);
	join(start(dies_with_lock, NULL));
	CHECK(pthread_mutex_lock(robust) == EOWNERDEAD && pthread_mutex_consistent(robust) == 0);
	CHECK(pthread_mutex_unlock(robust) == 0);
	// Whoever waits already hears of it.
	pthread_t owner = started(holds_until_told, NULL);
	pthread_t heir = started(waits_for_dead, NULL);
	CHECK(write(pipe_ends[1], "x", 1) == 1);
	join(owner);
	CHECK(join(heir) == (void *)1);
	// Another process: its thread ends with it, by a signal or by itself.
	for (int kills = 0; kills < 2; kills++) {
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			pthread_t one = started(holds_until_told, NULL);
			(void)one;
			if (kills)
				raise(SIGKILL);
			_exit(0);
		}
		int status;
		CHECK(waitpid(child, &status, 0) == child && (kills ? WIFSIGNALED(status) : WIFEXITED(status)));
		CHECK(pthread_mutex_lock(robust) == EOWNERDEAD && pthread_mutex_consistent(robust) == 0);
		CHECK(pthread_mutex_unlock(robust) == 0);
	}
	join(start(dies_with_lock, NULL));
	CHECK(pthread_mutex_lock(robust) == EOWNERDEAD && pthread_mutex_unlock(robust) == 0);
	CHECK(pthread_mutex_lock(robust) == ENOTRECOVERABLE);
	report("heirs");
}

// Ends of processes with threads.

static void *ends_the_process(void *argument)
{
	(void)argument;
	sched_yield();
	_exit(6);
}

static void *outlives(void *argument)
{
	// The first thread can be joined although it has ended.
	CHECK(pthread_join(*(pthread_t *)argument, NULL) == 0);
	CHECK(syscall(SYS_tgkill, getpid(), getpid(), 0) == 0);
	return NULL;
}

static void *computes_on(void *argument)
{
	(void)argument;
	for (;;)
		__asm__ volatile("");
	return NULL;
}

static int status_of(void (*run)(void))
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		run();
		_exit(99);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	return status;
}

static pthread_t main_thread;

static void another_ends(void)
{
	start(ends_the_process, NULL);
	for (;;)
		pause();
}

static void first_ends_first(void)
{
	main_thread = pthread_self();
	start(outlives, &main_thread);
	pthread_exit(NULL);
}

static void returns_while_others_run(void)
{
	started(waits_in_read, NULL);
	start(computes_on, NULL);
	exit(4);
}

static void *crashes(void *argument)
{
	*(volatile int *)argument = 1;
	return NULL;
}

static void one_crashes(void)
{
	start(crashes, NULL);
	for (;;)
		pause();
}

static void ends(void)
{
	checksum64(status_of(another_ends));
	checksum64(status_of(first_ends_first));
	checksum64(status_of(returns_while_others_run));
	checksum64(status_of(one_crashes) & 0x7f);
	report("ends");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = atoi(argv[1]);
	identities();
	mutexes();
	conditions();
	meetings();
	endings();
	heirs();
	ends();
	return 0;
}
