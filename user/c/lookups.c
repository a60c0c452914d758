// SPDX-License-Identifier: MIT
// What programs look up about themselves and the machine: files below /proc and /sys, read,
// listed, followed and refused. Prints nothing that depends on the machine.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

static char text[1 << 20];

// All of a file, read in pieces of `piece` bytes; -errno if it cannot be opened.
static long slurp(const char *path, size_t piece)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size_t length = 0;
	for (ssize_t n; (n = read(fd, text + length, piece)) != 0; length += n)
		CHECK(n > 0 && length + n < sizeof text - piece);
	text[length] = 0;
	close(fd);
	return length;
}

// What stands behind `key` at the beginning of a line of the text.
static const char *value(const char *key)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, strlen(key)))
			return line + strlen(key);
	}
	return "";
}

// The area that an address lies in, as maps says: permissions, offset and name.
static int area(const void *address, char *access, unsigned long *offset, char *name)
{
	CHECK(slurp("/proc/self/maps", 1000) > 0);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long start, end, inode;
		unsigned major, minor;
		*name = 0;
		CHECK(sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %[^\n]", &start, &end, access, offset, &major,
			     &minor, &inode, name) >= 7);
		if ((unsigned long)address >= start && (unsigned long)address < end)
			return 1;
	}
	return 0;
}

static int zeros[5000];
static const int constants[5000] = { 1, 2, 3 };
static int data[5000] = { 1 };

static void maps(const char *own)
{
	char access[8], name[PATH_MAX];
	unsigned long offset;
	CHECK(area((void *)(uintptr_t)slurp, access, &offset, name) && !strcmp(access, "r-xp") && !strcmp(name, own));
	CHECK(area(constants, access, &offset, name) && access[1] == '-' && !strcmp(name, own));
	CHECK(area(data, access, &offset, name) && !strcmp(access, "rw-p") && !strcmp(name, own));
	// What the area's offset says lies in the file there.
	int fd = open("/proc/self/exe", O_RDONLY);
	uint64_t here, there;
	memcpy(&here, (void *)((uintptr_t)slurp & -4096), 8);
	unsigned long page = (uintptr_t)slurp & -4096, start;
	CHECK(area((void *)page, access, &offset, name));
	CHECK(slurp("/proc/self/maps", 77) > 0);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (sscanf(line, "%lx", &start) == 1 && start <= page)
			here = start;
	start = here;
	memcpy(&here, (void *)page, 8);
	CHECK(pread(fd, &there, 8, offset + (page - start)) == 8 && here == there);
	close(fd);
	CHECK(area(zeros + 4900, access, &offset, name) && !strcmp(access, "rw-p") && !*name);
	CHECK(area(&offset, access, &offset, name) && access[0] == 'r' && !strcmp(name, "[stack]"));
	char *heap = sbrk(8192);
	CHECK(area(heap, access, &offset, name) && !strcmp(name, "[heap]"));
	printf("maps: program, heap and stack\n");

	// A file that is mapped shared, and then has lost its name.
	fd = open("/tmp/lookups-mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(ftruncate(fd, 3 * 4096) == 0);
	char *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 8192);
	CHECK(shared != MAP_FAILED && area(shared, access, &offset, name));
	CHECK(!strcmp(access, "r--s") && offset == 8192 && !strcmp(name, "/tmp/lookups-mapped"));
	CHECK(unlink("/tmp/lookups-mapped") == 0 && area(shared, access, &offset, name) && strstr(name, " (deleted)"));
	munmap(shared, 4096);
	close(fd);
	CHECK(!area(shared, access, &offset, name));

	// Thousands of areas, read in pieces.
	enum { AREAS = 2000 };
	char *many = mmap(NULL, AREAS * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < AREAS; i += 2)
		CHECK(mprotect(many + i * 4096, 4096, PROT_READ) == 0);
	CHECK(slurp("/proc/self/maps", 4096) > 0);
	int found = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned long at = strtoul(line, NULL, 16);
		found += at >= (unsigned long)many && at < (unsigned long)many + (AREAS - 1) * 4096;
	}
	munmap(many, AREAS * 4096);
	printf("maps: shared files, %d areas\n", found);
}

