// SPDX-License-Identifier: MIT
// RFLAGS: PUSHF and POPF, LAHF and SAHF, carry chains, the direction flag. Only flags that the manuals define after
// each instruction are looked at.
#include "check.h"
#include <string.h>

enum { CF = 1, PF = 4, AF = 16, ZF = 64, SF = 128, DF = 1024, OF = 2048, NT = 1 << 14, AC = 1 << 18, ID = 1 << 21 };
enum { ALL = CF | PF | AF | ZF | SF | OF, LOGIC = ALL & ~AF };

// `instruction` on a (and b), started with the status flags `start`; looks at `defined`.
#define OPERATION(name, instruction, defined)                                                    \
	static void name(uint64_t a, uint64_t b, uint64_t start)                                 \
	{                                                                                        \
		uint64_t after;                                                                  \
		__asm__ volatile("push %[start]; popfq; " instruction "; pushfq; pop %[after]"   \
				 : [a] "+a"(a), [after] "=&r"(after), [b] "+b"(b)                \
				 : [start] "r"(start)                                            \
				 : "cc", "rcx", "rdx", "memory");                                \
		checksum64(a);                                                                   \
		checksum64(b);                                                                   \
		checksum64(after & (defined));                                                   \
	}
OPERATION(op_add, "addq %[b], %[a]", ALL)
OPERATION(op_adc8, "adcb %%bl, %%al", ALL)
OPERATION(op_adc16, "adcw %%bx, %%ax", ALL)
OPERATION(op_adc32, "adcl %%ebx, %%eax", ALL)
OPERATION(op_adc64, "adcq %[b], %[a]", ALL)
OPERATION(op_sub, "subl %%ebx, %%eax", ALL)
OPERATION(op_sbb, "sbbq %[b], %[a]", ALL)
OPERATION(op_cmp, "cmpw %%bx, %%ax", ALL)
OPERATION(op_inc, "incq %[a]", ALL)
OPERATION(op_dec, "decb %%al", ALL)
OPERATION(op_neg, "negq %[a]", ALL)
OPERATION(op_and, "andq %[b], %[a]", LOGIC)
OPERATION(op_xor, "xorb %%bl, %%al", LOGIC)
OPERATION(op_test, "testl %%ebx, %%eax", LOGIC)
OPERATION(op_shl, "shlq $1, %[a]", LOGIC)
OPERATION(op_sar, "sarl $9, %%eax", LOGIC & ~OF)
OPERATION(op_rcl, "rclq $1, %[a]", ALL)
OPERATION(op_ror, "rorq $13, %[a]", ALL & ~OF)
OPERATION(op_shld, "shldq $7, %[b], %[a]", LOGIC & ~OF)
OPERATION(op_imul, "imulq %[b], %[a]", CF | OF)
OPERATION(op_bt, "btq %[b], %[a]", CF | ZF)
OPERATION(op_bsf, "orq $256, %[b]; bsfq %[b], %[a]", ZF)
OPERATION(op_xadd, "xaddq %[b], %[a]", ALL)
OPERATION(op_cmpxchg, "mov %[b], %%rcx; cmpxchgq %[b], %%rcx", ALL)
OPERATION(op_cmc, "cmc", ALL)
OPERATION(op_stc, "stc", ALL)
OPERATION(op_not, "notq %[a]", ALL)
OPERATION(op_lahf, "lahf", ALL)
OPERATION(op_sahf, "sahf", ALL)
OPERATION(op_mov, "movq %[b], %[a]; leaq 1(%[a]), %[a]; bswapq %[b]", ALL)

static void (*const operations[])(uint64_t, uint64_t, uint64_t) = {
	op_add,  op_adc8, op_adc16, op_adc32, op_adc64, op_sub, op_sbb,  op_cmp,  op_inc,     op_dec,
	op_neg,  op_and,  op_xor,   op_test,  op_shl,   op_sar, op_rcl,  op_ror,  op_shld,    op_imul,
	op_bt,   op_bsf,  op_xadd,  op_cmpxchg, op_cmc, op_stc, op_not,  op_lahf, op_sahf,    op_mov,
};

