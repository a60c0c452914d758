// SPDX-License-Identifier: MIT
//! What a worker's stack begins with, and how portals enter it.
//!
//! A stack's last words are what its thread needs to find at its first instruction: the address of its UTCB, its
//! function, and an argument.

use core::arch::naked_asm;

use crate::access;
use crate::utcb::Utcb;

/// What a worker does at each call: it gets the portal's id and its UTCB, and returns the selector of the semaphore to
/// park the caller on, or 0.
pub type Handler = extern "C" fn(u64, Utcb) -> u64;

/// The bytes at a stack's end that its thread begins with.
pub const BEGINNING: u64 = 32;

/// The entry of a portal: RSP is at the beginning of the stack, RDI the portal's id.
#[unsafe(naked)]
extern "C" fn served() {
    naked_asm!(
        "mov rbx, rsp",
        "mov rsi, [rsp]",
        "call [rsp + 8]",
        "mov rsp, rbx",
        "mov rdi, rax",
        "shl rdi, 8",
        "or rdi, 1",
        "syscall",
        "ud2",
    )
}

/// The address at which portals of this runtime enter their worker.
#[must_use]
pub fn portal_entry() -> u64 {
    served as *const () as u64
}

/// Writes what a thread begins with to the end of its stack.
pub fn begin(top: u64, utcb: u64, function: u64, argument: u64) {
    access::write(top, utcb);
    access::write(top + 8, function);
    access::write(top + 16, argument);
}

/// The argument that a thread's stack begins with.
#[must_use]
pub fn argument(top: u64) -> u64 {
    access::read(top + 16)
}
