// cflags: -mavx
// SPDX-License-Identifier: MIT
// Signal handlers: what they are told, on which stack they run, what they may change, and what comes when.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <immintrin.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
	CHECK(sigaction(number, &action, NULL) == 0);
}

// Faults of every kind.

static sigjmp_buf back;
static char *here;

static void caught(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	printf("  signal %d code %d trap %lld error %lld", number, info->si_code, registers[REG_TRAPNO],
	       registers[REG_ERR]);
	if ((long long)info->si_addr == registers[REG_RIP])
		printf(" at the instruction");
	else if ((char *)info->si_addr >= here && (char *)info->si_addr < here + 16384)
		printf(" at +%ld, cr2 +%lld", (long)((char *)info->si_addr - here),
		       registers[REG_CR2] - (long long)here);
	else
		printf(" at %p", info->si_addr);
	printf("\n");
	siglongjmp(back, 1);
}

#define FAULT(name, ...)                                              \
	do {                                                          \
		printf("%s\n", name);                                 \
		if (sigsetjmp(back, 1) == 0) {                        \
			__VA_ARGS__;                                  \
			printf("  nothing\n");                        \
		}                                                     \
	} while (0)

static void faults(void)
{
	static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
		handle(numbers[i], caught, 0);
	here = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(here != MAP_FAILED);
	CHECK(mprotect(here + 4096, 4096, PROT_READ) == 0);
	CHECK(munmap(here + 8192, 4096) == 0);
	CHECK(mprotect(here + 12288, 4096, PROT_NONE) == 0);
	FAULT("ud2", __asm__ volatile("ud2"));
	FAULT("int3", __asm__ volatile("int3"));
	FAULT("division by zero", __asm__ volatile("div %0" : : "r"(0ull), "a"(1ull), "d"(0ull) : "cc"));
	FAULT("quotient too large", __asm__ volatile("div %0" : : "r"(1ull), "a"(1ull), "d"(2ull) : "cc"));
	FAULT("hlt", __asm__ volatile("hlt"));
	FAULT("in", __asm__ volatile("in $0x80, %%al" : : : "rax"));
	FAULT("null, read", *(volatile char *)0);
	FAULT("read-only, written", *(volatile char *)(here + 4100) = 1);
	FAULT("unmapped, written", *(volatile char *)(here + 8192) = 1);
	FAULT("forbidden, read", *(volatile char *)(here + 12300));
	FAULT("over the end, written", *(volatile long *)(here + 4092) = 1);
	FAULT("not executable", ((void (*)(void))(here + 16))());
	FAULT("kernel, read", *(volatile char *)0xffff800000000000);
	FAULT("not canonical, read", *(volatile char *)0x8000000000000000);
	FAULT("x87 division", __asm__ volatile("fninit; push %0; fldcw (%%rsp); pop %0; fldz; fld1; fdivp; fwait" : "+r"((uint64_t){0x37b})));
	FAULT("x87 root of -1", __asm__ volatile("fninit; push %0; fldcw (%%rsp); pop %0; fld1; fchs; fsqrt; fwait" : "+r"((uint64_t){0x37e})));
	__asm__ volatile("fninit");
	int file = open("signals.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(file >= 0 && write(file, "data", 4) == 4);
	here = mmap(NULL, 16384, PROT_READ, MAP_PRIVATE, file, 0);
	CHECK(here != MAP_FAILED);
	FAULT("behind the file's end", *(volatile char *)(here + 4096));
	CHECK(close(file) == 0 && unlink("signals.data") == 0);
}

// Sent, blocked, pending, in what order and how often.

static int depth, left;

static void noted(int number, siginfo_t *info, void *context)
{
	sigset_t now;
	CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
	printf("  %*ssignal %d code %d own %d, blocked:", 2 * depth, "", number, info->si_code,
	       info->si_pid == getpid() && info->si_uid == getuid());
	for (int other = 1; other < 32; other++)
		if (sigismember(&now, other))
			printf(" %d", other);
	printf(", returns to:");
	for (int other = 1; other < 32; other++)
		if (sigismember(&((ucontext_t *)context)->uc_sigmask, other))
			printf(" %d", other);
	printf("\n");
	if (number == SIGUSR1 && left > 0) {
		left--;
		depth++;
		raise(SIGUSR1);
		raise(SIGUSR2);
		depth--;
	}
}

static sigset_t set_of(int one, int other)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, one);
	sigaddset(&set, other);
	return set;
}

