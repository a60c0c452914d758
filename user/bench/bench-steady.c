// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// Ten pages and a system call, again and again: processing elements of about 20,000 instructions and ten written
// pages, which are predicted after the first time.
#include "bench.h"

enum { PAGES = 10, WRITTEN = 285 };

static u64 area[PAGES][WORDS] __attribute__((aligned(PAGE)));

static void start(const long *stack)
{
	u64 state = 1;
	for (u64 element = argument(stack, 1, 1000); element > 0; element--) {
		for (int page = 0; page < PAGES; page++)
			for (int word = 0; word < WRITTEN; word++)
				area[page][word] = state = next(state, area[page][word]);
		state += call(SYS_GETUID, 0, 0, 0) < 0;
	}
	finish(state);
}
