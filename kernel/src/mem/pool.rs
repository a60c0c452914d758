// SPDX-License-Identifier: MIT
//! The pool: the frames of the written set, one pool a processor.
//!
//! A full set never lacks frames, so that no PE can run out of them: they are promised. They are taken when
//! they are needed: few programs write that much, and none does that is run once. A frame that the set gives
//! back stays here, for the next page.

use alloc::boxed::Box;

use arrayvec::ArrayVec;

use super::fallible;
use super::frame::{self, Frame, OutOfFrames};

/// Frames for the largest written set.
const MOST: usize = 3 * pe_replay::policy::MAX_DIRTY_PAGES as usize;

/// Frames for the pages of a written set.
pub struct Pool {
    /// Frames that were taken of those that are promised, and are in no use.
    idle: Box<ArrayVec<Frame, MOST>>,
    /// Frames that are promised, and not taken yet.
    promised: u64,
}

impl Pool {
    /// Has room reserved for one full set of `frames` frames.
    pub fn new(frames: usize) -> Result<Self, OutOfFrames> {
        let idle = fallible::boxed(ArrayVec::new()).map_err(|_| OutOfFrames)?;
        let mut pool = Self { idle, promised: 0 };
        pool.reserve(frames)?;
        Ok(pool)
    }

    /// Has room reserved for so many frames more, up to one full set.
    pub fn reserve(&mut self, frames: usize) -> Result<(), OutOfFrames> {
        let more = (frames as u64).min((MOST as u64).saturating_sub(self.left()));
        frame::promise(more)?;
        self.promised += more;
        Ok(())
    }

    /// How many frames the set can still get.
    pub fn left(&self) -> u64 {
        self.idle.len() as u64 + self.promised
    }

    /// A frame, if the set has not all of them.
    #[inline]
    pub fn allocate(&mut self) -> Option<Frame> {
        self.idle.pop().or_else(|| self.take_promised())
    }

    /// The next of the frames that were promised.
    #[cold]
    #[inline(never)]
    fn take_promised(&mut self) -> Option<Frame> {
        self.promised = self.promised.checked_sub(1)?;
        Some(frame::take_promised())
    }

    /// Takes back a frame that the set had.
    #[inline]
    pub fn release(&mut self, frame: Frame) {
        self.idle.push(frame);
    }

    /// Gives all frames back that are in the pool.
    pub fn destroy(self) {
        self.idle.into_iter().for_each(frame::release);
        frame::withdraw(self.promised);
    }
}
