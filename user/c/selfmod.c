// SPDX-License-Identifier: MIT
// Self-modifying code in a page that is writable and executable: patched between calls, from inside itself while it
// runs, and where an instruction straddles two pages.
#define _GNU_SOURCE
#include "check.h"
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

typedef uint32_t (*function)(uint32_t);

// A string of code without its terminator.
#define CODE(bytes) bytes, sizeof bytes - 1

static void put(unsigned char *at, const char *code, size_t length)
{
	memcpy(at, code, length);
}

int main(void)
{
	unsigned char *code = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(code != MAP_FAILED);

	// lea eax, [rdi + disp32]; ret  -- the displacement changes between the calls.
	put(code, CODE("\x8d\x87\0\0\0\0\xc3"));
	for (uint32_t i = 0; i < 20000; i++) {
		uint32_t displacement = (uint32_t)random64();
		memcpy(code + 2, &displacement, 4);
		uint32_t result = ((function)code)(i);
		CHECK(result == i + displacement);
		checksum64(result);
	}
	report("between calls");

	// The same, the displacement split by a page boundary at each of its bytes.
	for (int before = 1; before < 7; before++) {
		unsigned char *at = code + PAGE - before;
		put(at, CODE("\x8d\x87\0\0\0\0\xc3"));
		for (uint32_t i = 0; i < 1500; i++) {
			uint32_t displacement = (uint32_t)random64();
			memcpy(at + 2, &displacement, 4);
			uint32_t result = ((function)at)(i);
			CHECK(result == i + displacement);
			checksum64(result);
		}
	}
	report("across pages");

	// A loop that counts up the immediate of its own addition, just ahead of where it is executed:
	//   31 c0                 xor  eax, eax
	//   fe 05 03 00 00 00     inc  byte [rip + 3]    the immediate of the addition
	//   90                    nop
	//   83 c0 00              add  eax, 0            sign-extended
	//   ff cf                 dec  edi
	//   75 f2                 jnz  the inc
	//   c3                    ret
	static const char loop[] = "\x31\xc0\xfe\x05\x03\0\0\0\x90\x83\xc0\0\xff\xcf\x75\xf2\xc3";
	for (int place = 0; place < 12; place++) {
		unsigned char *at = code + PAGE - place;
		put(at, CODE(loop));
		uint32_t sum = 0;
		for (int i = 1; i <= 3000; i++)
			sum += (uint32_t)(int8_t)i;
		CHECK(((function)at)(3000) == sum);
		checksum64(sum);
	}
	report("own next instruction");

	// A loop that turns its own tail from `add` into `sub` and back by an exclusive or of the opcode:
	//   31 c0                 xor  eax, eax
	//   80 35 00 00 00 00 28  xor  byte [rip + 0], 0x28    01 add <-> 29 sub
	//   01 f8                 add  eax, edi
	//   ff cf                 dec  edi
	//   75 f3                 jnz  the xor
	//   c3                    ret
	static const char flip[] = "\x31\xc0\x80\x35\0\0\0\0\x28\x01\xf8\xff\xcf\x75\xf3\xc3";
	for (int place = 0; place < 12; place++) {
		unsigned char *at = code + 2 * PAGE - place;
		put(at, CODE(flip));
		uint32_t sum = 0;
		for (uint32_t i = 3000; i; i--)
			sum += i & 1 ? i : -i;
		CHECK(((function)at)(3000) == sum);
		checksum64(sum);
	}
	report("own opcode");

	// Written by REP MOVSB over code that has just run, then without write permission.
	for (int i = 0; i < 200; i++) {
		static const char even[] = "\x8d\x47\x02\xc3\x90\x90\x90\x90", odd[] = "\x69\xc7\x03\0\0\0\xc3\x90";
		unsigned char *to = code + 64;
		const char *from = i & 1 ? odd : even;
		uint64_t count = 8;
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
		CHECK(mprotect(code, PAGE, PROT_READ | PROT_EXEC) == 0);
		uint32_t result = ((function)(code + 64))((uint32_t)i);
		CHECK(result == (uint32_t)(i & 1 ? 3 * i : i + 2));
		CHECK(mprotect(code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
		checksum64(result);
	}
	report("string move, mprotect");
	CHECK(munmap(code, 3 * PAGE) == 0);
	return 0;
}
