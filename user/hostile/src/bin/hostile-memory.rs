// SPDX-License-Identifier: MIT
//! Reads, writes and jumps where the page tables have to say no.
#![no_std]
#![no_main]

use hostile::{Case, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run(arguments, CASES)
}

const CASES: &[Case] = attacks! {
    "read-null" (0): "mov rax, [rsi]", "xor eax, eax", "ret";
    "write-null" (0): "mov [rsi], rax", "xor eax, eax", "ret";
    "read-first-page" (4088): "mov rax, [rsi]", "xor eax, eax", "ret";
    "read-unmapped" (0x1234_5000): "mov rax, [rsi]", "xor eax, eax", "ret";
    "read-video" (0xb_8000): "mov rax, [rsi]", "xor eax, eax", "ret";
    "read-apic" (0xfee0_0020): "mov eax, [rsi]", "xor eax, eax", "ret";
    "write-apic" (0xfee0_00b0): "mov [rsi], eax", "xor eax, eax", "ret";
    "read-end" (0x7fff_ffff_f000): "mov rax, [rsi]", "xor eax, eax", "ret";
    "read-noncanonical" (0x8000_0000_0000): "mov rax, [rsi]", "xor eax, eax", "ret";
    "read-across-hole" (0x7fff_ffff_fffc): "mov rax, [rsi]", "xor eax, eax", "ret";
    "write-noncanonical" (0x8000_0000_0000_0000): "mov [rsi], rax", "xor eax, eax", "ret";
    "stack-noncanonical" (0x8000_0000_0000): "mov rbp, rsi", "mov rax, [rbp]", "xor eax, eax", "ret";
    "read-half" (0xffff_8000_0000_0000): "mov rax, [rsi]", "xor eax, eax", "ret";
    "write-half" (0xffff_8000_0000_0000): "mov [rsi], rax", "xor eax, eax", "ret";
    "read-direct-map" (0xffff_8880_0000_0000): "mov rax, [rsi]", "xor eax, eax", "ret";
    "read-kernel" (0xffff_ffff_8000_0000): "mov rax, [rsi]", "xor eax, eax", "ret";
    "read-kernel-text" (0xffff_ffff_8010_0000): "mov rax, [rsi]", "xor eax, eax", "ret";
    "write-kernel" (0xffff_ffff_8000_0000): "mov [rsi], rax", "xor eax, eax", "ret";
    "write-kernel-text" (0xffff_ffff_8010_0000): "mov [rsi], rax", "xor eax, eax", "ret";
    "add-kernel" (0xffff_ffff_8010_0000): "lock add [rsi], rax", "xor eax, eax", "ret";
    "read-vsyscall" (0xffff_ffff_ff60_0000): "mov rax, [rsi]", "xor eax, eax", "ret";
    "read-top" (0xffff_ffff_ffff_fff8): "mov rax, [rsi]", "xor eax, eax", "ret";
    "read-wrap" (0xffff_ffff_ffff_fffc): "mov rax, [rsi]", "xor eax, eax", "ret";
    "clflush-kernel" (0xffff_ffff_8000_0000): "clflush [rsi]", "xor eax, eax", "ret";
    "prefetch-kernel" (0xffff_ffff_8000_0000): "prefetcht0 [rsi]", "xor eax, eax", "ret";
    "string-into-kernel" (0xffff_ffff_8000_0000): "mov rdi, rsi", "mov ecx, 64", "rep stosb", "xor eax, eax", "ret";
    "string-from-kernel" (0xffff_ffff_8000_0000): "mov ecx, 64", "rep movsb", "xor eax, eax", "ret";
    "string-over-end": "mov rcx, -1", "cld", "rep stosb", "xor eax, eax", "ret";
    "fxsave-kernel" (0xffff_ffff_8000_0000): "fxsave [rsi]", "xor eax, eax", "ret";
    "write-text": "lea rdx, [rip]", "mov byte ptr [rdx], 0x90", "xor eax, eax", "ret";
    "write-text-locked": "lea rdx, [rip]", "lock or byte ptr [rdx], 0", "xor eax, eax", "ret";
    "run-stack": "mov byte ptr [rdi], 0xc3", "call rdi", "xor eax, eax", "ret";
    "aligned-move": "movaps xmm0, [rdi + 4]", "xor eax, eax", "ret";
    "aligned-exchange": "cmpxchg16b [rdi + 8]", "xor eax, eax", "ret";
    // A page with no permission at all, one that may be read, one that may not be executed: mmap is 9.
    "read-none": "mov eax, 9", "xor edi, edi", "mov esi, 4096", "xor edx, edx", "mov r10d, 0x22", "mov r8, -1",
        "xor r9d, r9d", "syscall", "mov rax, [rax]", "xor eax, eax", "ret";
    "write-read-only": "mov eax, 9", "xor edi, edi", "mov esi, 4096", "mov edx, 1", "mov r10d, 0x22", "mov r8, -1",
        "xor r9d, r9d", "syscall", "mov rdx, [rax]", "mov [rax], rdx", "xor eax, eax", "ret";
    "run-read-write": "mov eax, 9", "xor edi, edi", "mov esi, 4096", "mov edx, 3", "mov r10d, 0x22", "mov r8, -1",
        "xor r9d, r9d", "syscall", "mov byte ptr [rax], 0xc3", "call rax", "xor eax, eax", "ret";
    // Writable and written, then taken away: what tracking knows must not outlive the permission. mprotect is 10.
    "write-after-protect": "mov eax, 9", "xor edi, edi", "mov esi, 4096", "mov edx, 3", "mov r10d, 0x22", "mov r8, -1",
        "xor r9d, r9d", "syscall", "mov [rax], rax", "mov rdi, rax", "mov esi, 4096", "mov edx, 1", "mov eax, 10", "syscall",
        "mov [rdi], rdi", "xor eax, eax", "ret";
    "run-after-protect": "mov eax, 9", "xor edi, edi", "mov esi, 4096", "mov edx, 7", "mov r10d, 0x22", "mov r8, -1",
        "xor r9d, r9d", "syscall", "mov byte ptr [rax], 0xc3", "mov rbx, rax", "call rbx", "mov rdi, rbx",
        "mov esi, 4096", "mov edx, 3", "mov eax, 10", "syscall", "call rbx", "xor eax, eax", "ret";
    // munmap is 11.
    "read-after-unmap": "mov eax, 9", "xor edi, edi", "mov esi, 4096", "mov edx, 3", "mov r10d, 0x22", "mov r8, -1",
        "xor r9d, r9d", "syscall", "mov [rax], rax", "mov rdi, rax", "mov esi, 4096", "mov eax, 11", "syscall",
        "mov rax, [rdi]", "xor eax, eax", "ret";
    // The stack, until its guard page; one stride of a page, then by calls.
    "stack-overflow": "2: sub rsp, 4096", "mov [rsp], rsp", "jmp 2b";
    "stack-overflow-calls": "2: sub rsp, 2048", "call 2b";
    // At the two ends of a page that stands alone: what straddles its edge.
    "push-page-start": "mov eax, 9", "xor edi, edi", "mov esi, 12288", "mov edx, 3", "mov r10d, 0x22", "mov r8, -1",
        "xor r9d, r9d", "syscall", "mov rdi, rax", "mov esi, 4096", "mov eax, 11", "syscall", "lea rsp, [rdi + 4108]",
        "push rax", "push rax", "ud2";
    "pop-page-end": "mov eax, 9", "xor edi, edi", "mov esi, 8192", "mov edx, 3", "mov r10d, 0x22", "mov r8, -1",
        "xor r9d, r9d", "syscall", "lea rdi, [rax + 4096]", "mov esi, 4096", "mov eax, 11", "syscall",
        "lea rsp, [rdi - 4]", "pop rax", "ud2";
    "far-below-stack": "mov [rsp - 0x40000000], rsp", "xor eax, eax", "ret";
};
