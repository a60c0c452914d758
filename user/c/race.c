// SPDX-License-Identifier: MIT
// A data race: threads that count without a lock lose counts. How many depends on where their turns
// end, and here that is always the same. With an argument, it is shown.
#include "check.h"
#include <pthread.h>
#include <sched.h>

enum { THREADS = 4, COUNTS = 60000 };

static volatile long counter, started;
static volatile unsigned order[256], placed;

static void *count(void *argument)
{
	__atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
	while (started < THREADS)
		;
	for (long i = 0; i < COUNTS; i++) {
		long seen = counter;
		for (volatile int j = 0; j < 3; j++)
			;
		counter = seen + 1;
		if (i % 4000 == 0)
			order[placed++ % 256] = (long)argument;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	for (long i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, count, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(counter > 0 && counter <= THREADS * COUNTS);
	(void)argv;
	if (argc == 1) {
		puts("counted");
		return 0;
	}
	printf("%d counts, %ld seen\n", THREADS * COUNTS, counter);
	for (unsigned i = 0; i < placed && i < 256; i++)
		putchar('0' + order[i]);
	putchar('\n');
	return 0;
}
