// SPDX-License-Identifier: MIT
//! Which statuses the hypercalls have answered so far, in whatever domain that sees this data.

use core::sync::atomic::{AtomicU16, Ordering};

use crate::status::Status;

/// A bit for each status, by a call's number and flags.
static SEEN: [[AtomicU16; 16]; 16] = [const { [const { AtomicU16::new(0) }; 16] }; 16];

/// Remembers a status of the hypercall in RDI.
pub fn remember(rdi: u64, status: Status) {
    let bit = 1u16.checked_shl(u32::from(status.0)).unwrap_or(0);
    SEEN[rdi as usize & 15][rdi as usize >> 4 & 15].fetch_or(bit, Ordering::Relaxed);
}

/// The statuses of a call with any of these flags, each by its bit.
#[must_use]
pub fn statuses(number: u64, flags: impl Iterator<Item = u64>) -> u16 {
    let row = &SEEN[number as usize & 15];
    flags.fold(0, |bits, flag| bits | row[flag as usize & 15].load(Ordering::Relaxed))
}
