// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// As `bench-steady`, ten pages and a system call every 20,000 instructions, but other pages in every processing element:
// twenty groups of ten in turn, so that no prediction holds.
#include "bench.h"

enum { PAGES = 10, GROUPS = 20, WRITTEN = 285 };

static u64 area[GROUPS][PAGES][WORDS] __attribute__((aligned(PAGE)));

static void start(const long *stack)
{
	u64 state = 1, elements = argument(stack, 1, 1000);
	for (u64 element = 0; element < elements; element++) {
		for (int page = 0; page < PAGES; page++)
			for (int word = 0; word < WRITTEN; word++)
				area[element % GROUPS][page][word] = state = next(state, area[element % GROUPS][page][word]);
		state += call(SYS_GETUID, 0, 0, 0) < 0;
	}
	finish(state);
}
