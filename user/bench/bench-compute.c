// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// Integer arithmetic in registers: processing elements that write nothing and end by the limit.
#include "bench.h"

static void start(const long *stack)
{
	u64 sum = 0, state = 0x9e3779b97f4a7c15u;
	for (u64 round = argument(stack, 1, 5000000); round > 0; round--) {
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		sum = (sum << 7 | sum >> 57) ^ state * 0x2545f4914f6cdd1du;
	}
	finish(sum);
}
