// SPDX-License-Identifier: MIT
// Tries to reach the kernel's memory by every instruction that reads or writes where a register says: those that an emulator
// may perform with the kernel's rights, far returns, IRET and far calls with RSP there, page by page, and all others at
// some places. Tells what came through, by what was read, written or executed, not by the signal.
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

// A way to memory: it returns 1 if it comes to its end, and else not at all.
typedef int way(uint64_t at);

// RSI is where the argument is; the stack is the program's.
#define TO_ADDRESS(name, code) \
	way name; \
	__asm__(#name ": push %rbx\n push %rbp\n mov %rsp, %rbx\n mov %rdi, %rsi\n sub $1024, %rsp\n and $-64, %rsp\n" \
		"lea 512(%rsp), %rdi\n" code "\n mov %rbx, %rsp\n pop %rbp\n pop %rbx\n mov $1, %eax\n ret\n")
// RSP and RBP are there.
#define TO_STACK(name, code) \
	way name; \
	__asm__(#name ": push %rbx\n push %rbp\n mov %rsp, %rbx\n mov %rdi, %rsp\n mov %rdi, %rbp\n" code \
		"\n mov %rbx, %rsp\n pop %rbp\n pop %rbx\n mov $1, %eax\n ret\n")

// What QEMU before 9.1 does with the kernel's rights, in each width.
TO_STACK(far_return, "lretq");
TO_STACK(far_return_of_more, "lretq $16");
TO_STACK(far_return_32, "lretl");
TO_STACK(far_return_16, "lretw");
TO_STACK(interrupt_return, "iretq");
TO_STACK(interrupt_return_32, "iretl");
TO_STACK(interrupt_return_16, "iretw");
TO_STACK(far_call, "rex.W lcall *to_far_call(%rip)\n arrived:");
TO_STACK(far_call_32, "lcall *to_far_call_32(%rip)\n arrived_32:");
__asm__(".data\n to_far_call: .quad arrived\n .word 0x33\n to_far_call_32: .long arrived_32\n .word 0x33\n .text");

// What all machines do with the program's rights.
TO_STACK(near_return, "ret");
TO_STACK(pop, "pop %rax");
TO_STACK(pop_flags, "popfq");
TO_STACK(push, "push %rax");
TO_STACK(push_flags, "pushfq");
TO_STACK(near_call, "call 1f\n 1:");
TO_STACK(enter, "enter $8, $0");
TO_STACK(enter_nested, "enter $8, $2");
TO_STACK(leave, "leave");
TO_ADDRESS(load, "mov (%rsi), %rax");
TO_ADDRESS(store, "mov %rax, (%rsi)");
TO_ADDRESS(change, "lock incq (%rsi)");
TO_ADDRESS(exchange, "xchg %rax, (%rsi)");
TO_ADDRESS(exchange_pair, "xor %eax, %eax\n xor %edx, %edx\n xor %ecx, %ecx\n lock cmpxchg16b (%rsi)");
TO_ADDRESS(test_bit, "mov $77, %eax\n bt %rax, (%rsi)");
TO_ADDRESS(set_bit, "mov $77, %eax\n bts %rax, (%rsi)");
TO_ADDRESS(copy_from, "movsb");
TO_ADDRESS(copy_to, "xchg %rsi, %rdi\n movsb");
TO_ADDRESS(compare, "mov $8, %ecx\n repe cmpsb");
TO_ADDRESS(translate, "push %rbx\n mov %rsi, %rbx\n xor %eax, %eax\n xlat\n pop %rbx");
TO_ADDRESS(push_from, "push (%rsi)");
TO_ADDRESS(pop_to, "push $0\n pop (%rsi)");
TO_ADDRESS(call_through, "call *(%rsi)");
TO_ADDRESS(jump_through, "jmp *(%rsi)");
TO_ADDRESS(far_jump_through, "rex.W ljmp *(%rsi)");
TO_ADDRESS(far_call_through, "rex.W lcall *(%rsi)");
TO_ADDRESS(load_selector, "mov (%rsi), %fs");
TO_ADDRESS(load_far_pointer, "lfs (%rsi), %eax");
TO_ADDRESS(load_stack_pointer, "lss (%rsi), %eax");
TO_ADDRESS(ask_rights, "lar (%rsi), %eax");
TO_ADDRESS(ask_limit, "lsl (%rsi), %eax");
TO_ADDRESS(ask_to_read, "verr (%rsi)");
TO_ADDRESS(store_gdtr, "sgdt (%rsi)");
TO_ADDRESS(store_idtr, "sidt (%rsi)");
TO_ADDRESS(store_ldtr, "sldt (%rsi)");
TO_ADDRESS(store_tr, "str (%rsi)");
TO_ADDRESS(store_msw, "smsw (%rsi)");
TO_ADDRESS(store_selector, "mov %ss, (%rsi)");
TO_ADDRESS(load_mxcsr, "ldmxcsr (%rsi)");
TO_ADDRESS(store_mxcsr, "stmxcsr (%rsi)");
TO_ADDRESS(load_control, "fldcw (%rsi)\n fninit");
TO_ADDRESS(load_environment, "fldenv (%rsi)\n fninit");
TO_ADDRESS(store_environment, "fnstenv (%rsi)");
TO_ADDRESS(load_x87, "frstor (%rsi)\n fninit");
TO_ADDRESS(store_x87, "fnsave (%rsi)");
TO_ADDRESS(load_fx, "fxrstor (%rsi)");
TO_ADDRESS(store_fx, "fxsave (%rsi)");
TO_ADDRESS(load_extended, "mov $3, %eax\n xor %edx, %edx\n xrstor (%rsi)");
TO_ADDRESS(store_extended, "mov $3, %eax\n xor %edx, %edx\n xsave (%rsi)");
TO_ADDRESS(load_vector, "movups (%rsi), %xmm0");
TO_ADDRESS(store_vector, "movntps %xmm0, (%rsi)");
TO_ADDRESS(store_masked, "pcmpeqb %xmm1, %xmm1\n mov %rsi, %rdi\n maskmovdqu %xmm1, %xmm0");
TO_ADDRESS(run, "call *%rsi");

