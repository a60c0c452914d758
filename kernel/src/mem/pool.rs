// SPDX-License-Identifier: MIT
//! The pool: room for the frames of the written sets, one pool a processor.
//!
//! So many frames are promised that no PE can run out of them. They are taken when they are needed: few programs write
//! that much, and none does that is run once. Each entry of a set keeps the frames that it got ([`pe_replay::Pool`]).
//!
//! A pool that grows is a cache: what it has beyond the promise is given back when somebody else needs it.

use super::frame::{self, Frame, OutOfFrames};

/// Frames for the pages of written sets.
#[derive(Default)]
pub struct Pool {
    /// Frames that are promised, and not taken yet.
    promised: u64,
    /// Frames that sets have.
    taken: u64,
    /// How many there are in any case, promised and taken together.
    guaranteed: u64,
    /// Whether free frames are taken when the promise is used up.
    grows: bool,
}

impl Pool {
    /// Has room reserved for so many frames, beyond which the pool may grow as long as there are free ones.
    pub fn reserve(&mut self, frames: usize, grows: bool) -> Result<(), OutOfFrames> {
        let more = (frames as u64).saturating_sub(self.promised);
        frame::promise(more)?;
        self.promised += more;
        (self.guaranteed, self.grows) = (self.promised + self.taken, grows);
        Ok(())
    }

    /// The next of the frames that were promised; if the sets have all of them, another one if the pool grows.
    #[cold]
    pub fn allocate(&mut self) -> Option<Frame> {
        let frame = match self.promised.checked_sub(1) {
            Some(left) => {
                self.promised = left;
                frame::take_promised()
            }
            None if self.grows => frame::allocate().ok()?,
            None => return None,
        };
        self.taken += 1;
        Some(frame)
    }

    /// Takes back a frame that a set had.
    pub fn release(&mut self, frame: Frame) {
        frame::release(frame);
        self.taken -= 1;
        if self.promised + self.taken < self.guaranteed {
            // It is there to be promised again.
            self.promised += u64::from(frame::promise(1).is_ok());
        }
    }

    /// Ends the promise.
    pub fn destroy(self) {
        frame::withdraw(self.promised);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::boot::Region;

    #[test]
    fn a_pool_grows_beyond_its_promise_only_if_it_is_to() {
        assert!(frame::init(&[Region { start: 0, end: 100 * 4096 }]).is_ok());
        let free = frame::free_count();
        for (grows, most) in [(false, 6), (true, free)] {
            let mut pool = Pool::default();
            pool.reserve(6, grows).unwrap();
            assert_eq!(frame::free_count(), free - 6);
            let mut taken = Vec::from_iter(core::iter::from_fn(|| pool.allocate()));
            assert_eq!((taken.len() as u64, frame::free_count()), (most, free - most));
            // The promise comes first: it is there again before anything is free.
            for given in 1..=most {
                pool.release(taken.pop().unwrap());
                assert_eq!(frame::free_count(), (free - most + given).min(free - 6).max(free - most));
            }
            assert_eq!(frame::free_count(), free - 6);
            pool.destroy();
            assert_eq!(frame::free_count(), free);
        }
    }
}
