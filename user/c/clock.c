// SPDX-License-Identifier: MIT
// What a program can know of the time, of one process and of several. Without arguments it checks that clocks agree and
// move as they should, and prints what is the same on every machine; with the word `show` it prints all values as well.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define SECOND 1000000000ull
#define MOMENT 2000000ull // What is slept: 2 ms.

static int shows;

static void show(const char *name, uint64_t value)
{
	if (shows)
		printf("%-24s %llu\n", name, (unsigned long long)value);
}

static uint64_t in_ns(struct timespec time)
{
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec time;
	CHECK(clock_gettime(clock, &time) == 0);
	return in_ns(time);
}

static uint64_t in_us(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

// So many rounds of arithmetic that a clock has to notice.
static void work(unsigned rounds)
{
	volatile uint64_t sum = 0;
	for (unsigned i = 0; i < rounds; i++)
		sum += random64();
}

static void clocks(void)
{
	static const struct {
		const char *name;
		clockid_t clock;
	} all[] = {
		{"realtime", CLOCK_REALTIME}, {"realtime coarse", CLOCK_REALTIME_COARSE}, {"tai", CLOCK_TAI},
		{"monotonic", CLOCK_MONOTONIC}, {"monotonic coarse", CLOCK_MONOTONIC_COARSE},
		{"monotonic raw", CLOCK_MONOTONIC_RAW}, {"boot time", CLOCK_BOOTTIME},
		{"process", CLOCK_PROCESS_CPUTIME_ID}, {"thread", CLOCK_THREAD_CPUTIME_ID},
	};
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
		struct timespec resolution;
		CHECK(clock_getres(all[i].clock, &resolution) == 0 && resolution.tv_sec == 0);
		uint64_t before = read_clock(all[i].clock), after = read_clock(all[i].clock);
		CHECK(before <= after);
		show(all[i].name, after);
	}
	clockid_t own;
	CHECK(clock_getcpuclockid(getpid(), &own) == 0);
	uint64_t named = read_clock(own);
	CHECK(named <= read_clock(CLOCK_PROCESS_CPUTIME_ID));
	CHECK(clock_getcpuclockid(0x3ffff, &own) == ESRCH);

	struct timeval day;
	uint64_t before = read_clock(CLOCK_REALTIME);
	CHECK(gettimeofday(&day, NULL) == 0 && in_us(day) >= before / 1000);
	CHECK((uint64_t)time(NULL) >= before / SECOND && in_us(day) <= read_clock(CLOCK_REALTIME) / 1000);
	// After 2024-01-01.
	CHECK(time(NULL) > 1704067200);
	show("gettimeofday", in_us(day));
	struct tms ticks;
	uint64_t up = (uint64_t)times(&ticks);
	CHECK(up != (uint64_t)-1);
	show("times", up);
	show("times, own", (uint64_t)ticks.tms_utime);
	puts("clocks agree");
}

static void stamps(void)
{
	unsigned processor;
	uint64_t first = __rdtsc(), last = first;
	for (unsigned i = 0; i < 100; i++) {
		uint64_t next = i % 2 ? __rdtsc() : __rdtscp(&processor);
		CHECK(next > last);
		last = next;
	}
	show("rdtsc", first);
	show("rdtsc, 100 times", last - first);
	uint64_t before = __rdtsc();
	work(100000);
	uint64_t worked = __rdtsc() - before;
	CHECK(worked > 100000);
	show("rdtsc, of work", worked);
	uint64_t stamp = __rdtsc(), clock = read_clock(CLOCK_MONOTONIC);
	show("rdtsc to monotonic", clock - stamp);
	show("vDSO", getauxval(AT_SYSINFO_EHDR));
	puts("time stamps grow");
}

