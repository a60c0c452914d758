// SPDX-License-Identifier: MIT
// Instructions that need not do the same twice. Without an argument: which of them CPUID offers. With the name of one:
// executes it in the middle of a calculation and prints what came of it.
#define _GNU_SOURCE
#include "check.h"
#include <cpuid.h>
#include <string.h>

static unsigned leaf(unsigned number, unsigned sub, int which)
{
	unsigned r[4] = {0};
	unsigned basic = __get_cpuid_max(number & 0x80000000, NULL);
	if (number <= basic)
		__cpuid_count(number, sub, r[0], r[1], r[2], r[3]);
	return r[which];
}

enum { EAX, EBX, ECX, EDX };

static const struct {
	const char *name;
	unsigned leaf, sub, which, bit;
} offers[] = {
	{"rdrand", 1, 0, ECX, 30},       {"rdseed", 7, 0, EBX, 18},       {"rdpid", 7, 0, ECX, 22},
	{"rdtscp", 0x80000001, 0, EDX, 27}, {"xsaveopt", 13, 1, EAX, 0},  {"xsavec", 13, 1, EAX, 1},
	{"xgetbv1", 13, 1, EAX, 2},      {"xsaves", 13, 1, EAX, 3},       {"hle", 7, 0, EBX, 4},
	{"rtm", 7, 0, EBX, 11},          {"waitpkg", 7, 0, ECX, 5},       {"rdpru", 0x80000008, 0, EBX, 4},
	{"monitorx", 0x80000001, 0, ECX, 29}, {"monitor", 1, 0, ECX, 3},  {"sgx", 7, 0, EBX, 2},
	{"fsgsbase", 7, 0, EBX, 0},      {"pku", 7, 0, ECX, 3},           {"avx512f", 7, 0, EBX, 16},
	{"keylocker", 7, 0, ECX, 23},    {"enqcmd", 7, 0, ECX, 29},       {"uintr", 7, 0, EDX, 5},
};

static uint64_t before = 3, after;

// Thirty instructions, the one in question, and thirty more that its result goes through.
#define AMONG(instruction)                                                                            \
	__asm__ volatile("mov $1, %%eax; mov $1, %%ecx; xor %%edx, %%edx\n\t"                        \
			 ".rept 10; add %%rax, %[before]; rol $3, %[before]; nop; .endr\n\t"         \
			 instruction "\n\t"                                      \
			 "mov %%rax, %[after]; add %%rdx, %[after]\n\t"                               \
			 "mov $0, %%eax; mov $0, %%edx; .rept 10; nop; lea 1(%[after]), %[after]; .endr" \
			 : [before] "+r"(before), [after] "=&r"(after) : : "rax", "rcx", "rdx", "rbx", "cc", "memory")

int main(int count, char **arguments)
{
	const char *wanted = count > 1 ? arguments[1] : "";
	if (count < 2) {
		for (unsigned i = 0; i < sizeof offers / sizeof *offers; i++)
			printf("%-10s %u\n", offers[i].name,
			       leaf(offers[i].leaf, offers[i].sub, offers[i].which) >> offers[i].bit & 1);
		return 0;
	}
	if (strcmp(wanted, "rdrand") == 0)
		AMONG("rdrand %%rax");
	else if (strcmp(wanted, "rdseed") == 0)
		AMONG("rdseed %%rax");
	else if (strcmp(wanted, "rdpid") == 0)
		AMONG(".byte 0xf3, 0x0f, 0xc7, 0xf8"); // rdpid rax
	else if (strcmp(wanted, "xgetbv1") == 0)
		AMONG("xgetbv");
	else
		CHECK(0);
	printf("%s %llx\n", wanted, (unsigned long long)after);
	return 0;
}
