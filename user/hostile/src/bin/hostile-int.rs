// SPDX-License-Identifier: MIT
//! Software interrupts: INT n for every n from 0 to 255, and the instructions that are one in disguise.
//!
//! Only 3 and 4 are a program's to raise; INT 0x80 is where Reprise differs from
//! Linux: there is no 32-bit system call.
#![no_std]
#![no_main]

use hostile::{Case, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run_numbered(arguments, INT[0].attack, 0..256, CASES)
}

// Jumps into a table of 256 times `int n; ret`, with EAX saying getpid for the one that natively is a system call.
const INT: &[Case] = attacks! {
    "int":
        "lea rcx, [rip + 3f]", "lea rsi, [rsi + 2 * rsi]", "add rcx, rsi", "mov eax, 20", "call rcx", "xor eax, eax",
        "ret", "3:", ".set vector, 0", ".rept 256", ".byte 0xcd, vector, 0xc3", ".set vector, vector + 1", ".endr";
};

const CASES: &[Case] = attacks! {
    "int3": ".byte 0xcc", "xor eax, eax", "ret";
    "icebp": ".byte 0xf1", "xor eax, eax", "ret";
    "into": ".byte 0xce", "xor eax, eax", "ret";
    "bound": ".byte 0x62, 0x07", "xor eax, eax", "ret";
    // With prefixes in front.
    "rex-int-80": "mov eax, 20", ".byte 0x48, 0xcd, 0x80", "xor eax, eax", "ret";
    "rep-int3": ".byte 0xf3, 0xcc", "xor eax, eax", "ret";
};
