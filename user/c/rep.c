// SPDX-License-Identifier: MIT
// REP MOVS, STOS, LODS, SCAS and CMPS of every width, in both directions, over page ends, into themselves, into pages that
// are not there yet or never, with counts from none to 2^60. "large" moves megabytes; without it all counts are small,
// so that short processing elements end inside every kind.
#define _GNU_SOURCE
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { CF = 1, PF = 4, AF = 16, ZF = 64, SF = 128, OF = 2048, STATUS = CF | PF | AF | ZF | SF | OF, PAGE = 4096 };

typedef struct {
	uint64_t rcx, rax, flags;
	unsigned char *rsi, *rdi;
} registers;

#define OPERATION(name, instruction)                                                               \
	static void name(registers *r, int down)                                                   \
	{                                                                                          \
		if (down)                                                                          \
			__asm__ volatile("std; cmp %%ecx, %%ecx; " instruction "; pushfq; pop %[f]; cld" \
					 : "+c"(r->rcx), "+a"(r->rax), "+S"(r->rsi), "+D"(r->rdi),  \
					   [f] "=r"(r->flags) : : "cc", "memory");                  \
		else                                                                               \
			__asm__ volatile("cmp %%ecx, %%ecx; " instruction "; pushfq; pop %[f]"      \
					 : "+c"(r->rcx), "+a"(r->rax), "+S"(r->rsi), "+D"(r->rdi),  \
					   [f] "=r"(r->flags) : : "cc", "memory");                  \
	}