// Each way to wait until it is later.
static void wait_by(unsigned way)
{
	struct timespec moment = {0, MOMENT}, then;
	struct timeval as_timeval = {0, MOMENT / 1000};
	uint32_t word = 0;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	switch (way) {
	case 0: CHECK(nanosleep(&moment, NULL) == 0); break;
	case 1: CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL) == 0); break;
	case 2:
		CHECK(clock_gettime(CLOCK_REALTIME, &then) == 0);
		then.tv_nsec += MOMENT;
		then.tv_sec += then.tv_nsec / (long)SECOND;
		then.tv_nsec %= (long)SECOND;
		CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &then, NULL) == 0);
		break;
	case 3: CHECK(poll(NULL, 0, MOMENT / 1000000) == 0); break;
	case 4: CHECK(ppoll(NULL, 0, &moment, NULL) == 0); break;
	case 5: CHECK(select(0, NULL, NULL, NULL, &as_timeval) == 0); break;
	case 6: CHECK(pselect(0, NULL, NULL, NULL, &moment, NULL) == 0); break;
	case 7:
		CHECK(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &moment) == -1 && errno == ETIMEDOUT);
		break;
	case 8: CHECK(sigtimedwait(&set, NULL, &moment) == -1 && errno == EAGAIN); break;
	}
}

enum { WAYS = 9 };

static void waiting(void)
{
	for (unsigned way = 0; way < WAYS; way++) {
		uint64_t stamp = __rdtsc(), begin = read_clock(CLOCK_MONOTONIC);
		uint64_t used = read_clock(CLOCK_PROCESS_CPUTIME_ID);
		wait_by(way);
		CHECK(read_clock(CLOCK_MONOTONIC) - begin >= MOMENT);
		// To sleep costs no processor time.
		CHECK(read_clock(CLOCK_PROCESS_CPUTIME_ID) - used < MOMENT);
		show("waited", read_clock(CLOCK_MONOTONIC) - begin);
		show("waited, rdtsc", __rdtsc() - stamp);
	}
	puts("waiting takes its time");
}

static void files(void)
{
	struct stat status;
	uint64_t begin = read_clock(CLOCK_REALTIME) / SECOND;
	int file = open("clock.tmp", O_CREAT | O_RDWR | O_TRUNC, 0600);
	CHECK(file >= 0 && fstat(file, &status) == 0);
	uint64_t made = in_ns(status.st_mtim);
	CHECK(made / SECOND >= begin - 1 && made <= read_clock(CLOCK_REALTIME));
	show("file made", made);
	wait_by(0);
	CHECK(write(file, "x", 1) == 1 && fstat(file, &status) == 0);
	CHECK(in_ns(status.st_mtim) >= made && in_ns(status.st_mtim) <= read_clock(CLOCK_REALTIME));
	show("file written", in_ns(status.st_mtim) - made);
	struct statx more;
	CHECK(statx(file, "", AT_EMPTY_PATH, STATX_MTIME, &more) == 0);
	CHECK(more.stx_mtime.tv_sec == status.st_mtim.tv_sec && more.stx_mtime.tv_nsec == status.st_mtim.tv_nsec);
	struct timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
	CHECK(futimens(file, times) == 0 && fstat(file, &status) == 0);
	show("file touched", in_ns(status.st_mtim));
	CHECK(close(file) == 0 && unlink("clock.tmp") == 0);
	if (shows && stat("/input", &status) == 0) {
		show("host's file", in_ns(status.st_mtim));
		CHECK(stat("/proc/self/exe", &status) == 0);
		show("program's file", in_ns(status.st_mtim));
		CHECK(fstat(1, &status) == 0);
		show("standard output", in_ns(status.st_mtim));
	}
	puts("files are of now");
}