static void sending(void)
{
	sigset_t none, both = set_of(SIGUSR1, SIGUSR2), pending;
	sigemptyset(&none);
	printf("masked while it runs\n");
	left = 1;
	handle(SIGUSR1, noted, 0);
	handle(SIGUSR2, noted, 0);
	CHECK(raise(SIGUSR1) == 0);
	printf("not masked\n");
	left = 2;
	handle(SIGUSR1, noted, SA_NODEFER);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	printf("a mask of its own\n");
	struct sigaction action = {.sa_sigaction = noted, .sa_flags = SA_SIGINFO, .sa_mask = both};
	sigaddset(&action.sa_mask, SIGKILL);
	CHECK(sigaction(SIGHUP, &action, NULL) == 0);
	CHECK(raise(SIGHUP) == 0);
	printf("blocked\n");
	handle(SIGUSR1, noted, 0);
	CHECK(sigprocmask(SIG_BLOCK, &both, NULL) == 0);
	CHECK(raise(SIGUSR2) == 0 && raise(SIGUSR1) == 0 && raise(SIGUSR1) == 0);
	CHECK(sigpending(&pending) == 0);
	printf("  pending %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2));
	CHECK(sigprocmask(SIG_UNBLOCK, &both, NULL) == 0);
	printf("waited for\n");
	CHECK(sigprocmask(SIG_BLOCK, &both, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0 && raise(SIGUSR2) == 0);
	CHECK(sigsuspend(&none) == -1 && errno == EINTR);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &pending) == 0);
	printf("  blocked again %d %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2));
	siginfo_t info;
	struct timespec soon = {0, 1000};
	CHECK(sigtimedwait(&both, &info, &soon) == -1 && errno == EAGAIN);
	CHECK(raise(SIGUSR2) == 0);
	CHECK(sigtimedwait(&both, &info, &soon) == SIGUSR2);
	printf("  taken %d code %d\n", info.si_signo, info.si_code);
	printf("ignored, then not\n");
	signal(SIGUSR1, SIG_IGN);
	CHECK(raise(SIGUSR1) == 0);
	CHECK(sigprocmask(SIG_UNBLOCK, &both, NULL) == 0);
	printf("once\n");
	handle(SIGUSR1, noted, SA_RESETHAND);
	CHECK(raise(SIGUSR1) == 0);
	struct sigaction after;
	CHECK(sigaction(SIGUSR1, NULL, &after) == 0);
	printf("  default again %d\n", after.sa_handler == SIG_DFL);
	CHECK(sigaction(SIGKILL, &after, NULL) == -1 && errno == EINVAL);
	CHECK(sigaction(65, &after, NULL) == -1 && errno == EINVAL);
}

// The alternate stack.

static char stack[65536];

static void on_stack(int number, siginfo_t *info, void *context)
{
	char *local = (char *)&info;
	stack_t now, *kept = &((ucontext_t *)context)->uc_stack;
	CHECK(sigaltstack(NULL, &now) == 0);
	printf("  signal %d: on it %d, flags %d, kept %d %d %d\n", number,
	       local >= stack && local < stack + sizeof stack, now.ss_flags, kept->ss_sp == stack, kept->ss_flags,
	       kept->ss_size == sizeof stack);
	stack_t none = {.ss_flags = SS_DISABLE};
	int changed = sigaltstack(&none, NULL);
	printf("  changed while on it %d %d\n", changed, changed ? errno == EPERM : 0);
	CHECK((uintptr_t)__builtin_frame_address(0) % 16 == 0);
	if (number == SIGUSR1)
		raise(SIGUSR2);
}

// Runs out of the main stack's area by setting RSP to where nothing is.
static void without_stack(void)
{
	static char *keep;
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("mov %%rsp, %0; mov $64, %%rsp; push %%rax" : "=m"(keep) : : "memory");
}

static void stacks(void)
{
	stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
	stack_t small = {.ss_sp = stack, .ss_size = 2047};
	printf("alternate stack\n");
	CHECK(sigaltstack(&small, NULL) == -1 && errno == ENOMEM);
	CHECK(sigaltstack(&own, NULL) == 0);
	handle(SIGUSR1, on_stack, SA_ONSTACK);
	handle(SIGUSR2, on_stack, SA_ONSTACK);
	raise(SIGUSR1);
	handle(SIGUSR2, on_stack, 0);
	raise(SIGUSR2);
	own.ss_flags = (int)(1u << 31); // SS_AUTODISARM
	CHECK(sigaltstack(&own, NULL) == 0);
	handle(SIGUSR2, on_stack, SA_ONSTACK);
	raise(SIGUSR2);
	CHECK(sigaltstack(NULL, &own) == 0);
	printf("  afterwards %x\n", (unsigned)own.ss_flags);
	own.ss_flags = 0;
	CHECK(sigaltstack(&own, NULL) == 0);
	printf("without a stack\n");
	here = NULL;
	handle(SIGSEGV, caught, SA_ONSTACK);
	without_stack();
	stack_t none = {.ss_flags = SS_DISABLE};
	CHECK(sigaltstack(&none, NULL) == 0);
}

// Registers: what the handler does to its own is gone afterwards, what it does to the frame is there.

static void clobbers(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	unsigned short word;
	__asm__ volatile("fnstcw %0" : "=m"(word));
	printf("  handler starts with mxcsr %x, x87 control %x\n", _mm_getcsr(), word);
	ucontext_t *frame = context;
	struct _libc_fpstate *extended = frame->uc_mcontext.fpregs;
	CHECK(((uintptr_t)extended & 63) == 0);
	printf("  frame has xmm3 %08x, x87 control %x, mxcsr %x\n", extended->_xmm[3].element[0], extended->cwd,
	       extended->mxcsr);
	extended->_xmm[4].element[1] = 0x12345678;
	frame->uc_mcontext.gregs[REG_R14] ^= 0xff;
	frame->uc_mcontext.gregs[REG_EFL] |= 0x3f7fd5; // IF, IOPL, NT, VM, ID and others are not ours to set
	frame->uc_mcontext.gregs[REG_EFL] &= ~0x10500ll;
	__asm__ volatile("fninit; fldpi; vzeroall; pcmpeqd %%xmm3, %%xmm3; vpermilps $0, %%ymm3, %%ymm5"
			 : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
			   "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory");
}

__attribute__((target("avx"))) static void registers(void)
{
	printf("registers\n");
	handle(SIGUSR1, clobbers, 0);
	uint64_t in[16], out[16], flags, r14;
	for (int i = 0; i < 16; i++)
		in[i] = random64() & 0x7fffffff7fffffff;
	int pid = getpid();
	__asm__ volatile("vmovdqu (%[in]), %%ymm3; vmovdqu 32(%[in]), %%ymm4; vmovdqu 64(%[in]), %%ymm15\n\t"
			 "fninit; fld1; fldl2t; mov $0x1111, %%r14d; stc; cld\n\t"
			 "mov $62, %%eax; mov %[pid], %%edi; mov $10, %%esi; syscall\n\t"
			 "pushfq; pop %[flags]; pushfq; andq $~0x244400, (%%rsp); popfq; mov %%r14, %[r14]\n\t"
			 "vmovdqu %%ymm3, (%[out]); vmovdqu %%ymm4, 32(%[out]); vmovdqu %%ymm15, 64(%[out])\n\t"
			 "fstpl 96(%[out]); fstpl 104(%[out]); vzeroupper"
			 : [flags] "=&r"(flags), [r14] "=&r"(r14)
			 : [in] "r"(in), [out] "r"(out), [pid] "r"(pid)
			 : "rax", "rdi", "rsi", "rcx", "r11", "r14", "xmm3", "xmm4", "xmm15", "memory", "cc");
	for (int i = 0; i < 14; i++)
		printf("  %d %016llx %s\n", i, (unsigned long long)out[i], i < 12 && out[i] == in[i] ? "kept" : "");
	printf("  r14 %llx, flags %llx\n", (unsigned long long)r14, (unsigned long long)(flags & ~0x10000ull));
}

// Many, over hot pages and every limit: the frame goes where the program has just written.
static volatile int taken;
static void counts(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	checksum64(((ucontext_t *)context)->uc_mcontext.gregs[REG_RBX] & 0);
	taken++;
}
static void many(void)
{
	handle(SIGUSR1, counts, 0);
	for (int i = 0; i < 300; i++) {
		volatile char room[random64() % 3000 + 1];
		room[0] = room[sizeof room - 1] = i;
		raise(SIGUSR1);
		checksum((void *)&room[0], 1);
		checksum((void *)&room[sizeof room - 1], 1);
	}
	printf("taken %d\n", taken);
	report("many");
}

int main(void)
{
	setvbuf(stdout, NULL, _IOFBF, 65536);
	faults();
	sending();
	stacks();
	registers();
	many();
	return 0;
}
