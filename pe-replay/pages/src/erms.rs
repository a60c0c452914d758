// SPDX-License-Identifier: MIT
//! The copy by one instruction, for processors that move strings fast (ERMS).
//!
//! REP MOVSB is right on every processor; only its speed depends on ERMS. An
//! emulator counts it as one instruction a byte: 4,097 a page.

use core::arch::asm;

use super::{PAGE_LEN, Page};

pub(crate) fn copy(from: &Page, to: &mut Page) {
    // SAFETY: both pages are PAGE_LEN bytes, `to` is ours alone, and the direction
    // flag is clear in compiled code; no stack is used.
    unsafe {
        asm!(
            "rep movsb",
            inout("rsi") from.as_ptr() => _,
            inout("rdi") to.as_mut_ptr() => _,
            inout("rcx") PAGE_LEN => _,
            options(nostack, preserves_flags),
        );
    }
}
