// SPDX-License-Identifier: MIT
//! The reference: each primitive in safe code that is plainly right.
//!
//! Copy and comparison come down to the platform's memcpy and memcmp.

use super::{Page, Registers};

pub(crate) fn copy(from: &Page, to: &mut Page) {
    *to = *from;
}

pub(crate) fn equal(a: &Page, b: &Page) -> bool {
    a == b
}

pub(crate) fn equal_registers(a: &Registers, b: &Registers) -> bool {
    a == b
}

pub(crate) fn copy_registers(from: &Registers, to: &mut Registers) {
    *to = *from;
}

pub(crate) fn compare_and_copy(a: &Page, b: &Page, to: &mut Page) -> bool {
    copy(a, to);
    equal(a, b)
}

/// Where two pages differ first; not fast, since it runs on a divergence only.
pub(crate) fn locate(a: &Page, b: &Page) -> Option<u16> {
    a.iter().zip(b).position(|(x, y)| x != y).map(|offset| offset as u16)
}
