// cflags: -nostdlib -fno-builtin -fno-stack-protector -fcf-protection=none
// SPDX-License-Identifier: MIT
// Makes random system calls, round after round, and prints a digest of all that came of them: arguments of
// `fuzz SEED CALLS [ROUND]` are hexadecimal. From ROUND on it tells each call before it makes it.
//
// The first process starts the rounds, ends them in time, and makes none of these calls itself. Of what a round may do, it keeps
// away only what would end or stop that process. Natively it refuses to begin: it would do to the machine what it does here.
#include "child.h"

enum { CALLS_A_ROUND = 160, ROUNDS_A_LINE = 32 };
// How long a round may last, in microseconds of the program's clock.
enum { PATIENCE_US = 4000 };

static volatile int is_late;

static void be_late(int signal, int *info, u64 *context)
{
	(void)signal;
	(void)info;
	(void)context;
	is_late = 1;
}

// Nobody sends this process a signal that does anything but this.
static void be_deaf(void)
{
	struct action action = {.flags = 0x04000000, .restorer = restore};
	for (u64 signal = 1; signal <= 64; signal++) {
		// To ignore SIGCHLD would be to hear of no child.
		action.handler = signal == 17 ? 0 : (void *)1;
		call6(NR_RT_SIGACTION, signal, (u64)&action, 0, 8, 0, 0);
	}
	action.handler = be_late;
	call6(NR_RT_SIGACTION, 14, (u64)&action, 0, 8, 0, 0);
}

static void clean(void)
{
	static const char *const places[] = {"/tmp/d/e", "/tmp/d", "/tmp/link", "/tmp/a", "/tmp/b"};
	static const char *const files[] = {"/tmp/d/a", "/tmp/d/d", "/tmp/a", "/tmp/b", "/tmp/d", "/tmp/d/e", "/tmp/link"};
	for (int i = 0; i < 7; i++)
		call(NR_UNLINK, files[i], 0, 0);
	for (int i = 0; i < 5; i++)
		call(NR_RMDIR, places[i], 0, 0);
}

static void finish_round(long first)
{
	int status = 0;
	long ended;
	is_late = 0;
	u64 times[4] = {0, 0, 0, PATIENCE_US};
	call(NR_SETITIMER, 0, times, 0);
	do
		ended = call6(NR_WAIT4, first, (u64)&status, 0, 0, 0, 0);
	while (ended == -4 && !is_late);
	// Those that are left are stopped, waiting, or gone from the group.
	call(NR_KILL, -1, 9, 0);
	do {
		note(status);
		ended = call6(NR_WAIT4, -1, (u64)&status, 0, 0, 0, 0);
	} while (ended > 0 || ended == -4);
	u64 none[4] = {0};
	call(NR_SETITIMER, 0, none, 0);
	clean();
}

static void report(const char *what, u64 round)
{
	struct line line = {.length = 0};
	add_text(&line, what);
	add_number(&line, round);
	add_text(&line, " calls ");
	add_number(&line, SHARED->made);
	add_text(&line, " digest ");
	add_number(&line, SHARED->digest);
	print(1, &line);
}

static u64 parse(const char *text)
{
	u64 value = 0;
	for (; text && *text; text++)
		value = value << 4 | ((*text & 15) + (*text > '9' ? 9 : 0));
	return value;
}

__attribute__((used, noreturn)) static void begin(u64 *stack)
{
	char **words = (char **)stack + 1;
	// On Linux all of this would come true.
	call(63 /* uname */, own.output, 0, 0);
	static const char system[] = "6.1.0-reprise";
	for (unsigned i = 0; i < sizeof system; i++)
		if (own.output[130 + i] != system[i])
			call(NR_EXIT_GROUP, 3, 0, 0);
	// Whoever is executed by a round goes on as another process of it.
	if (call(NR_GETPID, 0, 0, 0) != TOP || stack[0] < 3)
		call(NR_EXIT_GROUP, 2, 0, 0);
	u64 seed = parse(words[1]), calls = parse(words[2]), telling = stack[0] > 3 ? parse(words[3]) : -1ull;
	call6(NR_MMAP, (u64)SHARED, PAGE, 3, 0x31, -1, 0);
	be_deaf();
	call(NR_MKDIR, "/tmp", 0777, 0);
	u64 round = 0;
	for (; SHARED->made < calls; round++) {
		if (round % ROUNDS_A_LINE == 0)
			report("round ", round);
		if (round == telling) {
			call(NR_DUP2, 2, TOLD, 0);
			is_telling = 1;
		}
		SHARED->left = CALLS_A_ROUND;
		random_state = seed * 0x9e3779b97f4a7c15u + round;
		random_state = random64();
		is_first = 1;
		is_heavy = round % 16 == 15;
		long first = make(NR_FORK, 0, 0, 0, 0, 0, top_of(STACKS));
		note(first);
		finish_round(first);
	}
	report("done ", round);
	call(NR_EXIT_GROUP, 0, 0, 0);
	__builtin_unreachable();
}

__asm__(".globl _start\n_start: xor %ebp, %ebp\n	mov %rsp, %rdi\n	and $-16, %rsp\n	call begin\n	ud2\n");
