// SPDX-License-Identifier: MIT
//! Copies between the kernel and the program's memory.
//!
//! The only way by which system calls reach memory of the program. Pages that
//! are promised but not there yet are mapped; what the program itself could not
//! access is EFAULT. Lengths are the caller's buffers', never the program's word.

use alloc::vec::Vec;

use super::errno::{E2BIG, EFAULT, ENAMETOOLONG, Errno, Failure};
use super::memory::{Fault, Intent, Memory, Resolved};
use super::pages::Object;
use super::{Linux, Next};
use crate::mem::fallible;
use crate::mem::space::{PAGE_LEN, Space, USER_END};

/// The longest path, with its final NUL byte.
pub const MAX_PATH_LEN: usize = linux_raw_sys::general::PATH_MAX as usize;

/// The program's memory, as system calls see it.
pub struct User<'a> {
    space: &'a mut Space,
    memory: &'a mut Memory,
}

/// Refuses a range that reaches out of user space.
pub fn check_range(address: u64, length: u64) -> Result<(), Errno> {
    address.checked_add(length).filter(|end| *end <= USER_END).map(|_| ()).ok_or(EFAULT)
}

/// How many of `length` bytes at `address` lie in its first page.
fn in_page(address: u64, length: usize) -> usize {
    length.min((PAGE_LEN - address % PAGE_LEN) as usize)
}

impl<'a> User<'a> {
    /// The memory of a process.
    pub fn new(space: &'a mut Space, memory: &'a mut Memory) -> Self {
        Self { space, memory }
    }

    /// Makes a page accessible; an error is EFAULT or the program's end.
    fn resolve(&mut self, address: u64, intent: Intent) -> Result<(), Failure> {
        match self.memory.resolve(self.space, address, intent) {
            Ok(Resolved::Mapped) => Ok(()),
            Ok(Resolved::Present) | Err(Fault::Denied | Fault::PastEnd) => Err(EFAULT.into()),
            Err(Fault::OutOfMemory) => Err(Failure::End(Next::OutOfMemory)),
        }
    }

    /// Makes sure that a write to this range does not want memory: what comes before the write
    /// is done once. Where the program may not write, that is found out when it is tried.
    pub fn prepare(&mut self, address: u64, length: u64) -> Result<(), Failure> {
        let end = address.saturating_add(length).min(USER_END);
        let mut at = address;
        while at < end {
            match self.resolve(at, Intent::Write) {
                Ok(()) | Err(Failure::Errno(_)) => {}
                Err(failure @ (Failure::End(_) | Failure::Wait(_))) => return Err(failure),
            }
            at = at - at % PAGE_LEN + PAGE_LEN;
        }
        Ok(())
    }

    /// Reads as much as can be read; returns how many bytes, all or up to the
    /// first one that the program may not read.
    pub fn read_some(&mut self, address: u64, into: &mut [u8]) -> Result<usize, Failure> {
        check_range(address, into.len() as u64)?;
        let mut done = 0;
        while done < into.len() {
            let at = address + done as u64;
            let length = in_page(at, into.len() - done);
            let part = &mut into[done..done + length];
            if self.space.read(at, part).is_err() {
                match self.resolve(at, Intent::Read) {
                    Ok(()) => continue,
                    Err(Failure::Errno(_)) => break,
                    Err(end @ (Failure::End(_) | Failure::Wait(_))) => return Err(end),
                }
            }
            done += length;
        }
        Ok(done)
    }

    /// Writes as much as can be written.
    pub fn write_some(&mut self, address: u64, from: &[u8]) -> Result<usize, Failure> {
        check_range(address, from.len() as u64)?;
        let mut done = 0;
        while done < from.len() {
            let at = address + done as u64;
            let length = in_page(at, from.len() - done);
            if self.space.write(at, &from[done..done + length]).is_err() {
                match self.resolve(at, Intent::Write) {
                    Ok(()) => continue,
                    Err(Failure::Errno(_)) => break,
                    Err(end @ (Failure::End(_) | Failure::Wait(_))) => return Err(end),
                }
            }
            done += length;
        }
        Ok(done)
    }

    /// Fills `into`, or fails with EFAULT.
    pub fn read(&mut self, address: u64, into: &mut [u8]) -> Result<(), Failure> {
        let done = self.read_some(address, into)?;
        if done < into.len() { Err(EFAULT.into()) } else { Ok(()) }
    }

    /// Writes all of `from`, or fails with EFAULT, maybe in the middle.
    pub fn write(&mut self, address: u64, from: &[u8]) -> Result<(), Failure> {
        let done = self.write_some(address, from)?;
        if done < from.len() { Err(EFAULT.into()) } else { Ok(()) }
    }

    /// The kernel has written to shared pages that the program may have mapped.
    pub fn note_write(&mut self, object: &Object, offset: u64, length: u64) {
        let pages = object.borrow();
        for number in offset / PAGE_LEN..offset.saturating_add(length).div_ceil(PAGE_LEN) {
            if let Some(frame) = pages.get(number) {
                self.space.note_write(frame);
            }
        }
    }

    /// Reads a structure.
    pub fn structure<const N: usize>(&mut self, address: u64) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads an eight-byte value.
    pub fn u64(&mut self, address: u64) -> Result<u64, Failure> {
        self.structure(address).map(u64::from_le_bytes)
    }

    /// Reads a four-byte value.
    pub fn u32(&mut self, address: u64) -> Result<u32, Failure> {
        self.structure(address).map(u32::from_le_bytes)
    }

    /// Appends a string with its final NUL byte; E2BIG if it is longer than `limit`.
    pub fn string(&mut self, address: u64, limit: u64, into: &mut Vec<u8>) -> Result<(), Failure> {
        let start = into.len();
        let mut part = [0; 256];
        loop {
            let done = (into.len() - start) as u64;
            let at = address.checked_add(done).ok_or(EFAULT)?;
            let room = part.len().min(USER_END.saturating_sub(at) as usize);
            let length = self.read_some(at, &mut part[..room])?;
            if length == 0 {
                return Err(EFAULT.into());
            }
            let end = part[..length].iter().position(|byte| *byte == 0).map(|end| end + 1);
            fallible::extend(into, &part[..end.unwrap_or(length)])?;
            if (into.len() - start) as u64 > limit {
                return Err(E2BIG.into());
            }
            if end.is_some() {
                return Ok(());
            }
        }
    }

    /// Reads a path, without its final NUL byte.
    pub fn path(&mut self, address: u64) -> Result<Vec<u8>, Failure> {
        let mut path = Vec::new();
        let mut part = [0; 256];
        while path.len() < MAX_PATH_LEN {
            let at = address.checked_add(path.len() as u64).ok_or(EFAULT)?;
            let room = part.len().min(USER_END.saturating_sub(at) as usize);
            let length = self.read_some(at, &mut part[..room])?;
            if length == 0 {
                return Err(EFAULT.into());
            }
            let end = part[..length].iter().position(|byte| *byte == 0);
            fallible::extend(&mut path, &part[..end.unwrap_or(length)])?;
            if end.is_some() && path.len() < MAX_PATH_LEN {
                return Ok(path);
            }
        }
        Err(ENAMETOOLONG.into())
    }
}

impl Linux {
    /// The program's memory.
    pub(super) fn user<'a>(&'a mut self, space: &'a mut Space) -> User<'a> {
        User::new(space, &mut self.memories[self.process.memory])
    }
}
