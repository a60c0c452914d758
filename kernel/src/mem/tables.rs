// SPDX-License-Identifier: MIT
//! A tree of page tables: walking and editing it.
//!
//! Each entry that refers to a table tells how many entries of that table are used. A table of which none
//! is used is taken out of the tree at once and released. A [`Slot`] of it that a tracker still has stays
//! harmless: the frame is free only when the tracker has [let the slot go](Slot::let_go).

use x86_64::structures::paging::PageTableFlags as Flags;

use super::entry::Entry;
use super::frame::{self, Frame, OutOfFrames};
use super::phys::{self, Slot};

/// Entries of a table.
const ENTRIES: u16 = 512;
/// The first entry of the top table that belongs to the kernel.
pub const FIRST_KERNEL_ENTRY: u16 = 256;
/// The level of the top table; that of the last one is 1.
const TOP: u32 = 4;

/// The table entry that `address` needs at `level`.
#[inline]
pub fn index(address: u64, level: u32) -> u16 {
    (address >> (12 + 9 * (level - 1)) & 511) as u16
}

/// The first address that entry `index` of a table at `level` maps, whose first entry maps `base`.
pub fn address(base: u64, level: u32, index: u16) -> u64 {
    base | u64::from(index) << (12 + 9 * (level - 1))
}

impl Slot {
    /// The slot in `table`, which is at `level`, through which an address is mapped.
    #[inline]
    pub(super) fn of(table: Frame, address: u64, level: u32) -> Self {
        Self::new(table, index(address, level))
    }

    /// The tracker has this slot from now on.
    pub(super) fn hold(self) {
        frame::hold(self.table());
    }

    /// The tracker will not use this slot any more.
    pub(super) fn let_go(self) {
        frame::let_go(self.table());
    }
}

/// A fresh table without entries.
fn new_table() -> Result<Frame, OutOfFrames> {
    let new = frame::allocate()?;
    phys::clear(new);
    Ok(new)
}

/// The entries at `level` that a program can have.
fn user_entries(level: u32) -> u16 {
    if level == TOP { FIRST_KERNEL_ENTRY } else { ENTRIES }
}

/// Calls `each` with the address and the slot of every page of the user half, in order, until it fails.
pub(super) fn visit<E>(root: Frame, each: &mut impl FnMut(u64, Slot) -> Result<(), E>) -> Result<(), E> {
    visit_below(root, TOP, 0, each)
}

fn visit_below<E>(
    table: Frame,
    level: u32,
    base: u64,
    each: &mut impl FnMut(u64, Slot) -> Result<(), E>,
) -> Result<(), E> {
    for index in 0..user_entries(level) {
        let slot = Slot::new(table, index);
        let entry = slot.entry();
        let address = address(base, level, index);
        if entry.is_unused() {
        } else if level > 1 {
            visit_below(entry.frame(), level - 1, address, each)?;
        } else {
            each(address, slot)?;
        }
    }
    Ok(())
}

