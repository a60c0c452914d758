// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// Says something after every few instructions: system calls whose arguments and results all matter; no C library.
#include "bare.h"

enum { LINES = 24, ROUNDS = 16 };

static int program(void)
{
	uint64_t sum = 0;
	long first = call(39 /* getpid */, 0, 0, 0);
	for (unsigned line = 0; line < LINES; line++) {
		for (unsigned round = 0; round < ROUNDS; round++)
			sum = (sum << 7 | sum >> 57) + random64();
		if (call(39 /* getpid */, 0, 0, 0) != first)
			return 1;
		// No such descriptor: EBADF.
		if (call(3 /* close */, 100 + (long)(sum & 63), 0, 0) != -9)
			return 2;
		if (!say(sum))
			return 3;
	}
	return 0;
}
