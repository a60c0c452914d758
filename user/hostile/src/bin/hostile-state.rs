// SPDX-License-Identifier: MIT
//! MXCSR, x87 and XSAVE images that a careless restore would fault on.
#![no_std]
#![no_main]

use hostile::{Case, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run(arguments, CASES)
}

// Images are built in the scratch area; XRSTOR takes its components from EDX:EAX; getpid is 39.
const CASES: &[Case] = attacks! {
    "ldmxcsr-reserved": "mov dword ptr [rdi], 0xffff1f80", "ldmxcsr [rdi]", "xor eax, eax", "ret";
    "ldmxcsr-all": "mov dword ptr [rdi], -1", "ldmxcsr [rdi]", "xor eax, eax", "ret";
    "fxrstor-mxcsr": "fxsave [rdi]", "mov dword ptr [rdi + 24], -1", "fxrstor [rdi]", "xor eax, eax", "ret";
    "fxrstor-unaligned": "fxsave [rdi]", "fxrstor [rdi + 8]", "xor eax, eax", "ret";
    "fxsave-unaligned": "fxsave [rdi + 8]", "xor eax, eax", "ret";
    "fxrstor-garbage":
        "fxsave [rdi]", "mov word ptr [rdi], -1", "mov word ptr [rdi + 2], -1", "mov word ptr [rdi + 4], -1",
        "mov qword ptr [rdi + 8], -1", "mov qword ptr [rdi + 16], -1", "fxrstor [rdi]", "mov eax, 39", "syscall",
        "fninit", "xor eax, eax", "ret";
    "xrstor-mxcsr":
        "mov eax, 3", "xor edx, edx", "xsave [rdi]", "mov dword ptr [rdi + 24], -1", "mov eax, 3", "xrstor [rdi]",
        "xor eax, eax", "ret";
    "xrstor-bv-63":
        "mov eax, 3", "xor edx, edx", "xsave [rdi]", "bts qword ptr [rdi + 512], 63", "mov eax, -1", "mov edx, -1",
        "xrstor [rdi]", "xor eax, eax", "ret";
    "xrstor-bv-all":
        "mov eax, 3", "xor edx, edx", "xsave [rdi]", "mov qword ptr [rdi + 512], -1", "mov eax, 3", "xrstor [rdi]",
        "xor eax, eax", "ret";
    "xrstor-compact-bits":
        "mov eax, 3", "xor edx, edx", "xsave [rdi]", "mov qword ptr [rdi + 520], 3", "mov eax, 3", "xrstor [rdi]",
        "xor eax, eax", "ret";
    "xrstor-reserved":
        "mov eax, 3", "xor edx, edx", "xsave [rdi]", "mov qword ptr [rdi + 528], 1", "mov eax, 3", "xrstor [rdi]",
        "xor eax, eax", "ret";
    "xrstor-unaligned": "mov eax, 3", "xor edx, edx", "xrstor [rdi + 16]", "xor eax, eax", "ret";
    "xrstor-unmapped": "mov eax, 3", "xor edx, edx", "mov edi, 0x12345000", "xrstor [rdi]", "xor eax, eax", "ret";
    "xsave-kernel":
        "mov eax, 3", "xor edx, edx", "mov rdi, 0xffffffff80000000", "xsave [rdi]", "xor eax, eax", "ret";
    // Everything into its initial state, or nothing restored at all: both are fine.
    "xrstor-initial": "mov eax, -1", "mov edx, -1", "mov dword ptr [rdi + 24], 0x1f80", "xrstor [rdi]", "mov eax, 39",
        "syscall", "xor eax, eax", "ret";
    "xrstor-none": "xor eax, eax", "xor edx, edx", "xrstor [rdi]", "mov eax, 39", "syscall", "xor eax, eax", "ret";
    "xsetbv": "xor ecx, ecx", "xor edx, edx", "mov eax, 7", "xsetbv", "xor eax, eax", "ret";
    "xgetbv": "xor ecx, ecx", "xgetbv", "xor eax, eax", "ret";
    "xgetbv-99": "mov ecx, 99", "xgetbv", "xor eax, eax", "ret";
    // All SSE exceptions unmasked and all flags up while the kernel works: it must neither fault nor forget.
    "mxcsr-unmasked":
        "mov dword ptr [rdi], 0x3f", "ldmxcsr [rdi]", "mov eax, 39", "syscall", "stmxcsr [rdi]", "mov eax, [rdi]",
        "sub eax, 0x3f", "ret";
    "mxcsr-rounding":
        "mov dword ptr [rdi], 0xffc0", "ldmxcsr [rdi]", "mov eax, 39", "syscall", "stmxcsr [rdi]", "mov eax, [rdi]",
        "sub eax, 0xffc0", "ret";
    "sse-divide":
        "mov dword ptr [rdi], 0", "ldmxcsr [rdi]", "mov eax, 39", "syscall", "mov eax, 1", "cvtsi2ss xmm0, eax",
        "xorps xmm1, xmm1", "divss xmm0, xmm1", "xor eax, eax", "ret";
    // An x87 exception that is pending at a system call, and reported only by the next x87 instruction.
    "x87-pending":
        "mov word ptr [rdi], 0x0340", "fldcw [rdi]", "fldz", "fld1", "fdiv st, st(1)", "mov eax, 39", "syscall", "fwait",
        "xor eax, eax", "ret";
    "x87-pending-exit":
        "mov word ptr [rdi], 0x0340", "fldcw [rdi]", "fldz", "fld1", "fdiv st, st(1)", "mov eax, 39", "syscall",
        "xor eax, eax", "ret";
    "x87-pending-fault":
        "mov word ptr [rdi], 0x0340", "fldcw [rdi]", "fldz", "fld1", "fdiv st, st(1)", "ud2";
    "x87-pending-loaded":
        "fnstenv [rdi]", "mov word ptr [rdi], 0x0340", "or word ptr [rdi + 4], 0x00bf", "fldenv [rdi]", "mov eax, 39",
        "syscall", "fwait", "xor eax, eax", "ret";
    "x87-full-stack":
        "fld1", "fld1", "fld1", "fld1", "fld1", "fld1", "fld1", "fld1", "mov eax, 39", "syscall", "fld1", "fninit",
        "xor eax, eax", "ret";
    "mmx-left": "pxor mm0, mm0", "mov eax, 39", "syscall", "movq rax, mm0", "ret";
};
