// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/shared.rs`: a page that several hold.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

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

thread_local! {
    /// Pages by the numbers that they were given when somebody asked.
    static NUMBERED: RefCell<BTreeMap<u64, Weak<RefCell<Bytes>>>> = const { RefCell::new(BTreeMap::new()) };
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

    /// The page's number.
    pub fn number(&self) -> u64 {
        heap::outside(|| {
            NUMBERED.with_borrow_mut(|numbered| {
                let is_this = |it: &Weak<_>| std::ptr::eq(it.as_ptr(), Rc::as_ptr(&self.0));
                numbered.retain(|_, it| it.strong_count() > 0);
                if let Some((number, _)) = numbered.iter().find(|(_, it)| is_this(it)) {
                    return *number;
                }
                let number = (0x100..).find(|number| !numbered.contains_key(number)).unwrap();
                numbered.insert(number, Rc::downgrade(&self.0));
                number
            })
        })
    }

    /// How often the page is used.
    pub fn owners(&self) -> usize {
        Rc::strong_count(&self.0)
    }

    /// Another use of the page of a number, if somebody uses that.
    pub fn numbered(number: u64) -> Option<Self> {
        NUMBERED.with_borrow(|numbered| numbered.get(&number)?.upgrade().map(Self))
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
