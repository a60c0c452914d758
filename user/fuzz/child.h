// SPDX-License-Identifier: MIT
// One process of a round and its children: random calls, accesses, instructions and signals, until the round is over.
#ifndef CHILD_H
#define CHILD_H
#include "calls.h"
#include "odd.h"
#include "raw.h"
#include "values.h"

// The number of the process that starts rounds: the first one that there is.
enum { TOP = 1000 };
// Where calls are told, if they are.
enum { TOLD = 1000 };

static int is_telling;

static void tell(u64 number, const u64 *arguments)
{
	struct line line = {.length = 0};
	add_text(&line, "  ");
	add_number(&line, call(NR_GETTID, 0, 0, 0));
	add_text(&line, ": call ");
	add_number(&line, number);
	for (int i = 0; i < 6; i++) {
		add_text(&line, " ");
		add_number(&line, arguments[i]);
	}
	print(TOLD, &line);
}

struct action {
	void (*handler)(int, int *, u64 *);
	u64 flags;
	void (*restorer)(void);
	u64 mask;
};

void restore(void);
__asm__("restore: mov $15, %eax\n	syscall\n");

// Where registers lie in a `ucontext_t`, in words.
enum { R13 = 10, RSP = 20, RIP = 21, RFLAGS = 22, TRAP = 25, FPSTATE = 28, MASK = 37 };

static void handle(int signal, int *info, u64 *context)
{
	u64 rip = context[RIP];
	note(signal << 16 ^ info[2]);
	note(rip);
	if (rip == (u64)peek_at || rip == (u64)poke_at) {
		context[RIP] = (u64)no_access;
	} else if (context[R13] - (u64)&own < sizeof own && rip - (u64)odd_from < (u64)(odd_to - odd_from)) {
		context[RIP] = (u64)odd_to;
		context[RSP] = context[R13];
	} else if (info[2] > 0 && (signal == 4 || signal == 5 || signal == 7 || signal == 8 || signal == 11)) {
		// Steps are over; nothing else leads on from here.
		if (signal != 5)
			call(NR_EXIT_GROUP, 90 + signal, 0, 0);
	} else if (below(64) == 0) {
		static const char words[] = {RSP, RIP, RFLAGS, RFLAGS, FPSTATE, FPSTATE, MASK, MASK + 1, 23, 2, 4};
		context[(int)one_of(words)] = hostile();
	}
	context[RFLAGS] &= ~0x100ul;
}

static void prepare_signals(void)
{
	static const char handled[] = {1, 4, 5, 7, 8, 10, 11, 12, 13, 14, 15, 17, 21, 34, 40};
	struct action action = {.handler = handle, .restorer = restore};
	for (unsigned i = 0; i < sizeof handled; i++) {
		action.flags = 0x4c000004;
		call6(NR_RT_SIGACTION, handled[i], (u64)&action, 0, 8, 0, 0);
	}
	u64 none = 0;
	call6(NR_RT_SIGPROCMASK, 2, (u64)&none, 0, 8, 0, 0);
}

// Every so often whatever waits is interrupted.
static void prepare_clock(void)
{
	u64 times[4] = {0, 150, 0, 150};
	call(NR_SETITIMER, 0, times, 0);
}

// The process that starts rounds has to come through.
static void spare_top(u64 number, u64 *arguments)
{
	int is_for_process = number == NR_KILL || number == NR_TKILL || number == NR_TGKILL || number == 129 || number == 297;
	int target = (int)arguments[0], thread = number == NR_TGKILL || number == 297 ? (int)arguments[1] : 0;
	if (is_for_process && (target == TOP || target == -TOP || target == -1 || thread == TOP))
		arguments[0] = arguments[1] = 0;
	// It shares the limits that its children set for it, and no others.
	if (number == 302 && target == TOP)
		arguments[0] = 0;
}

static unsigned last_stack;

static char *top_of(unsigned index)
{
	return own.stacks[index] + STACK - 16;
}

static char *stack(void)
{
	return top_of(++last_stack % STACKS);
}

static void prepare_stack(void)
{
	char here;
	u64 index = (u64)(&here - own.stacks[0]) / STACK;
	u64 words[3] = {(u64)own.stacks[index % (STACKS + 1)], 0, STACK / 2};
	call(131, words, 0, 0);
}

