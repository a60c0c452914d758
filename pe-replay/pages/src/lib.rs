// SPDX-License-Identifier: MIT
//! What the engine does with whole pages: copy, and find the first difference.
//!
//! Plain code: both come down to memcpy and memcmp, which the kernel provides with
//! what every x86-64 processor has (SSE2).

#![no_std]

/// Bytes in a page.
pub const PAGE_LEN: usize = 4096;

/// The bytes of a page.
pub type Page = [u8; PAGE_LEN];

/// Copies a page.
pub fn copy(from: &Page, to: &mut Page) {
    *to = *from;
}

/// Where two pages differ first, as a byte offset.
pub fn first_difference(a: &Page, b: &Page) -> Option<u16> {
    // Equality is the normal case, and memcmp's.
    if a == b {
        return None;
    }
    a.iter().zip(b).position(|(x, y)| x != y).map(|offset| offset as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_pages_have_no_difference() {
        let page = [0x5a; PAGE_LEN];
        let mut other = [0; PAGE_LEN];
        copy(&page, &mut other);
        assert_eq!(first_difference(&page, &other), None);
    }

    #[test]
    fn every_single_bit_is_found_where_it_is() {
        let page: Page = core::array::from_fn(|at| at as u8);
        for at in 0..PAGE_LEN {
            for bit in 0..8 {
                let mut other = page;
                other[at] ^= 1 << bit;
                assert_eq!(first_difference(&page, &other), Some(at as u16));
            }
        }
    }

    #[test]
    fn the_first_of_two_differences_is_named() {
        let page = [0; PAGE_LEN];
        for first in 0..PAGE_LEN {
            // The next byte, the next word, the next block, another page end.
            for second in [first + 1, first + 8, first + 64, PAGE_LEN - 1] {
                let mut other = page;
                other[first] = 1;
                if let Some(byte) = other.get_mut(second) {
                    *byte = 0x80;
                }
                assert_eq!(first_difference(&page, &other), Some(first as u16));
                assert_eq!(first_difference(&other, &page), Some(first as u16));
            }
        }
    }

    #[test]
    fn a_copy_has_every_byte_and_leaves_the_original() {
        let page: Page = core::array::from_fn(|at| (at * 31 + at / 256) as u8);
        let original = page;
        let mut other: Page = core::array::from_fn(|at| !page[at]);
        copy(&page, &mut other);
        assert!(other == original && page == original);
    }
}
