// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// `bench-pages PAGES ROUNDS`: one word in each of PAGES pages and a system call, ROUNDS times, and no other write.
// What a page costs, or a processing element, is the difference of two runs.
#include "bench.h"

enum { MOST = 256 };

static u64 area[MOST][WORDS] __attribute__((aligned(PAGE)));

static void start(const long *stack)
{
	u64 pages = argument(stack, 1, 1), rounds = argument(stack, 2, 1000), calls = 0;
	if (pages > MOST)
		finish(0);
	for (u64 round = 0; round < rounds; round++) {
		for (u64 page = 0; page < pages; page++)
			area[page][round % WORDS] += round;
		calls += call(SYS_GETPID, 0, 0, 0) > 0;
	}
	u64 sum = calls;
	for (u64 page = 0; page < pages; page++)
		for (int word = 0; word < WORDS; word++)
			sum = next(sum, area[page][word]);
	finish(sum);
}
