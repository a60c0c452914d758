// SPDX-License-Identifier: MIT
// Unaligned stores and loads of every width at every place around a page boundary, also pushes and vectors.
#include "check.h"
#include <emmintrin.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, PAGES = 4 };

static unsigned char *area;

// Stores at each offset around each inner page boundary, and reads it back both whole and by byte.
#define WIDTH(name, type)                                                        \
	static void name(void)                                                   \
	{                                                                        \
		for (int page = 1; page < PAGES; page++) {                       \
			for (int offset = -18; offset <= 2; offset++) {          \
				unsigned char *at = area + page * PAGE + offset; \
				type value = (type)random64(), back;             \
				*(volatile type __attribute__((aligned(1))) *)at = value; \
				unsigned char bytes[sizeof(type)];               \
				for (size_t i = 0; i < sizeof(type); i++)        \
					bytes[i] = ((volatile unsigned char *)at)[i]; \
				CHECK(memcmp(bytes, &value, sizeof value) == 0); \
				back = *(volatile type __attribute__((aligned(1))) *)at; \
				CHECK(back == value);                            \
				/* A read-modify-write of the same place. */     \
				*(volatile type __attribute__((aligned(1))) *)at += (type)0x1234567; \
				checksum(at, sizeof(type));                      \
			}                                                        \
		}                                                                \
	}
WIDTH(store16, uint16_t)
WIDTH(store32, uint32_t)
WIDTH(store64, uint64_t)

static void store_extended(void)
{
	for (int offset = -18; offset <= 2; offset++) {
		unsigned char *at = area + PAGE + offset;
		long double value = (long double)(int64_t)random64();
		__asm__ volatile("fldt %1; fstpt %0" : "=m"(*(char(*)[10])at) : "m"(value));
		CHECK(memcmp(at, &value, 10) == 0);
		double narrow = (double)value;
		__asm__ volatile("fldt %1; fstpl %0" : "=m"(*(char(*)[8])at) : "m"(value));
		CHECK(memcmp(at, &narrow, 8) == 0);
		checksum(at, 10);
	}
}

static void store_vector(void)
{
	for (int page = 1; page < PAGES; page++) {
		for (int offset = -18; offset <= 2; offset++) {
			unsigned char *at = area + page * PAGE + offset;
			__m128i value = _mm_set_epi64x((int64_t)random64(), (int64_t)random64());
			_mm_storeu_si128((__m128i *)at, value);
			CHECK(memcmp(at, &value, 16) == 0);
			__m128i back = _mm_loadu_si128((const __m128i *)at);
			CHECK(_mm_movemask_epi8(_mm_cmpeq_epi8(back, value)) == 0xffff);
			_mm_storeu_pd((double *)at, _mm_castsi128_pd(value));
			_mm_maskmoveu_si128(_mm_set1_epi8(0x5a), value, (char *)at);
			checksum(at, 16);
		}
	}
}

// A stack pointer that is not a multiple of eight, so that pushes and calls straddle the boundary.
static void push_across(void)
{
	for (int offset = 1; offset < 8; offset++) {
		unsigned char *top = area + 2 * PAGE + 64 + offset;
		uint64_t sum = 0, value = random64();
		__asm__ volatile("mov %%rsp, %%r12\n\t"
				 "mov %[top], %%rsp\n\t"
				 "mov $24, %%ecx\n"
				 "1: push %[value]\n\t"
				 "add %%rcx, %[value]\n\t"
				 "dec %%ecx\n\t"
				 "jnz 1b\n\t"
				 "call 3f\n\t"
				 "mov $24, %%ecx\n"
				 "2: pop %%rdx\n\t"
				 "rol $1, %[sum]\n\t"
				 "add %%rdx, %[sum]\n\t"
				 "dec %%ecx\n\t"
				 "jnz 2b\n\t"
				 "jmp 4f\n"
				 "3: pushfq\n\t"
				 "popfq\n\t"
				 "ret\n"
				 "4: mov %%r12, %%rsp"
				 : [sum] "+&r"(sum), [value] "+&r"(value)
				 : [top] "r"(top)
				 : "rcx", "rdx", "r12", "cc", "memory");
		checksum64(sum);
	}
}

int main(void)
{
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != MAP_FAILED);
	for (int round = 0; round < 40; round++) {
		store16();
		store32();
		store64();
		store_extended();
		store_vector();
		push_across();
		// Gone and back: the pages are zero and not present again.
		if (round % 10 == 9)
			CHECK(mmap(area, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				   0) == area);
	}
	store64();
	checksum(area, PAGES * PAGE);
	report("stores");
	return 0;
}
