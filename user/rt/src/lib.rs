// SPDX-License-Identifier: MIT
//! A tiny runtime for freestanding programs of the Linux x86-64 ABI.
//!
//! It stands where libc and std would: entry, arguments, system calls, output,
//! panics, and the memory routines that `core` calls. The programs run under
//! Reprise and natively alike. It has no heap, no threads and no signals.
#![no_std]
#![expect(
    unsafe_code,
    reason = "the border between a program and its kernel is made of raw registers and pointers"
)]

mod memory;
pub mod output;
mod panic;
pub mod start;
pub mod sys;

pub use start::Arguments;
