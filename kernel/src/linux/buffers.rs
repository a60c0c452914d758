// SPDX-License-Identifier: MIT
//! The buffers of one transfer, and how far it has come.
//!
//! One cursor over a list of buffers, for every call that moves bytes. The list is read
//! once, when the call begins; a call that has to wait keeps the cursor with its process
//! and goes on exactly where it stopped, whatever has become of the list meanwhile.

use alloc::vec::Vec;

use super::errno::{EFAULT, EINVAL, Errno, Failure};
use super::layout::get_u64;
use super::user::{User, check_range};
use crate::mem::fallible;

/// The most bytes that one call transfers (Linux's `MAX_RW_COUNT`).
const MAX_TRANSFER_LEN: u64 = 0x7fff_f000;
/// The most buffers of one call (Linux's `UIO_MAXIOV`).
const MAX_BUFFERS: u64 = 1024;
/// Length of a `struct iovec`.
const IOVEC_LEN: usize = 16;

/// A buffer of the program.
#[derive(Clone, Copy)]
struct Buffer {
    address: u64,
    length: u64,
}

/// The buffers of a call; most have one, which takes no room on the heap.
enum List {
    One(Buffer),
    Many(Vec<Buffer>),
}

impl List {
    fn get(&self, index: usize) -> Option<Buffer> {
        match self {
            Self::One(buffer) => (index == 0).then_some(*buffer),
            Self::Many(buffers) => buffers.get(index).copied(),
        }
    }
}

/// A place in the list, and what lies before and behind it.
#[derive(Clone, Copy)]
pub struct Place {
    index: usize,
    within: u64,
    done: u64,
    left: u64,
}

/// The buffers of one transfer, and how far it has come.
pub struct Buffers {
    list: List,
    place: Place,
}

impl Buffers {
    /// A single buffer.
    pub fn one(address: u64, length: u64) -> Result<Self, Errno> {
        check_range(address, length)?;
        let length = length.min(MAX_TRANSFER_LEN);
        Ok(Self::new(List::One(Buffer { address, length }), length))
    }

    /// The buffers that the `count` structures at `vector` describe. As on Linux, what
    /// lies beyond the longest transfer is left out.
    pub fn many(user: &mut User<'_>, vector: u64, count: u64) -> Result<Self, Failure> {
        if count > MAX_BUFFERS {
            return Err(EINVAL.into());
        }
        let mut buffers = Vec::new();
        fallible::reserve_exact(&mut buffers, count as usize)?;
        let mut left = 0;
        for index in 0..count {
            let at = vector.checked_add(IOVEC_LEN as u64 * index).ok_or(EFAULT)?;
            let iovec: [u8; IOVEC_LEN] = user.structure(at)?;
            let (address, length) = (get_u64(&iovec, 0), get_u64(&iovec, 8));
            if (length as i64) < 0 {
                return Err(EINVAL.into());
            }
            check_range(address, length)?;
            let length = length.min(MAX_TRANSFER_LEN - left);
            left += length;
            fallible::push_reserved(&mut buffers, Buffer { address, length });
        }
        Ok(Self::new(List::Many(buffers), left))
    }

    fn new(list: List, left: u64) -> Self {
        Self { list, place: Place { index: 0, within: 0, done: 0, left } }
    }

    /// Bytes that were transferred.
    pub fn done(&self) -> u64 {
        self.place.done
    }

    /// Bytes that are still to be transferred.
    pub fn left(&self) -> u64 {
        self.place.left
    }

    /// Counts all that is left as transferred, without a look at it.
    pub fn skip_all(&mut self) {
        self.place.done += core::mem::take(&mut self.place.left);
    }

    /// Walks over the next `length` bytes in pieces that lie in one buffer each. `work` is
    /// told address, offset from here and length of a piece, and returns how much of it was
    /// transferred; a piece that was not transferred wholly is the last. Returns how many
    /// bytes were; on an error, none count.
    fn walk(
        &mut self,
        length: usize,
        mut work: impl FnMut(u64, usize, usize) -> Result<usize, Failure>,
    ) -> Result<usize, Failure> {
        let length = length.min(usize::try_from(self.place.left).unwrap_or(usize::MAX));
        let before = self.place;
        let mut walked = 0;
        while walked < length
            && let Some(buffer) = self.list.get(self.place.index)
        {
            let here = buffer.length - self.place.within;
            if here == 0 {
                self.place.index += 1;
                self.place.within = 0;
                continue;
            }
            let part = here.min((length - walked) as u64) as usize;
            let moved = work(buffer.address + self.place.within, walked, part)
                .inspect_err(|_| self.place = before)?;
            walked += moved;
            self.place.within += moved as u64;
            self.place.done += moved as u64;
            self.place.left -= moved as u64;
            if moved < part {
                break;
            }
        }
        Ok(walked)
    }

    /// Writes `bytes`, as many as are wanted, to the buffers; returns how many, fewer where
    /// the program may not write.
    pub fn scatter(&mut self, user: &mut User<'_>, bytes: &[u8]) -> Result<usize, Failure> {
        self.walk(bytes.len(), |address, at, length| user.write_some(address, &bytes[at..at + length]))
    }

    /// Fills `chunk`, as far as bytes are left, from the buffers; returns how many, fewer
    /// where the program may not read.
    pub fn gather(&mut self, user: &mut User<'_>, chunk: &mut [u8]) -> Result<usize, Failure> {
        self.walk(chunk.len(), |address, at, length| user.read_some(address, &mut chunk[at..at + length]))
    }

    /// How far the transfer has come.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Goes back to an earlier place, and from there on over `kept` bytes that were
    /// transferred nevertheless.
    pub fn go_back(&mut self, place: Place, kept: usize) -> Result<(), Failure> {
        self.place = place;
        self.walk(kept, |_, _, length| Ok(length)).map(|_| ())
    }

    /// Does `work`, a [`scatter`](Self::scatter) or [`gather`](Self::gather) of `length`
    /// bytes, wholly or not at all: if it does less, the cursor stays where it was, and the
    /// answer is EFAULT.
    pub fn whole(
        &mut self,
        length: usize,
        work: impl FnOnce(&mut Self) -> Result<usize, Failure>,
    ) -> Result<(), Failure> {
        let before = self.place;
        match work(self) {
            Ok(done) if done == length => Ok(()),
            other => {
                self.place = before;
                Err(other.err().unwrap_or(EFAULT.into()))
            }
        }
    }
}
