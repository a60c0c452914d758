// SPDX-License-Identifier: MIT
// Processes that come and go: a pipeline, exit statuses, ends by a signal, orphans, descriptors in common.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBERS = 3000, CHILDREN = 8 };

static pid_t begin(void)
{
	fflush(stdout);
	pid_t child = fork();
	CHECK(child >= 0);
	return child;
}

static uint64_t get(int from, int *ended)
{
	uint64_t number = 0;
	ssize_t length = read(from, &number, sizeof number);
	CHECK(length == sizeof number || length == 0);
	*ended = length == 0;
	return number;
}

// Numbers through two processes: one squares, one leaves out every third.
static void pipeline(void)
{
	int first[2], second[2], third[2];
	CHECK(pipe(first) == 0 && pipe(second) == 0 && pipe2(third, O_CLOEXEC) == 0);
	pid_t source = begin();
	if (source == 0) {
		for (uint64_t number = 0; number < NUMBERS; number++)
			CHECK(write(first[1], &number, sizeof number) == sizeof number);
		_exit(1);
	}
	close(first[1]);
	pid_t square = begin();
	if (square == 0) {
		close(second[0]);
		int ended = 0;
		for (;;) {
			uint64_t number = get(first[0], &ended);
			if (ended)
				_exit(2);
			number *= number;
			CHECK(write(second[1], &number, sizeof number) == sizeof number);
		}
	}
	close(first[0]);
	close(second[1]);
	pid_t filter = begin();
	if (filter == 0) {
		close(third[0]);
		int ended = 0;
		for (;;) {
			uint64_t number = get(second[0], &ended);
			if (ended)
				_exit(3);
			if (number % 3 != 1)
				CHECK(write(third[1], &number, sizeof number) == sizeof number);
		}
	}
	close(second[0]);
	close(third[1]);
	int ended = 0;
	size_t count = 0;
	for (;; count++) {
		uint64_t number = get(third[0], &ended);
		if (ended)
			break;
		checksum64(number);
	}
	close(third[0]);
	printf("pipeline: %zu numbers\n", count);
	report("numbers");
	int status = 0;
	CHECK(waitpid(filter, &status, 0) == filter && status == 3 << 8);
	CHECK(waitpid(source, &status, 0) == source && status == 1 << 8);
	CHECK(waitpid(square, &status, 0) == square && status == 2 << 8);
	CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
}

