// SPDX-License-Identifier: MIT
// One process writes words that prove themselves, another one looks at them all the time: it must never see a word
// that nobody meant to write. The words lie at a fixed address, so that they can be hit on purpose.
#define _GNU_SOURCE
#include "check.h"
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS = 96, ROUNDS = 12, LOOKS = 2 };

struct shared {
	_Atomic uint64_t done;
	_Atomic uint64_t looks;
	uint64_t words[WORDS];
};

static struct shared *const shared = (struct shared *)0x20000000;

static uint64_t seal(uint64_t round, uint64_t index)
{
	uint64_t plain = round << 32 | index << 16;
	return plain | (plain * 0x9e3779b97f4a7c15u >> 48);
}

static int is_sealed(uint64_t word, uint64_t index)
{
	return word == 0 || (word >> 32 <= ROUNDS && word == seal(word >> 32, index));
}

static int look(void)
{
	uint64_t bad = 0;
	while (!atomic_load(&shared->done)) {
		for (int times = 0; times < LOOKS; times++)
			for (uint64_t index = 0; index < WORDS; index++)
				bad += !is_sealed(((volatile uint64_t *)shared->words)[index], index);
		atomic_fetch_add(&shared->looks, 1);
		sched_yield();
	}
	uint64_t last = 0;
	for (uint64_t index = 0; index < WORDS; index++)
		last += shared->words[index] == seal(ROUNDS, index);
	printf("%llu bad words seen, %llu of the last round\n", (unsigned long long)bad, (unsigned long long)last);
	fflush(stdout);
	return bad != 0;
}

int main(void)
{
	void *mapped = mmap((void *)shared, sizeof *shared, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(mapped == shared);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0)
		_exit(look());
	for (uint64_t round = 1; round <= ROUNDS; round++)
		for (uint64_t index = 0; index < WORDS; index++) {
			shared->words[index] = seal(round, index);
			if (index % 16 == 5)
				sched_yield();
		}
	atomic_store(&shared->done, 1);
	int status = 0;
	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
	for (uint64_t index = 0; index < WORDS; index++)
		CHECK(shared->words[index] == seal(ROUNDS, index));
	printf("writer: %d\n", WEXITSTATUS(status));
	return WEXITSTATUS(status);
}