// What POPF lets a user program set, and what it silently does not.
static void popf_bits(void)
{
	static const uint64_t bits[] = {CF, PF, AF, ZF, SF, DF, OF, NT, AC, ID, 3 << 12, 1 << 9, 1 << 17, 1 << 19, 1 << 20};
	for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++) {
		uint64_t before, set, reset;
		__asm__ volatile("pushfq; pop %[before]\n\t"
				 "mov %[before], %[set]; or %[bit], %[set]; push %[set]; popfq; pushfq; pop %[set]\n\t"
				 "push %[before]; popfq; pushfq; pop %[reset]"
				 : [before] "=&r"(before), [set] "=&r"(set), [reset] "=&r"(reset)
				 : [bit] "r"(bits[i])
				 : "cc", "memory");
		uint64_t changed = (set ^ before) & ~(uint64_t)(CF | PF | AF | ZF | SF | OF);
		printf("popf %06llx %s\n", (unsigned long long)bits[i],
		       changed || (bits[i] & (ALL)) ? "changes" : "does not change");
		CHECK(((set ^ reset) & (NT | AC | ID | DF)) == changed);
	}
}

// POPF of 16 bits leaves the upper ones alone.
static void popf_word(void)
{
	uint64_t after;
	__asm__ volatile("pushfq; orq $0x200000, (%%rsp); popfq\n\t"
			 "pushw $0x8d5; popfw; pushfq; pop %0\n\t"
			 "pushfq; andq $~0x200000, (%%rsp); popfq"
			 : "=r"(after) : : "cc", "memory");
	printf("popfw leaves %06llx\n", (unsigned long long)(after & (ID | ALL)));
}

// Adds, subtracts and shifts numbers of 1,024 bits with the carry living across many instructions.
static void chains(void)
{
	uint64_t a[16], b[16];
	for (int i = 0; i < 16; i++) {
		a[i] = random64();
		b[i] = random64();
	}
	for (int round = 0; round < 4000; round++) {
		uint64_t index = 0, left = 16, word;
		__asm__ volatile("clc\n"
				 "1: movq (%[b],%[i],8), %[w]; adcq %[w], (%[a],%[i],8)\n\t"
				 "lea 1(%[i]), %[i]; dec %[left]; jnz 1b"
				 : [i] "+r"(index), [left] "+r"(left), [w] "=&r"(word)
				 : [a] "r"(a), [b] "r"(b)
				 : "cc", "memory");
		index = 0;
		left = 16;
		__asm__ volatile("stc\n"
				 "1: movq (%[a],%[i],8), %[w]; sbbq %[w], (%[b],%[i],8)\n\t"
				 "lea 1(%[i]), %[i]; dec %[left]; jnz 1b"
				 : [i] "+r"(index), [left] "+r"(left), [w] "=&r"(word)
				 : [a] "r"(a), [b] "r"(b)
				 : "cc", "memory");
		left = 16;
		// Not RCR with a memory operand: QEMU 7.2 changes CF before the store, and keeps the change when
		// the store faults, so the instruction's second try rotates another bit in.
		__asm__ volatile("clc\n1: movq -8(%[a],%[left],8), %[w]; rcrq $1, %[w]\n\t"
				 "movq %[w], -8(%[a],%[left],8); dec %[left]; jnz 1b"
				 : [left] "+r"(left), [w] "=&r"(word) : [a] "r"(a) : "cc", "memory");
	}
	checksum(a, sizeof a);
	checksum(b, sizeof b);
}

// Status flags, DF and ID set once have to outlast a long loop that touches none of them.
static void held(void)
{
	uint64_t loops = 100000, after;
	__asm__ volatile("pushfq; orq $0x200cd5, (%%rsp); popfq\n"
			 "1: lea -1(%[loops]), %[loops]; jrcxz 2f; jmp 1b\n"
			 "2: pushfq; pop %[after]; pushfq; andq $~0x200400, (%%rsp); popfq"
			 : [loops] "+c"(loops), [after] "=r"(after) : : "cc", "memory");
	printf("held %06llx\n", (unsigned long long)(after & (ALL | DF | ID)));
}

int main(void)
{
	popf_bits();
	popf_word();
	for (unsigned op = 0; op < sizeof operations / sizeof *operations; op++)
		for (int i = 0; i < 300; i++) {
			uint64_t start = 0x202 | (random64() & ALL);
			uint64_t a = random64() >> random64() % 64, b = random64() >> random64() % 64;
			operations[op](a, b, start);
		}
	report("operations");
	chains();
	report("carry chains");
	held();
	return 0;
}
