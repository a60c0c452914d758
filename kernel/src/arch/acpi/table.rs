// SPDX-License-Identifier: MIT
//! A table as a whole: its header, its length, its checksum.

use super::{Fault, Flaw, Physical, Signature, u32_at};

/// The length of the header that all tables have.
pub const HEADER_LEN: usize = 36;
/// The longest table that is read: those that matter here have some hundred bytes.
const MAX_LEN: usize = 1 << 16;

/// A table whose bytes sum to zero.
pub struct Table<'a, M> {
    memory: &'a M,
    signature: Signature,
    address: u64,
    length: usize,
}

impl<'a, M: Physical> Table<'a, M> {
    /// The table of that kind at an address.
    pub fn read(memory: &'a M, address: u64, signature: Signature) -> Result<Self, Fault> {
        let mut table = Self { memory, signature, address, length: HEADER_LEN };
        let mut header = [0; HEADER_LEN];
        table.copy(0, &mut header)?;
        if header[..4] != signature {
            return Err(table.fault(Flaw::Signature));
        }
        let length = u32_at(&header, 4);
        if !(HEADER_LEN..=MAX_LEN).contains(&(length as usize)) {
            return Err(table.fault(Flaw::Length(length)));
        }
        table.length = length as usize;
        let mut sum = 0u8;
        let mut piece = [0; 64];
        for offset in (0..table.length).step_by(piece.len()) {
            let piece = &mut piece[..(table.length - offset).min(64)];
            table.copy(offset, piece)?;
            sum = sum.wrapping_add(super::sum(piece));
        }
        if sum != 0 { Err(table.fault(Flaw::Checksum)) } else { Ok(table) }
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// What is wrong with it.
    pub fn fault(&self, flaw: Flaw) -> Fault {
        Fault { table: self.signature, address: self.address, flaw }
    }

    /// Copies what is at an offset; all of it has to lie in the table.
    pub fn copy(&self, offset: usize, into: &mut [u8]) -> Result<(), Fault> {
        if offset + into.len() > self.length {
            return Err(self.fault(Flaw::Length(self.length as u32)));
        }
        let is_memory =
            self.address.checked_add(offset as u64).is_some_and(|address| self.memory.read(address, into));
        if is_memory { Ok(()) } else { Err(self.fault(Flaw::Outside)) }
    }

    /// The bytes at an offset.
    pub fn bytes<const N: usize>(&self, offset: usize) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.copy(offset, &mut bytes)?;
        Ok(bytes)
    }
}
