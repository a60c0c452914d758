// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/phys.rs`: the contents of frames, in a map.
//!
//! What a frame holds that was never written is arbitrary: here, a pattern.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::entry::Entry;
use super::frame::{Frame, Run};
use super::frames::Record;
use crate::arch::boot::Region;
use crate::heap;

const PAGE_LEN: usize = 4096;

thread_local! {
    static MEMORY: RefCell<BTreeMap<usize, Box<[u8; PAGE_LEN]>>> = const { RefCell::new(BTreeMap::new()) };
}

fn with<R>(frame: Frame, work: impl FnOnce(&mut [u8; PAGE_LEN]) -> R) -> R {
    MEMORY.with_borrow_mut(|memory| {
        let arbitrary = || heap::outside(|| Box::new([0xa5; PAGE_LEN]));
        heap::outside(|| work(memory.entry(frame.index()).or_insert_with(arbitrary)))
    })
}

/// Copies what is at `offset`.
pub fn read(frame: Frame, offset: usize, into: &mut [u8]) {
    with(frame, |page| into.copy_from_slice(&page[offset..offset + into.len()]));
}

/// Writes at `offset`.
pub fn write(frame: Frame, offset: usize, from: &[u8]) {
    with(frame, |page| page[offset..offset + from.len()].copy_from_slice(from));
}

/// Fills a frame with zeros.
pub fn clear(frame: Frame) {
    with(frame, |page| page.fill(0));
}

/// Copies a frame to another one.
pub fn copy(from: Frame, to: Frame) {
    let content = with(from, |page| *page);
    with(to, |page| *page = content);
}

/// Where an entry of a page table lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    table: Frame,
    index: u16,
}

impl Slot {
    /// The slot of an entry.
    pub fn new(table: Frame, index: u16) -> Self {
        assert!(index < 512, "a table has no entry {index}");
        Self { table, index }
    }

    /// The slot's number among all of memory.
    pub fn number(self) -> u32 {
        self.table.index() as u32 * 512 + u32::from(self.index)
    }

    /// The slot with this number.
    pub fn numbered(number: u32) -> Self {
        Self { table: Frame::numbered(number as usize / 512), index: (number % 512) as u16 }
    }

    /// The table.
    pub fn table(self) -> Frame {
        self.table
    }

    /// The entry, as it is now.
    pub fn entry(self) -> Entry {
        let mut bytes = [0; 8];
        read(self.table, usize::from(self.index) * 8, &mut bytes);
        Entry::from_bits(u64::from_le_bytes(bytes))
    }

    /// Replaces the entry.
    pub fn set(self, entry: Entry) {
        write(self.table, usize::from(self.index) * 8, &entry.bits().to_le_bytes());
    }
}

/// Nothing is claimed here.
pub fn close_claims() -> Vec<Region> {
    Vec::new()
}

impl Run {
    /// Records of frames of which nothing is known.
    pub fn into_records(self) -> &'static mut [Record] {
        let (_, count) = self.into_parts();
        let count = count as usize * PAGE_LEN / size_of::<Record>();
        heap::quiet(|| vec![Record::UNKNOWN; count].leak())
    }
}

/// Where memory lies that was claimed, of which there is none here.
pub fn region_of(memory: &[u8]) -> Region {
    unreachable!("{} bytes of memory were claimed", memory.len())
}
