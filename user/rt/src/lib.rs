// SPDX-License-Identifier: MIT
//! A tiny runtime for freestanding programs of the Linux x86-64 ABI.
//!
//! It stands where libc and std would: entry, arguments, system calls, output,
//! panics, and the memory routines that `core` calls. The programs run under
//! Reprise and natively alike. It has no heap, no threads and no signals. Without
//! its feature `linux` it is the memory routines alone, for programs of another ABI.
#![no_std]
#![expect(
    unsafe_code,
    reason = "the border between a program and its kernel is made of raw registers and pointers"
)]

mod memory;
#[cfg(feature = "linux")]
pub mod output;
#[cfg(feature = "linux")]
mod panic;
#[cfg(feature = "linux")]
pub mod start;
#[cfg(feature = "linux")]
pub mod sys;

#[cfg(feature = "linux")]
pub use start::Arguments;
