// SPDX-License-Identifier: MIT
//! What the engine does with whole pages: copy, compare, both in one pass, hash,
//! and find the first difference; and it compares saved registers.
//!
//! [`Primitives`] holds one variant of each, chosen at boot by what the processor
//! can do. All variants give the same results; [`Primitives::plain`] is the
//! reference they are checked against. Pages may stand at any address: alignment
//! changes the cost, never the result.
//!
//! The SIMD variants use the vector registers like any compiled code: whoever
//! calls them in a kernel has saved the user's first.

#![no_std]
#![expect(unsafe_code, reason = "SIMD loads and stores, REP MOVSB, and calls that need a processor feature")]

mod avx2;
mod blocks;
mod erms;
mod features;
mod plain;
mod primitives;
mod sse2;

pub use primitives::Primitives;

/// Bytes in a page.
pub const PAGE_LEN: usize = 4096;

/// The bytes of a page.
pub type Page = [u8; PAGE_LEN];

/// Bytes in the saved registers of a process: the extended state with x87, SSE and AVX
/// (832), and 26 words.
pub const REGISTERS_LEN: usize = 832 + 26 * 8;

/// The saved registers of a process, as bytes.
pub type Registers = [u8; REGISTERS_LEN];

/// Copies a page, with what every processor has.
pub fn copy(from: &Page, to: &mut Page) {
    plain::copy(from, to);
}

/// Where two pages differ first, as a byte offset; with what every processor has.
pub fn first_difference(a: &Page, b: &Page) -> Option<u16> {
    Primitives::plain().first_difference(a, b)
}
