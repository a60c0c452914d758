// SPDX-License-Identifier: MIT
// The vsyscall page: its three calls, and jumps and reads that are not allowed.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PAGE 0xffffffffff600000

static sigjmp_buf back;

static void caught(int signal, siginfo_t *info, void *context)
{
	(void)context;
	printf("signal %d, code %d, address %s\n", signal, info->si_code,
	       info->si_addr == NULL ? "none" : "given");
	siglongjmp(back, 1);
}

static int (*const get_time_of_day)(struct timeval *, struct timezone *) = (void *)PAGE;
static time_t (*const get_time)(time_t *) = (void *)(PAGE + 0x400);
static int (*const get_cpu)(unsigned *, unsigned *) = (void *)(PAGE + 0x800);

// Whether two times are at most a second apart.
static const char *near(time_t a, time_t b)
{
	return a - b <= 1 && b - a <= 1 ? "right" : "wrong";
}

// Calls the page with all registers known, and tells whether one that a function keeps, or the stack, has changed.
static const char *kept(void)
{
	uint64_t rsp_before, rsp_after, rdx = 0x1111, r10 = 0x2222, rcx = 0x3333, result = PAGE + 0x400;
	register uint64_t r11 __asm__("r11") = 0x4444;
	__asm__ volatile("mov %%rsp, %[before]\n\tmov %[r10], %%r10\n\txor %%edi, %%edi\n\tcall *%%rax\n\t"
			 "mov %%r10, %[r10]\n\tmov %%rsp, %[after]"
			 : "+a"(result), "+c"(rcx), "+d"(rdx), "+r"(r11), [r10] "+r"(r10),
			   [before] "=&r"(rsp_before), [after] "=&r"(rsp_after)
			 :
			 : "rdi", "rsi", "r8", "r9", "r10", "memory");
	// Linux may change RCX and R11, as its page could always make a real call.
	(void)rcx;
	(void)r11;
	return rsp_before == rsp_after && rdx == 0x1111 && r10 == 0x2222 ? "kept" : "changed";
}

int main(void)
{
	struct timeval day = {0};
	struct timezone zone = {1, 1};
	unsigned cpu = 99, node = 99;
	time_t now = 0, asked = syscall(SYS_time, NULL);
	int result = get_time_of_day(&day, &zone);
	printf("gettimeofday %d, %s, zone %d %d\n", result, near(day.tv_sec, asked), zone.tz_minuteswest, zone.tz_dsttime);
	printf("gettimeofday of nothing %d\n", get_time_of_day(NULL, NULL));
	time_t told = get_time(&now);
	printf("time %s %s\n", near(told, asked), near(now, asked));
	result = get_cpu(&cpu, &node);
	printf("getcpu %d, %s\n", result, cpu < 99 && node < 99 ? "given" : "not given");
	printf("registers %s\n", kept());

	static char room[16384];
	stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
	sigaltstack(&stack, NULL);
	struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigaction(SIGSEGV, &action, NULL);
	if (sigsetjmp(back, 1) == 0)
		get_time((time_t *)8);
	if (sigsetjmp(back, 1) == 0)
		((void (*)(void))(PAGE + 0x401))();
	if (sigsetjmp(back, 1) == 0)
		((void (*)(void))(PAGE + 0xc00))();
	if (sigsetjmp(back, 1) == 0)
		printf("read %d\n", *(volatile int *)PAGE);
	if (sigsetjmp(back, 1) == 0)
		*(volatile int *)PAGE = 1;
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("mov %0, %%rsp\n\tjmp *%1" : : "r"(16L), "r"(get_time) : "memory");
	return 0;
}
