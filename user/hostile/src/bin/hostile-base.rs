// SPDX-License-Identifier: MIT
//! FS and GS bases that are not canonical or lie in the kernel, by system call and by instruction.
#![no_std]
#![no_main]

use hostile::{Case, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run(arguments, CASES)
}

/// A non-canonical address, and one of the kernel's half.
const LOW: u64 = 0x0000_8000_0000_0000;
const KERNEL: u64 = 0xffff_ffff_8000_0000;
/// The last bytes of user space.
const TOP: u64 = 0x0000_7fff_ffff_eff8;

// arch_prctl is 158; 0x1001 sets GS, 0x1002 sets FS; EPERM is 1.
const CASES: &[Case] = attacks! {
    "set-fs-low" (LOW): "mov edi, 0x1002", "mov eax, 158", "syscall", "add rax, 1", "ret";
    "set-fs-kernel" (KERNEL): "mov edi, 0x1002", "mov eax, 158", "syscall", "add rax, 1", "ret";
    "set-fs-max" (u64::MAX): "mov edi, 0x1002", "mov eax, 158", "syscall", "add rax, 1", "ret";
    "set-gs-low" (LOW): "mov edi, 0x1001", "mov eax, 158", "syscall", "add rax, 1", "ret";
    "set-gs-kernel" (KERNEL): "mov edi, 0x1001", "mov eax, 158", "syscall", "add rax, 1", "ret";
    // The last bytes are allowed; what is behind them is not mapped.
    "fs-top" (TOP): "mov edi, 0x1002", "mov eax, 158", "syscall", "mov rax, fs:[0x1000]", "ret";
    "fs-wrap" (TOP): "mov edi, 0x1002", "mov eax, 158", "syscall", "mov rcx, 0x7fffffff", "mov rax, fs:[rcx]", "ret";
    "wrfsbase-low" (LOW): "wrfsbase rsi", "xor eax, eax", "ret";
    "wrgsbase-low" (LOW): "wrgsbase rsi", "xor eax, eax", "ret";
    // The processor takes a base in the kernel's half; the kernel has to carry it through calls and faults.
    "wrfsbase-kernel" (KERNEL):
        "wrfsbase rsi", "mov eax, 39", "syscall", "rdfsbase rax", "sub rax, rsi", "ret";
    "wrgsbase-kernel" (KERNEL):
        "wrgsbase rsi", "mov eax, 39", "syscall", "rdgsbase rax", "sub rax, rsi", "ret";
    "wrfsbase-kernel-use" (KERNEL): "wrfsbase rsi", "mov rax, fs:[0]", "xor eax, eax", "ret";
    "wrgsbase-kernel-use" (KERNEL): "wrgsbase rsi", "mov rax, gs:[0]", "xor eax, eax", "ret";
    "wrfsbase-kernel-fault" (KERNEL): "wrfsbase rsi", "ud2";
    "wrgsbase-kernel-fault" (KERNEL): "wrgsbase rsi", "ud2";
    // Nothing of the kernel's own GS base may show.
    "swapgs": "swapgs", "xor eax, eax", "ret";
    "null-gs": "xor eax, eax", "mov gs, eax", "mov eax, 39", "syscall", "mov rax, gs:[0]", "xor eax, eax", "ret";
};
