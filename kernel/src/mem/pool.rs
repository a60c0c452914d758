// SPDX-License-Identifier: MIT
//! The pool: room for the frames of the written sets, one pool a processor.
//!
//! A full set never lacks frames, so that no PE can run out of them: they are promised. They are taken when
//! they are needed: few programs write that much, and none does that is run once. Each entry of a set keeps the
//! frames that it got ([`pe_replay::Pool`]).

use super::frame::{self, Frame, OutOfFrames};

/// Frames for the pages of written sets.
#[derive(Default)]
pub struct Pool {
    /// Frames that are promised, and not taken yet.
    promised: u64,
}

impl Pool {
    /// Has room reserved for so many frames.
    pub fn reserve(&mut self, frames: usize) -> Result<(), OutOfFrames> {
        let more = (frames as u64).saturating_sub(self.promised);
        frame::promise(more)?;
        self.promised += more;
        Ok(())
    }

    /// The next of the frames that were promised, if the sets have not all of them.
    #[cold]
    pub fn allocate(&mut self) -> Option<Frame> {
        self.promised = self.promised.checked_sub(1)?;
        Some(frame::take_promised())
    }

    /// Takes back a frame that a set had.
    pub fn release(&mut self, frame: Frame) {
        frame::release(frame);
        // It is there to be promised again.
        self.promised += u64::from(frame::promise(1).is_ok());
    }

    /// Ends the promise.
    pub fn destroy(self) {
        frame::withdraw(self.promised);
    }
}
