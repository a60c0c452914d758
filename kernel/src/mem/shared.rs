// SPDX-License-Identifier: MIT
//! A frame that an object of the kernel's (a file, a piece of shared memory)
//! owns, whoever else maps it.

use super::frame::{self, Frame, OutOfFrames};
use super::phys;

/// An ownership of a frame, released with the value.
#[derive(Debug)]
pub struct SharedFrame(Frame);

impl SharedFrame {
    /// A fresh frame of zeros.
    pub fn zeroed() -> Result<Self, OutOfFrames> {
        let new = frame::allocate()?;
        phys::clear(new);
        Ok(Self(new))
    }

    /// Another ownership of a frame that somebody has.
    pub(super) fn of(frame: Frame) -> Result<Self, OutOfFrames> {
        frame::share(frame)?;
        Ok(Self(frame))
    }

    /// Another ownership of the frame of a number that was told, if that is memory and somebody owns it still.
    pub fn numbered(number: u64) -> Option<Self> {
        frame::share_numbered(number).map(Self)
    }

    /// The frame's number, which whoever has it may [use](Self::numbered) as long as somebody owns the frame.
    pub fn number(&self) -> u64 {
        frame::number(self.0)
    }

    /// The frame's name.
    pub(super) fn frame(&self) -> Frame {
        self.0
    }

    /// Copies what is at `offset`; all of it has to lie in the page.
    pub fn read(&self, offset: usize, into: &mut [u8]) {
        phys::read(self.0, offset, into);
    }

    /// Writes at `offset`; all of it has to lie in the page. Who has the frame mapped
    /// is to be [told](super::space::Space::note_write).
    pub fn write(&self, offset: usize, from: &[u8]) {
        phys::write(self.0, offset, from);
        frame::touch(self.0);
    }
}

impl Drop for SharedFrame {
    fn drop(&mut self) {
        frame::release(self.0);
    }
}
