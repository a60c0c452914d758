// SPDX-License-Identifier: MIT
//! The table of interrupt controllers (MADT, ACPI 6.5, 5.2.12).

use arrayvec::ArrayVec;

use super::table::{HEADER_LEN, Table};
use super::{Fault, Flaw, Physical, u32_at};
use crate::arch::wiring::{Polarity, Trigger};

/// I/O APICs that can be used.
pub const MAX_IO_APICS: usize = 8;
/// Lines that can be described otherwise than usual.
pub const MAX_OVERRIDES: usize = 24;

/// An I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Where its registers lie.
    pub address: u64,
    /// The line of its first input.
    pub first: u32,
}

/// A line of the first PCs that is wired otherwise than usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// The number that it had there.
    pub source: u8,
    /// The line that it is.
    pub line: u32,
    /// By what it interrupts, if that is said.
    pub trigger: Option<Trigger>,
    /// In which state, if that is said.
    pub polarity: Option<Polarity>,
}

/// What the table says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Madt {
    /// Whether there are the two old interrupt controllers as well.
    pub has_8259: bool,
    /// The I/O APICs.
    pub io_apics: ArrayVec<IoApic, MAX_IO_APICS>,
    /// Lines that are wired otherwise than usual.
    pub overrides: ArrayVec<Override, MAX_OVERRIDES>,
}

/// The kinds of entries that are read.
const IO_APIC: u8 = 1;
const OVERRIDE: u8 = 2;
/// The first entry's offset; flags come before it.
const ENTRIES: usize = HEADER_LEN + 8;
const FLAGS: usize = HEADER_LEN + 4;
const HAS_8259: u32 = 1 << 0;

impl Madt {
    /// Reads the table.
    pub(super) fn read<M: Physical>(table: &Table<'_, M>) -> Result<Self, Fault> {
        let flags = u32::from_le_bytes(table.bytes(FLAGS)?);
        let mut found = Self { has_8259: flags & HAS_8259 != 0, ..Self::default() };
        let mut offset = ENTRIES;
        while offset < table.len() {
            let wrong = table.fault(Flaw::Entry(offset as u32));
            let [kind, length] = table.bytes(offset).map_err(|_| wrong)?;
            let least = match kind {
                IO_APIC => 12,
                OVERRIDE => 10,
                _ => 2,
            };
            if length < least || offset + usize::from(length) > table.len() {
                return Err(wrong);
            }
            match kind {
                IO_APIC => found.add_io_apic(table, table.bytes(offset)?)?,
                OVERRIDE => found.add_override(table, table.bytes(offset)?)?,
                _ => {}
            }
            offset += usize::from(length);
        }
        Ok(found)
    }

    fn add_io_apic<M: Physical>(&mut self, table: &Table<'_, M>, entry: [u8; 12]) -> Result<(), Fault> {
        let address = u64::from(u32_at(&entry, 4));
        // Two registers of 4 bytes are used, 16 bytes apart.
        if address == 0 || !address.is_multiple_of(16) {
            return Err(table.fault(Flaw::Address(address)));
        }
        let full = table.fault(Flaw::TooMany { what: "I/O APICs", most: MAX_IO_APICS });
        self.io_apics.try_push(IoApic { address, first: u32_at(&entry, 8) }).map_err(|_| full)
    }

    fn add_override<M: Physical>(&mut self, table: &Table<'_, M>, entry: [u8; 10]) -> Result<(), Fault> {
        let flags = u16::from_le_bytes([entry[8], entry[9]]);
        let polarity = match flags & 3 {
            1 => Some(Polarity::High),
            3 => Some(Polarity::Low),
            _ => None,
        };
        let trigger = match flags >> 2 & 3 {
            1 => Some(Trigger::Edge),
            3 => Some(Trigger::Level),
            _ => None,
        };
        let said = Override { source: entry[3], line: u32_at(&entry, 4), trigger, polarity };
        let full = table.fault(Flaw::TooMany { what: "overrides", most: MAX_OVERRIDES });
        self.overrides.try_push(said).map_err(|_| full)
    }
}
