// SPDX-License-Identifier: MIT
//! Pipes: bytes on their way from one process to another.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::errno::{ENFILE, Errno};
use crate::mem::fallible;
use crate::object::queue::Key;
use crate::object::scheduler::Scheduler;

/// Bytes that a pipe holds (Linux's default).
pub const CAPACITY: usize = 64 << 10;
/// A write of so many bytes or fewer is not split (PIPE_BUF).
pub const ATOMIC_LEN: usize = 4096;
/// The most pipes at a time.
const MAX_PIPES: usize = 1024;

/// A pipe's place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PipeId(usize);

impl PipeId {
    /// Where those wait who need something to happen to the pipe.
    pub fn key(self) -> Key {
        Key::Event { name: "pipe", number: self.number() }
    }

    /// The inode number that programs see.
    pub fn number(self) -> u64 {
        self.0 as u64 + 1
    }
}

/// One of a pipe's ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where bytes come out.
    Read,
    /// Where they go in.
    Write,
}

/// A pipe.
pub struct Pipe {
    bytes: VecDeque<u8>,
    readers: u32,
    writers: u32,
    /// Nobody writes any more, and nobody reads more than what is in it.
    is_shut: bool,
    /// Whoever has written has gone without reading what was sent to him.
    was_cut: bool,
    /// How often something has happened that readers wait for, and that writers wait for.
    changes: [u64; 2],
}

impl Pipe {
    /// Bytes in it.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that still fit.
    pub fn room(&self) -> usize {
        CAPACITY - self.bytes.len()
    }

    /// Whether somebody can still read.
    pub fn has_readers(&self) -> bool {
        self.readers > 0 && !self.is_shut
    }

    /// Whether somebody can still write.
    pub fn has_writers(&self) -> bool {
        self.writers > 0 && !self.is_shut
    }

    /// Its first bytes, as far as they lie side by side.
    pub fn front(&self) -> &[u8] {
        let (front, behind) = self.bytes.as_slices();
        if front.is_empty() { behind } else { front }
    }

    /// How often something has happened that readers wait for, and that writers wait for.
    pub fn changes(&self) -> [u64; 2] {
        self.changes
    }

    /// All of its bytes, in two parts.
    pub fn parts(&self) -> [&[u8]; 2] {
        let (front, behind) = self.bytes.as_slices();
        [front, behind]
    }

    /// Has nobody write any more.
    pub fn shut(&mut self) {
        self.is_shut = true;
        self.changes = self.changes.map(|changes| changes + 1);
    }

    /// Whoever has written goes without reading what was sent to him.
    pub fn cut(&mut self) {
        self.was_cut = true;
    }

    /// Whether whoever has written has gone so, and no reader was told.
    pub fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// Whether whoever has written has gone so; a reader is told once.
    pub fn take_cut(&mut self) -> bool {
        core::mem::take(&mut self.was_cut)
    }

    /// Takes the first bytes out.
    pub fn consume(&mut self, length: usize) {
        self.bytes.drain(..length);
        self.changes[1] += 1;
    }

    /// Puts bytes in, as many as fit; returns how many.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let length = bytes.len().min(self.room());
        self.changes[0] += 1;
        // The room is there since the pipe was made.
        if fallible::enqueue(&mut self.bytes, &bytes[..length]).is_ok() { length } else { 0 }
    }
}

/// Where those wait who need something to happen to any of their descriptors.
pub const ANY: Key = Key::Event { name: "descriptors", number: 0 };

/// Something has happened to what somebody polls.
pub fn wake_pollers(scheduler: &mut Scheduler) {
    scheduler.wake_all(ANY);
}

/// Something has happened to a pipe.
pub fn notify(scheduler: &mut Scheduler, id: PipeId) {
    scheduler.wake_all(id.key());
    wake_pollers(scheduler);
}

/// All pipes.
pub struct Pipes {
    list: Vec<Option<Pipe>>,
    /// The most at a time.
    limit: usize,
}

impl Pipes {
    /// No pipes, which may take so many bytes.
    pub fn new(budget: u64) -> Self {
        let limit = (budget / CAPACITY as u64).min(MAX_PIPES as u64) as usize;
        Self { list: Vec::new(), limit }
    }

    /// A new pipe, one description at each end.
    pub fn open(&mut self) -> Result<PipeId, Errno> {
        let mut bytes = VecDeque::new();
        // All of it now, so that no write can fail for want of memory.
        bytes.try_reserve_exact(CAPACITY).map_err(|_| ENFILE)?;
        let pipe =
            Some(Pipe { bytes, readers: 1, writers: 1, is_shut: false, was_cut: false, changes: [0; 2] });
        let index = match self.list.iter().position(Option::is_none) {
            Some(index) => index,
            None if self.list.len() >= self.limit => return Err(ENFILE),
            None => {
                fallible::push(&mut self.list, None).map_err(|_| ENFILE)?;
                self.list.len() - 1
            }
        };
        self.list[index] = pipe;
        Ok(PipeId(index))
    }

    /// A pipe that somebody has open.
    pub fn get(&self, id: PipeId) -> Result<&Pipe, Errno> {
        self.list.get(id.0).and_then(Option::as_ref).ok_or(ENFILE)
    }

    /// A pipe that somebody has open, to be changed.
    pub fn get_mut(&mut self, id: PipeId) -> Result<&mut Pipe, Errno> {
        self.list.get_mut(id.0).and_then(Option::as_mut).ok_or(ENFILE)
    }

    /// One description of an end more.
    pub fn hold(&mut self, id: PipeId, end: End) -> Result<(), Errno> {
        let pipe = self.get_mut(id)?;
        match end {
            End::Read => pipe.readers += 1,
            End::Write => pipe.writers += 1,
        }
        Ok(())
    }

    /// One description of an end less; the pipe goes with the last one.
    pub fn release(&mut self, id: PipeId, end: End) {
        let Some(slot) = self.list.get_mut(id.0) else { return };
        let Some(pipe) = slot else { return };
        match end {
            End::Read => pipe.readers = pipe.readers.saturating_sub(1),
            End::Write => pipe.writers = pipe.writers.saturating_sub(1),
        }
        pipe.changes = pipe.changes.map(|changes| changes + 1);
        if pipe.readers == 0 && pipe.writers == 0 {
            *slot = None;
        }
    }
}

#[cfg(test)]
impl Pipes {
    /// Fails if an end is not held as often as `held` counts its open descriptions.
    pub fn audit(&self, held: impl Fn(PipeId, End) -> u32) {
        for (index, pipe) in self.list.iter().enumerate() {
            let open = pipe.as_ref().map_or((0, 0), |pipe| (pipe.readers, pipe.writers));
            assert_eq!(open, (held(PipeId(index), End::Read), held(PipeId(index), End::Write)));
            assert!(pipe.is_none() || open != (0, 0), "pipe {index} is nobody's");
        }
    }
}
