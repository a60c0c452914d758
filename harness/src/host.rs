// SPDX-License-Identifier: MIT
//! The machine that the tool runs on: its terminal, its processes, its files, and the packages installed there.

// First, since its macros take the place of the standard library's below.
#[macro_use]
pub mod console;

pub mod children;
pub mod destination;
pub mod input;
pub mod meter;
pub mod packages;
pub mod process;
pub mod scratch;

/// The exit status for everything that is not the program's own.
pub const STATUS_FAILURE: u8 = 2;
