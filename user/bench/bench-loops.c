// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// Loops of 1, 2 and 7 instructions that never end, each in a process of its own that is killed after so many turns:
// processing elements whose place is told from the ones around it by nothing but a count.
#include "bench.h"

enum { SYS_SCHED_YIELD = 24, SYS_FORK = 57, SYS_WAIT4 = 61, SYS_KILL = 62, SIGKILL = 9 };

__attribute__((noreturn)) static void spin(int length)
{
	switch (length) {
	case 1:
		__asm__ volatile("0: jmp 0b");
		break;
	case 2:
		__asm__ volatile("0: inc %%rax\n\tjmp 0b" : : : "rax");
		break;
	default:
		__asm__ volatile("0: inc %%rax\n\tadd %%rax, %%rdx\n\txor %%rdx, %%rsi\n\trol $7, %%rsi\n\t"
		                 "dec %%rdi\n\tcmp %%rdi, %%rdx\n\tjmp 0b"
		                 : : : "rax", "rdx", "rsi", "rdi");
	}
	__builtin_unreachable();
}

static void start(const long *stack)
{
	static const int lengths[] = { 1, 2, 7 };
	u64 turns = argument(stack, 1, 1000), result = 0;
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		long child = call(SYS_FORK, 0, 0, 0);
		if (child == 0)
			spin(lengths[i]);
		for (u64 turn = 0; turn < turns; turn++)
			call(SYS_SCHED_YIELD, 0, 0, 0);
		int status = 0;
		call(SYS_KILL, child, SIGKILL, 0);
		if (call6(SYS_WAIT4, child, (long)&status, 0, 0, 0, 0) != child)
			finish(0);
		result = result << 8 | (u64)status;
	}
	finish(result);
}
