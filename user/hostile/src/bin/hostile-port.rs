// SPDX-License-Identifier: MIT
//! Port input and output without permission, also to the ports that would end an emulator.
#![no_std]
#![no_main]

use hostile::{Case, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run(arguments, CASES)
}

const CASES: &[Case] = attacks! {
    "in-al-imm": "in al, 0x60", "xor eax, eax", "ret";
    "out-imm-al": "out 0x80, al", "xor eax, eax", "ret";
    "in-al-dx" (0x3f8): "mov edx, esi", "in al, dx", "xor eax, eax", "ret";
    "in-ax-dx" (0x1f0): "mov edx, esi", "in ax, dx", "xor eax, eax", "ret";
    "in-eax-dx" (0xcfc): "mov edx, esi", "in eax, dx", "xor eax, eax", "ret";
    "out-dx-al" (0x3f8): "mov edx, esi", "mov al, 0x58", "out dx, al", "xor eax, eax", "ret";
    "out-dx-ax" (0x604): "mov edx, esi", "mov eax, 0x2000", "out dx, ax", "xor eax, eax", "ret";
    "out-dx-eax" (0xcf8): "mov edx, esi", "mov eax, -1", "out dx, eax", "xor eax, eax", "ret";
    "out-reset" (0xcf9): "mov edx, esi", "mov al, 6", "out dx, al", "xor eax, eax", "ret";
    "out-keyboard" (0x64): "mov edx, esi", "mov al, 0xfe", "out dx, al", "xor eax, eax", "ret";
    "out-debug-exit" (0xf4): "mov edx, esi", "mov eax, 1", "out dx, al", "xor eax, eax", "ret";
    "out-debug-console": "mov al, 0x58", "out 0xe9, al", "xor eax, eax", "ret";
    "out-nmi" (0x61): "mov edx, esi", "mov al, 0", "out dx, al", "xor eax, eax", "ret";
    "out-last" (0xffff): "mov edx, esi", "out dx, eax", "xor eax, eax", "ret";
    "insb" (0x3f8): "mov edx, esi", "insb", "xor eax, eax", "ret";
    "rep-insd" (0x1f0): "mov edx, esi", "mov ecx, 16", "rep insd", "xor eax, eax", "ret";
    "outsb" (0xe9): "mov edx, esi", "mov rsi, rdi", "outsb", "xor eax, eax", "ret";
    "rep-outsb" (0xe9): "mov edx, esi", "mov rsi, rdi", "mov ecx, 16", "rep outsb", "xor eax, eax", "ret";
    "rep-outsb-none" (0xe9): "mov edx, esi", "mov rsi, rdi", "xor ecx, ecx", "rep outsb", "xor eax, eax", "ret";
    // iopl(3) and ioperm(0, 1024, 1) must not give the permission, whatever they answer.
    "iopl-out": "mov eax, 172", "mov edi, 3", "syscall", "out 0x80, al", "xor eax, eax", "ret";
    "ioperm-out": "mov eax, 173", "xor edi, edi", "mov esi, 1024", "mov edx, 1", "syscall", "out 0x80, al",
        "xor eax, eax", "ret";
};
