// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// CRC-32 over a text that is copied to and fro with string instructions; no C library.
#include "bare.h"

enum { LENGTH = 1024, ROUNDS = 3 };

static uint32_t remainders[256];
static unsigned char text[LENGTH], copy[LENGTH];

static void move(void *to, const void *from, uint64_t count)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static uint32_t crc(const unsigned char *bytes, unsigned count)
{
	uint32_t sum = ~0u;
	for (unsigned i = 0; i < count; i++)
		sum = sum >> 8 ^ remainders[(sum ^ bytes[i]) & 255];
	return ~sum;
}

static int program(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t remainder = i;
		for (int bit = 0; bit < 8; bit++)
			remainder = remainder >> 1 ^ (remainder & 1 ? 0xedb88320u : 0);
		remainders[i] = remainder;
	}
	for (unsigned i = 0; i < LENGTH; i++)
		text[i] = random64() >> 56;
	uint64_t sums[ROUNDS];
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned half = 300 + 100 * round;
		move(copy, text + half, LENGTH - half);
		move(copy + LENGTH - half, text, half);
		move(text, copy, LENGTH);
		sums[round] = crc(text, LENGTH);
		if (!say(sums[round]))
			return 1;
	}
	// The check value of this CRC.
	return crc((const unsigned char *)"123456789", 9) == 0xcbf43926u ? 0 : 2;
}
