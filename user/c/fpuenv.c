// SPDX-License-Identifier: MIT
// Floating-point environments saved and restored around long loops and system calls, so that the ends of processing
// elements fall between. Instruction and operand pointers are stored but never printed: they may read as zero.
#define _GNU_SOURCE
#include "check.h"
#include <fenv.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

struct environment {
	uint16_t control, control_pad, status, status_pad, tag, tag_pad;
	uint32_t instruction, selectors, operand, operand_selector;
};

struct state {
	struct environment environment;
	unsigned char registers[8][10];
};

// Stack top, busy, summary and the sticky flags, without C0 to C3 and the denormal-operand flag.
enum { STATUS = 0xb8bd };

// A long computation that touches no x87 and no SSE state, with system calls in it or without.
__attribute__((noinline)) static uint64_t pause_for(uint64_t loops, int calls)
{
	uint64_t value = loops;
	for (uint64_t i = 0; i < loops; i++) {
		value = value * 6364136223846793005u + 1442695040888963407u;
		if (calls && i % 512 == 0)
			(void)getppid();
	}
	return value;
}

static void environments(void)
{
	for (int i = 0; i < 60; i++) {
		struct environment before, after;
		uint16_t control = (uint16_t)(0x7f | (i & 3) << 10 | ((i / 4) % 3 ? 0x300 : 0x200));
		__asm__ volatile("fninit; fldcw %0; fld1; fldpi; fdivrp" : : "m"(control));
		__asm__ volatile("fnstenv %0" : "=m"(before));
		checksum64(pause_for(1500, i & 1));
		__asm__ volatile("fldenv %1; fnstenv %0" : "=m"(after) : "m"(before));
		CHECK(before.control == after.control && before.status == after.status && before.tag == after.tag);
		checksum64(after.control);
		checksum64(after.status & STATUS);
		checksum64(after.tag);
		long double value;
		__asm__ volatile("fninit; fldenv %1; fstpt %0" : "=m"(value) : "m"(before));
		__asm__ volatile("fninit");
		// FNINIT empties the stack but leaves the registers, so the tag word brings the value back.
		checksum(&value, 10);
	}
	report("fnstenv, fldenv");
}

static void saves(void)
{
	for (int i = 0; i < 60; i++) {
		struct state before, after;
		__asm__ volatile("fninit; fld1; fldpi; fldl2e; fldlg2; fldln2; fldz");
		for (int j = 0; j < i % 5; j++)
			__asm__ volatile("fincstp; fmul %st, %st(1)");
		__asm__ volatile("fnsave %0" : "=m"(before));
		checksum64(pause_for(1500, i & 1));
		__asm__ volatile("frstor %0" : : "m"(before));
		checksum64(pause_for(700, ~i & 1));
		__asm__ volatile("fnsave %0" : "=m"(after));
		CHECK(memcmp(before.registers, after.registers, sizeof after.registers) == 0);
		CHECK(before.environment.tag == after.environment.tag);
		checksum64(after.environment.status & STATUS);
		checksum(after.registers, sizeof after.registers);
	}
	report("fnsave, frstor");
}

static void fast_saves(void)
{
	static unsigned char image[512] __attribute__((aligned(16))), again[512] __attribute__((aligned(16)));
	for (int i = 0; i < 40; i++) {
		uint32_t mxcsr = 0x1f80 | (uint32_t)(i & 3) << 13;
		uint64_t seed = random64();
		__asm__ volatile("fninit; fldpi; fld1; ldmxcsr %0; movq %1, %%xmm7; punpcklqdq %%xmm7, %%xmm7; fxsave %2"
				 : : "m"(mxcsr), "r"(seed), "m"(image) : "xmm7", "memory");
		uint64_t paused = pause_for(1500, i & 1);
		__asm__ volatile("fxrstor %0" : : "m"(image));
		paused += pause_for(500, ~i & 1);
		__asm__ volatile("fxsave %0; fninit" : "=m"(again));
		checksum64(paused);
		// Control, status, abridged tag; MXCSR; eight x87 registers of ten bytes; XMM7.
		CHECK(memcmp(image, again, 5) == 0 && memcmp(image + 24, again + 24, 4) == 0);
		checksum(again, 2);
		checksum64((uint64_t)(again[2] | again[3] << 8) & STATUS);
		checksum(again + 4, 1);
		checksum(again + 24, 4);
		for (int r = 0; r < 8; r++)
			checksum(again + 32 + 16 * r, 10);
		CHECK(memcmp(again + 160 + 16 * 7, &seed, 8) == 0 && memcmp(again + 168 + 16 * 7, &seed, 8) == 0);
		mxcsr = 0x1f80;
		__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	}
	report("fxsave, fxrstor");
}

static void library(void)
{
	for (int i = 0; i < 200; i++) {
		fenv_t held;
		volatile double zero = 0, one = 1, three = 3;
		CHECK(feholdexcept(&held) == 0);
		volatile double quotient = one / three;
		checksum64(pause_for(300, i & 1));
		CHECK(fetestexcept(FE_ALL_EXCEPT) == FE_INEXACT);
		if (i & 2) {
			quotient = one / zero;
			CHECK(fetestexcept(FE_DIVBYZERO) == FE_DIVBYZERO);
		}
		(void)quotient;
		if (i & 4)
			CHECK(feclearexcept(FE_ALL_EXCEPT) == 0);
		CHECK(feupdateenv(&held) == 0);
		checksum64((uint64_t)fetestexcept(FE_INEXACT | FE_DIVBYZERO));
		if (i % 16 == 15)
			CHECK(feclearexcept(FE_ALL_EXCEPT) == 0);
		static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
		CHECK(fesetround(modes[i % 4]) == 0);
		checksum64(pause_for(300, 1));
		CHECK(fegetround() == modes[i % 4]);
		volatile double rounded = one / three;
		volatile long double wide = (long double)one / three;
		double narrow = rounded;
		long double wider = wide;
		checksum(&narrow, 8);
		checksum(&wider, 10);
		checksum64((uint64_t)llrint(three * 2.5));
		CHECK(fesetround(FE_TONEAREST) == 0);
	}
	report("fenv.h");
}

int main(void)
{
	environments();
	saves();
	fast_saves();
	library();
	return 0;
}
