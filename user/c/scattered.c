// SPDX-License-Identifier: MIT
// Pages far apart from each other, thousands of them one after the other: each needs page tables of its own, and
// there would be no room for all of these at once. What is unmapped, or left behind by execve, gives them back.
#define _GNU_SOURCE
#include "check.h"
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 800, ROUNDS = 16, PROGRAMS = 15 };

// Far apart: a table of the last level, and one of the next, map so much.
static const uint64_t APART = (uint64_t)1 << 30;
static const uint64_t FIRST = (uint64_t)1 << 40;

static volatile unsigned char *mapped(int number)
{
	unsigned char *at = (unsigned char *)(FIRST + (uint64_t)number * PAGES * APART);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
	CHECK(mmap(at, PAGES * APART, PROT_READ, flags, -1, 0) == at);
	return at;
}

static void look(const volatile unsigned char *at)
{
	for (int page = 0; page < PAGES; page++)
		CHECK(at[page * APART + (uint64_t)page % PAGE] == 0);
}

int main(int count, char **arguments)
{
	int number = count > 1 ? atoi(arguments[1]) : 0;
	if (number == 0) {
		for (int round = 0; round < ROUNDS; round++) {
			volatile unsigned char *at = mapped(round);
			look(at);
			CHECK(munmap((void *)at, PAGES * APART) == 0);
		}
		printf("%d pages were mapped and unmapped\n", ROUNDS * PAGES);
	}
	look(mapped(ROUNDS + number));
	printf("program %d is about to end\n", number);
	fflush(stdout);
	if (number < PROGRAMS) {
		char next[12];
		snprintf(next, sizeof next, "%d", number + 1);
		execl("/proc/self/exe", "scattered", next, NULL);
		CHECK(0);
	}
	return 0;
}
