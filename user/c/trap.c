// SPDX-License-Identifier: MIT
// The trap flag and INT3: where a program that steps itself stops, what PUSHF shows it there, and what it never shows.
// Without an argument only what QEMU, Bochs and processors do alike; "rep", "pause" and "icebp" are for those that get
// them right (harness/src/suite/state.rs says which).
#define _GNU_SOURCE
#include "check.h"
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { TF = 0x100, DF = 0x400, RF = 0x10000, MOST = 64 };

static struct {
	long long at;
	int signal, code;
	unsigned flags, trap, error, at_address;
} stops[MOST];
static int stop_count;
static const char *origin;

static void stopped(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t own;
	__asm__ volatile("pushfq; pop %0" : "=r"(own));
	CHECK((own & (TF | DF | RF)) == 0);
	CHECK(stop_count < MOST);
	stops[stop_count].at = registers[REG_RIP] - (long long)origin;
	stops[stop_count].signal = number;
	stops[stop_count].code = info->si_code;
	stops[stop_count].flags = registers[REG_EFL] & (TF | DF);
	stops[stop_count].trap = registers[REG_TRAPNO];
	stops[stop_count].error = registers[REG_ERR];
	stops[stop_count].at_address = (long long)info->si_addr == registers[REG_RIP];
	stop_count++;
	// UD2 is two bytes long.
	if (number == SIGILL)
		registers[REG_RIP] += 2;
}

// A function that sets TF, executes `body` and clears TF.
#define STEPPED(name, body)                                                                  \
	uint64_t name(uint64_t, void *, void *);                                             \
	__asm__(".pushsection .text; " #name ": push %rbx\n\t"                               \
		"mov %rdx, %rbx; xor %eax, %eax; xor %ecx, %ecx\n\t"                        \
		"pushfq; orq $0x100, (%rsp); popfq\n\t"                                      \
		body "\n\t"                                                                  \
		"pushfq; andq $~0x500, (%rsp); popfq\n\t"                                    \
		"nop; pop %rbx; ret; .popsection")

STEPPED(step_plain, "nop; lea 1(%rax), %rax; cmp %rax, %rcx; jne 1f; nop; 1: add %rax, %rax");
STEPPED(step_pushf, "pushfq; pop %rax; nop; pushfq; pop %rcx; and %rcx, %rax");
STEPPED(step_pushf_word, "pushfw; pop %ax; and $0x100, %eax");
STEPPED(step_popf, "pushfq; popfq; nop; pushfq; popfq; pushfq; pop %rax");
STEPPED(step_popf_clears, "pushfq; andq $~0x100, (%rsp); popfq; nop; pushfq; pop %rax; pushfq; orq $0x100, (%rsp); popfq; nop");
STEPPED(step_mov_ss, "mov %ss, %ecx; mov %ecx, %ss; nop; mov %ecx, %ss; pushfq; pop %rax");
STEPPED(step_syscall, "mov $186, %eax; syscall; nop; mov %r11, %rax; nop");
STEPPED(step_syscall_twice, "mov $186, %eax; syscall; syscall; pushfq; pop %rax");
STEPPED(step_rep_movsb, "mov $3, %ecx; rep movsb; nop");
STEPPED(step_rep_none, "mov %rsi, %rdi; rep stosb; nop");
STEPPED(step_rep_down, "mov $4, %ecx; std; rep stosq; pushfq; pop %rax");
STEPPED(step_repne_scasb, "mov $4, %ecx; mov $0x11, %al; repne scasb; mov %rcx, %rax");
STEPPED(step_calls, "mov $3, %ecx; call 1f; jmp 2f; 1: nop; ret; 2: loop 2b");
STEPPED(step_int3, "nop; int3; nop; nop");
STEPPED(step_int_3, "nop; .byte 0xcd, 3; nop");
STEPPED(step_ud2, "nop; ud2; nop");
STEPPED(step_iret, "mov %ss, %eax; push %rax; lea 8(%rsp), %rcx; push %rcx; pushfq; mov %cs, %eax; push %rax; lea 1f(%rip), %rcx; push %rcx; iretq; 1: nop; xor %eax, %eax");
STEPPED(step_store, "mov %rax, (%rbx); mov %rax, 8(%rbx); lock incq 4096(%rbx)");
STEPPED(step_pause, "nop; pause; nop; nop; pushfq; pop %rax");
STEPPED(step_icebp, "nop; .byte 0xf1; nop; nop");

