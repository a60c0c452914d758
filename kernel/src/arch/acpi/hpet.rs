// SPDX-License-Identifier: MIT
//! The table of the event timer (IA-PC HPET Specification 1.0a, 3.2.4), and what its period can be.

use super::table::{HEADER_LEN, Table};
use super::{Fault, Flaw, Physical, u64_at};

/// The offset of the address: its space, three bytes of its width, the address itself.
const ADDRESS: usize = HEADER_LEN + 4;
/// The shortest and the longest period of the timer's counter, in femtoseconds: the specification has the upper
/// bound, and a counter that is faster than 100 GHz there is none.
const PERIOD_FS: core::ops::RangeInclusive<u32> = 10_000..=100_000_000;
/// The space of memory.
const MEMORY: u8 = 0;

/// Whether a timer's counter can have this period in femtoseconds.
pub fn is_period(period_fs: u32) -> bool {
    PERIOD_FS.contains(&period_fs)
}

/// Where the timer's registers lie; `None` if that is not in memory.
pub(super) fn read<M: Physical>(table: &Table<'_, M>) -> Result<Option<u64>, Fault> {
    let bytes = table.bytes::<12>(ADDRESS)?;
    let address = u64_at(&bytes, 4);
    if bytes[0] != MEMORY {
        return Ok(None);
    }
    // Its registers take 1 KiB, and are looked for in one page.
    if address == 0 || !address.is_multiple_of(1024) {
        return Err(table.fault(Flaw::Address(address)));
    }
    Ok(Some(address))
}
