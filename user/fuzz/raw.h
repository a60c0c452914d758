// SPDX-License-Identifier: MIT
// What is below the fuzzer: system calls, children on a stack of their own, accesses that may fault, random numbers,
// the state that all of its processes share, and lines of output.
#ifndef RAW_H
#define RAW_H
#include <stdint.h>

typedef uint64_t u64;

// What all processes share, at a place that no call aims at.
struct shared {
	u64 digest;
	// Calls made, and calls that may still be made in this round.
	u64 made;
	u64 left;
};
#define SHARED ((volatile struct shared *)0x700000000000)

static long call6(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;
	register u64 r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#define call(number, a, b, c) call6(number, (u64)(a), (u64)(b), (u64)(c), 0, 0, 0)

enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_MMAP = 9,
	NR_RT_SIGACTION = 13,
	NR_RT_SIGPROCMASK = 14,
	NR_PIPE = 22,
	NR_DUP2 = 33,
	NR_SETITIMER = 38,
	NR_GETPID = 39,
	NR_CLONE = 56,
	NR_FORK = 57,
	NR_VFORK = 58,
	NR_EXIT = 60,
	NR_WAIT4 = 61,
	NR_KILL = 62,
	NR_SETSID = 112,
	NR_UNLINK = 87,
	NR_OPEN = 2,
	NR_CLOSE = 3,
	NR_MKDIR = 83,
	NR_RMDIR = 84,
	NR_CHDIR = 80,
	NR_GETTID = 186,
	NR_TKILL = 200,
	NR_EXIT_GROUP = 231,
	NR_TGKILL = 234,
	NR_CLONE3 = 435,
};

// Makes a call that may come back twice. Who is new runs `newborn` on the stack that ends at `stack`, whatever stack
// pointer the call gave it, since memory may be shared.
long make(u64 number, u64 a, u64 b, u64 c, u64 d, u64 e, char *stack);
__attribute__((noreturn)) void newborn(void);
__asm__("make: push %rbx\n"
	"	mov 16(%rsp), %rbx\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	mov %r8, %r10\n"
	"	mov %r9, %r8\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	pop %rbx\n"
	"	ret\n"
	"1:	mov %rbx, %rsp\n"
	"	xor %ebp, %ebp\n"
	"	call newborn\n"
	"	ud2\n");

// Reads or writes a word that may not be there. The signal handler goes on at `no_access` then.
u64 peek(u64 at);
u64 poke(u64 at, u64 value);
extern char peek_at[], poke_at[], no_access[];
__asm__("peek:\n"
	"peek_at: mov (%rdi), %rax\n"
	"	ret\n"
	"poke:\n"
	"poke_at: mov %rsi, (%rdi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	"no_access: mov $-1, %rax\n"
	"	ret\n");

// SplitMix64: there is no state that it does not get away from, and fuzzing may write any.
static u64 random_state;

static u64 random64(void)
{
	u64 mixed = random_state += 0x9e3779b97f4a7c15u;
	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
	return mixed ^ mixed >> 31;
}

static u64 below(u64 bound)
{
	return random64() % bound;
}

#define one_of(list) ((list)[below(sizeof(list) / sizeof *(list))])

// All that is seen goes into one digest, in the order in which it is seen.
static void note(u64 value)
{
	SHARED->digest = (SHARED->digest ^ value) * 0x100000001b3u;
}

// A line of words and numbers in hexadecimal.
struct line {
	char text[256];
	unsigned length;
};

static void add_text(struct line *line, const char *text)
{
	while (*text && line->length < sizeof line->text)
		line->text[line->length++] = *text++;
}

static void add_number(struct line *line, u64 value)
{
	int digit = 60;
	while (digit > 0 && value >> digit == 0)
		digit -= 4;
	for (; digit >= 0; digit -= 4)
		if (line->length < sizeof line->text)
			line->text[line->length++] = "0123456789abcdef"[value >> digit & 15];
}

static void print(int descriptor, struct line *line)
{
	add_text(line, "\n");
	call(NR_WRITE, descriptor, line->text, line->length);
}

#endif
