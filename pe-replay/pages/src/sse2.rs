// SPDX-License-Identifier: MIT
//! The primitives with 16-byte vectors, which every x86-64 processor has.
//!
//! An instruction can take its second operand from memory only where that is
//! aligned to a vector: pages at such an address, the normal case, cost one
//! instruction a vector less.

use core::arch::x86_64::{
    __m128i, _mm_cmpeq_epi8, _mm_load_si128, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128,
    _mm_setzero_si128, _mm_storeu_si128, _mm_xor_si128,
};

use super::blocks::{blocks, blocks_mut, each_vector, register_blocks, register_blocks_mut};
use super::{Page, Registers};

type Bytes = [u8; size_of::<__m128i>()];

#[target_feature(enable = "sse2")]
pub(crate) fn copy(from: &Page, to: &mut Page) {
    for (from, to) in blocks(from).iter().zip(blocks_mut(to)) {
        each_vector!(n => store(&mut to[n], load(&from[n])));
    }
}

/// Stops at the first block that differs.
#[target_feature(enable = "sse2")]
pub(crate) fn equal(a: &Page, b: &Page) -> bool {
    if is_aligned(b) {
        // SAFETY: just asked, and vectors of an aligned page are aligned.
        equal_with(a, b, |bytes| unsafe { load_aligned(bytes) })
    } else {
        equal_with(a, b, |bytes| load(bytes))
    }
}

/// Looks at all of them: to ask on the way would cost as much as it could save.
#[target_feature(enable = "sse2")]
pub(crate) fn equal_registers(a: &Registers, b: &Registers) -> bool {
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (register_blocks(a), register_blocks(b));
    let mut difference = _mm_setzero_si128();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        each_vector!(n => {
            difference = _mm_or_si128(difference, _mm_xor_si128(load(&a[n]), load(&b[n])));
        });
    }
    is_zero(difference) && a_rest == b_rest
}

#[target_feature(enable = "sse2")]
pub(crate) fn copy_registers(from: &Registers, to: &mut Registers) {
    let (from_blocks, from_rest) = register_blocks(from);
    let (to_blocks, to_rest) = register_blocks_mut(to);
    for (from, to) in from_blocks.iter().zip(to_blocks) {
        each_vector!(n => store(&mut to[n], load(&from[n])));
    }
    *to_rest = from_rest.to_ne_bytes();
}

#[target_feature(enable = "sse2")]
pub(crate) fn compare_and_copy(a: &Page, b: &Page, to: &mut Page) -> bool {
    if is_aligned(b) {
        // SAFETY: just asked, and vectors of an aligned page are aligned.
        compare_and_copy_with(a, b, to, |bytes| unsafe { load_aligned(bytes) })
    } else {
        compare_and_copy_with(a, b, to, |bytes| load(bytes))
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn equal_with(a: &Page, b: &Page, load_b: impl Fn(&Bytes) -> __m128i) -> bool {
    for (a, b) in blocks(a).iter().zip(blocks(b)) {
        let mut difference = _mm_setzero_si128();
        each_vector!(n => {
            difference = _mm_or_si128(difference, _mm_xor_si128(load(&a[n]), load_b(&b[n])));
        });
        if !is_zero(difference) {
            return false;
        }
    }
    true
}

#[inline]
#[target_feature(enable = "sse2")]
fn compare_and_copy_with(a: &Page, b: &Page, to: &mut Page, load_b: impl Fn(&Bytes) -> __m128i) -> bool {
    let mut difference = _mm_setzero_si128();
    for ((a, b), to) in blocks(a).iter().zip(blocks(b)).zip(blocks_mut(to)) {
        each_vector!(n => {
            let value = load(&a[n]);
            store(&mut to[n], value);
            difference = _mm_or_si128(difference, _mm_xor_si128(value, load_b(&b[n])));
        });
    }
    is_zero(difference)
}

#[inline]
fn is_aligned(page: &Page) -> bool {
    page.as_ptr().addr().is_multiple_of(align_of::<__m128i>())
}

#[inline]
#[target_feature(enable = "sse2")]
fn is_zero(vector: __m128i) -> bool {
    _mm_movemask_epi8(_mm_cmpeq_epi8(vector, _mm_setzero_si128())) == 0xffff
}

#[inline]
#[target_feature(enable = "sse2")]
fn load(bytes: &Bytes) -> __m128i {
    // SAFETY: the reference is good for a vector's bytes; this load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// # Safety
/// The bytes are aligned to a vector.
#[inline]
#[target_feature(enable = "sse2")]
unsafe fn load_aligned(bytes: &Bytes) -> __m128i {
    // SAFETY: the reference is good for a vector's bytes, and the caller aligned them.
    unsafe { _mm_load_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn store(bytes: &mut Bytes, value: __m128i) {
    // SAFETY: the reference is good for a vector's bytes; this store needs no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), value) }
}