#define WIDTHS(name, instruction)                 \
	OPERATION(name##_b, instruction "b")      \
	OPERATION(name##_w, instruction "w")      \
	OPERATION(name##_l, instruction "l")      \
	OPERATION(name##_q, instruction "q")
WIDTHS(movs, "rep movs")
WIDTHS(stos, "rep stos")
WIDTHS(lods, "rep lods")
WIDTHS(scas_equal, "repe scas")
WIDTHS(scas_unequal, "repne scas")
WIDTHS(cmps_equal, "repe cmps")
WIDTHS(cmps_unequal, "repne cmps")
OPERATION(short_movs, "addr32 rep movsb")
OPERATION(short_stos, "addr32 rep stosl")

#define ROW(name) {name##_b, name##_w, name##_l, name##_q}
static const struct {
	const char *name;
	void (*widths[4])(registers *, int);
} operations[] = {
	{"movs", ROW(movs)},
	{"stos", ROW(stos)},
	{"lods", ROW(lods)},
	{"repe scas", ROW(scas_equal)},
	{"repne scas", ROW(scas_unequal)},
	{"repe cmps", ROW(cmps_equal)},
	{"repne cmps", ROW(cmps_unequal)},
};
enum { MOVS, STOS, LODS, REPE_SCAS, REPNE_SCAS, REPE_CMPS, REPNE_CMPS, OPERATIONS };

// Static, for the address-size prefix: below 4 GiB.
static unsigned char low[4 * PAGE] __attribute__((aligned(PAGE)));
static unsigned char *high;

// Executes, and takes into the checksum where it came to.
static void run(int operation, int width, int down, uint64_t count, unsigned char *from, unsigned char *to, uint64_t rax)
{
	registers r = {.rcx = count, .rax = rax, .rsi = from, .rdi = to};
	operations[operation].widths[width](&r, down);
	checksum64(r.rcx);
	checksum64(r.rax);
	checksum64((uint64_t)(r.rsi - from));
	checksum64((uint64_t)(r.rdi - to));
	// SCAS and CMPS alone change flags.
	checksum64(r.flags & STATUS);
}

// Both by words: what is tested is not this.
static void fill(unsigned char *at, size_t length)
{
	for (size_t i = 0; i < length; i += 8)
		memcpy(at + i, &(uint64_t){random64()}, 8);
}

static void take(const unsigned char *at, size_t length)
{
	uint64_t word, sum = 0;
	for (size_t i = 0; i < length; i += 8) {
		memcpy(&word, at + i, 8);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
		sum ^= sum >> 29;
	}
	checksum64(sum);
}

// Each operation and width, over the end of a page, either way, from no count to some.
static void plain(void)
{
	static const unsigned counts[] = {0, 1, 2, 3, 7, 24};
	for (int operation = 0; operation < OPERATIONS; operation++) {
		for (int width = 0; width < 4; width++)
			for (unsigned c = 0; c < sizeof counts / sizeof *counts; c++)
				for (int down = 0; down < 2; down++) {
					unsigned char *from = high + PAGE - 13, *to = low + 2 * PAGE - 29;
					uint64_t pattern = random64();
					fill(high + PAGE - 256, 512);
					if (operation >= REPE_SCAS) {
						// A stretch that is alike, with one place that is not.
						int alike = operation == REPE_SCAS || operation == REPE_CMPS;
						for (int i = -200; i < 200; i++) {
							to[i] = alike ? 0x55 : (unsigned char)(i | 1);
							from[i] = alike ? 0x55 : (unsigned char)(i & ~1);
						}
						pattern = alike ? 0x5555555555555555u : 0;
						to[(down ? -1 : 1) * (int)(9 << width)] ^= 0x55;
						if (!alike)
							memcpy(to + (down ? -1 : 1) * (int)(13 << width),
							       from + (down ? -1 : 1) * (int)(13 << width), 8);
					}
					run(operation, width, down, counts[c], from, to, pattern);
					take(low + 2 * PAGE - 256, 512);
				}
		report(operations[operation].name);
	}
}

// Source and destination in each other.
static void overlapping(void)
{
	static const int distances[] = {-9, -8, -4, -2, -1, 0, 1, 2, 4, 8, 9};
	for (int width = 0; width < 4; width++)
		for (unsigned d = 0; d < sizeof distances / sizeof *distances; d++)
			for (int down = 0; down < 2; down++) {
				unsigned char *from = high + 2 * PAGE - 16;
				fill(from - 160, 320);
				run(MOVS, width, down, 17, from, from + distances[d], 0);
				take(from - 160, 320);
			}
	report("overlapping");
}

static void addresses(void)
{
	for (int down = 0; down < 2; down++) {
		registers r = {.rcx = 0xabcdef0000000021u, .rsi = low + PAGE, .rdi = low + 2 * PAGE - 9};
		fill(low + PAGE - 64, 128);
		short_movs(&r, down);
		checksum64(r.rcx);
		checksum64((uint64_t)(r.rdi - low));
		r.rax = 0x0123456789abcdef;
		r.rcx = 5;
		short_stos(&r, down);
		checksum64((uint64_t)(r.rdi - low));
		take(low, sizeof low);
	}
	report("32-bit addresses");
}

static unsigned char *map(size_t length)
{
	unsigned char *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(at != MAP_FAILED);
	return at;
}

// Into and out of pages that come when they are touched, in the middle of the instruction.
static void on_demand(void)
{
	for (int width = 0; width < 4; width++)
		for (int down = 0; down < 2; down++) {
			unsigned char *fresh = map(4 * PAGE), *to = down ? fresh + 2 * PAGE + 24 : fresh + 2 * PAGE - 80;
			fill(high, 256);
			run(STOS, width, down, 20, NULL, to, 0x1122334455667788);
			run(MOVS, width, down, 20, high + 128, down ? fresh + PAGE + 24 : fresh + PAGE - 80, 0);
			run(REPE_SCAS, width, down, 20, NULL, down ? fresh + 3 * PAGE + 24 : fresh + 3 * PAGE - 80, 0);
			take(fresh, 4 * PAGE);
			CHECK(munmap(fresh, 4 * PAGE) == 0);
		}
	report("on demand");
}

// A page in the middle that may not be written: the handler opens it, and the instruction goes on.

static unsigned char *closed;
static int faults;
static sigjmp_buf back;
static int gives_up;

static void opens(int number, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	(void)number;
	faults++;
	checksum64((uint64_t)r[REG_RCX]);
	checksum64((uint64_t)(r[REG_RDI] - (long long)closed));
	checksum64((uint64_t)((unsigned char *)info->si_addr - closed));
	checksum64((uint64_t)r[REG_ERR]);
	if (gives_up)
		siglongjmp(back, 1);
	CHECK(mprotect((void *)((uintptr_t)info->si_addr & -PAGE), PAGE, PROT_READ | PROT_WRITE) == 0);
}

static void opened(void)
{
	struct sigaction action = {.sa_sigaction = opens, .sa_flags = SA_SIGINFO};
	CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
	for (int operation = MOVS; operation <= STOS; operation++)
		for (int width = 0; width < 4; width++)
			for (int down = 0; down < 2; down++) {
				closed = map(3 * PAGE);
				fill(high + PAGE - 200, 400);
				CHECK(mprotect(closed + PAGE, PAGE, PROT_READ) == 0);
				// Not a multiple of the width: with widths above one an element straddles the page's end.
				unsigned char *to = down ? closed + 2 * PAGE + 61 : closed + PAGE - 67;
				run(operation, width, down, 90u >> width, high + PAGE, to, 0x8877665544332211);
				take(closed, 3 * PAGE);
				CHECK(munmap(closed, 3 * PAGE) == 0);
			}
	printf("faults %d\n", faults);
	report("opened on the way");
}

// The same few pages again and again, so that they are hot.
static void hot(void)
{
	for (int i = 0; i < 40; i++) {
		run(STOS, i % 4, 0, 16 + i % 5, NULL, high + PAGE - 64, random64());
		run(MOVS, (i + 1) % 4, i & 1, 16 + i % 7, high + PAGE, high + 2 * PAGE + 3, 0);
		run(REPNE_CMPS, (i + 2) % 4, 0, 9, high + PAGE - 30, high + 2 * PAGE - 30, 0);
	}
	take(high, 4 * PAGE);
	report("hot");
}

// A count that no memory is enough for: it ends where memory does.
static void beyond(uint64_t room)
{
	gives_up = 1;
	// Kept over the way out of the handler.
	for (volatile int width = 0; width < 4; width++) {
		closed = map(room + PAGE);
		CHECK(munmap(closed + room, PAGE) == 0);
		if (sigsetjmp(back, 1) == 0) {
			run(STOS, width, 0, (1ull << 60) + 12345, NULL, closed + room - (room > PAGE ? room : 100), 0x5a5a5a5a5a5a5a5a);
			CHECK(0);
		}
		__asm__ volatile("cld");
		take(closed + room - PAGE, PAGE);
		CHECK(munmap(closed, room) == 0);
	}
	gives_up = 0;
	report("beyond the end");
}

// Megabytes.
static void large(void)
{
	enum { LENGTH = 16 << 20 };
	unsigned char *from = map(LENGTH), *to = map(LENGTH + PAGE);
	run(STOS, 3, 0, LENGTH / 8, NULL, from, 0x0102030405060708);
	for (int i = 0; i < LENGTH; i += 4000)
		from[i] = (unsigned char)random64();
	run(MOVS, 0, 0, LENGTH, from, to + 5, 0);
	run(REPE_CMPS, 2, 0, LENGTH / 4, from, to + 5, 0);
	run(MOVS, 3, 1, LENGTH / 8 - 1, from + LENGTH - 8, from + LENGTH - 3 - 8, 0);
	run(REPE_CMPS, 0, 1, LENGTH, from + LENGTH - 1, to + LENGTH - 1, 0);
	run(LODS, 1, 0, LENGTH / 2, to, NULL, 0);
	run(REPNE_SCAS, 0, 0, 1ull << 60, NULL, from, 0xff);
	take(from, LENGTH);
	take(to, LENGTH + PAGE);
	report("large");
	beyond(8 << 20);
}

int main(int count, char **arguments)
{
	high = map(4 * PAGE);
	if (count > 1 && strcmp(arguments[1], "large") == 0) {
		struct sigaction action = {.sa_sigaction = opens, .sa_flags = SA_SIGINFO};
		CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
		large();
		return 0;
	}
	plain();
	overlapping();
	addresses();
	on_demand();
	opened();
	hot();
	beyond(PAGE);
	return 0;
}
