// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/arch/x86_64/boot.rs`.

/// A piece of memory.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// First byte.
    pub start: u64,
    /// First byte behind it.
    pub end: u64,
}
