// SPDX-License-Identifier: MIT
// Extended state that a processor refuses or does not have and an emulator may take: reserved bits of MXCSR, and x87 and
// vector state of any bits. Whatever is taken stays as it is through page faults, first writes, system calls and the ends
// of processing elements.
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf refused;
static char pages[64][4096] __attribute__((aligned(4096)));

static void handler(int signal)
{
	siglongjmp(refused, signal);
}

static int changed;

static void reserved_mxcsr(void)
{
	for (int i = 0; i < 64; i++) {
		unsigned usual = 0x1f80, all = ~0u, before = 0, after = 0;
		if (sigsetjmp(refused, 1))
			continue;
		__asm__ volatile("ldmxcsr %2\n"
				 "stmxcsr %0\n"
				 "movb $2, (%3)\n"
				 "mov $110, %%eax\n"
				 "syscall\n"
				 "stmxcsr %1\n"
				 "ldmxcsr %4\n"
				 : "=m"(before), "=m"(after)
				 : "m"(all), "r"(pages[i]), "m"(usual)
				 : "rax", "rcx", "r11", "memory");
		changed += before != after;
	}
}

static uint64_t state = 1;

static void fill(unsigned char *bytes, int from, int to)
{
	for (; from < to; from++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		bytes[from] = state >> 56;
	}
}

// What FXSAVE shows of control, status, tags and registers, but for the pointers to the last x87 instruction.
static int differ(unsigned char *one, unsigned char *other)
{
	return memcmp(one, other, 6) != 0 || memcmp(one + 24, other + 24, 416 - 24) != 0;
}

static void any_registers(void)
{
	static unsigned char image[512] __attribute__((aligned(16)));
	static unsigned char before[512] __attribute__((aligned(16)));
	static unsigned char written[512] __attribute__((aligned(16))), called[512] __attribute__((aligned(16)));
	for (int i = 0; i < 512; i++) {
		char *fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		__asm__ volatile("fxsave %0" : "=m"(image));
		fill(image, 0, 6);
		fill(image, 32, 416);
		__asm__ volatile("fxrstor %3\n"
				 "fxsave %0\n"
				 "movb $1, (%4)\n"
				 "fxsave %1\n"
				 "mov $110, %%eax\n"
				 "syscall\n"
				 "fxsave %2\n"
				 "fninit\n"
				 : "=m"(before), "=m"(written), "=m"(called)
				 : "m"(image), "r"(fresh)
				 : "rax", "rcx", "r11", "memory");
		changed += differ(before, written) + differ(before, called);
		// Tags and status of any bits, and all exceptions masked.
		unsigned char environment[28], loaded[28], kept[28];
		fill(environment, 0, sizeof environment);
		environment[0] |= 0x3f;
		__asm__ volatile("fldenv %2\n"
				 "fnstenv %0\n"
				 "fldenv %2\n"
				 "movb $2, 2048(%3)\n"
				 "fnstenv %1\n"
				 "fninit\n"
				 : "=m"(loaded), "=m"(kept)
				 : "m"(environment), "r"(pages[i % 64])
				 : "memory");
		changed += memcmp(loaded, kept, 12) != 0;
		munmap(fresh, 4096);
	}
}

int main(void)
{
	signal(SIGSEGV, handler);
	memset(pages, 1, sizeof pages);
	reserved_mxcsr();
	any_registers();
	printf("changed %d times\n", changed);
	return 0;
}