static void memory(void)
{
	struct sysinfo system;
	CHECK(sysinfo(&system) == 0 && system.totalram >= system.freeram && system.freeram > 0);
	show("total memory", system.totalram);
	show("free memory", system.freeram);
	show("up for", (uint64_t)system.uptime);
	struct statfs files;
	CHECK(statfs("/", &files) == 0);
	show("free blocks", files.f_bfree);
	// What is used is not missed there.
	size_t length = 8 << 20;
	char *area = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(area != MAP_FAILED);
	memset(area, 1, length);
	CHECK(sysinfo(&system) == 0);
	show("free memory, less 8 MiB", system.freeram);
	CHECK(munmap(area, length) == 0);
	// The largest mapping, to a MiB.
	uint64_t least = 0, most = 1ull << 46;
	while (shows && most - least > 1 << 20) {
		uint64_t middle = least + (most - least) / 2;
		void *found = mmap(NULL, middle, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (found == MAP_FAILED) {
			most = middle;
		} else {
			CHECK(munmap(found, middle) == 0);
			least = middle;
		}
	}
	show("largest mapping", least >> 20);
	uint64_t sum = 0;
	memcpy(&sum, (void *)getauxval(AT_RANDOM), sizeof sum);
	show("AT_RANDOM", sum);
	puts("memory is told of");
}

static uint64_t used_by(int who)
{
	struct rusage usage;
	CHECK(getrusage(who, &usage) == 0);
	return in_us(usage.ru_utime) + in_us(usage.ru_stime);
}

static void child_heard(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)context;
	CHECK(info->si_code == CLD_EXITED);
}

// Children that work, some longer than others, while their parent sleeps and looks.
static void children(void)
{
	struct sigaction action = {.sa_sigaction = child_heard, .sa_flags = SA_SIGINFO | SA_RESTART};
	CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
	int ends[2];
	CHECK(pipe(ends) == 0);
	pid_t ids[3];
	for (unsigned i = 0; i < 3; i++) {
		fflush(stdout);
		ids[i] = fork();
		CHECK(ids[i] >= 0);
		if (ids[i] == 0) {
			// Its own processor time begins with it.
			uint64_t begin = read_clock(CLOCK_PROCESS_CPUTIME_ID), found[4];
			work(100000 * (i + 1));
			wait_by(i);
			found[0] = begin;
			found[1] = read_clock(CLOCK_PROCESS_CPUTIME_ID);
			found[2] = read_clock(CLOCK_MONOTONIC);
			found[3] = __rdtsc();
			CHECK(found[1] > begin && write(ends[1], found, sizeof found) == sizeof found);
			_exit(0);
		}
	}
	uint64_t found[4];
	for (unsigned i = 0; i < 3; i++) {
		CHECK(read(ends[0], found, sizeof found) == sizeof found);
		show("child began with", found[0]);
		show("child used", found[1]);
		show("child at", found[2]);
		show("child's rdtsc", found[3]);
		CHECK(found[2] <= read_clock(CLOCK_MONOTONIC));
	}
	CHECK(used_by(RUSAGE_CHILDREN) == 0);
	uint64_t sum = 0;
	for (unsigned i = 0; i < 3; i++) {
		struct rusage usage;
		int status;
		CHECK(wait4(ids[i], &status, 0, &usage) == ids[i] && WIFEXITED(status));
		uint64_t used = in_us(usage.ru_utime) + in_us(usage.ru_stime);
		show("child's rusage", used);
		sum += used;
	}
	uint64_t all = used_by(RUSAGE_CHILDREN);
	CHECK(all > 0 && all + 3 >= sum && all <= sum + 3);
	struct tms ticks;
	CHECK(times(&ticks) != (clock_t)-1);
	show("times, children", (uint64_t)ticks.tms_cutime);
	show("own rusage", used_by(RUSAGE_SELF));
	CHECK(used_by(RUSAGE_SELF) <= read_clock(CLOCK_PROCESS_CPUTIME_ID) / 1000);
	puts("children's time is told of");
}

int main(int argc, char **argv)
{
	shows = argc > 1 && strcmp(argv[1], "show") == 0;
	clocks();
	stamps();
	waiting();
	files();
	memory();
	children();
	clocks();
	show("at last", read_clock(CLOCK_REALTIME));
	return 0;
}
