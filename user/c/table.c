// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// A hash table over many pages: stores all over them, then takes half of the keys out again; no C library.
#include "bare.h"

enum { SLOTS = 2048, KEYS = 480 };

static struct {
	uint64_t key, value;
} table[SLOTS] __attribute__((aligned(4096)));

// Where a key is, or would be.
static unsigned find(uint64_t key)
{
	unsigned at = (key * 0x9e3779b97f4a7c15u) >> 53;
	while (table[at].key != 0 && table[at].key != key)
		at = (at + 1) % SLOTS;
	return at;
}

static int program(void)
{
	uint64_t seed = random_state, sum = 0;
	for (unsigned i = 0; i < KEYS; i++) {
		uint64_t key = random64();
		unsigned at = find(key);
		table[at].key = key;
		table[at].value += key >> 7;
	}
	random_state = seed;
	int found = 1;
	for (unsigned i = 0; i < KEYS; i++) {
		uint64_t key = random64();
		unsigned at = find(key);
		found &= table[at].key == key && table[at].value == key >> 7;
		if (i % 2)
			table[at].value = 0;
		sum = (sum ^ table[at].value) * 0x100000001b3u;
	}
	return say(sum) && say(checksum(&table[0].key, 2 * SLOTS)) && found ? 0 : 1;
}
