// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/arch/x86_64/segment.rs`.

/// The user's code segment.
pub const USER_CS: u16 = 0x33;
/// The user's stack and data segment.
pub const USER_SS: u16 = 0x2b;
