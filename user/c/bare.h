// SPDX-License-Identifier: MIT
// What programs without a C library share: an entry point, system calls, a generator, a checksum, a line of output.
#ifndef BARE_H
#define BARE_H
#include <stdint.h>

static inline long call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static uint64_t random_state = 0x9e3779b97f4a7c15u;

// xorshift64*: the same numbers on every machine.
static inline uint64_t random64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1du;
}

// FNV-1a over whole words.
static inline uint64_t checksum(const uint64_t *words, unsigned count)
{
	uint64_t sum = 0xcbf29ce484222325u;
	for (unsigned i = 0; i < count; i++)
		sum = (sum ^ words[i]) * 0x100000001b3u;
	return sum;
}

// Writes a line with a number in hexadecimal; returns whether all of it was written.
static inline int say(uint64_t value)
{
	char text[17];
	for (int i = 0; i < 16; i++)
		text[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
	text[16] = '\n';
	return call(1 /* write */, 1, (long)text, sizeof text) == sizeof text;
}

// The program; returns its exit status.
static int program(void);

__attribute__((noreturn, used)) static void start(void)
{
	call(231 /* exit_group */, program(), 0, 0);
	__builtin_unreachable();
}

// The entry point: the stack is aligned as the ABI says, so that `start` may be called.
__asm__(".globl _start\n_start: xor %ebp, %ebp\n\tcall start\n\tud2\n");

#endif
