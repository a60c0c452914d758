// SPDX-License-Identifier: MIT
// REP MOVS, STOS, LODS, CMPS and SCAS in all widths, both directions, across pages, overlapping, empty and large.
#include "check.h"
#include <stddef.h>
#include <string.h>

enum { SIZE = 5 * 4096 };

static unsigned char area[SIZE] __attribute__((aligned(4096)));
static unsigned char other[SIZE] __attribute__((aligned(4096)));
static unsigned char model[SIZE];

static void scramble(void)
{
	for (int i = 0; i < SIZE; i += 8) {
		uint64_t a = random64(), b = random64();
		memcpy(area + i, &a, 8);
		memcpy(other + i, &b, 8);
	}
}

// One function a width: forwards if `backward` is 0. Returns RDI, RSI and RCX by pointer.
#define STRING(suffix)                                                                                       \
	static void movs##suffix(int backward, unsigned char **to, unsigned char **from, uint64_t *count)    \
	{                                                                                                    \
		if (backward)                                                                                \
			__asm__ volatile("std; rep movs" #suffix "; cld"                                     \
					 : "+D"(*to), "+S"(*from), "+c"(*count) : : "memory");               \
		else                                                                                         \
			__asm__ volatile("rep movs" #suffix                                                  \
					 : "+D"(*to), "+S"(*from), "+c"(*count) : : "memory");               \
	}                                                                                                    \
	static void stos##suffix(int backward, unsigned char **to, uint64_t value, uint64_t *count)          \
	{                                                                                                    \
		if (backward)                                                                                \
			__asm__ volatile("std; rep stos" #suffix "; cld"                                     \
					 : "+D"(*to), "+c"(*count) : "a"(value) : "memory");                 \
		else                                                                                         \
			__asm__ volatile("rep stos" #suffix                                                  \
					 : "+D"(*to), "+c"(*count) : "a"(value) : "memory");                 \
	}                                                                                                    \
	static uint64_t lods##suffix(int backward, unsigned char **from, uint64_t *count)                    \
	{                                                                                                    \
		uint64_t value = 0;                                                                          \
		if (backward)                                                                                \
			__asm__ volatile("std; rep lods" #suffix "; cld"                                     \
					 : "+S"(*from), "+c"(*count), "+a"(value) : : "memory");             \
		else                                                                                         \
			__asm__ volatile("rep lods" #suffix                                                  \
					 : "+S"(*from), "+c"(*count), "+a"(value) : : "memory");             \
		return value;                                                                                \
	}                                                                                                    \
	static uint64_t cmps##suffix(int backward, int equal, unsigned char **to, unsigned char **from,      \
				     uint64_t *count)                                                        \
	{                                                                                                    \
		unsigned char zero = 0, below = 0;                                                           \
		/* The first comparison sets the flags that an empty REP leaves alone. */                    \
		if (backward && equal)                                                                       \
			__asm__ volatile("cmp %%rax, %%rax; std; repe cmps" #suffix "; setz %3; setb %4; cld"  \
					 : "+D"(*to), "+S"(*from), "+c"(*count), "=r"(zero), "=r"(below)     \
					 : : "memory");                                                      \
		else if (backward)                                                                           \
			__asm__ volatile("cmp %%rax, %%rax; std; repne cmps" #suffix "; setz %3; setb %4; cld" \
					 : "+D"(*to), "+S"(*from), "+c"(*count), "=r"(zero), "=r"(below)     \
					 : : "memory");                                                      \
		else if (equal)                                                                              \
			__asm__ volatile("cmp %%rax, %%rax; repe cmps" #suffix "; setz %3; setb %4"            \
					 : "+D"(*to), "+S"(*from), "+c"(*count), "=r"(zero), "=r"(below)     \
					 : : "memory");                                                      \
		else                                                                                         \
			__asm__ volatile("cmp %%rax, %%rax; repne cmps" #suffix "; setz %3; setb %4"           \
					 : "+D"(*to), "+S"(*from), "+c"(*count), "=r"(zero), "=r"(below)     \
					 : : "memory");                                                      \
		return (uint64_t)zero << 1 | below;                                                          \
	}                                                                                                    \
	static uint64_t scas##suffix(int backward, int equal, unsigned char **to, uint64_t value,            \
				     uint64_t *count)                                                        \
	{                                                                                                    \
		unsigned char zero = 0;                                                                      \
		if (backward && equal)                                                                       \
			__asm__ volatile("cmp %%rax, %%rax; std; repe scas" #suffix "; setz %2; cld"           \
					 : "+D"(*to), "+c"(*count), "=r"(zero) : "a"(value) : "memory");     \
		else if (backward)                                                                           \
			__asm__ volatile("cmp %%rax, %%rax; std; repne scas" #suffix "; setz %2; cld"          \
					 : "+D"(*to), "+c"(*count), "=r"(zero) : "a"(value) : "memory");     \
		else if (equal)                                                                              \
			__asm__ volatile("cmp %%rax, %%rax; repe scas" #suffix "; setz %2"                     \
					 : "+D"(*to), "+c"(*count), "=r"(zero) : "a"(value) : "memory");     \
		else                                                                                         \
			__asm__ volatile("cmp %%rax, %%rax; repne scas" #suffix "; setz %2"                    \
					 : "+D"(*to), "+c"(*count), "=r"(zero) : "a"(value) : "memory");     \
		return zero;                                                                                 \
	}