// More than a pipe holds, in one write; and a pipe that nobody reads.
static void large(void)
{
	enum { LENGTH = 300000 };
	static unsigned char bytes[LENGTH];
	for (size_t index = 0; index < LENGTH; index++)
		bytes[index] = (unsigned char)(index * 7 >> 3);
	int ends[2];
	CHECK(pipe(ends) == 0);
	pid_t child = begin();
	if (child == 0) {
		close(ends[0]);
		CHECK(write(ends[1], bytes, LENGTH) == LENGTH);
		_exit(0);
	}
	close(ends[1]);
	struct pollfd entry = { ends[0], POLLIN, 0 };
	CHECK(poll(&entry, 1, -1) == 1 && (entry.revents & POLLIN));
	size_t seen = 0;
	ssize_t length;
	static unsigned char part[5000];
	while ((length = read(ends[0], part, sizeof part)) > 0) {
		CHECK(memcmp(part, bytes + seen, (size_t)length) == 0);
		seen += (size_t)length;
	}
	CHECK(length == 0 && seen == LENGTH);
	CHECK(poll(&entry, 1, 0) == 1 && (entry.revents & POLLHUP));
	close(ends[0]);
	int status = -1;
	CHECK(wait(&status) == child && status == 0);
	CHECK(pipe2(ends, O_NONBLOCK) == 0);
	CHECK(read(ends[0], part, 1) == -1 && errno == EAGAIN);
	seen = 0;
	while (write(ends[1], part, 4096) == 4096)
		seen += 4096;
	CHECK(errno == EAGAIN && seen == 65536);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECK(write(ends[1], part, 1) == -1 && errno == EPIPE);
	signal(SIGPIPE, SIG_DFL);
	child = begin();
	if (child == 0)
		_exit((int)write(ends[1], part, 1));
	CHECK(wait(&status) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
	close(ends[1]);
	printf("large: %d bytes\n", LENGTH);
}

static int ended_by(void (*work)(void))
{
	pid_t child = begin();
	if (child == 0) {
		work();
		_exit(99);
	}
	int status = 0;
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void store_nowhere(void)
{
	*(volatile int *)random64() = 1;
}

static void store_to_code(void)
{
	*(volatile char *)(uintptr_t)&store_nowhere = 1;
}

static void divide(void)
{
	__asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx");
}

static void undefined(void)
{
	__asm__ volatile("ud2");
}

static void leave(void)
{
	exit(42);
}

static void past_the_end(void)
{
	int fd = memfd_create("short", 0);
	CHECK(ftruncate(fd, 100) == 0);
	volatile char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	map[4095] = 1;
	map[4096] = 1;
}

int main(void)
{
	CHECK(getppid() > 0 && getpid() > 0);
	pipeline();
	large();

	printf("ends: %d %d %d %d %d %d %d\n", ended_by(store_nowhere), ended_by(store_to_code), ended_by(divide),
	       ended_by(undefined), ended_by(abort), ended_by(leave), ended_by(past_the_end));

	// A child that waits for ever, ended from outside; one that was not waited for yet.
	pid_t child = begin();
	if (child == 0)
		for (;;)
			pause();
	CHECK(waitpid(child, NULL, WNOHANG) == 0);
	CHECK(kill(child, 0) == 0 && kill(child, SIGTERM) == 0);
	siginfo_t info = { 0 };
	CHECK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == 0);
	CHECK(info.si_pid == child && info.si_code == CLD_KILLED && info.si_status == SIGTERM);
	int status = 0;
	CHECK(wait(&status) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	CHECK(kill(child, 0) == -1 && errno == ESRCH);
	// One that computes for ever.
	child = begin();
	if (child == 0)
		for (volatile int spins = 0;;)
			spins++;
	CHECK(kill(child, SIGKILL) == 0 && wait(&status) == child && WTERMSIG(status) == SIGKILL);

	// Several at a time, each with memory of its own, all with one file offset.
	int log = open("log", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(log >= 0);
	static uint64_t counter = 7;
	pid_t children[CHILDREN];
	for (int index = 0; index < CHILDREN; index++) {
		children[index] = begin();
		if (children[index] == 0) {
			for (int round = 0; round < 2000 * (index + 1); round++)
				counter = counter * 31 + (uint64_t)index;
			CHECK(write(log, &counter, sizeof counter) == sizeof counter);
			_exit(index);
		}
		counter++;
	}
	uint64_t sum = 0, number;
	for (int index = CHILDREN - 1; index >= 0; index--)
		CHECK(waitpid(children[index], &status, 0) == children[index] && status == index << 8);
	CHECK(lseek(log, 0, SEEK_CUR) == CHILDREN * 8 && lseek(log, 0, SEEK_SET) == 0);
	while (read(log, &number, sizeof number) == sizeof number)
		sum += number;
	CHECK(unlink("log") == 0 && counter == 7 + CHILDREN);
	printf("children: %016llx\n", (unsigned long long)sum);

	// vfork, and a grandchild that outlives its parent.
	child = vfork();
	if (child == 0)
		_exit(17);
	CHECK(waitpid(child, &status, 0) == child && status == 17 << 8);
	int ends[2];
	CHECK(pipe(ends) == 0);
	child = begin();
	if (child == 0) {
		pid_t parent = getpid();
		if (fork() == 0) {
			while (getppid() == parent)
				usleep(1000);
			CHECK(write(ends[1], "late", 4) == 4);
		}
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	char text[5] = "";
	CHECK(read(ends[0], text, 4) == 4);
	printf("grandchild: %s\n", text);
	return 0;
}
