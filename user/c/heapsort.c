// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// Sorts numbers on a heap and checks their order: comparisons, branches and swaps; no C library.
#include "bare.h"

enum { COUNT = 160 };

static uint64_t numbers[COUNT];

static void sink(unsigned root, unsigned count)
{
	uint64_t value = numbers[root];
	for (unsigned child; (child = 2 * root + 1) < count; root = child) {
		if (child + 1 < count && numbers[child + 1] > numbers[child])
			child++;
		if (numbers[child] <= value)
			break;
		numbers[root] = numbers[child];
	}
	numbers[root] = value;
}

static int program(void)
{
	uint64_t before = 0, after = 0;
	for (unsigned i = 0; i < COUNT; i++)
		before += numbers[i] = random64();
	for (unsigned i = COUNT / 2; i > 0; i--)
		sink(i - 1, COUNT);
	for (unsigned count = COUNT; count > 1; count--) {
		uint64_t greatest = numbers[0];
		numbers[0] = numbers[count - 1];
		numbers[count - 1] = greatest;
		sink(0, count - 1);
	}
	int sorted = 1;
	for (unsigned i = 0; i < COUNT; i++) {
		after += numbers[i];
		sorted &= i == 0 || numbers[i - 1] <= numbers[i];
	}
	return say(checksum(numbers, COUNT)) && sorted && before == after ? 0 : 1;
}
