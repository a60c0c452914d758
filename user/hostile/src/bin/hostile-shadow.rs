// SPDX-License-Identifier: MIT
//! Every door behind a MOV SS, in whose shadow the processor holds interrupts and traps back.
#![no_std]
#![no_main]

use hostile::{Case, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run(arguments, CASES)
}

const CASES: &[Case] = attacks! {
    "syscall": "mov ecx, ss", "mov eax, 39", "mov ss, ecx", "syscall", "xor eax, eax", "ret";
    "page-fault": "mov ecx, ss", "mov ss, ecx", "mov byte ptr [rsp - 65536], 1", "xor eax, eax", "ret";
    "int3": "mov ecx, ss", "mov ss, ecx", "int3", "xor eax, eax", "ret";
    "int-1": "mov ecx, ss", "mov ss, ecx", "int 1", "xor eax, eax", "ret";
    "int-2": "mov ecx, ss", "mov ss, ecx", "int 2", "xor eax, eax", "ret";
    "int-80": "mov ecx, ss", "mov ss, ecx", "int 0x80", "xor eax, eax", "ret";
    "ud2": "mov ecx, ss", "mov ss, ecx", "ud2", "xor eax, eax", "ret";
    "hlt": "mov ecx, ss", "mov ss, ecx", "hlt", "xor eax, eax", "ret";
    "icebp": "mov ecx, ss", "mov ss, ecx", ".byte 0xf1", "xor eax, eax", "ret";
    "div": "mov edi, ss", "xor eax, eax", "xor edx, edx", "xor ecx, ecx", "mov ss, edi", "div ecx", "ret";
    "in": "mov ecx, ss", "mov ss, ecx", "in al, 0x60", "xor eax, eax", "ret";
    "iretq": "mov rdx, rsp", "mov ecx, ss", "push rcx", "push rdx", "pushfq", "mov eax, cs", "push rax",
        "lea rax, [rip + 2f]", "push rax", "mov ss, ecx", "iretq", "2: xor eax, eax", "ret";
    "rdtsc": "mov ecx, ss", "mov ss, ecx", "rdtsc", "xor eax, eax", "ret";
    // Shadow after shadow: only the first one counts.
    "twice": "mov ecx, ss", "mov eax, 39", "mov ss, ecx", "mov ss, ecx", "syscall", "xor eax, eax", "ret";
    // TF comes into force in the shadow; the trap comes after the instruction behind it, in the kernel or not at all.
    "popf-syscall": "mov edx, ss", "mov eax, 39", "pushfq", "or dword ptr [rsp], 256", "mov ss, edx", "popfq", "syscall",
        "xor eax, eax", "ret";
    "removed-pop-ss": "mov ecx, ss", "push rcx", ".byte 0x17", "xor eax, eax", "ret";
};
