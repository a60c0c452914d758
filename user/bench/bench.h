// SPDX-License-Identifier: MIT
// What the benchmarks share: a start without a C library, so that every instruction and every page written is
// the benchmark's own; numbers from the command line, and one line of output.
#ifndef BENCH_H
#define BENCH_H

typedef unsigned long u64;

enum { PAGE = 4096, WORDS = PAGE / sizeof(u64) };
enum { SYS_WRITE = 1, SYS_MMAP = 9, SYS_MUNMAP = 11, SYS_GETPID = 39, SYS_GETUID = 102, SYS_GETTID = 186, SYS_EXIT = 231 };

static inline long call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static inline long call6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}

// One step of a sequence in which each number depends on the one before: no compiler can vectorise it.
static inline u64 next(u64 state, u64 word)
{
	return (state ^ word) * 6364136223846793005u + 1442695040888963407u;
}

// Ends the program after one line: the result, which is the same on every machine.
__attribute__((noreturn)) static void finish(u64 result)
{
	char line[17];
	for (int i = 15; i >= 0; i--, result >>= 4)
		line[i] = "0123456789abcdef"[result & 15];
	line[16] = '\n';
	call(SYS_EXIT, call(SYS_WRITE, 1, (long)line, sizeof line) == sizeof line ? 0 : 1, 0, 0);
	__builtin_unreachable();
}

// The number in argument `index`, or `otherwise` if there is none.
static u64 argument(const long *stack, long index, u64 otherwise)
{
	if (index >= stack[0])
		return otherwise;
	u64 number = 0;
	for (const char *digit = (const char *)stack[1 + index]; *digit >= '0' && *digit <= '9'; digit++)
		number = number * 10 + (u64)(*digit - '0');
	return number;
}

// The benchmark; `stack` is what the kernel laid out: the argument count, then the arguments.
__attribute__((noreturn, used)) static void start(const long *stack);

__asm__(".globl _start\n_start: xor %ebp, %ebp\n\tmov %rsp, %rdi\n\tcall start\n\tud2\n");

#endif
