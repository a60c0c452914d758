// SPDX-License-Identifier: MIT
// x87 basic arithmetic under every rounding and precision mode, conversions, comparisons, exception flags.
// Left out on purpose: transcendentals, the C1 and denormal-operand flags, instruction and operand pointers.
#include "check.h"
#include <string.h>

typedef struct {
	uint64_t mantissa;
	uint16_t exponent;
} extended;

enum { FLAGS = 0x3d, C0 = 0x100, C2 = 0x400, C3 = 0x4000 };

static extended stored(long double value)
{
	extended result = {0, 0};
	memcpy(&result.mantissa, &value, 8);
	memcpy(&result.exponent, (char *)&value + 8, 2);
	return result;
}

static void take(long double value)
{
	extended e = stored(value);
	checksum64(e.mantissa);
	checksum64(e.exponent);
}

static void set_control(uint16_t control)
{
	__asm__ volatile("fnclex; fldcw %0" : : "m"(control));
}

// Status with the sticky flags only.
static uint16_t flags(void)
{
	uint16_t status;
	__asm__ volatile("fnstsw %0" : "=am"(status));
	return status & FLAGS;
}

#define BINARY(name, instruction)                                                    \
	static long double name(long double a, long double b)                        \
	{                                                                            \
		__asm__ volatile(instruction " %%st(1), %%st" : "+t"(a) : "u"(b));   \
		return a;                                                            \
	}
BINARY(add, "fadd")
BINARY(subtract, "fsub")
BINARY(subtract_reversed, "fsubr")
BINARY(multiply, "fmul")
BINARY(divide, "fdiv")
BINARY(divide_reversed, "fdivr")

static long double root(long double a)
{
	__asm__ volatile("fsqrt" : "+t"(a));
	return a;
}

static long double round_to_integer(long double a)
{
	__asm__ volatile("frndint" : "+t"(a));
	return a;
}

static long double (*const binary[])(long double, long double) = {
	add, subtract, subtract_reversed, multiply, divide, divide_reversed,
};

// A normal number with an exponent between -40 and 40.
static long double random_number(void)
{
	long double value = (long double)(int64_t)(random64() | 1);
	int scale = (int)(random64() % 81) - 40 - 63;
	long double power = scale;
	__asm__ volatile("fscale" : "+t"(value) : "u"(power));
	return value;
}

static void arithmetic(uint16_t control)
{
	set_control(control);
	uint16_t sticky = 0;
	for (int i = 0; i < 900; i++) {
		long double a = random_number(), b = random_number();
		for (unsigned op = 0; op < sizeof binary / sizeof *binary; op++)
			take(binary[op](a, b));
		take(root(a < 0 ? -a : a));
		// The precision mode has no say in FRNDINT, but QEMU 7.2 lets single precision cut it.
		if ((control & 0x300) == 0x300)
			take(round_to_integer(a));
		double narrow;
		float narrower;
		__asm__ volatile("fstl %0; fsts %1" : "=m"(narrow), "=m"(narrower) : "t"(a));
		checksum(&narrow, 8);
		checksum(&narrower, 4);
		sticky |= flags();
		__asm__ volatile("fnclex");
	}
	checksum64(sticky);
}

static void integers(uint16_t control)
{
	set_control(control);
	for (int i = 0; i < 300; i++) {
		long double a = random_number();
		int16_t half;
		int32_t word;
		int64_t quad;
		unsigned char decimal[10];
		__asm__ volatile("fists %0; fistl %1" : "=m"(half), "=m"(word) : "t"(a));
		__asm__ volatile("fld %%st; fistpq %0" : "=m"(quad) : "t"(a));
		__asm__ volatile("fld %%st; fbstp %0" : "=m"(decimal) : "t"(a));
		checksum64((uint16_t)half);
		checksum64((uint32_t)word);
		checksum64((uint64_t)quad);
		checksum(decimal, sizeof decimal);
		__asm__ volatile("fildl %1" : "=t"(a) : "m"(word));
		take(a);
	}
	__asm__ volatile("fnclex");
}

// The flags that one operation raises.
static void exception(const char *name, int op, long double a, long double b)
{
	set_control(0x37f);
	long double result = op < 0 ? root(a) : binary[op](a, b);
	uint16_t raised = flags();
	extended e = stored(result);
	printf("%-24s %04x %016llx flags %02x\n", name, e.exponent, (unsigned long long)e.mantissa, raised);
}

static uint16_t compared(long double a, long double b)
{
	uint16_t status;
	__asm__ volatile("fcom %%st(1); fnstsw %0" : "=a"(status) : "t"(a), "u"(b));
	__asm__ volatile("fnclex");
	return status & (C0 | C2 | C3);
}

int main(void)
{
	static const char *const precision[] = {"single", NULL, "double", "extended"};
	static const char *const rounding[] = {"nearest", "down", "up", "zero"};
	for (int p = 0; p < 4; p++) {
		for (int r = 0; precision[p] && r < 4; r++) {
			char name[40];
			snprintf(name, sizeof name, "%s, %s", precision[p], rounding[r]);
			uint16_t control = (uint16_t)(0x7f | p << 8 | r << 10);
			arithmetic(control);
			integers(control);
			set_control(0x37f);
			report(name);
		}
	}
	long double zero = 0, one = 1, three = 3, huge = 1, tiny = 1, infinity = __builtin_infl();
	for (int i = 0; i < 16000; i++) {
		huge *= 2;
		tiny /= 2;
	}
	exception("1 / 0", 4, one, zero);
	exception("0 / 0", 4, zero, zero);
	exception("1 / 3", 4, one, three);
	exception("inf - inf", 1, infinity, infinity);
	exception("huge * huge", 3, huge, huge);
	exception("tiny * tiny", 3, tiny, tiny);
	exception("sqrt(-1)", -1, -one, zero);
	exception("3 + 1", 0, three, one);
	printf("compare %04x %04x %04x %04x\n", compared(one, three), compared(three, one), compared(one, one),
	       compared(one, __builtin_nanl("")));
	for (int i = 0; i < 200; i++) {
		long double a = random_number(), b = random_number(), rest = a;
		uint16_t status;
		do
			__asm__ volatile("fprem; fnstsw %1" : "+t"(rest), "=a"(status) : "u"(b));
		while (status & C2);
		take(rest);
		checksum64(status & (C0 | C3));
	}
	report("remainders");
	return 0;
}
