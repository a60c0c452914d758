// SPDX-License-Identifier: MIT
// What a program makes grow in the kernel: at its limit a call fails as it should, and all goes on afterwards.
// Under another kernel nothing is filled up that others need.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64, PLACES = 1000, PIPES = 2048, CHILDREN = 100 };

static char bytes[1 << 16];
static char name[64], target[3000];

static int may_fill(void)
{
	struct utsname names;
	return uname(&names) == 0 && strcmp(names.nodename, "reprise") == 0;
}

// One byte in every 128 GiB: what counts is what was written, not how far apart.
static void sparse(void)
{
	const off_t apart = (off_t)1 << 37;
	int fd = memfd_create("sparse", 0);
	CHECK(fd >= 0);
	for (int place = 0; place < PLACES; place++)
		CHECK(pwrite(fd, &"abcdefg"[place % 7], 1, place * apart) == 1);
	for (int place = 0; place < PLACES; place++) {
		char seen[2];
		CHECK(pread(fd, seen, 2, place * apart) == (place < PLACES - 1 ? 2 : 1));
		checksum(seen, 1);
	}
	CHECK(ftruncate(fd, 1) == 0 && ftruncate(fd, 2 * apart) == 0);
	char seen = 1;
	CHECK(pread(fd, &seen, 1, apart) == 1 && seen == 0);
	close(fd);
	report("sparse file");
}

static char *numbered(const char *format, int number)
{
	snprintf(name, sizeof name, format, number);
	return name;
}

// Bytes, then links with long targets, then names, until none of them fits any more.
static void full_disk(void)
{
	int fd = open("/full", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && mkdir("/d", 0700) == 0);
	off_t length = 0;
	ssize_t done;
	while ((done = write(fd, bytes, sizeof bytes)) > 0)
		length += done;
	CHECK(done == -1 && errno == ENOSPC && length > 1 << 20);
	memset(target, 't', sizeof target - 1);
	int links = 0, names = 0, directories = 0;
	while (symlink(target, numbered("/d/l%d", links)) == 0)
		links++;
	CHECK(errno == ENOSPC);
	while (link("/full", numbered("/d/n%d", names)) == 0)
		names++;
	CHECK(errno == ENOSPC);
	while (mkdir(numbered("/e%d", directories), 0700) == 0)
		directories++;
	CHECK(errno == ENOSPC);
	CHECK(pwrite(fd, bytes, 1, (off_t)1 << 40) == -1 && errno == ENOSPC);
	struct stat status;
	CHECK(fstat(fd, &status) == 0 && status.st_size == length && status.st_nlink == 1u + names);
	// All of it comes back.
	while (directories > 0)
		CHECK(rmdir(numbered("/e%d", --directories)) == 0);
	while (names > 0)
		CHECK(unlink(numbered("/d/n%d", --names)) == 0);
	while (links > 0)
		CHECK(unlink(numbered("/d/l%d", --links)) == 0);
	CHECK(rmdir("/d") == 0 && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	for (off_t again = 0; again < length - (1 << 20); again += sizeof bytes)
		CHECK(write(fd, bytes, sizeof bytes) == sizeof bytes);
	CHECK(unlink("/full") == 0 && close(fd) == 0);
}

// Pipes, until there is no room for another one or no number.
static void pipes(void)
{
	static int ends[PIPES][2];
	int count = 0;
	while (count < PIPES && pipe(ends[count]) == 0)
		count++;
	CHECK(errno == EMFILE || (may_fill() && errno == ENFILE));
	CHECK(count > 16);
	for (int pipe = 0; pipe < count; pipe++) {
		char seen = 0;
		CHECK(write(ends[pipe][1], "x", 1) == 1 && read(ends[pipe][0], &seen, 1) == 1 && seen == 'x');
		CHECK(close(ends[pipe][0]) == 0 && close(ends[pipe][1]) == 0);
	}
	CHECK(pipe(ends[0]) == 0);
	close(ends[0][0]);
	close(ends[0][1]);
	report("pipes");
}

// Children, until there are no more.
static void children(void)
{
	int wait_here[2], count = 0;
	CHECK(pipe(wait_here) == 0);
	fflush(stdout);
	for (pid_t child; count < CHILDREN && (child = fork()) >= 0; count++) {
		if (child == 0) {
			char seen;
			close(wait_here[1]);
			_exit(read(wait_here[0], &seen, 1) == 0 ? 7 : 1);
		}
	}
	CHECK(errno == EAGAIN || errno == ENOMEM);
	CHECK(count > 8);
	close(wait_here[1]);
	for (int status; count > 0; count--)
		CHECK(wait(&status) > 0 && WEXITSTATUS(status) == 7);
	CHECK(wait(NULL) == -1 && errno == ECHILD);
	close(wait_here[0]);
}

// Pages in the middle of others go and come, so that the list of what is there is cut and joined.
static void holes(char *memory)
{
	for (int page = 1; page < PAGES; page += 2)
		CHECK(munmap(memory + page * PAGE, PAGE) == 0);
	for (int page = 1; page < PAGES; page += 2)
		CHECK(mmap(memory + page * PAGE, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == memory + page * PAGE);
	for (int page = 0; page < PAGES; page++) {
		checksum64(memory[page * PAGE]);
		memory[page * PAGE] = (char)page;
	}
	report("holes");
}

int main(void)
{
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	memset(memory, 1, PAGES * PAGE);
	struct rlimit limit = {1024, 1024};
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	sparse();
	holes(memory);
	for (int round = 0; round < 2 && may_fill(); round++) {
		full_disk();
		children();
	}
	pipes();
	holes(memory);
	puts("all goes on");
	return 0;
}
