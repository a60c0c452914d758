// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// Updates spread over forty pages: memory-heavy, but the same pages in every processing element, so that they are
// predicted.
#include "bench.h"

enum { PAGES = 40 };

static u64 area[PAGES][WORDS] __attribute__((aligned(PAGE)));

static void start(const long *stack)
{
	u64 state = 1;
	for (u64 pass = argument(stack, 1, 150); pass > 0; pass--)
		for (int word = 0; word < WORDS; word++)
			for (int page = 0; page < PAGES; page++)
				area[page][word] = state = next(state, area[page][word]);
	finish(state);
}
