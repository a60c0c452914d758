// SPDX-License-Identifier: MIT
//! How much memory a process has, and what of it is there.

use super::super::area::{Area, Kind};
use super::super::memory::Memory;

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All areas.
    pub size: u64,
    /// Pages that are there.
    pub resident: u64,
    /// Pages that are there of areas that others may have, too.
    pub shared: u64,
    /// Areas of its own that can be written, without the stack.
    pub data: u64,
    /// The stack.
    pub stack: u64,
}

impl Usage {
    /// What a memory has.
    pub fn of(memory: &Memory) -> Self {
        let mut usage = Self { resident: memory.resident_len(0, u64::MAX), ..Self::default() };
        for Area { start, end, access, kind } in memory.areas().all() {
            let length = end - start;
            usage.size += length;
            match kind {
                Kind::Stack => usage.stack += length,
                Kind::Shared { .. } => usage.shared += memory.resident_len(*start, *end),
                _ if access.write => usage.data += length,
                _ => {}
            }
        }
        usage
    }
}
