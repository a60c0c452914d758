// SPDX-License-Identifier: MIT
// One frame at several addresses: what is written through one alias is there through the others at once, in the
// middle of a processing element too, whatever is done to an alias in between.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 6 };

static volatile uint64_t *map(int fd, int prot, void *at)
{
	void *mapped = mmap(at, PAGES * PAGE, prot, MAP_SHARED | (at ? MAP_FIXED : 0), fd, 0);
	CHECK(mapped != MAP_FAILED);
	return mapped;
}

static volatile uint64_t *word(volatile uint64_t *map, size_t page, size_t index)
{
	return map + page * (PAGE / 8) + index;
}

// Adds through one alias and the other by turns; each addition needs the one before.
static uint64_t weave(volatile uint64_t *one, volatile uint64_t *other, size_t rounds)
{
	uint64_t wrong = 0;
	for (size_t round = 0; round < rounds; round++) {
		size_t page = round % PAGES, index = round * 7 % (PAGE / 8);
		volatile uint64_t *here = word(one, page, index), *there = word(other, page, index);
		uint64_t before = *there;
		*here += round + 1;
		wrong += *there != before + round + 1;
		*there *= 3;
		wrong += *here != (before + round + 1) * 3;
		*here ^= random64();
		wrong += *here != *there;
	}
	return wrong;
}

static void all(const char *name, volatile uint64_t *map)
{
	for (size_t index = 0; index < PAGES * PAGE / 8; index++)
		checksum64(map[index]);
	report(name);
}

int main(void)
{
	int fd = memfd_create("aliases", 0);
	CHECK(fd >= 0 && ftruncate(fd, PAGES * PAGE) == 0);
	volatile uint64_t *a = map(fd, PROT_READ | PROT_WRITE, NULL);
	volatile uint64_t *b = map(fd, PROT_READ | PROT_WRITE, NULL);
	CHECK(a != b);

	printf("both written: %llu wrong\n", (unsigned long long)weave(a, b, 3000));
	all("both written", a);

	// An alias that may only be read, then write again; the other one stays hot.
	for (int round = 0; round < 20; round++) {
		CHECK(mprotect((void *)b, PAGES * PAGE, PROT_READ) == 0);
		for (size_t page = 0; page < PAGES; page++) {
			*word(a, page, 5) = random64();
			CHECK(*word(b, page, 5) == *word(a, page, 5));
		}
		CHECK(mprotect((void *)b, PAGES * PAGE, PROT_READ | PROT_WRITE) == 0);
		CHECK(weave(b, a, 50) == 0);
	}
	all("after mprotect", b);

	// An alias goes and comes back at the same address while the other one is in use.
	for (int round = 0; round < 20; round++) {
		CHECK(weave(a, b, 40) == 0);
		CHECK(munmap((void *)b, PAGES * PAGE) == 0);
		*word(a, round % PAGES, 9) = round;
		b = map(fd, PROT_READ | PROT_WRITE, (void *)b);
		CHECK(*word(b, round % PAGES, 9) == (uint64_t)round);
		CHECK(weave(b, a, 40) == 0);
	}
	all("after munmap", a);

	// A third alias by mremap, one that moves, and one that goes in part.
	volatile uint64_t *c = mremap((void *)a, 0, PAGES * PAGE, MREMAP_MAYMOVE);
	CHECK(c != MAP_FAILED && c != a && c != b);
	CHECK(weave(c, a, 500) == 0 && weave(b, c, 500) == 0);
	volatile uint64_t *hole = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(hole != MAP_FAILED);
	for (int round = 0; round < 10; round++) {
		volatile uint64_t *moved = mremap((void *)c, PAGES * PAGE, PAGES * PAGE,
						  MREMAP_MAYMOVE | MREMAP_FIXED, (void *)hole);
		CHECK(moved == hole);
		CHECK(weave(moved, b, 60) == 0);
		hole = mmap((void *)c, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		CHECK(hole == c);
		c = moved;
	}
	CHECK(munmap((void *)word(c, 1, 0), PAGE) == 0);
	CHECK(*word(c, 0, 3) == *word(a, 0, 3) && *word(c, 2, 3) == *word(b, 2, 3));
	all("after mremap", b);

	// The file itself: what read() and write() see and do.
	uint64_t seen[4], sent[4] = { 1, 2, 3, 4 };
	for (int round = 0; round < 30; round++) {
		*word(a, 1, 4) = random64();
		*word(b, 1, 5) = random64();
		CHECK(pread(fd, seen, sizeof seen, PAGE + 32) == sizeof seen);
		CHECK(seen[0] == *word(b, 1, 4) && seen[1] == *word(a, 1, 5));
		sent[round % 4] += round;
		CHECK(pwrite(fd, sent, sizeof sent, 2 * PAGE - 16) == sizeof sent);
		for (int index = 0; index < 4; index++)
			CHECK(a[2 * PAGE / 8 - 2 + index] == sent[index] && b[2 * PAGE / 8 - 2 + index] == sent[index]);
		*word(a, 2, 0) += 1;
		CHECK(*word(b, 2, 0) == sent[2] + 1);
	}
	// A file of the file system, mapped to be written.
	int file = open("aliased", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(file >= 0 && write(file, "some content", 12) == 12 && ftruncate(file, 2 * PAGE) == 0);
	char *text = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	const char *same = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, file, 0);
	char *own = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	CHECK(text != MAP_FAILED && same != MAP_FAILED && own != MAP_FAILED);
	own[5] = 'C';
	memcpy(text + 4, " what was written", 18);
	strcpy(text + PAGE, "and more");
	CHECK(strcmp(same, "some what was written") == 0 && strcmp(same + PAGE, "and more") == 0);
	printf("%s, %s\n", same, same + PAGE);
	CHECK(own[5] == 'C');
	CHECK(mprotect((void *)same, PAGE, PROT_READ | PROT_WRITE) == 0);
	int reader = open("aliased", O_RDONLY);
	void *closed = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0);
	CHECK(closed == MAP_FAILED && errno == EACCES);
	CHECK(unlink("aliased") == 0);

	// Shorter and longer again: what was cut off is zero.
	*word(a, 3, 7) = 77;
	*word(a, 4, 7) = 78;
	CHECK(ftruncate(fd, 3 * PAGE + 40) == 0 && ftruncate(fd, PAGES * PAGE) == 0);
	CHECK(*word(b, 3, 7) == 0 && *word(a, 4, 7) == 0 && *word(a, 3, 4) == *word(b, 3, 4));
	CHECK(weave(a, b, 500) == 0);
	all("in the end", b);
	return 0;
}
