// SPDX-License-Identifier: MIT
// Reserved bits of MXCSR, which a processor refuses and an emulator may take: then they stay set through page
// faults, first writes, system calls and the ends of processing elements.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static sigjmp_buf refused;
static char pages[64][4096] __attribute__((aligned(4096)));

static void handler(int signal)
{
	siglongjmp(refused, signal);
}

int main(void)
{
	static int changed;
	signal(SIGSEGV, handler);
	memset(pages, 1, sizeof pages);
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
	printf("changed %d times\n", changed);
	return 0;
}