static long clone_somehow(void)
{
	static const u64 kinds[] = {0x3d0f00, 0x3d0f00, 0x50f00, 17, 17, 0x4111, 0x4100, 0x111, 0x311, 0x711, 0x1000011};
	u64 flags = one_of(kinds) ^ (below(8) == 0 ? 1ull << below(34) : 0);
	u64 given = below(16) == 0 ? hostile() : (u64)stack();
	u64 id = value('x'), other = value('x'), tls = value('b');
	char *top = stack();
	switch (below(8)) {
	case 0:
		return make(NR_FORK, 0, 0, 0, 0, 0, top);
	case 1:
		return make(NR_VFORK, 0, 0, 0, 0, 0, top);
	case 2: {
		u64 *words = own.words + 16 * 63;
		words[0] = flags & ~0xffull;
		words[1] = 0;
		words[2] = id;
		words[3] = other;
		words[4] = below(4) ? 17 : hostile();
		words[5] = given;
		words[6] = 0;
		words[7] = tls;
		words[8] = words[9] = words[10] = below(16) == 0 ? hostile() : 0;
		words[5] = below(2) ? given - 4096 : 0;
		words[6] = words[5] ? 4096 : 0;
		return make(NR_CLONE3, (u64)words, below(4) ? 88 : length(), 0, 0, 0, top);
	}
	default:
		return make(NR_CLONE, flags, below(4) ? given : 0, id, other, tls, top);
	}
}

static void call_somehow(void)
{
	u64 number, arguments[6] = {0};
	if (below(24) == 0) {
		number = below(4) ? below(480) : hostile();
		for (int i = 0; i < 6; i++)
			arguments[i] = hostile();
	} else {
		const struct known *known_call = &one_of(known);
		number = known_call->number;
		for (int i = 0; known_call->kinds[i]; i++)
			arguments[i] = value(known_call->kinds[i]);
	}
	// What comes back twice needs a stack for each.
	if ((unsigned)number - NR_CLONE < 3 || (unsigned)number == NR_CLONE3)
		number = NR_GETPID;
	spare_top(number, arguments);
	if (is_telling)
		tell(number, arguments);
	long result = call6(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
	note(number);
	note(result);
	for (int i = 0; i < 4; i++)
		if (arguments[i] >= WORK && arguments[i] < 0x20000000)
			note(peek(arguments[i] & ~7ull));
		else if (arguments[i] - (u64)&own < sizeof own - 64)
			for (int j = 0; j < 4; j++)
				note(peek(arguments[i] + 8 * j));
}

static void act(void)
{
	switch (below(32)) {
	case 0:
	case 1: {
		long made = clone_somehow();
		note(made);
		break;
	}
	case 2:
	case 3:
	case 4: {
		u64 at = page();
		for (u64 i = is_heavy && below(8) == 0 ? below(1500) : 1; i > 0; i--, at += PAGE)
			note(poke(at + 8 * below(512), random64()));
		break;
	}
	case 5:
		odd(below(ODD), hostile());
		break;
	case 6:
		for (volatile u64 i = below(3000); i > 0; i--)
			;
		break;
	default:
		call_somehow();
	}
}

static void fuzz(u64 most)
{
	for (; most > 0 && SHARED->left > 0; most--) {
		SHARED->left--;
		SHARED->made++;
		act();
	}
}

// The first process of a round.
static void prepare_first(void)
{
	call(NR_SETSID, 0, 0, 0);
	for (int i = 0; i < 3; i++)
		call(NR_CLOSE, i, 0, 0);
	for (int i = 0; i < 3; i++)
		call(NR_OPEN, "/dev/null", 2, 0);
	int pipes[2];
	call(NR_PIPE, pipes, 0, 0);
	call(NR_CHDIR, "/tmp", 0, 0);
	call(NR_OPEN, "/tmp/a", 0102, 0777);
	call(NR_OPEN, "/tmp/b", 0102, 0777);
	call6(NR_MMAP, WORK, WORK_PAGES * PAGE, 3, 0x32, -1, 0);
	prepare_signals();
}

static int is_first;

void newborn(void)
{
	u64 most = -1ull;
	if (is_first) {
		is_first = 0;
		prepare_first();
	} else {
		random_state ^= (u64)call(NR_GETTID, 0, 0, 0) << 32;
		most = 4 + below(40);
	}
	prepare_stack();
	prepare_clock();
	fuzz(most);
	call(below(2) ? NR_EXIT : NR_EXIT_GROUP, below(256), 0, 0);
	for (;;)
		call(NR_EXIT, 0, 0, 0);
}

#endif
