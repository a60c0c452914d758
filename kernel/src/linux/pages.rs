// SPDX-License-Identifier: MIT
//! Memory that several mappings share: pages by their number, in frames of their own.
//!
//! It stands behind a file that somebody maps shared, or behind nothing but the
//! mappings. Pages come on demand; what was never touched is zero. It lives as long
//! as a file or an area of a process refers to it.

use alloc::rc::Rc;
use core::cell::RefCell;

use crate::mem::fallible::{self, Exhausted};
use crate::mem::shared::SharedFrame;
use crate::mem::sorted::{Place, Sorted};
use crate::mem::space::{OutOfFrames, PAGE_LEN};

/// Shared pages, with whoever else holds them.
pub type Object = Rc<RefCell<Pages>>;

/// Shared pages.
pub struct Pages {
    id: u64,
    /// Bytes that there are.
    length: u64,
    /// How often it was cut: a process that has seen fewer maps pages that are gone.
    cuts: u32,
    /// The pages that were touched, by number.
    frames: Sorted<(u64, SharedFrame)>,
}

/// The parts of `length` bytes at `offset` that lie in one page each: the page's number,
/// the offset in it, the offset from the start, and the length.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    core::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % PAGE_LEN) as usize;
        let part = (length - done).min(PAGE_LEN as usize - within);
        let found = (at / PAGE_LEN, within, done, part);
        done += part;
        (part > 0).then_some(found)
    })
}

impl Pages {
    /// `length` bytes of zeros. No two may have the same `id`.
    pub fn new(id: u64, length: u64) -> Result<Object, Exhausted> {
        fallible::shared(RefCell::new(Self { id, length, cuts: 0, frames: Sorted::default() }))
    }

    /// What tells it from all others.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How often it was cut.
    pub fn cuts(&self) -> u32 {
        self.cuts
    }

    /// Where a page is among those that were touched, or would be.
    fn place(&self, number: u64) -> Place {
        self.frames.place(|(other, _)| *other < number)
    }

    /// A page that was touched.
    pub fn get(&self, number: u64) -> Option<&SharedFrame> {
        let found = self.frames.get(self.place(number)).filter(|(other, _)| *other == number);
        found.map(|(_, frame)| frame)
    }

    /// A page.
    pub fn page(&mut self, number: u64) -> Result<&SharedFrame, OutOfFrames> {
        let mut place = self.place(number);
        if self.frames.get(place).is_none_or(|(other, _)| *other != number) {
            place = self.frames.make_room(place).map_err(|Exhausted| OutOfFrames)?;
            self.frames.insert(place, (number, SharedFrame::zeroed()?)).map_err(|Exhausted| OutOfFrames)?;
        }
        self.frames.get(place).map(|(_, frame)| frame).ok_or(OutOfFrames)
    }

    /// Reads at `offset` up to the end; returns how many bytes.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let left = self.length.saturating_sub(offset).min(into.len() as u64) as usize;
        for (number, within, done, length) in parts(offset, left) {
            let part = &mut into[done..done + length];
            match self.get(number) {
                Some(frame) => frame.read(within, part),
                None => part.fill(0),
            }
        }
        left
    }

    /// Writes at `offset`, over the end if need be; returns how many bytes, fewer if
    /// frames run out.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<usize, OutOfFrames> {
        for (number, within, done, length) in parts(offset, bytes.len()) {
            match self.page(number) {
                Ok(frame) => frame.write(within, &bytes[done..done + length]),
                Err(OutOfFrames) if done == 0 => return Err(OutOfFrames),
                Err(OutOfFrames) => return Ok(done),
            }
            self.length = self.length.max(offset + (done + length) as u64);
        }
        Ok(bytes.len())
    }

    /// Zeros whole pages, and gives back what they took.
    pub fn clear(&mut self, offset: u64, length: u64) {
        self.cuts = self.cuts.wrapping_add(1);
        let behind = offset.saturating_add(length).div_ceil(PAGE_LEN);
        self.frames.remove_between(self.place(offset / PAGE_LEN), self.place(behind));
    }

    /// Cuts or lengthens it.
    pub fn resize(&mut self, length: u64) {
        if length < self.length {
            self.cuts = self.cuts.wrapping_add(1);
            self.frames.remove_between(self.place(length.div_ceil(PAGE_LEN)), self.frames.end());
            let within = (length % PAGE_LEN) as usize;
            if within > 0
                && let Some(frame) = self.get(length / PAGE_LEN)
            {
                frame.write(within, &ZEROS[within..]);
            }
        }
        self.length = length;
    }
}

static ZEROS: [u8; PAGE_LEN as usize] = [0; PAGE_LEN as usize];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::frame;

    impl Pages {
        /// Leaves so much room in the list: what comes next has to make more.
        pub fn tighten(&mut self, room: usize) {
            self.frames.tighten(room);
        }
    }

    #[test]
    fn pages_come_when_they_are_written_and_go_when_cut() {
        frame::set_free(10);
        let object = Pages::new(1, 3 * PAGE_LEN).unwrap();
        let mut pages = object.borrow_mut();
        let mut seen = [9; 4];
        assert_eq!(pages.read(PAGE_LEN - 2, &mut seen), 4);
        assert_eq!((seen, frame::free_count()), ([0; 4], 10));
        assert_eq!(pages.write(PAGE_LEN - 2, &[1, 2, 3, 4]), Ok(4));
        assert_eq!(pages.read(PAGE_LEN - 2, &mut seen), 4);
        assert_eq!((seen, frame::free_count()), ([1, 2, 3, 4], 8));
        pages.resize(PAGE_LEN - 1);
        assert_eq!((pages.cuts(), frame::free_count()), (1, 9));
        pages.resize(PAGE_LEN + 1);
        assert_eq!(pages.read(PAGE_LEN - 2, &mut seen), 3);
        assert_eq!(seen[..3], [1, 0, 0]);
        assert_eq!(pages.write(5 * PAGE_LEN, &[7; 9000]), Ok(9000));
        assert_eq!(pages.length(), 5 * PAGE_LEN + 9000);
        frame::set_free(1);
        assert_eq!(pages.write(20 * PAGE_LEN, &[7; 9000]), Ok(PAGE_LEN as usize));
        assert_eq!(pages.write(30 * PAGE_LEN, &[7; 9000]), Err(OutOfFrames));
    }
}
