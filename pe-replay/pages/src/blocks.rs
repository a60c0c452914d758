// SPDX-License-Identifier: MIT
//! A page as blocks of vectors, so that every access is in bounds by its type.
//!
//! Where AVX2 writes a page it goes from the end to the start, which costs nothing and is a
//! tenth faster where the pages are not in the nearest cache; what only reads, and SSE2,
//! do not gain from it (measured on Zen 5, `benches/README.md`).

use super::{Page, Registers};

/// Vectors in a block: what a loop body handles.
pub(crate) const BLOCK: usize = 32;

/// Splits a page into blocks of vectors of `N` bytes.
#[inline(always)]
pub(crate) fn blocks<const N: usize>(page: &Page) -> &[[[u8; N]; BLOCK]] {
    const { assert!(size_of::<Page>().is_multiple_of(N * BLOCK)) };
    page.as_chunks().0.as_chunks().0
}

/// As [`blocks`], for writing.
#[inline(always)]
pub(crate) fn blocks_mut<const N: usize>(page: &mut Page) -> &mut [[[u8; N]; BLOCK]] {
    const { assert!(size_of::<Page>().is_multiple_of(N * BLOCK)) };
    page.as_chunks_mut().0.as_chunks_mut().0
}

/// Splits saved registers into blocks and a rest of 16 bytes.
#[inline(always)]
pub(crate) fn register_blocks<const N: usize>(registers: &Registers) -> (&[[[u8; N]; BLOCK]], u128) {
    const { assert!(size_of::<Registers>() % (N * BLOCK) == size_of::<u128>()) };
    let (vectors, _) = registers.as_chunks();
    let rest = registers.last_chunk().map_or(0, |rest| u128::from_ne_bytes(*rest));
    (vectors.as_chunks().0, rest)
}

/// As [`register_blocks`], for writing.
#[inline(always)]
pub(crate) fn register_blocks_mut<const N: usize>(
    registers: &mut Registers,
) -> (&mut [[[u8; N]; BLOCK]], &mut [u8; size_of::<u128>()]) {
    const { assert!(size_of::<Registers>() % (N * BLOCK) == size_of::<u128>()) };
    const REST: usize = size_of::<u128>();
    let Some((vectors, rest)) = registers.split_last_chunk_mut::<REST>() else {
        unreachable!("there are more than {REST} bytes")
    };
    (vectors.as_chunks_mut().0.as_chunks_mut().0, rest)
}

/// Repeats a body for the number of each vector in a block. Written out, since the
/// budget counts each instruction of a loop and how far a compiler unrolls by
/// itself is a matter of its version.
macro_rules! each_vector {
    ($n:ident => $body:expr) => {
        each_vector!(@ $n, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
            16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
    };
    (@ $n:ident, $body:expr, $($number:literal)*) => {
        $({ let $n = $number; $body })*
    };
}
pub(crate) use each_vector;
