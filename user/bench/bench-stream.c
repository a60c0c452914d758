// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// Updates of four megabytes from one end to the other: memory-heavy, and other pages in every processing element,
// so that no prediction holds.
#include "bench.h"

enum { PAGES = 1024 };

static u64 area[PAGES][WORDS] __attribute__((aligned(PAGE)));

static void start(const long *stack)
{
	u64 state = 1;
	for (u64 pass = argument(stack, 1, 6); pass > 0; pass--)
		for (int page = 0; page < PAGES; page++)
			for (int word = 0; word < WORDS; word++)
				area[page][word] = state = next(state, area[page][word]);
	finish(state);
}