static way *const readers[] = {
	far_return, far_return_of_more, far_return_32, far_return_16, interrupt_return, interrupt_return_32,
	interrupt_return_16,
};
static way *const writers[] = {far_call, far_call_32};
static way *const others[] = {
	near_return, pop, pop_flags, push, push_flags, near_call, enter, enter_nested, leave, load, store, change, exchange,
	exchange_pair, test_bit, set_bit, copy_from, copy_to, compare, translate, push_from, pop_to, call_through,
	jump_through, far_jump_through, far_call_through, load_selector, load_far_pointer, load_stack_pointer, ask_rights,
	ask_limit, ask_to_read, store_gdtr, store_idtr, store_ldtr, store_tr, store_msw, store_selector, load_mxcsr,
	store_mxcsr, load_control, load_environment, store_environment, load_x87, store_x87, load_fx, store_fx,
	load_extended, store_extended, load_vector, store_vector, store_masked, run,
};
#define COUNT(list) (sizeof(list) / sizeof *(list))

// Whether a way comes to its end.
static int arrives(way *way, uint64_t at)
{
	told = 0;
	return sigsetjmp(back, 1) == 0 && way(at);
}

static int pages, words, accesses;

static void by_stack(uint64_t page)
{
	// By all ways on some pages, by the widest on all.
	unsigned last = page & 0xf000 ? 1 : COUNT(readers);
	for (unsigned i = 0; i < last; i++) {
		accesses += arrives(readers[i], page + 8);
		words += told;
	}
	accesses += arrives(interrupt_return, page + 4056);
	words += told;
	int written = 0;
	for (unsigned i = 0; i < COUNT(writers); i++)
		written |= arrives(writers[i], page + 4096);
	pages += written;
}

static void by_all(uint64_t at)
{
	for (unsigned i = 0; i < COUNT(others); i++) {
		accesses += arrives(others[i], at);
		words += told;
	}
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
	const uint64_t image = 0xffffffff80200000, direct = 0xffff800000000000, apic = 0xffffffffc0000000;
	for (uint64_t page = image; page < image + 0x200000; page += 4096)
		by_stack(page);
	for (uint64_t page = direct + 4096; page < direct + 0x10000000; page += 4 << 20)
		by_stack(page);
	by_stack(apic);
	// Code, tables, gates and stacks of the entry area, what lies behind it, the kernel's data, physical memory, the APIC.
	const uint64_t places[] = {
		image + 0x100, image + 0x1000, image + 0x2000, image + 0x3800, image + 0x4000, image + 0x180000, direct + 0x300000,
		apic + 0x80,
	};
	for (unsigned i = 0; i < COUNT(places); i++)
		by_all(places[i]);
	printf("words told: %d\n", words);
	// The page of the entry stacks stays in reach. Nothing there is read before it is written again.
	printf("pages written, but for one: %d\n", pages > 1 ? pages - 1 : 0);
	printf("accesses: %d\n", accesses);
	return 0;
}
