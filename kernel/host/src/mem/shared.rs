// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/shared.rs`: a page that several hold.

use std::cell::RefCell;
use std::rc::Rc;

use super::frame;
use super::space::{OutOfFrames, PAGE_LEN};
use crate::heap;

/// A page's bytes, counted as a frame for as long as somebody holds them.
pub struct Bytes(pub [u8; PAGE_LEN as usize]);

impl Drop for Bytes {
    fn drop(&mut self) {
        frame::give();
    }
}

/// One use of a page.
#[derive(Clone)]
pub struct SharedFrame(pub Rc<RefCell<Bytes>>);

impl SharedFrame {
    /// A fresh page of zeros.
    pub fn zeroed() -> Result<Self, OutOfFrames> {
        frame::take()?;
        Ok(Self(heap::outside(|| Rc::new(RefCell::new(Bytes([0; PAGE_LEN as usize]))))))
    }

    /// Copies what is at `offset`.
    pub fn read(&self, offset: usize, into: &mut [u8]) {
        into.copy_from_slice(&self.0.borrow().0[offset..offset + into.len()]);
    }

    /// Writes at `offset`.
    pub fn write(&self, offset: usize, from: &[u8]) {
        self.0.borrow_mut().0[offset..offset + from.len()].copy_from_slice(from);
    }
}
