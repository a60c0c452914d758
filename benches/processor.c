// SPDX-License-Identifier: MIT
// What single instructions cost on the processor that this runs on, for `benches/model.toml`: those of the kernel's ways
// to user mode and back that a program may execute as well, and the loops of the kernel's memcpy and memset.
//
//   gcc -O2 -o target/processor benches/processor.c && target/processor
//
// Each figure is the median of 501 samples. Time stamps tick at a constant rate; a chain of dependent multiplications,
// 3 cycles each on every Intel core since Nehalem and every AMD core since Zen (agner.org/optimize, instruction tables),
// says how many of the core's cycles one tick is. Run it twice: on a busy machine the clock rate moves.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

enum { SAMPLES = 501, LINE = 64 };

static unsigned char area[4096] __attribute__((aligned(64)));
static double cycles_a_tick;

static uint64_t now(void)
{
	uint32_t low, high;
	__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high)::"memory");
	return (uint64_t)high << 32 | low;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median(double *samples)
{
	qsort(samples, SAMPLES, sizeof *samples, by_size);
	return samples[SAMPLES / 2];
}

// Ticks of one of COUNT repetitions, the empty measurement taken off.
#define TICKS(count, ...)                                                  \
	({                                                                     \
		double samples[SAMPLES], empty[SAMPLES];                           \
		for (int sample = 0; sample < SAMPLES; sample++) {                 \
			uint64_t begin = now(), end = now();                           \
			empty[sample] = (double)(end - begin);                         \
			begin = now();                                                 \
			for (int round = 0; round < (count); round++) {                \
				__VA_ARGS__;                                               \
			}                                                              \
			end = now();                                                   \
			samples[sample] = (double)(end - begin);                       \
		}                                                                  \
		(median(samples) - median(empty)) / (count);                       \
	})

#define SHOW(name, count, ...) printf("%-34s %9.1f cycles\n", name, cycles_a_tick *TICKS(count, __VA_ARGS__))

// The loops of kernel/src/mem/runtime.rs, a line of 64 bytes a step.
static void copy(unsigned char *to, const unsigned char *from, long length)
{
	__asm__ volatile("1: movups (%1), %%xmm0\n\tmovups 16(%1), %%xmm1\n\tmovups 32(%1), %%xmm2\n\tmovups 48(%1), %%xmm3\n\t"
	                 "movups %%xmm0, (%0)\n\tmovups %%xmm1, 16(%0)\n\tmovups %%xmm2, 32(%0)\n\tmovups %%xmm3, 48(%0)\n\t"
	                 "add $64, %1\n\tadd $64, %0\n\tsub $64, %2\n\tcmp $64, %2\n\tjae 1b"
	                 : "+r"(to), "+r"(from), "+r"(length)::"memory", "xmm0", "xmm1", "xmm2", "xmm3");
}

static void fill(unsigned char *to, long length)
{
	__asm__ volatile("pxor %%xmm0, %%xmm0\n1: movups %%xmm0, (%0)\n\tmovups %%xmm0, 16(%0)\n\tmovups %%xmm0, 32(%0)\n\t"
	                 "movups %%xmm0, 48(%0)\n\tadd $64, %0\n\tsub $64, %1\n\tcmp $64, %1\n\tjae 1b"
	                 : "+r"(to), "+r"(length)::"memory", "xmm0");
}

static void rep_movs(unsigned char *to, const unsigned char *from, long length)
{
	length /= 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(length)::"memory");
}

// Cycles a line over a set of BYTES, page by page, on and on.
#define LINES(name, bytes, work)                                                                       \
	({                                                                                                 \
		long at = 0;                                                                                   \
		double ticks = TICKS(64, work; at = (at + 4096) % (bytes));                                    \
		printf("%-34s %9.1f cycles a line of 64 bytes\n", name, cycles_a_tick *ticks / (4096 / LINE)); \
	})

static void sets(const char *where, long bytes)
{
	unsigned char *from = aligned_alloc(4096, bytes), *to = aligned_alloc(4096, bytes);
	if (!from || !to)
		exit(2);
	memset(from, 1, bytes);
	memset(to, 2, bytes);
	char name[64];
	snprintf(name, sizeof name, "copy, 16 bytes a store, %s", where);
	LINES(name, bytes, copy(to + at, from + at, 4096));
	snprintf(name, sizeof name, "rep movsq, %s", where);
	LINES(name, bytes, rep_movs(to + at, from + at, 4096));
	snprintf(name, sizeof name, "fill, 16 bytes a store, %s", where);
	LINES(name, bytes, fill(to + at, 4096));
	free(from);
	free(to);
}

int main(void)
{
	uint64_t x = 3;
	cycles_a_tick = 3.0 / TICKS(1000, __asm__ volatile("imul %0, %0" : "+r"(x)));
	printf("%-34s %9.3f cycles\n", "a tick of the time stamp counter", cycles_a_tick);
	SHOW("null selector to DS", 100, __asm__ volatile("mov %0, %%ds" ::"r"(0)));
	SHOW("null selector to ES", 100, __asm__ volatile("mov %0, %%es" ::"r"(0)));
	SHOW("null selector to GS", 100, __asm__ volatile("mov %0, %%gs" ::"r"(0)));
	SHOW("FNINIT", 100, __asm__ volatile("fninit"));
	SHOW("FNCLEX", 100, __asm__ volatile("fnclex"));
	SHOW("FLDCW", 100, { uint16_t word = 0x37f; __asm__ volatile("fldcw %0" ::"m"(word)); });
	SHOW("LDMXCSR", 100, { uint32_t word = 0x1f80; __asm__ volatile("ldmxcsr %0" ::"m"(word)); });
	SHOW("RDTSC", 100, __asm__ volatile("rdtsc" ::: "rax", "rdx"));
	// The fast way to the bases, where Linux lets programs take it: below what the MSRs cost.
	if (getauxval(AT_HWCAP2) & 2) {
		uint64_t base;
		SHOW("RDFSBASE", 100, __asm__ volatile("rdfsbase %0" : "=r"(base)));
		SHOW("WRFSBASE", 100, __asm__ volatile("wrfsbase %0" ::"r"(base)));
	}
	// As the kernel finds it: all three components in use.
	__asm__ volatile("vpcmpeqb %%ymm0, %%ymm0, %%ymm0\n\tfld1" ::: "memory");
	SHOW("XSAVE and XRSTOR, x87, SSE, AVX", 100,
	     __asm__ volatile("xsave64 %0\n\txrstor64 %0" : "+m"(area) : "a"(7), "d"(0) : "memory"));
	__asm__ volatile("fninit\n\tvzeroupper" ::: "memory");
	sets("hot", 4096);
	sets("2 MiB sets", 2 << 20);
	sets("64 MiB sets", 64 << 20);
	return 0;
}
