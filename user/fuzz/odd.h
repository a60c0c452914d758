// SPDX-License-Identifier: MIT
// Instructions that end a processing element otherwise than by a call, or that no program may execute.
#ifndef ODD_H
#define ODD_H
#include "raw.h"

// Executes the odd instruction of a number. R13 holds the stack pointer; whatever faults between `odd_from` and
// `odd_to` goes on at `odd_to` with it.
void odd(u64 which, u64 value);
extern char odd_from[], odd_to[];
enum { ODD = 20 };
#define ODD_AT(number, code) "	cmp $" #number ", %rdi\n	jne 1f\n" code "\n	jmp odd_to\n1:\n"
__asm__("odd: push %r13\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	mov %rsp, %r13\n"
	"	sub $64, %rsp\n"
	"odd_from:\n"
	ODD_AT(0, "ud2")
	ODD_AT(1, "int3")
	ODD_AT(2, "hlt")
	ODD_AT(3, "xor %ecx, %ecx; div %ecx")
	ODD_AT(4, "int $0x80")
	ODD_AT(5, "push %rsi; popfq; nop; nop")
	ODD_AT(6, "mov %esi, %ds; mov %esi, %es")
	ODD_AT(7, "mov %esi, %fs; mov %esi, %gs")
	ODD_AT(8, "mov %rsi, (%rsp); ldmxcsr (%rsp)")
	ODD_AT(9, "rdtsc; rdtscp")
	ODD_AT(10, "mov %rsi, %rsp; push %rax")
	ODD_AT(11, "mov %rsi, %rsp; ud2")
	ODD_AT(12, "jmp *%rsi")
	ODD_AT(13, "mov %rsi, %rsp; lretq")
	ODD_AT(14, "mov %rsi, %rsp; iretq")
	ODD_AT(15, "mov %esi, %edx; in %dx, %al; out %al, %dx")
	ODD_AT(16, "mov %rsi, (%rsp); fldcw (%rsp); fldz; fld1; fdivp; fwait")
	ODD_AT(17, "cpuid; pause; clflush (%rsp)")
	ODD_AT(18, "mov %rsi, %rsp; mov $39, %eax; syscall")
	ODD_AT(19, "push %rsi; popfq; mov $39, %eax; syscall")
	"odd_to: mov %r13, %rsp\n"
	"	push $2\n"
	"	popfq\n"
	"	fninit\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	pop %r13\n"
	"	ret\n");

#endif