static pthread_barrier_t barrier;
static pid_t second;

static void *thread(void *unused)
{
	char link[64], expected[64], name[16];
	second = gettid();
	pthread_barrier_wait(&barrier);
	link[readlink("/proc/thread-self", link, sizeof link - 1)] = 0;
	snprintf(expected, sizeof expected, "%d/task/%d", getpid(), gettid());
	CHECK(!strncmp(link, expected, strlen(expected)));
	pthread_barrier_wait(&barrier);
	CHECK(pthread_getname_np(pthread_self(), name, sizeof name) == 0 && !strcmp(name, "another"));
	pthread_attr_t attributes;
	void *stack;
	size_t length;
	CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
	pthread_attr_getstack(&attributes, &stack, &length);
	CHECK((char *)&link > (char *)stack && (char *)&link < (char *)stack + length);
	pthread_attr_destroy(&attributes);
	return unused;
}

static int count(const char *path, const char *wanted)
{
	DIR *directory = opendir(path);
	CHECK(directory);
	int entries = 0, found = !wanted;
	for (struct dirent *entry; (entry = readdir(directory));) {
		entries += entry->d_name[0] != '.';
		found |= wanted && !strcmp(entry->d_name, wanted);
	}
	closedir(directory);
	return found ? entries : -1;
}

static void threads(void)
{
	pthread_t other;
	char path[64], name[16];
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(pthread_create(&other, NULL, thread, NULL) == 0);
	pthread_barrier_wait(&barrier);
	snprintf(path, sizeof path, "%d", second);
	printf("threads: %d of 2 listed\n", count("/proc/self/task", path));
	CHECK(slurp("/proc/self/status", 100) > 0 && atoi(value("Threads:")) == 2);
	// The C library writes the name of another thread to a file.
	CHECK(pthread_setname_np(other, "another") == 0 && pthread_getname_np(other, name, sizeof name) == 0);
	CHECK(!strcmp(name, "another"));
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", second);
	char state;
	int number;
	CHECK(slurp(path, 300) > 0 && sscanf(text, "%d (%15[^)]) %c", &number, name, &state) == 3);
	CHECK(number == second && !strcmp(name, "another"));
	pthread_barrier_wait(&barrier);
	CHECK(pthread_join(other, NULL) == 0);
	pthread_attr_t attributes;
	void *stack;
	size_t length;
	CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
	pthread_attr_getstack(&attributes, &stack, &length);
	CHECK((char *)&length > (char *)stack && (char *)&length < (char *)stack + length);
	pthread_attr_destroy(&attributes);
	CHECK(slurp(path, 300) == -ENOENT);
	printf("threads: names, stacks and states\n");
}

static void numbers(char **argv)
{
	char name[16];
	int id, parent, group;
	CHECK(slurp("/proc/self/stat", 4096) > 0);
	CHECK(sscanf(text, "%d (%15[^)]) R %d %d", &id, name, &parent, &group) == 4);
	CHECK(id == getpid() && parent == getppid() && group == getpgrp());
	int fields = 0;
	for (char *at = strrchr(text, ')'); at; at = strchr(at + 1, ' '))
		fields++;
	printf("stat: %d fields behind the name\n", fields - 1);
	CHECK(slurp("/proc/self/statm", 4096) > 0);
	unsigned long size, resident;
	CHECK(sscanf(text, "%lu %lu", &size, &resident) == 2 && size >= resident && resident > 0);
	CHECK(slurp("/proc/self/cmdline", 3) > 0 && !strcmp(text, argv[0]));
	CHECK(slurp("/proc/self/comm", 100) > 0 && text[strlen(text) - 1] == '\n');
	CHECK(slurp("/proc/self/auxv", 100) > 0 && ((unsigned long *)text)[0] != 0);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, 64);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	signal(SIGTERM, SIG_IGN);
	CHECK(slurp("/proc/self/status", 4096) > 0);
	CHECK(atoi(value("Pid:")) == getpid() && atoi(value("PPid:")) == getppid());
	printf("status: %.16s blocked, %.16s pending\n", value("SigBlk:\t"), value("SigPnd:\t"));
	CHECK(strtoull(value("SigIgn:"), NULL, 16) & 1 << (SIGTERM - 1));
	CHECK(strtoul(value("VmSize:"), NULL, 10) >= strtoul(value("VmRSS:"), NULL, 10));
	CHECK(slurp("/proc/self/limits", 4096) > 0);
	struct {
		unsigned long soft, hard;
	} limit = { 0, 0 };
	CHECK(sscanf(value("Max open files"), "%lu %lu", &limit.soft, &limit.hard) == 2);
	CHECK(limit.soft == (unsigned long)sysconf(_SC_OPEN_MAX));
	printf("limits: %.10s\n", value("Max core file size        0                    "));
}

