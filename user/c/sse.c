// SPDX-License-Identifier: MIT
// SSE and SSE2: vector arithmetic on floats and integers under every MXCSR rounding mode, FTZ and DAZ, the flags.
// Left out on purpose: RCPPS and RSQRTPS, whose last bits differ by maker, and the denormal-operand flag.
#include "check.h"
#include <emmintrin.h>
#include <string.h>

enum { MASKED = 0x1f80, FLAGS = 0x3d, DAZ = 0x40, FTZ = 0x8000 };

static void take_ps(__m128 v)
{
	checksum(&v, 16);
}
static void take_pd(__m128d v)
{
	checksum(&v, 16);
}
static void take_si(__m128i v)
{
	checksum(&v, 16);
}

// Floats with small exponents around zero; denormals as well if asked for.
static float random_float(int denormals)
{
	uint64_t bits = random64();
	uint32_t exponent = denormals && bits % 4 == 0 ? bits >> 40 & 7 : 96 + (bits >> 40) % 64;
	uint32_t value = (uint32_t)(bits & 0x807fffff) | exponent << 23;
	float result;
	memcpy(&result, &value, 4);
	return result;
}

static double random_double(void)
{
	uint64_t bits = random64();
	uint64_t value = (bits & 0x800fffffffffffffu) | (960 + (bits >> 52) % 126) << 52;
	double result;
	memcpy(&result, &value, 8);
	return result;
}

static void floats(unsigned mode, int denormals)
{
	_mm_setcsr(MASKED | mode);
	for (int i = 0; i < 600; i++) {
		__m128 a = _mm_setr_ps(random_float(denormals), random_float(denormals), random_float(denormals), random_float(0));
		__m128 b = _mm_setr_ps(random_float(denormals), random_float(0), random_float(denormals), random_float(0));
		__m128 magnitude = _mm_andnot_ps(_mm_set1_ps(-0.0f), a);
		take_ps(_mm_add_ps(a, b));
		take_ps(_mm_sub_ps(a, b));
		take_ps(_mm_mul_ps(a, b));
		take_ps(_mm_div_ps(a, b));
		take_ps(_mm_sqrt_ps(magnitude));
		// QEMU 7.2 forgets DAZ in MINPS and MAXPS.
		if (!(mode & DAZ)) {
			take_ps(_mm_min_ps(a, b));
			take_ps(_mm_max_ps(a, b));
		}
		take_ps(_mm_cmplt_ps(a, b));
		take_ps(_mm_add_ss(a, b));
		take_ps(_mm_unpackhi_ps(a, b));
		take_ps(_mm_shuffle_ps(a, b, 0x1b));
		take_si(_mm_cvtps_epi32(a));
		take_si(_mm_cvttps_epi32(b));
		take_pd(_mm_cvtps_pd(a));
		checksum64((uint32_t)_mm_movemask_ps(a) | (uint32_t)_mm_comigt_ss(a, b) << 8);
	}
	checksum64(_mm_getcsr() & FLAGS);
	_mm_setcsr(MASKED);
}

static void doubles(unsigned mode)
{
	_mm_setcsr(MASKED | mode);
	for (int i = 0; i < 600; i++) {
		__m128d a = _mm_setr_pd(random_double(), random_double());
		__m128d b = _mm_setr_pd(random_double(), random_double());
		take_pd(_mm_add_pd(a, b));
		take_pd(_mm_sub_pd(a, b));
		take_pd(_mm_mul_pd(a, b));
		take_pd(_mm_div_pd(a, b));
		take_pd(_mm_sqrt_pd(_mm_andnot_pd(_mm_set1_pd(-0.0), a)));
		take_pd(_mm_min_sd(a, b));
		take_pd(_mm_cmpunord_pd(a, b));
		take_ps(_mm_cvtpd_ps(a));
		take_si(_mm_cvtpd_epi32(b));
		checksum64((uint64_t)_mm_cvtsd_si64(a));
	}
	checksum64(_mm_getcsr() & FLAGS);
	_mm_setcsr(MASKED);
}

static void integers(void)
{
	for (int i = 0; i < 1200; i++) {
		__m128i a = _mm_set_epi64x((int64_t)random64(), (int64_t)random64());
		__m128i b = _mm_set_epi64x((int64_t)random64(), (int64_t)random64());
		__m128i count = _mm_cvtsi32_si128((int)(random64() % 70));
		take_si(_mm_adds_epi8(a, b));
		take_si(_mm_subs_epu16(a, b));
		take_si(_mm_add_epi64(a, b));
		take_si(_mm_madd_epi16(a, b));
		take_si(_mm_mulhi_epi16(a, b));
		take_si(_mm_mul_epu32(a, b));
		take_si(_mm_sad_epu8(a, b));
		take_si(_mm_avg_epu8(a, b));
		take_si(_mm_packs_epi32(a, b));
		take_si(_mm_packus_epi16(a, b));
		take_si(_mm_cmpgt_epi32(a, b));
		take_si(_mm_sll_epi64(a, count));
		take_si(_mm_sra_epi16(b, count));
		take_si(_mm_srli_si128(a, 5));
		take_si(_mm_shufflelo_epi16(b, 0x93));
		checksum64((uint32_t)_mm_movemask_epi8(a));
	}
}

int main(void)
{
	static const char *const rounding[] = {"nearest", "down", "up", "zero"};
	for (unsigned r = 0; r < 4; r++) {
		char name[40];
		floats(r << 13, 0);
		snprintf(name, sizeof name, "float, %s", rounding[r]);
		report(name);
		doubles(r << 13);
		snprintf(name, sizeof name, "double, %s", rounding[r]);
		report(name);
	}
	floats(0, 1);
	report("denormals");
	floats(FTZ, 1);
	report("flush to zero");
	floats(DAZ, 1);
	report("denormals are zero");
	floats(FTZ | DAZ, 1);
	report("both");
	integers();
	report("integers");

	volatile __m128 one = _mm_set1_ps(1), zero = _mm_setzero_ps(), big = _mm_set1_ps(3e38f);
	_mm_setcsr(MASKED);
	volatile __m128 sink = _mm_div_ps(one, zero);
	printf("1 / 0        flags %02x\n", _mm_getcsr() & FLAGS);
	_mm_setcsr(MASKED);
	sink = _mm_div_ps(zero, zero);
	printf("0 / 0        flags %02x\n", _mm_getcsr() & FLAGS);
	_mm_setcsr(MASKED);
	sink = _mm_mul_ps(big, big);
	printf("big * big    flags %02x\n", _mm_getcsr() & FLAGS);
	_mm_setcsr(MASKED);
	sink = _mm_add_ps(one, one);
	printf("1 + 1        flags %02x\n", _mm_getcsr() & FLAGS);
	(void)sink;
	return 0;
}
