// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// Maps, touches and unmaps memory: processing elements that end in a page fault, and pages that are made on demand.
#include "bench.h"

enum { PAGES = 512 };

static void start(const long *stack)
{
	u64 sum = 0;
	for (u64 round = argument(stack, 1, 8); round > 0; round--) {
		long area = call6(SYS_MMAP, 0, PAGES * PAGE, 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
		if (area < 0)
			finish(0);
		volatile u64 *words = (volatile u64 *)area;
		for (u64 page = 0; page < PAGES; page++)
			words[page * WORDS] += page ^ round;
		for (u64 page = 0; page < PAGES; page++)
			sum = next(sum, words[page * WORDS]);
		if (call(SYS_MUNMAP, area, PAGES * PAGE, 0) != 0)
			finish(0);
	}
	finish(sum);
}
