// SPDX-License-Identifier: MIT
//! Stack pointers that nobody can push to, at exceptions, system calls and page faults.
//!
//! An exception ends the program; a system call and a page fault that the kernel
//! resolves come back with the stack pointer as it was.
#![no_std]
#![no_main]

use hostile::{Case, Named, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run_product(arguments, DOORS, POINTERS)
}

const POINTERS: &[Named] = &[
    ("zero", 0),
    ("eight", 8),
    ("odd", 0x1234_5003),
    ("end", 0x0000_7fff_ffff_f000),
    ("low", 0x0000_8000_0000_0000),
    ("high", 0xffff_7fff_ffff_fff8),
    ("half", 0xffff_8000_0000_1000),
    ("direct-map", 0xffff_8880_0000_1000),
    ("kernel", 0xffff_ffff_8000_1000),
    ("top", u64::MAX - 7),
];

const DOORS: &[Case] = attacks! {
    "ud2": "mov rsp, rsi", "ud2";
    "int3": "mov rsp, rsi", "int3";
    "hlt": "mov rsp, rsi", "hlt";
    "div": "mov rsp, rsi", "xor ecx, ecx", "div ecx", "ud2";
    "page-fault": "mov rbx, rsp", "mov rsp, rsi", "mov byte ptr [rbx - 65536], 1", "mov rsp, rbx", "xor eax, eax", "ret";
    "syscall":
        "mov rbx, rsp", "mov rsp, rsi", "mov eax, 39", "syscall", "mov rax, rsp", "sub rax, rsi", "mov rsp, rbx", "ret";
    "trap":
        "mov rbx, rsp", "pushfq", "pop rax", "or eax, 256", "push rax", "popfq", "mov rsp, rsi", "mov rsp, rbx", "ud2";
    "push": "mov rsp, rsi", "push rax", "ud2";
    "call": "mov rsp, rsi", "call 2f", "2: ud2";
    "ret": "mov rsp, rsi", "ret";
    "iretq": "mov rsp, rsi", "iretq";
    "popf": "mov rsp, rsi", "popfq", "ud2";
};
