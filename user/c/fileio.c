// SPDX-License-Identifier: MIT
// Files by stdio and by descriptor: write, read back, seek, append, truncate, unlink; then copies stdin to stdout.
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char path[] = "reprise-fileio.tmp";

int main(void)
{
	char line[256];
	FILE *file = fopen(path, "w+");
	CHECK(file);
	for (int i = 0; i < 3000; i++)
		CHECK(fprintf(file, "line %d holds %016llx\n", i, (unsigned long long)random64()) > 0);
	long length = ftell(file);
	rewind(file);
	int lines = 0;
	while (fgets(line, sizeof line, file)) {
		checksum(line, strlen(line));
		lines++;
	}
	printf("lines %d, bytes %ld\n", lines, length);
	report("read back");

	for (int i = 0; i < 200; i++) {
		CHECK(fseek(file, (long)(random64() % (uint64_t)length), SEEK_SET) == 0);
		size_t got = fread(line, 1, 1 + random64() % 100, file);
		checksum(line, got);
	}
	report("seeks");
	CHECK(fclose(file) == 0);

	file = fopen(path, "a");
	CHECK(file && fputs("the end\n", file) >= 0 && fclose(file) == 0);
	struct stat status;
	CHECK(stat(path, &status) == 0 && S_ISREG(status.st_mode));
	printf("after appending %lld\n", (long long)status.st_size);

	int fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK(lseek(fd, -8, SEEK_END) == status.st_size - 8);
	CHECK(read(fd, line, sizeof line) == 8 && memcmp(line, "the end\n", 8) == 0);
	CHECK(read(fd, line, sizeof line) == 0);
	CHECK(pwrite(fd, "LINE", 4, 0) == 4 && pread(fd, line, 6, 0) == 6 && memcmp(line, "LINE 0", 6) == 0);
	CHECK(lseek(fd, 10000, SEEK_END) == status.st_size + 10000 && write(fd, "x", 1) == 1);
	CHECK(fstat(fd, &status) == 0);
	CHECK(pread(fd, line, 16, status.st_size - 17) == 16);
	for (int i = 0; i < 16; i++)
		CHECK(line[i] == 0);
	printf("with a hole %lld\n", (long long)status.st_size);
	CHECK(ftruncate(fd, 100) == 0 && lseek(fd, 0, SEEK_END) == 100);
	int copy = dup(fd);
	CHECK(copy > fd && lseek(copy, 0, SEEK_CUR) == 100 && close(copy) == 0);
	CHECK(close(fd) == 0 && close(fd) == -1 && errno == EBADF);

	CHECK(access(path, R_OK | W_OK) == 0);
	CHECK(open(path, O_CREAT | O_EXCL | O_WRONLY, 0600) == -1 && errno == EEXIST);
	CHECK(unlink(path) == 0);
	CHECK(open(path, O_RDONLY) == -1 && errno == ENOENT);
	CHECK(unlink(path) == -1 && errno == ENOENT);
	CHECK(getcwd(line, sizeof line) && line[0] == '/');
	CHECK(!getcwd(line, 1) && errno == ERANGE);
	puts("files ok");

	size_t copied = 0, got;
	while ((got = fread(line, 1, sizeof line, stdin)) > 0) {
		CHECK(fwrite(line, 1, got, stdout) == got);
		checksum(line, got);
		copied += got;
	}
	CHECK(!ferror(stdin));
	printf("copied %zu\n", copied);
	report("stdin");
	return 0;
}
