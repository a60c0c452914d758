// SPDX-License-Identifier: MIT
//! A tiny runtime for freestanding root tasks of the NOVA interface (x86-64, API version 10).
//!
//! It has the start code, the hypercalls, the UTCB, the information page, output on the first serial port, panics,
//! and what hands out frames, pages and selectors. The stubs are safe functions although a program can take its own
//! memory away with them, or read where nothing is: these programs are written to find out what a kernel does then,
//! and it is a page fault of their own. Without its feature `root` it is what programs of any domain need.
#![no_std]
#![expect(
    unsafe_code,
    reason = "the border between a program and its kernel is made of raw registers and pointers"
)]

// The routines that compiled code calls by name.
use rt as _;

pub mod access;
#[cfg(feature = "root")]
pub mod console;
pub mod crd;
#[cfg(feature = "root")]
pub mod device;
pub mod ends;
pub mod event;
#[cfg(feature = "root")]
pub mod grants;
pub mod hip;
pub mod hypercall;
#[cfg(feature = "root")]
mod panic;
pub mod raw;
#[cfg(feature = "seen")]
pub mod seen;
#[cfg(feature = "root")]
pub mod start;
pub mod status;
#[cfg(feature = "root")]
pub mod supply;
#[cfg(feature = "root")]
pub mod thread;
#[cfg(feature = "root")]
pub mod trial;
pub mod utcb;
#[cfg(feature = "root")]
pub mod vectors;
pub mod worker;

pub use crd::{Crd, Rights};
pub use hip::Hip;
pub use status::Status;
pub use utcb::{Item, Utcb};

/// The size of a page, in bytes.
pub const PAGE: u64 = 4096;
/// The address behind what programs can use.
pub const USER_END: u64 = 0x7fff_c000_0000;
/// The number of events a thread has portals for.
pub const EVENTS: u64 = 32;
