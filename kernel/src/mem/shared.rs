// SPDX-License-Identifier: MIT
//! A frame that an object of the kernel's (a file, a piece of shared memory)
//! owns, whoever maps it.

use super::frame::{self, Frame, OutOfFrames};
use super::phys;

/// One use of a frame, given back with the value.
#[derive(Debug)]
pub struct SharedFrame(Frame);

impl SharedFrame {
    /// A fresh frame of zeros.
    pub fn zeroed() -> Result<Self, OutOfFrames> {
        let new = frame::allocate()?;
        phys::clear(new);
        Ok(Self(new))
    }

    /// The frame.
    pub(super) fn frame(&self) -> Frame {
        self.0
    }

    /// Copies what is at `offset`; all of it has to lie in the page.
    pub fn read(&self, offset: usize, into: &mut [u8]) {
        phys::with(self.0, |page| into.copy_from_slice(&page[offset..offset + into.len()]));
    }

    /// Writes at `offset`; all of it has to lie in the page. Who has the frame mapped
    /// is to be [told](super::space::Space::note_write).
    pub fn write(&self, offset: usize, from: &[u8]) {
        phys::with(self.0, |page| page[offset..offset + from.len()].copy_from_slice(from));
    }
}

impl Drop for SharedFrame {
    fn drop(&mut self) {
        frame::release(self.0);
    }
}
