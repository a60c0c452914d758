// SPDX-License-Identifier: MIT
//! The kernel's way to user memory: a walk of the tables, and the direct map.

use core::ops::Range;

use super::super::entry::{NOT_OWN, SHARED, STALE, WATCHED};
use super::super::frame::{self, Frame};
use super::super::phys;
use super::{Access, PAGE_LEN, Slot, Space};

/// The first address that could not be accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadAddress(pub u64);

impl Space {
    /// Calls `work` for each piece of user memory in a range: slot, frame, offset,
    /// and which part of the range it is.
    fn pieces(
        &self,
        address: u64,
        length: usize,
        allowed: impl Fn(Access, Slot) -> bool,
        mut work: impl FnMut(Slot, Frame, usize, Range<usize>),
    ) -> Result<(), BadAddress> {
        let mut done = 0;
        while done < length {
            let at = address.checked_add(done as u64).ok_or(BadAddress(address))?;
            let offset = (at % PAGE_LEN) as usize;
            let step = (PAGE_LEN as usize - offset).min(length - done);
            let found =
                self.find(at - offset as u64).filter(|(mapping, slot)| allowed(mapping.access, *slot));
            let (mapping, slot) = found.ok_or(BadAddress(at))?;
            work(slot, mapping.frame, offset, done..done + step);
            done += step;
        }
        Ok(())
    }

    /// Reads from the pieces of a range.
    fn read_pieces(
        &self,
        address: u64,
        into: &mut [u8],
        allowed: impl Fn(Access) -> bool,
    ) -> Result<(), BadAddress> {
        self.pieces(
            address,
            into.len(),
            |access, _| allowed(access),
            |_, frame, offset, part| phys::read(frame, offset, &mut into[part]),
        )
    }

    /// Reads user memory that the process may read.
    pub fn read(&self, address: u64, into: &mut [u8]) -> Result<(), BadAddress> {
        self.read_pieces(address, into, |access| access.read)
    }

    /// Reads as the loader does, whatever the pages allow.
    pub fn peek(&self, address: u64, into: &mut [u8]) -> Result<(), BadAddress> {
        self.read_pieces(address, into, |_| true)
    }

    /// Writes to the pieces of a range; watched pages become stale.
    fn write_pieces(
        &mut self,
        address: u64,
        from: &[u8],
        allowed: impl Fn(Access) -> bool,
    ) -> Result<(), BadAddress> {
        let mut disturbed = false;
        let own = |slot: Slot| !slot.entry().has_any(NOT_OWN);
        let allowed = |access, slot| allowed(access) && own(slot);
        let done = self.pieces(address, from.len(), allowed, |slot, home, offset, part| {
            let entry = slot.entry();
            if entry.has(WATCHED) {
                slot.set(entry.with_flags(entry.flags() | STALE));
                disturbed = true;
            }
            phys::write(home, offset, &from[part]);
            if entry.has(SHARED) {
                frame::touch(home);
            }
        });
        self.disturbed |= disturbed;
        done
    }

    /// Writes user memory that the process may truly write.
    pub fn write(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.write_pieces(address, from, |access| access.read && access.write)
    }

    /// Writes as the loader does: whatever the pages allow, as long as they are the space's own.
    pub fn load(&mut self, address: u64, from: &[u8]) -> Result<(), BadAddress> {
        self.write_pieces(address, from, |_| true)
    }
}