static void stepped(const char *name, uint64_t (*code)(uint64_t, void *, void *))
{
	static char from[64], to[64];
	memset(from, 0x11, sizeof from);
	char *fresh = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(fresh != MAP_FAILED);
	stop_count = 0;
	origin = (const char *)code;
	uint64_t value = code((uint64_t)(to + 40), from + 8, fresh);
	printf("%s: flags %llx\n", name, (unsigned long long)(value & (TF | RF)));
	for (int i = 0; i < stop_count; i++)
		printf("  +%lld signal %d code %d trap %u error %u flags %x%s\n", stops[i].at, stops[i].signal,
		       stops[i].code, stops[i].trap, stops[i].error, stops[i].flags,
		       stops[i].at_address ? "" : ", no address");
	CHECK(munmap(fresh, 8192) == 0);
}

// Without TF of its own a program never sees one, nor RF, wherever its processing elements end.
static void not_ours(void)
{
	uint64_t seen = 0, word = 0, loops = 4000;
	__asm__ volatile("1: pushfq; pop %%rcx; or %%rcx, %[seen]\n\t"
			 "pushfw; pop %%cx; movzwl %%cx, %%ecx; or %%rcx, %[word]\n\t"
			 "pushfq; popfq; pushfq; andq $0x10d00, (%%rsp); pop %%rcx; or %%rcx, %[seen]\n\t"
			 "dec %[loops]; jnz 1b"
			 : [seen] "+r"(seen), [word] "+r"(word), [loops] "+r"(loops) : : "rcx", "cc", "memory");
	uint64_t r11;
	__asm__ volatile("syscall" : "=&a"(word) : "0"(186ul) : "rcx", "r11", "memory");
	__asm__ volatile("mov %%r11, %0" : "=r"(r11));
	printf("own flags %llx\n", (unsigned long long)((seen | r11) & (TF | RF | 0x3000)));
}

// Handlers that set and clear the trap flag of what they return to.
static int switches;
static void switches_on(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= TF;
}
static void switches_off(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	(void)number;
	CHECK(registers[REG_EFL] & TF);
	CHECK(info->si_code == TRAP_TRACE);
	if (++switches % 5 == 0)
		registers[REG_EFL] &= ~(greg_t)TF;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	CHECK(sigaction(number, &action, NULL) == 0);
}

#define SHOW(name) stepped(#name, name)

int main(int count, char **arguments)
{
	handle(SIGTRAP, stopped);
	handle(SIGILL, stopped);
	if (count > 1 && strcmp(arguments[1], "pause") == 0) {
		SHOW(step_pause);
		return 0;
	}
	if (count > 1 && strcmp(arguments[1], "icebp") == 0) {
		SHOW(step_icebp);
		SHOW(step_int_3);
		return 0;
	}
	if (count > 1 && strcmp(arguments[1], "rep") == 0) {
		SHOW(step_rep_movsb);
		SHOW(step_rep_down);
		SHOW(step_repne_scasb);
		return 0;
	}
	SHOW(step_plain);
	SHOW(step_pushf);
	SHOW(step_pushf_word);
	SHOW(step_popf);
	SHOW(step_popf_clears);
	SHOW(step_mov_ss);
	SHOW(step_syscall);
	SHOW(step_syscall_twice);
	SHOW(step_rep_none);
	SHOW(step_calls);
	SHOW(step_int3);
	SHOW(step_ud2);
	SHOW(step_iret);
	SHOW(step_store);
	not_ours();
	handle(SIGTRAP, switches_off);
	handle(SIGUSR1, switches_on);
	for (int i = 0; i < 20; i++)
		raise(SIGUSR1);
	printf("switches %d\n", switches);
	return 0;
}
