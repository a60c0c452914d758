// SPDX-License-Identifier: MIT
//! Memory and ports by number: each access is exactly one instruction.

use core::arch::asm;

/// Reads a word.
#[must_use]
pub fn read(address: u64) -> u64 {
    let value;
    // SAFETY: where nothing is mapped, the load is a page fault of this program.
    unsafe {
        asm!("mov {}, [{}]", out(reg) value, in(reg) address, options(nostack, preserves_flags, readonly))
    };
    value
}

/// Writes a word.
pub fn write(address: u64, value: u64) {
    // SAFETY: where nothing can be written, the store is a page fault of this program; where something can be, the
    // caller names memory that no Rust object lies in.
    unsafe { asm!("mov [{}], {}", in(reg) address, in(reg) value, options(nostack, preserves_flags)) };
}

/// Fills memory with zeros, word by word.
pub fn clear(address: u64, words: u64) {
    // SAFETY: as for `write`.
    unsafe {
        asm!("rep stosq", inout("rdi") address => _, inout("rcx") words => _, in("rax") 0u64,
             options(nostack, preserves_flags));
    }
}

/// Reads a port of two bytes.
#[must_use]
pub fn input_word(port: u16) -> u16 {
    let value;
    // SAFETY: as for `input`.
    unsafe { asm!("in ax, dx", out("ax") value, in("dx") port, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes a port of two bytes.
pub fn output_word(port: u16, value: u16) {
    // SAFETY: as for `output`.
    unsafe { asm!("out dx, ax", in("dx") port, in("ax") value, options(nomem, nostack, preserves_flags)) };
}

/// Reads a port of four bytes.
#[must_use]
pub fn input_double(port: u16) -> u32 {
    let value;
    // SAFETY: as for `input`.
    unsafe { asm!("in eax, dx", out("eax") value, in("dx") port, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes a port of four bytes.
pub fn output_double(port: u16, value: u32) {
    // SAFETY: as for `output`.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack, preserves_flags)) };
}

/// Reads a port.
#[must_use]
pub fn input(port: u16) -> u8 {
    let value;
    // SAFETY: a read of a port changes no memory; one that is not granted is an event.
    unsafe { asm!("in al, dx", out("al") value, in("dx") port, options(nomem, nostack, preserves_flags)) };
    value
}

/// Writes a port.
pub fn output(port: u16, value: u8) {
    // SAFETY: a write of a serial port changes no memory; one of a port that is not granted is an event.
    unsafe { asm!("out dx, al", in("al") value, in("dx") port, options(nomem, nostack, preserves_flags)) };
}

/// The time-stamp counter.
#[must_use]
pub fn time() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: RDTSC reads a counter.
    unsafe { asm!("rdtsc", out("rax") low, out("rdx") high, options(nomem, nostack, preserves_flags)) };
    high << 32 | low
}

/// Calls what is at an address, as if it were a function.
pub fn execute(address: u64) {
    // SAFETY: where nothing can be executed, the call is a page fault of this program; where something can be, the
    // caller names code that returns.
    unsafe { asm!("call {}", in(reg) address, clobber_abi("sysv64")) };
}
