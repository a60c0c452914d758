// SPDX-License-Identifier: MIT
// Two processes and one page: by futexes, by spinning, and by a pipe.
#define _GNU_SOURCE
#include "check.h"
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, ROUNDS = 300, SPINS = 40, WORDS = 400 };

struct shared {
	_Atomic uint32_t turn;
	_Atomic uint32_t flag;
	uint64_t value;
	uint64_t words[WORDS];
	_Atomic uint64_t published;
	_Atomic uint64_t torn;
};

static struct shared *shared;

static void await(uint32_t mine)
{
	uint32_t now;
	while ((now = atomic_load(&shared->turn)) != mine)
		syscall(SYS_futex, &shared->turn, FUTEX_WAIT, now, NULL, NULL, 0);
}

static void pass(uint32_t other)
{
	atomic_store(&shared->turn, other);
	syscall(SYS_futex, &shared->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void play(uint32_t mine, uint32_t other)
{
	for (int round = 0; round < ROUNDS; round++) {
		await(mine);
		shared->value = shared->value * 6364136223846793005u + 2 * mine + 1;
		shared->words[round % WORDS] ^= shared->value;
		pass(other);
	}
}

// Publishes numbers; each word is written before the number that stands for it.
static void write_all(void)
{
	for (uint64_t spin = 1; spin <= SPINS; spin++) {
		for (int word = 0; word < WORDS; word++)
			shared->words[word] = spin * 1000 + word;
		atomic_store(&shared->published, spin);
		while (atomic_load(&shared->flag) != spin)
			;
	}
}

// Waits for each number by spinning, and checks what it stands for.
static void read_all(void)
{
	for (uint64_t spin = 1; spin <= SPINS; spin++) {
		while (atomic_load(&shared->published) < spin)
			;
		for (int word = 0; word < WORDS; word++)
			if (shared->words[word] != spin * 1000 + word)
				atomic_fetch_add(&shared->torn, 1);
		atomic_store(&shared->flag, spin);
	}
}

static pid_t start(void (*work)(void))
{
	fflush(stdout);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		work();
		_exit(0);
	}
	return child;
}

static void child_plays(void)
{
	play(1, 0);
}

static void finish(pid_t child)
{
	int status = -1;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	uint64_t *own = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(own != MAP_FAILED);
	*own = 5;

	pid_t child = start(child_plays);
	play(0, 1);
	finish(child);
	checksum64(shared->value);
	checksum(shared->words, sizeof shared->words);
	report("futex");

	child = start(read_all);
	write_all();
	finish(child);
	printf("spinning reader: %llu torn\n", (unsigned long long)shared->torn);

	atomic_store(&shared->published, 0);
	atomic_store(&shared->flag, 0);
	child = start(write_all);
	read_all();
	finish(child);
	printf("spinning writer: %llu torn\n", (unsigned long long)shared->torn);

	// What is not shared stays apart, in both directions.
	int ways[2], back[2];
	CHECK(pipe(ways) == 0 && pipe(back) == 0);
	fflush(stdout);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		uint64_t number = 0;
		for (int round = 0; round < 50; round++) {
			CHECK(read(ways[0], &number, sizeof number) == sizeof number);
			*own += number;
			shared->value += *own;
			CHECK(write(back[1], own, sizeof *own) == sizeof *own);
		}
		_exit((int)(*own % 251));
	}
	uint64_t answer = 0;
	for (uint64_t round = 0; round < 50; round++) {
		*own = round * round;
		CHECK(write(ways[1], own, sizeof *own) == sizeof *own);
		CHECK(read(back[0], &answer, sizeof answer) == sizeof answer);
		checksum64(answer);
		checksum64(shared->value);
		CHECK(*own == round * round);
		sched_yield();
	}
	int status = 0;
	CHECK(wait(&status) == child && WIFEXITED(status));
	printf("own pages: %d\n", WEXITSTATUS(status));
	report("pipe");
	return 0;
}
