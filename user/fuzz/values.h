// SPDX-License-Identifier: MIT
// Arguments of system calls: good ones, ones at an edge, and hostile ones.
#ifndef VALUES_H
#define VALUES_H
#include "raw.h"

#define PAGE 4096u
// Pages that calls map, unmap, protect and move, with a hole behind them.
#define WORK 0x10000000u
enum { WORK_PAGES = 32, STACKS = 32, STACK = 16384 };

// Memory that stays: for output, for the structures that calls read, and stacks, of each of which the lower half is for
// signals. The first process of a round has the last one.
static struct {
	char output[4 * PAGE];
	u64 words[16 * 64];
	char stacks[STACKS + 1][STACK];
} own __attribute__((aligned(4096)));

static const char *const paths[] = {
	"/tmp/a", "/tmp/b", "/tmp/d", "/tmp/d/a", "/tmp/d/e", "a", "d", "..", "/", "/tmp", "", "/tmp/a/b", "/tmp/link",
	"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/stdin", "/proc/self/exe", "/proc", "/none/at/all",
	"/tmp/d/../../../../tmp/b", "/tmp/d/./e//", "/dev/shm/a", "/proc/self", "/proc/self/maps", "/proc/self/status",
	"/proc/self/fd", "/proc/self/fd/3", "/proc/self/fd/1000", "/proc/self/task", "/proc/self/cmdline", "/proc/self/stat",
	"/proc/self/../self/cwd/a", "/proc/1000/maps", "/proc/1001/statm", "/proc/meminfo", "/proc/uptime", "/proc/-1/x",
	"/sys/devices/system/cpu/online", "/sys/none", "/proc/self/fd/0/../x",
};

static u64 hostile(void)
{
	static const u64 values[] = {
		0, 1, 7, 8, 4088, 4095, 4096, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 1ull << 40, 1ull << 62,
		0x7ffffffff000, 0x7fffffffefff, 0x7fffffffeff8, 0x7ffffffffff8, 0x800000000000, 1ull << 63, (1ull << 63) - 1,
		0xffff7fffffffffff, 0xffff800000000000, 0xffff800000001000, 0xffffffff80000000, 0xffffffff80200000,
		0xffffffffc0000000, 0xffffffffff600000, -1ull, -2ull, -8ull, -4096ull, -4095ull, -100ull,
		0xfee00000, 0xb8000, 0x400000, 0x401000,
	};
	switch (below(8)) {
	case 0:
		return random64();
	case 1:
		return random64() >> below(64);
	case 2:
		return 1ull << below(64);
	case 3:
		return (u64)&own + below(sizeof own);
	default:
		return one_of(values);
	}
}

// Some rounds take much memory.
static int is_heavy;

static u64 page(void)
{
	if (is_heavy && below(8) == 0)
		return WORK + below(below(3) ? 2000 : 1 << 20) * PAGE;
	return WORK + below(WORK_PAGES + 2) * PAGE;
}

static u64 buffer(void)
{
	switch (below(8)) {
	case 0:
		return page() + PAGE - 1 - below(16);
	case 1:
		return page() + below(PAGE);
	case 2:
		return page();
	case 3:
		return (u64)own.output + below(sizeof own.output);
	case 4:
		return 0;
	default:
		return (u64)own.output + 8 * below(512);
	}
}

static u64 length(void)
{
	static const u64 values[] = {0, 1, 8, 100, 4095, 4096, 4097, 5000, 8192, 20000, 65536, 70000, 1 << 17};
	if (is_heavy && below(4) == 0)
		return 1ull << (17 + below(8));
	return below(3) == 0 ? below(64) : one_of(values);
}

static u64 descriptor(void)
{
	static const u64 values[] = {-1ull, -100ull, 1023, 1024, 0x7fffffff, 0x80000000};
	return below(16) == 0 ? one_of(values) : below(16);
}

