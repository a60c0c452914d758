// SPDX-License-Identifier: MIT
// x87 transcendentals. Emulators round them differently from processors: compare off with dual, never with native.
#include "check.h"
#include <math.h>

static void take(long double value)
{
	checksum(&value, 10);
}

int main(void)
{
	for (int i = 0; i < 6000; i++) {
		long double x = (long double)(int64_t)random64() / 9.3e18L, a = x, b, one;
		__asm__ volatile("fsincos" : "=t"(b), "=u"(a) : "0"(x));
		take(a);
		take(b);
		__asm__ volatile("fptan" : "=t"(one), "=u"(a) : "0"(x));
		take(a);
		__asm__ volatile("fpatan" : "=t"(a) : "0"(x), "u"(b) : "st(1)");
		take(a);
		__asm__ volatile("f2xm1" : "=t"(a) : "0"(x));
		take(a);
		__asm__ volatile("fyl2x" : "=t"(a) : "0"(x * x + 0.5L), "u"(b) : "st(1)");
		take(a);
		__asm__ volatile("fyl2xp1" : "=t"(a) : "0"(x * 0.25L), "u"(b) : "st(1)");
		take(a);
	}
	report("instructions");
	for (int i = 0; i < 2000; i++) {
		long double x = (long double)(random64() >> 11) / 9.0e14L;
		take(sinl(x));
		take(cosl(x));
		take(expl(x));
		take(logl(x + 1));
		take(powl(x + 1, 0.3L));
		take(tanhl(x));
	}
	report("library");
	return 0;
}