static void machine(void)
{
	CHECK(slurp("/proc/cpuinfo", 4096) > 0 && !strncmp(text, "processor\t: 0\nvendor_id\t: ", 26));
	CHECK(strstr(text, " sse2 "));
	CHECK(slurp("/proc/meminfo", 4096) > 0);
	CHECK(strtoul(value("MemTotal:"), NULL, 10) >= strtoul(value("MemFree:"), NULL, 10));
	CHECK(slurp("/proc/stat", 4096) > 0 && !strncmp(text, "cpu  ", 5) && atol(value("btime ")) > 0);
	double up, idle;
	CHECK(slurp("/proc/uptime", 4096) > 0 && sscanf(text, "%lf %lf", &up, &idle) == 2);
	CHECK(slurp("/proc/version", 4096) > 0 && !strncmp(text, "Linux version ", 14));
	CHECK(slurp("/proc/sys/kernel/ostype", 4096) > 0 && !strcmp(text, "Linux\n"));
	CHECK(slurp("/proc/sys/kernel/pid_max", 4096) > 0 && atoi(text) > getpid());
	CHECK(slurp("/proc/sys/vm/overcommit_memory", 4096) > 0);
	CHECK(slurp("/proc/filesystems", 4096) > 0 && strstr(text, "\tproc\n"));
	CHECK(slurp("/proc/mounts", 4096) > 0 && strstr(text, " /proc proc "));
	CHECK(slurp("/sys/devices/system/cpu/online", 4096) > 0 && text[0] == '0');
	cpu_set_t set;
	CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
	CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= CPU_COUNT(&set) && sysconf(_SC_NPROCESSORS_CONF) >= 1);
	CHECK(count("/sys/devices/system/cpu", "cpu0") > 0);
	printf("machine: processors, memory, times, versions\n");
}

