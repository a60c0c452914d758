// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/translations.rs`: a processor that remembers all it has seen of page
//! tables until it is told to forget it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::entry::{Entry, Mapping};
use super::frame::Frame;
use super::phys;
use super::space::{Slot, Space};
use x86_64::structures::paging::PageTableFlags as Flags;

/// What the processor goes by.
const SEEN: Flags = Flags::PRESENT
    .union(Flags::WRITABLE)
    .union(Flags::USER_ACCESSIBLE)
    .union(Flags::NO_EXECUTE)
    .union(Flags::DIRTY)
    .union(Flags::ACCESSED);

#[derive(Default)]
struct Processor {
    root: Option<Frame>,
    /// The translation of each page.
    pages: BTreeMap<u64, (Frame, Flags)>,
    /// The table that each page is mapped by.
    tables: BTreeMap<u64, Frame>,
}

thread_local! {
    static PROCESSOR: RefCell<Processor> = const {
        RefCell::new(Processor { root: None, pages: BTreeMap::new(), tables: BTreeMap::new() })
    };
}

/// Makes `root` the current top table.
pub fn switch_to(root: Frame) {
    flush_all();
    PROCESSOR.with_borrow_mut(|it| it.root = Some(root));
}

/// The current top table.
pub fn current() -> Frame {
    PROCESSOR.with_borrow(|it| it.root).unwrap()
}

/// Forgets the translation of one page, and all that is remembered of tables above the last.
pub fn flush(page: u64) {
    PROCESSOR.with_borrow_mut(|it| {
        it.pages.remove(&page);
        it.tables.clear();
    });
}

/// Forgets the translation of a page that the tracker has switched.
pub fn flush_switched(page: u64) {
    flush(page);
}

/// Forgets all translations, as the tracker has switched many pages.
pub fn flush_all_switched() {
    flush_all();
}

/// Forgets all translations.
pub fn flush_all() {
    PROCESSOR.with_borrow_mut(|it| {
        it.pages.clear();
        it.tables.clear();
    });
}

fn seen(entry: Entry) -> (Frame, Flags) {
    (entry.frame(), entry.flags() & SEEN)
}

/// User mode accesses a page of the current space, and writes `byte` at its start if it `writes`. Returns
/// whether the processor lets it.
pub fn access(space: &Space, page: u64, writes: Option<u8>) -> bool {
    let Some((mapping, slot)): Option<(Mapping, Slot)> = space.find(page) else { return false };
    if !mapping.access.read || writes.is_some() && !mapping.open {
        return false;
    }
    let mut flags = slot.entry().flags() | Flags::ACCESSED;
    flags.set(Flags::DIRTY, writes.is_some() || flags.contains(Flags::DIRTY));
    slot.set(slot.entry().with_flags(flags));
    if let Some(byte) = writes {
        phys::write(mapping.frame, 0, &[byte]);
    }
    PROCESSOR.with_borrow_mut(|it| {
        it.pages.insert(page, seen(slot.entry()));
        it.tables.insert(page, slot.table());
    });
    true
}

/// Holds all that the processor remembers of the current space against its tables.
pub fn check(space: &Space) {
    PROCESSOR.with_borrow(|it| {
        for (page, remembered) in &it.pages {
            let entry = space.find(*page).map(|(_, slot)| seen(slot.entry()));
            assert_eq!(entry, Some(*remembered), "the translation of {page:#x} was not flushed");
        }
        for (page, table) in &it.tables {
            let slot = space.find(*page).map(|(_, slot)| slot.table());
            assert_eq!(slot, Some(*table), "the processor remembers a table for {page:#x} that is gone");
        }
    });
}
