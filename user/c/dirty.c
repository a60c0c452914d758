// SPDX-License-Identifier: MIT
// Writes to many pages: `dirty [PAGES [ROUNDS]]` writes one word to each of PAGES pages (64) in each of ROUNDS rounds (200).
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096 };

int main(int count, char **arguments)
{
	size_t pages = count > 1 ? strtoul(arguments[1], NULL, 10) : 64;
	size_t rounds = count > 2 ? strtoul(arguments[2], NULL, 10) : 200;
	if (pages == 0 || pages > 1 << 18) {
		fprintf(stderr, "dirty: PAGES is 1 to %d\n", 1 << 18);
		return 2;
	}
	unsigned char *area = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != MAP_FAILED);
	for (size_t round = 0; round < rounds; round++) {
		for (size_t page = 0; page < pages; page++) {
			uint64_t *word = (uint64_t *)(area + page * PAGE + round * 8 % PAGE);
			*word += round * 31 + page;
		}
	}
	for (size_t page = 0; page < pages; page++)
		for (size_t at = 0; at < PAGE; at += 8)
			checksum64(*(uint64_t *)(area + page * PAGE + at));
	printf("%zu pages, %zu rounds\n", pages, rounds);
	report("contents");
	return 0;
}