/// The first page from `from` on, below `end`, that has an entry below a table.
fn next_below(table: Frame, level: u32, base: u64, (from, end): (u64, u64)) -> Option<u64> {
    let first = if from > base { index(from, level) } else { 0 };
    for index in first..user_entries(level) {
        let address = address(base, level, index);
        if address >= end {
            return None;
        }
        let entry = Slot::new(table, index).entry();
        let found = match level {
            _ if entry.is_unused() => None,
            1 => Some(address),
            _ => next_below(entry.frame(), level - 1, address, (from, end)),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Calls `each` for the frame of every page that user mode accessed since the last time, and forgets that
/// they were. The tables' accessed bits tell which parts of the tree to look at.
pub(super) fn take_accessed(root: Frame, each: &mut impl FnMut(Frame)) {
    take_accessed_below(root, TOP, each);
}

fn take_accessed_below(table: Frame, level: u32, each: &mut impl FnMut(Frame)) {
    for index in 0..user_entries(level) {
        let slot = Slot::new(table, index);
        let entry = slot.entry();
        if entry.has(Flags::PRESENT | Flags::ACCESSED) {
            slot.set(entry.without(Flags::ACCESSED));
            if level > 1 {
                take_accessed_below(entry.frame(), level - 1, each);
            } else {
                each(entry.frame());
            }
        }
    }
}

/// The kernel's half of every address space: a top table that nothing else is in.
#[derive(Clone, Copy)]
pub struct KernelHalf {
    root: Frame,
}

impl KernelHalf {
    /// The half that `root` has; a user half is never put there.
    pub(super) fn new(root: Frame) -> Self {
        Self { root }
    }

    /// The top table.
    pub(super) fn root(self) -> Frame {
        self.root
    }
}

/// The tables of a user address space.
pub(super) struct Tables {
    root: Frame,
    /// How many there are below the top one.
    below: u64,
}

impl Tables {
    /// An empty user half beside the kernel's.
    pub fn new(kernel: KernelHalf) -> Result<Self, OutOfFrames> {
        let root = new_table()?;
        for index in FIRST_KERNEL_ENTRY..ENTRIES {
            Slot::new(root, index).set(Slot::new(kernel.root, index).entry());
        }
        Ok(Self { root, below: 0 })
    }

    /// The top table.
    pub fn root(&self) -> Frame {
        self.root
    }

    /// How many tables there are below the top one.
    pub fn below(&self) -> u64 {
        self.below
    }

    /// The first page from `from` on, below `end`, that has an entry.
    pub fn next(&self, from: u64, end: u64) -> Option<u64> {
        next_below(self.root, TOP, 0, (from, end))
    }

    /// Where the entry of `page` lies, if there is a table for it.
    #[inline]
    pub fn place(&self, page: u64) -> Option<Place> {
        let mut above = Slot::of(self.root, page, TOP);
        for level in [3, 2] {
            let entry = above.entry();
            if entry.is_unused() {
                return None;
            }
            above = Slot::of(entry.frame(), page, level);
        }
        let entry = above.entry();
        (!entry.is_unused()).then(|| Place { slot: Slot::of(entry.frame(), page, 1), above })
    }

    /// The slot of [`place`](Self::place).
    #[inline]
    pub fn slot(&self, page: u64) -> Option<Slot> {
        self.place(page).map(|place| place.slot)
    }

    /// The slots through which `page` is mapped, as far as there are tables.
    fn path(&self, page: u64) -> Path {
        let mut path = Path { slots: [Slot::of(self.root, page, TOP); TOP as usize], lowest: TOP };
        while let Some(table) = path.next_table() {
            path.append(Slot::of(table, page, path.lowest - 1));
        }
        path
    }

    /// Makes all tables that `page` needs. Nothing is changed on error.
    #[cold]
    #[inline(never)]
    fn make(&mut self, page: u64) -> Result<Place, OutOfFrames> {
        let mut path = self.path(page);
        while path.lowest > 1 {
            let table = new_table().inspect_err(|OutOfFrames| self.below -= path.tidy())?;
            self.below += 1;
            path.slot(path.lowest).set(Entry::table(table));
            path.count(path.lowest, 1);
            path.append(Slot::of(table, page, path.lowest - 1));
        }
        Ok(Place { slot: path.slot(1), above: path.slot(2) })
    }

    /// Puts an entry where there is none. Nothing is changed on error.
    pub fn fill(&mut self, page: u64, entry: Entry) -> Result<Slot, OutOfFrames> {
        let place = match self.place(page) {
            Some(place) => place,
            None => self.make(page)?,
        };
        assert!(place.slot.entry().is_unused(), "page {page:#x} is mapped already: the caller checks");
        place.slot.set(entry);
        count(place.above, 1);
        Ok(place.slot)
    }

    /// Takes a used entry away. Returns whether none of its table is used any more: then the tables of the
    /// page are to be [tidied](Self::tidy) away.
    pub fn empty(&mut self, place: Place) -> bool {
        place.slot.set(Entry::UNUSED);
        count(place.above, -1) == 0
    }

    /// Releases the tables of `page` of which no entry is used.
    #[cold]
    #[inline(never)]
    pub fn tidy(&mut self, page: u64) {
        self.below -= self.path(page).tidy();
    }

    /// Releases all tables, and all that their entries of the user half refer to.
    pub fn destroy(self) {
        release_below(self.root, TOP);
        frame::release(self.root);
    }
}

/// Where the entry of a page lies.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub slot: Slot,
    /// The slot of the entry that refers to the table of `slot`.
    above: Slot,
}

/// Counts the used entries of a table: in the entry that refers to it. Returns how many there are then.
#[inline]
fn count(above: Slot, change: i16) -> u16 {
    let entry = above.entry();
    let Some(used) = entry.used().checked_add_signed(change) else { panic!("no entry was used") };
    above.set(entry.with_used(used));
    used
}

/// The slots through which a page is mapped, from that in the top table down to the lowest that there is.
struct Path {
    /// By level, that of level 1 first.
    slots: [Slot; TOP as usize],
    /// The level of the lowest.
    lowest: u32,
}

impl Path {
    fn slot(&self, level: u32) -> Slot {
        self.slots[level as usize - 1]
    }

    /// The table that the lowest slot refers to, if it does.
    fn next_table(&self) -> Option<Frame> {
        let entry = self.slot(self.lowest).entry();
        (self.lowest > 1 && !entry.is_unused()).then(|| entry.frame())
    }

    /// Goes on by one slot.
    fn append(&mut self, slot: Slot) {
        self.lowest -= 1;
        self.slots[self.lowest as usize - 1] = slot;
    }

    /// Counts the used entries of the table in which the slot of `level` lies; of the top table, nobody does.
    fn count(&self, level: u32, change: i16) {
        if level < TOP {
            count(self.slot(level + 1), change);
        }
    }

    /// Takes tables of which no entry is used out of the tree, from the lowest one up, and releases them; returns how
    /// many those are.
    fn tidy(&self) -> u64 {
        let mut released = 0;
        for level in self.lowest..=TOP {
            let entry = self.slot(level).entry();
            // At level 1, an entry is a page; at the lowest level, there may be none.
            if level > 1 && !entry.is_unused() && entry.used() == 0 {
                self.slot(level).set(Entry::UNUSED);
                self.count(level, -1);
                frame::release(entry.frame());
                released += 1;
            } else if level > self.lowest || !entry.is_unused() {
                break;
            }
        }
        released
    }
}

fn release_below(table: Frame, level: u32) {
    for index in 0..user_entries(level) {
        let entry = Slot::new(table, index).entry();
        if !entry.is_unused() {
            if level > 1 {
                release_below(entry.frame(), level - 1);
            }
            frame::release(entry.frame());
        }
    }
}