STRING(b)
STRING(w)
STRING(l)
STRING(q)

static const struct width {
	unsigned bytes;
	void (*movs)(int, unsigned char **, unsigned char **, uint64_t *);
	void (*stos)(int, unsigned char **, uint64_t, uint64_t *);
	uint64_t (*lods)(int, unsigned char **, uint64_t *);
	uint64_t (*cmps)(int, int, unsigned char **, unsigned char **, uint64_t *);
	uint64_t (*scas)(int, int, unsigned char **, uint64_t, uint64_t *);
} widths[] = {
	{1, movsb, stosb, lodsb, cmpsb, scasb},
	{2, movsw, stosw, lodsw, cmpsw, scasw},
	{4, movsl, stosl, lodsl, cmpsl, scasl},
	{8, movsq, stosq, lodsq, cmpsq, scasq},
};

// What MOVS does, element by element, so that overlaps come out the same.
static void model_move(unsigned bytes, int backward, size_t to, size_t from, uint64_t count)
{
	for (; count; count--) {
		unsigned char element[8];
		memcpy(element, model + from, bytes);
		memcpy(model + to, element, bytes);
		to += backward ? -(size_t)bytes : bytes;
		from += backward ? -(size_t)bytes : bytes;
	}
}

static void one_round(const struct width *width, int backward)
{
	uint64_t count = random64() % 5 == 0 ? random64() % 3 : random64() % (2 * 4096 / width->bytes);
	size_t span = count * width->bytes;
	size_t low_to = random64() % (SIZE - span - 8), low_from = random64() % (SIZE - span - 8);
	if (random64() % 3 == 0)
		low_to = low_from + random64() % 24 % (SIZE - span - 8 - low_from + 1);
	size_t last = span ? span - width->bytes : 0;
	size_t to = backward ? low_to + last : low_to, from = backward ? low_from + last : low_from;
	ptrdiff_t moved = backward ? -(ptrdiff_t)span : (ptrdiff_t)span;

	memcpy(model, area, SIZE);
	model_move(width->bytes, backward, to, from, count);
	unsigned char *rdi = area + to, *rsi = area + from;
	uint64_t rcx = count;
	width->movs(backward, &rdi, &rsi, &rcx);
	CHECK(rcx == 0 && rdi == area + to + moved && rsi == area + from + moved);
	CHECK(memcmp(model, area, SIZE) == 0);

	rsi = area + from;
	rcx = count;
	checksum64(width->lods(backward, &rsi, &rcx));
	CHECK(rcx == 0 && rsi == area + from + moved);

	// Equal up to one changed byte; where it stops says where that byte is.
	memcpy(other, area, SIZE);
	if (span)
		other[low_to + random64() % span] ^= 0x40;
	rdi = other + to;
	rsi = area + to;
	rcx = count;
	checksum64(width->cmps(backward, 1, &rdi, &rsi, &rcx));
	CHECK(rdi - other == rsi - area);
	checksum64(rcx);
	checksum64((uint64_t)(rdi - other));
	rdi = other + to;
	rsi = area + from;
	rcx = count;
	checksum64(width->cmps(backward, 0, &rdi, &rsi, &rcx));
	checksum64(rcx);

	uint64_t value = random64();
	rdi = other + to;
	rcx = count;
	width->stos(backward, &rdi, value, &rcx);
	CHECK(rcx == 0 && rdi == other + to + moved);
	if (span && random64() % 2)
		other[low_to + random64() % span] ^= 0x04;
	rdi = other + to;
	rcx = count;
	checksum64(width->scas(backward, 1, &rdi, value, &rcx));
	checksum64(rcx);
	rdi = area + to;
	rcx = count;
	checksum64(width->scas(backward, 0, &rdi, value, &rcx));
	checksum64(rcx);
}

int main(void)
{
	scramble();
	for (unsigned w = 0; w < sizeof widths / sizeof *widths; w++) {
		for (int backward = 0; backward < 2; backward++) {
			char name[40];
			for (int i = 0; i < 24; i++)
				one_round(&widths[w], backward);
			checksum(area, SIZE);
			snprintf(name, sizeof name, "%u bytes, %s", widths[w].bytes, backward ? "down" : "up");
			report(name);
		}
	}
	enum { LARGE = 1 << 19 };
	unsigned char *from = malloc(LARGE), *to = malloc(LARGE);
	CHECK(from && to);
	unsigned char *rdi = from, *rsi = from;
	uint64_t rcx = LARGE;
	stosb(0, &rdi, 0xa5, &rcx);
	from[LARGE - 1] = 1;
	rdi = to;
	rcx = LARGE;
	movsb(0, &rdi, &rsi, &rcx);
	CHECK(memcmp(from, to, LARGE) == 0);
	rdi = to;
	rcx = LARGE;
	CHECK(scasb(0, 0, &rdi, 1, &rcx) == 1 && rcx == 0);
	puts("large                    ok");
	free(from);
	free(to);
	return 0;
}