static void links(void)
{
	char path[64], link[PATH_MAX];
	int fd = open("/tmp/lookups-named", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(write(fd, "content", 7) == 7);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	link[readlink(path, link, sizeof link - 1)] = 0;
	struct stat there, here;
	CHECK(stat(path, &there) == 0 && fstat(fd, &here) == 0 && there.st_ino == here.st_ino);
	CHECK(lstat(path, &there) == 0 && S_ISLNK(there.st_mode));
	printf("links: fd leads to %s\n", link);
	int again = open(path, O_RDONLY);
	CHECK(again >= 0 && read(again, link, 7) == 7 && !memcmp(link, "content", 7));
	close(again);
	CHECK(rename("/tmp/lookups-named", "/tmp/lookups-renamed") == 0);
	link[readlink(path, link, sizeof link - 1)] = 0;
	printf("links: fd leads to %s\n", link);
	CHECK(unlink("/tmp/lookups-renamed") == 0);
	again = open(path, O_RDONLY);
	CHECK(again >= 0 && read(again, link, 7) == 7);
	close(again);
	close(fd);
	CHECK(open(path, O_RDONLY) == -1 && errno == ENOENT);

	int ends[2];
	CHECK(pipe(ends) == 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
	link[readlink(path, link, sizeof link - 1)] = 0;
	CHECK(!strncmp(link, "pipe:[", 6));
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && write(fd, "by name", 7) == 7 && read(ends[0], link, 7) == 7);
	close(fd);
	close(ends[0]);
	close(ends[1]);

	CHECK(chdir("/tmp") == 0);
	link[readlink("/proc/self/cwd", link, sizeof link - 1)] = 0;
	printf("links: the directory is %s\n", link);
	int directory = open("/proc/self", O_RDONLY | O_DIRECTORY);
	fd = openat(directory, "comm", O_RDONLY);
	CHECK(directory >= 0 && fd >= 0 && read(fd, link, 4) > 0);
	CHECK(fchdir(directory) == 0 && getcwd(link, sizeof link));
	snprintf(path, sizeof path, "/proc/%d", getpid());
	CHECK(!strcmp(link, path) && access("../self/task/../maps", R_OK) == 0);
	CHECK(chdir("/") == 0 && access("proc/../sys/devices", R_OK) == 0);
	close(fd);
	close(directory);
	snprintf(path, sizeof path, "%d", open("/dev/null", O_RDONLY));
	int before = count("/proc/self/fd", path);
	close(dup(0));
	CHECK(before == count("/proc/self/fd", path) && count("/proc/self", "status") > 10);
}

static void try(const char *what, long result)
{
	printf("refused: %-22s %s\n", what, result < 0 ? strerror(errno) : "nothing");
}

static void refusals(void)
{
	char byte;
	try("a new file", open("/proc/new", O_CREAT | O_RDWR, 0600));
	try("a new directory", mkdir("/proc/self/new", 0700));
	try("no such number", open("/proc/01", O_RDONLY));
	try("unlink", unlink("/proc/version"));
	try("rename", rename("/proc/version", "/tmp/version"));
	try("a directory to write", open("/proc/self", O_RDWR));
	try("a directory's bytes", read(open("/proc/self", O_RDONLY), &byte, 1));
	try("a link itself", open("/proc/self/exe", O_RDONLY | O_NOFOLLOW));
	try("to execute", access("/proc/version", X_OK));
	int fd = open("/proc/self/maps", O_RDWR);
	try("to write maps", write(fd, "x", 1));
	try("the end of maps", lseek(fd, 0, SEEK_END));
	try("to map maps", (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
	try("to truncate maps", ftruncate(fd, 0));
	try("a link's bytes", readlink("/proc/version", &byte, 1));
	try("behind a file", open("/proc/version/x", O_RDONLY));
	try("control of nothing", open("/proc/self/no such file", O_RDONLY));
	close(fd);
}

int main(int argc, char **argv)
{
	char own[PATH_MAX] = "";
	// Executed by another one, it says who it is.
	if (argc > 1) {
		CHECK(slurp("/proc/self/cmdline", 100) == 4 + 1 + 5 + 1 && !memcmp(text, "self\0again", 11));
		CHECK(slurp("/proc/self/comm", 100) > 0);
		printf("executed: %s", text);
		return 0;
	}
	CHECK(readlink("/proc/self/exe", own, sizeof own - 1) > 0);
	const char *base = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	CHECK(!strcmp(strrchr(own, '/') + 1, base));
	maps(own);
	threads();
	numbers(argv);
	machine();
	links();
	refusals();
	// A named semaphore is a file in /dev/shm.
	sem_t *semaphore = sem_open("/lookups-semaphore", O_CREAT, 0600, 1);
	CHECK(semaphore != SEM_FAILED && sem_wait(semaphore) == 0 && sem_unlink("/lookups-semaphore") == 0);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		execl("/proc/self/exe", "self", "again", (char *)NULL);
		_exit(9);
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	printf("executed by its link: status %d\n", WEXITSTATUS(status));
	return 0;
}
