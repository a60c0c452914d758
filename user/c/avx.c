// cflags: -mavx -O1
// SPDX-License-Identifier: MIT
// AVX: 256-bit arithmetic, permutes, masked moves, and upper halves that have to survive calls and processing elements.
#include "check.h"
#include <immintrin.h>
#include <unistd.h>

static void take(__m256 v)
{
	checksum(&v, 32);
}
static void take_d(__m256d v)
{
	checksum(&v, 32);
}

static __m256 random_floats(void)
{
	float lanes[8];
	for (int i = 0; i < 8; i++)
		lanes[i] = (float)((int64_t)random64() >> 24) / 65536.0f;
	return _mm256_loadu_ps(lanes);
}

static __m256d random_doubles(void)
{
	double lanes[4];
	for (int i = 0; i < 4; i++)
		lanes[i] = (double)((int64_t)random64() >> 8) / 1048576.0;
	return _mm256_loadu_pd(lanes);
}

static void arithmetic(unsigned rounding)
{
	_mm_setcsr(0x1f80 | rounding << 13);
	for (int i = 0; i < 800; i++) {
		__m256 a = random_floats(), b = random_floats();
		take(_mm256_add_ps(a, b));
		take(_mm256_sub_ps(a, b));
		take(_mm256_mul_ps(a, b));
		take(_mm256_div_ps(a, b));
		take(_mm256_sqrt_ps(_mm256_mul_ps(a, a)));
		take(_mm256_addsub_ps(a, b));
		take(_mm256_hadd_ps(a, b));
		take(_mm256_round_ps(a, _MM_FROUND_CUR_DIRECTION));
		take(_mm256_cmp_ps(a, b, _CMP_GE_OQ));
		__m256d c = random_doubles(), d = random_doubles();
		take_d(_mm256_add_pd(c, d));
		take_d(_mm256_mul_pd(c, d));
		take_d(_mm256_div_pd(c, d));
		take_d(_mm256_max_pd(c, d));
		take_d(_mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)));
	}
	checksum64(_mm_getcsr() & 0x3d);
	_mm_setcsr(0x1f80);
}

static void permutes(void)
{
	float memory[16] __attribute__((aligned(32))) = {0};
	for (int i = 0; i < 1500; i++) {
		__m256 a = random_floats(), b = random_floats();
		__m256i mask = _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_LT_OQ));
		take(_mm256_permute2f128_ps(a, b, 0x21));
		take(_mm256_permutevar_ps(a, mask));
		take(_mm256_blendv_ps(a, b, _mm256_castsi256_ps(mask)));
		take(_mm256_unpackhi_ps(a, b));
		take(_mm256_insertf128_ps(a, _mm256_castps256_ps128(b), 1));
		take(_mm256_broadcast_ss(&memory[i % 16]));
		_mm256_maskstore_ps(&memory[i % 8], mask, a);
		take(_mm256_maskload_ps(&memory[i % 8], mask));
		checksum64((uint64_t)_mm256_testz_ps(a, b) | (uint64_t)_mm256_movemask_ps(a) << 1);
	}
}

// Sixteen full registers held over a loop and a system call, then read back.
static void survival(void)
{
	static float before[16][8] __attribute__((aligned(32))), after[16][8] __attribute__((aligned(32)));
	for (int i = 0; i < 16; i++)
		_mm256_store_ps(before[i], random_floats());
	for (int round = 0; round < 20; round++) {
		long call = 39 /* getpid */, result;
		uint64_t loops = 10000;
#define LOAD(n) "vmovaps " #n "*32(%[from]), %%ymm" #n "\n\t"
#define STORE(n) "vmovaps %%ymm" #n ", " #n "*32(%[to])\n\t"
#define ALL(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)
		__asm__ volatile(ALL(LOAD) "1: dec %[loops]\n\tjnz 1b\n\tsyscall\n\t" ALL(STORE)
				 : "=a"(result), [loops] "+r"(loops)
				 : "0"(call), [from] "r"(before), [to] "r"(after)
				 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
				   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
		CHECK(result == getpid());
		CHECK(__builtin_memcmp(before, after, sizeof before) == 0);
	}
	// VZEROUPPER puts the upper halves back to their initial value, which XSAVE need not write at all.
	__asm__ volatile("vmovaps %1, %%ymm5\n\tvzeroupper\n\tmov $39, %%eax\n\tsyscall\n\tvmovaps %%ymm5, %0"
			 : "=m"(after[0])
			 : "m"(before[5])
			 : "rax", "rcx", "r11", "xmm5");
	for (int lane = 0; lane < 8; lane++)
		CHECK(after[0][lane] == (lane < 4 ? before[5][lane] : 0));
	checksum(before, sizeof before);
}

int main(void)
{
	if (!__builtin_cpu_supports("avx")) {
		fprintf(stderr, "avx: this processor has no AVX\n");
		return 1;
	}
	static const char *const rounding[] = {"nearest", "down", "up", "zero"};
	for (unsigned r = 0; r < 4; r++) {
		arithmetic(r);
		report(rounding[r]);
	}
	permutes();
	report("permutes");
	survival();
	report("survival");
	return 0;
}