// The numbers of the first processes and threads after the one that starts rounds.
static u64 someone(void)
{
	u64 self = call(NR_GETPID, 0, 0, 0);
	switch (below(8)) {
	case 0:
		return hostile();
	case 1:
		return 0;
	case 2:
		return -self;
	case 3:
		return self + 1 + below(3);
	case 4:
		return self - 1 - below(3);
	case 5:
		return call(NR_GETTID, 0, 0, 0);
	default:
		return self;
	}
}

static u64 signal_number(void)
{
	static const u64 values[] = {0, 1, 2, 9, 10, 10, 12, 12, 13, 14, 15, 17, 18, 19, 20, 21, 32, 33, 34, 40, 64, 65, -1ull};
	return one_of(values);
}

static u64 small(void)
{
	return below(4) ? below(8) : below(64);
}

static u64 flags(void)
{
	switch (below(4)) {
	case 0:
		return 0;
	case 1:
		return 1ull << below(32);
	case 2:
		return 1ull << below(32) | 1ull << below(32);
	default:
		return below(16);
	}
}

// A structure: numbers, and pointers to other things, in words or in half words.
static u64 structure(void)
{
	u64 *words = own.words + 16 * below(63);
	for (int i = 0; i < 16; i++) {
		u64 word = small();
		switch (below(8)) {
		case 0:
			word = buffer();
			break;
		case 1:
			word = hostile();
			break;
		case 2:
			word = (descriptor() & 0xffffffff) | below(64) << 32;
			break;
		case 3:
			word = length();
			break;
		}
		words[i] = word;
	}
	return (u64)words + (below(8) == 0 ? below(8) : 0);
}

// A time or an interval and a time, mostly short.
static u64 time_of(void)
{
	u64 *words = own.words + 16 * below(63);
	for (int i = 0; i < 4; i++)
		words[i] = i % 2 == 0 ? below(32) == 0 : below(8) == 0 ? hostile() : below(300000);
	return (u64)words;
}

static u64 vector(void)
{
	u64 *words = own.words + 16 * below(63);
	for (int i = 0; i < 16; i += 2) {
		words[i] = below(32) == 0 ? hostile() : buffer();
		words[i + 1] = below(32) == 0 ? hostile() : length();
	}
	return (u64)words;
}

static u64 set_of(void)
{
	u64 *words = own.words + 16 * below(63);
	static const u64 sets[] = {0, 1 << 9, 1 << 11, 1 << 16, 0xffff, -1ull};
	words[0] = below(8) == 0 ? random64() : one_of(sets);
	words[1] = 8;
	return (u64)words;
}

// An argument of the kind that a letter says.
static u64 value(char kind)
{
	if (below(24) == 0)
		return hostile();
	switch (kind) {
	case 'f':
		return descriptor();
	case 'b':
		return buffer();
	case 'l':
		return length();
	case 'p':
		return (u64)one_of(paths);
	case 'P':
		return someone();
	case 's':
		return signal_number();
	case 'S':
		return below(8) == 0 ? 0 : structure();
	case 't':
		return below(8) == 0 ? 0 : time_of();
	case 'v':
		return vector();
	case 'w':
		return below(8) == 0 ? 0 : set_of();
	case 'i':
		return small();
	case 'F':
		return flags();
	case 'a':
		return page();
	case 'n':
		return (is_heavy && below(4) == 0 ? below(3000) : below(9)) * PAGE;
	case 'm':
		// Private or shared, mostly fixed, sometimes populated; without a file.
		return (below(2) ? 0x22 : 0x21) | (below(4) ? 0x10 : 0) | (below(6) ? 0 : 0x8000);
	case 'x':
		return (below(2) ? (u64)own.output : WORK) + 4 * below(8);
	case 'r':
		return below(8);
	case 'd':
		return below(2) ? -100ull : descriptor();
	case 'e':
		return 8;
	default:
		return 0;
	}
}

#endif
