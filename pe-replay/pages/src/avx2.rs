// SPDX-License-Identifier: MIT
//! The primitives with 32-byte vectors, for processors with AVX2.

use core::arch::x86_64::{
    __m256i, _mm256_loadu_si256, _mm256_or_si256, _mm256_setzero_si256, _mm256_storeu_si256,
    _mm256_testz_si256, _mm256_xor_si256,
};

use super::blocks::{BLOCK, blocks, blocks_mut, each_vector, register_blocks, register_blocks_mut};
use super::{Page, Registers};

type Bytes = [u8; size_of::<__m256i>()];
type Block = [Bytes; BLOCK];

#[target_feature(enable = "avx2")]
pub(crate) fn copy(from: &Page, to: &mut Page) {
    for (from, to) in blocks(from).iter().zip(blocks_mut(to)).rev() {
        each_vector!(n => {
            let n = BLOCK - 1 - n;
            store(&mut to[n], load(&from[n]));
        });
    }
}

/// Stops at the first block that differs.
#[target_feature(enable = "avx2")]
pub(crate) fn equal(a: &Page, b: &Page) -> bool {
    for (a, b) in blocks(a).iter().zip(blocks(b)) {
        let mut difference = _mm256_setzero_si256();
        each_vector!(n => {
            difference = _mm256_or_si256(difference, _mm256_xor_si256(load(&a[n]), load(&b[n])));
        });
        if _mm256_testz_si256(difference, difference) == 0 {
            return false;
        }
    }
    true
}

/// Looks at all of them: to ask on the way would cost as much as it could save.
#[target_feature(enable = "avx2")]
pub(crate) fn equal_registers(a: &Registers, b: &Registers) -> bool {
    let ((a_blocks, a_rest), (b_blocks, b_rest)) = (register_blocks(a), register_blocks(b));
    let mut difference = _mm256_setzero_si256();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        each_vector!(n => {
            difference = _mm256_or_si256(difference, _mm256_xor_si256(load(&a[n]), load(&b[n])));
        });
    }
    _mm256_testz_si256(difference, difference) == 1 && a_rest == b_rest
}

#[target_feature(enable = "avx2")]
pub(crate) fn copy_registers(from: &Registers, to: &mut Registers) {
    let (from_blocks, from_rest) = register_blocks(from);
    let (to_blocks, to_rest) = register_blocks_mut(to);
    for (from, to) in from_blocks.iter().zip(to_blocks) {
        each_vector!(n => store(&mut to[n], load(&from[n])));
    }
    *to_rest = from_rest.to_ne_bytes();
}

/// Takes two blocks at a time: PEs do this with every page that they write, and each round of a loop costs.
#[target_feature(enable = "avx2")]
pub(crate) fn compare_and_copy(a: &Page, b: &Page, to: &mut Page) -> bool {
    let (a, b, to) = (blocks(a).as_chunks().0, blocks(b).as_chunks().0, blocks_mut(to).as_chunks_mut().0);
    let mut difference = _mm256_setzero_si256();
    for (([a, a_behind], [b, b_behind]), [to, to_behind]) in a.iter().zip(b).zip(to).rev() {
        difference = compare_and_copy_block(difference, a_behind, b_behind, to_behind);
        difference = compare_and_copy_block(difference, a, b, to);
    }
    _mm256_testz_si256(difference, difference) == 1
}

#[inline]
#[target_feature(enable = "avx2")]
fn compare_and_copy_block(mut difference: __m256i, a: &Block, b: &Block, to: &mut Block) -> __m256i {
    each_vector!(n => {
        let n = BLOCK - 1 - n;
        let value = load(&a[n]);
        store(&mut to[n], value);
        difference = _mm256_or_si256(difference, _mm256_xor_si256(value, load(&b[n])));
    });
    difference
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(bytes: &Bytes) -> __m256i {
    // SAFETY: the reference is good for a vector's bytes; this load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(bytes: &mut Bytes, value: __m256i) {
    // SAFETY: the reference is good for a vector's bytes; this store needs no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) }
}
