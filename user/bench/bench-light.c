// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// Swaps all over a table of three pages: processing elements that write few pages, the same ones every time.
#include "bench.h"

enum { SLOTS = 3 * PAGE / sizeof(unsigned short) };

static unsigned short table[SLOTS] __attribute__((aligned(PAGE)));

static void start(const long *stack)
{
	for (unsigned i = 0; i < SLOTS; i++)
		table[i] = (unsigned short)(i * 40503u);
	u64 state = 1, sum = 0;
	for (u64 step = argument(stack, 1, 1500000); step > 0; step--) {
		state = next(state, sum);
		unsigned a = (unsigned)step % SLOTS, b = (unsigned)(state >> 40) % SLOTS;
		unsigned short kept = table[a];
		table[a] = table[b];
		table[b] = kept;
		sum += kept;
	}
	for (unsigned i = 0; i < SLOTS; i++)
		sum = next(sum, table[i]);
	finish(sum);
}
