// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables
// SPDX-License-Identifier: MIT
// Clocks without a C library: time stamps, clock_gettime, a sleep, pages that come on demand in between. It prints
// nothing of what it has read, which a native run would show otherwise; under Reprise its registers and memory hold it.
#include "bare.h"

#define SECOND 1000000000ull
#define MOMENT 1000000ull
#define PAGES 16

struct timespec {
	uint64_t seconds, nanoseconds;
};

static volatile uint64_t pages[PAGES][512];
static volatile uint64_t seen[4 * PAGES];

static inline uint64_t stamp(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static uint64_t read_clock(long clock)
{
	struct timespec time;
	if (call(228 /* clock_gettime */, clock, (long)&time, 0) != 0)
		return 0;
	return time.seconds * SECOND + time.nanoseconds;
}

static int program(void)
{
	uint64_t last = stamp(), monotonic = 0, used = 0;
	int grows = 1;
	for (unsigned i = 0; i < PAGES; i++) {
		for (unsigned j = 0; j < 100 * i; j++)
			pages[i][j % 512] += random64();
		uint64_t now = stamp(), then = read_clock(1), spent = read_clock(2);
		grows = grows && now > last && then > monotonic && spent > used;
		seen[4 * i] = now;
		seen[4 * i + 1] = then;
		seen[4 * i + 2] = spent;
		seen[4 * i + 3] = read_clock(0);
		(last = now, monotonic = then, used = spent);
		if (i % 5 == 0) {
			struct timespec moment = {0, MOMENT};
			grows = grows && call(35 /* nanosleep */, (long)&moment, 0, 0) == 0;
			grows = grows && read_clock(1) - then >= MOMENT && read_clock(2) - spent < MOMENT;
		}
	}
	return say((uint64_t)grows) && grows ? 0 : 1;
}
