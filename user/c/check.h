// SPDX-License-Identifier: MIT
// What the test programs share: a seeded generator, a running checksum, a check that names its line.
#ifndef CHECK_H
#define CHECK_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state = 0x9e3779b97f4a7c15u;

// xorshift64*: the same numbers on every machine.
static inline uint64_t random64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1du;
}

static uint64_t checksum_state = 0xcbf29ce484222325u;

// FNV-1a over the bytes at `data`.
static inline void checksum(const void *data, size_t length)
{
	const unsigned char *bytes = data;
	for (size_t i = 0; i < length; i++)
		checksum_state = (checksum_state ^ bytes[i]) * 0x100000001b3u;
}

static inline void checksum64(uint64_t value)
{
	checksum(&value, sizeof value);
}

// Prints the checksum under a name and starts a new one.
static inline void report(const char *name)
{
	printf("%-24s %016llx\n", name, (unsigned long long)checksum_state);
	checksum_state = 0xcbf29ce484222325u;
}

// Ends the program with status 1 if `condition` does not hold.
#define CHECK(condition)                                                                       \
	do {                                                                                   \
		if (!(condition)) {                                                            \
			fflush(stdout);                                                        \
			fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
			exit(1);                                                               \
		}                                                                              \
	} while (0)

#endif
