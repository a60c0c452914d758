// SPDX-License-Identifier: MIT
//! The entry area, which user page tables have even where the kernel is isolated, by every door that touches memory or a
//! stack.
//!
//! QEMU before 9.1 pushes for a far call with the kernel's rights, which the page of the entry stacks allows.
//! Whoever gets there is to find nothing and to change nothing that is used.
#![no_std]
#![no_main]

use hostile::{Case, Named, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run_product(arguments, DOORS, PLACES)
}

/// Code, tables, and stacks with their first word and the end of each, as the kernel's linker script places them; what lies
/// behind the area; the local APIC.
const PLACES: &[Named] = &[
    ("text", 0xffff_ffff_8020_0000),
    ("tables", 0xffff_ffff_8020_1000),
    ("gates", 0xffff_ffff_8020_2000),
    ("stacks", 0xffff_ffff_8020_3000),
    ("entry-stack", 0xffff_ffff_8020_3800),
    ("nmi-stack", 0xffff_ffff_8020_3a00),
    ("debug-stack", 0xffff_ffff_8020_3c00),
    ("double-fault-stack", 0xffff_ffff_8020_3e00),
    ("behind", 0xffff_ffff_8020_4000),
    ("timer", 0xffff_ffff_c000_0040),
];

const DOORS: &[Case] = attacks! {
    "read": "mov rax, [rsi]", "xor eax, eax", "ret";
    "write": "mov [rsi], rax", "xor eax, eax", "ret";
    "exchange": "lock xadd [rsi], rax", "xor eax, eax", "ret";
    "copy": "mov ecx, 64", "rep movsb", "xor eax, eax", "ret";
    "fxsave": "fxsave [rsi]", "xor eax, eax", "ret";
    "xsave": "mov eax, 3", "xor edx, edx", "xsave [rsi]", "xor eax, eax", "ret";
    "run": "jmp rsi";
    "ret": "mov rsp, rsi", "ret";
    "retf": "mov rsp, rsi", "retfq";
    "retf-32": "mov rsp, rsi", "retf";
    "iretq": "mov rsp, rsi", "iretq";
    "push": "mov rsp, rsi", "push rax", "ud2";
    "enter": "mov rsp, rsi", "enter 16, 0", "ud2";
    "leave": "mov rbp, rsi", "leave", "ud2";
    // A far pointer of 64 bits, and one of 32, to the place behind the call.
    "callf": "push rbx", "lea rcx, [rip + 2f]", "mov [rdi], rcx", "mov word ptr [rdi + 8], 0x33", "mov rbx, rsp",
        "mov rsp, rsi", ".byte 0x48, 0xff, 0x1f", "2: mov rsp, rbx", "pop rbx", "xor eax, eax", "ret";
    "callf-32": "push rbx", "lea rcx, [rip + 2f]", "mov [rdi], ecx", "mov word ptr [rdi + 4], 0x33", "mov rbx, rsp",
        "mov rsp, rsi", "call fword ptr [rdi]", "2: mov rsp, rbx", "pop rbx", "xor eax, eax", "ret";
    // The events that the processor has a stack for, with RSP on it.
    "int3": "mov rsp, rsi", "int3";
    "int-80": "mov rsp, rsi", "int 0x80";
    "int-2": "mov rsp, rsi", "int 2";
    "ud2": "mov rsp, rsi", "ud2";
    "trap": "mov rbx, rsp", "pushfq", "pop rax", "or eax, 256", "push rax", "popfq", "mov rsp, rsi", "mov rsp, rbx",
        "ud2";
    "syscall":
        "mov rdx, rsp", "mov rsp, rsi", "mov eax, 39", "syscall", "mov rax, rsp", "sub rax, rsi", "mov rsp, rdx", "ret";
};
