// SPDX-License-Identifier: MIT
//! The table of fixed hardware (FADT, ACPI 6.5, 5.2.9): the firmware's own events.

use super::table::Table;
use super::{Fault, Physical, u32_at};

/// Ports by which events are enabled: the first one, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enables {
    /// The first port.
    pub port: u16,
    /// How many there are.
    pub count: u8,
}

/// What the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fadt {
    /// The line by which events come.
    pub line: u16,
    /// Where events of power management and of general purpose are enabled.
    pub enables: [Option<Enables>; 4],
}

/// Offsets: the line; the blocks of events, and their lengths in bytes.
const LINE: usize = 46;
const BLOCKS: [(usize, usize); 4] = [(56, 88), (60, 88), (80, 92), (84, 93)];

impl Fadt {
    /// Reads the table.
    pub(super) fn read<M: Physical>(table: &Table<'_, M>) -> Result<Self, Fault> {
        let line = u16::from_le_bytes(table.bytes(LINE)?);
        let mut enables = [None; 4];
        for (found, (address, length)) in enables.iter_mut().zip(BLOCKS) {
            let port = u32_at(&table.bytes::<4>(address)?, 0);
            let [length] = table.bytes(length)?;
            // The first half says what has happened, the second one what is to interrupt.
            let count = length / 2;
            let first = u16::try_from(port).ok().and_then(|port| port.checked_add(count.into()));
            *found = first.filter(|_| port != 0 && count != 0).map(|port| Enables { port, count });
        }
        Ok(Self { line, enables })
    }
}
