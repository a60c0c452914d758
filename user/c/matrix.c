// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -O3
// SPDX-License-Identifier: MIT
// Multiplies small matrices of doubles, two elements at a time: XMM registers full of what matters; no C library.
#include "bare.h"

enum { SIDE = 12, ROUNDS = 4 };

static union {
	double numbers[SIDE][SIDE];
	uint64_t words[SIDE * SIDE];
} left, right, product;

static void multiply(void)
{
	for (unsigned i = 0; i < SIDE; i++) {
		double row[SIDE] = {0};
		for (unsigned k = 0; k < SIDE; k++)
			for (unsigned j = 0; j < SIDE; j++)
				row[j] += left.numbers[i][k] * right.numbers[k][j];
		for (unsigned j = 0; j < SIDE; j++)
			product.numbers[i][j] = row[j];
	}
}

static int program(void)
{
	for (unsigned i = 0; i < SIDE; i++) {
		for (unsigned j = 0; j < SIDE; j++) {
			left.numbers[i][j] = (double)(int64_t)(random64() >> 40) / 16777216;
			right.numbers[i][j] = (double)(int64_t)(random64() >> 40) / 16777216;
		}
	}
	int said = 1;
	for (unsigned round = 0; round < ROUNDS; round++) {
		multiply();
		said &= say(checksum(product.words, SIDE * SIDE));
		// Of the order of one again, so that nothing overflows.
		for (unsigned i = 0; i < SIDE; i++)
			for (unsigned j = 0; j < SIDE; j++)
				left.numbers[i][j] = product.numbers[i][j] / SIDE;
	}
	return said ? 0 : 1;
}
