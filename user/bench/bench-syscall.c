// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// System calls that do next to nothing, each in a function of its own: processing elements of a few instructions
// and one written page, the stack.
#include "bench.h"

__attribute__((noinline)) static long identity(long number)
{
	return call(number, 0, 0, 0);
}

static void start(const long *stack)
{
	u64 round = argument(stack, 1, 4000), same = 0;
	long pid = identity(SYS_GETPID), thread = identity(SYS_GETTID), user = identity(SYS_GETUID);
	for (u64 i = 0; i < round; i++) {
		same += identity(SYS_GETPID) == pid;
		same += identity(SYS_GETTID) == thread;
		same += identity(SYS_GETUID) == user;
	}
	finish(same);
}
