// SPDX-License-Identifier: MIT
//! Selectors that are the kernel's, null, 32-bit, in an LDT or beyond the table, by every door that takes one.
//!
//! The far transfers land on code that ends well, if they get there as 64-bit code;
//! in compatibility mode it does not find its stack. The loads are followed by a
//! system call, so that the kernel restores what was loaded; of a null selector the
//! requested privilege does not come back, because IRETQ clears it.
#![no_std]
#![no_main]

use hostile::{Case, Named, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run_product(arguments, DOORS, SELECTORS)
}

/// Every selector is tried at every door. In Linux's table 0033 is the program's code and 002b its data.
const SELECTORS: &[Named] = &[
    ("0000", 0x0000),
    ("0003", 0x0003),
    ("0007", 0x0007),
    ("0008", 0x0008),
    ("0010", 0x0010),
    ("0013", 0x0013),
    ("0020", 0x0020),
    ("0023", 0x0023),
    ("002b", 0x002b),
    ("0030", 0x0030),
    ("0033", 0x0033),
    ("003b", 0x003b),
    ("0040", 0x0040),
    ("0043", 0x0043),
    ("ffff", 0xffff),
];

const DOORS: &[Case] = attacks! {
    "retf": "push rsi", "lea rcx, [rip + 2f]", "push rcx", "retfq", "2: xor eax, eax", "ret";
    "iretq":
        "mov rdx, rsp", "mov ecx, ss", "push rcx", "push rdx", "pushfq", "push rsi", "lea rcx, [rip + 2f]",
        "push rcx", "iretq", "2: xor eax, eax", "ret";
    "iretq-ss":
        "mov rdx, rsp", "push rsi", "push rdx", "pushfq", "mov ecx, cs", "push rcx", "lea rcx, [rip + 2f]",
        "push rcx", "iretq", "2: mov eax, 39", "syscall", "xor eax, eax", "ret";
    "jmp":
        "lea rcx, [rip + 2f]", "mov [rdi], ecx", "mov [rdi + 4], esi", "jmp fword ptr [rdi]", "2: xor eax, eax", "ret";
    "call":
        "lea rcx, [rip + 2f]", "mov [rdi], ecx", "mov [rdi + 4], esi", "call fword ptr [rdi]", "2: add rsp, 8",
        "xor eax, eax", "ret";
    "ds": "mov ds, esi", "mov eax, 39", "syscall", "mov eax, ds", "xor eax, esi", "mov edx, -4", "test esi, edx",
        "mov ecx, -1", "cmovz ecx, edx", "and eax, ecx", "ret";
    "es": "mov es, esi", "mov eax, 39", "syscall", "mov eax, es", "xor eax, esi", "mov edx, -4", "test esi, edx",
        "mov ecx, -1", "cmovz ecx, edx", "and eax, ecx", "ret";
    "fs": "mov fs, esi", "mov eax, 39", "syscall", "mov eax, fs", "xor eax, esi", "mov edx, -4", "test esi, edx",
        "mov ecx, -1", "cmovz ecx, edx", "and eax, ecx", "ret";
    "gs": "mov gs, esi", "mov eax, 39", "syscall", "mov eax, gs", "xor eax, esi", "mov edx, -4", "test esi, edx",
        "mov ecx, -1", "cmovz ecx, edx", "and eax, ecx", "ret";
    "ss": "mov ss, esi", "mov eax, 39", "syscall", "mov eax, ss", "sub eax, esi", "ret";
    "lss": "mov [rdi], esp", "mov [rdi + 4], esi", "mov rdx, rsp", "lss esp, [rdi]", "mov rsp, rdx", "xor eax, eax", "ret";
};
