// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/frame.rs`: counts frames.

use std::cell::Cell;

use super::space::OutOfFrames;

thread_local! {
    static FREE: Cell<u64> = const { Cell::new(0) };
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// Says how many frames there are.
pub fn set_free(count: u64) {
    FREE.set(count);
}

/// How many frames are free.
pub fn free_count() -> u64 {
    FREE.get()
}

/// Takes a frame.
pub fn take() -> Result<(), OutOfFrames> {
    let left = FREE.get().checked_sub(1);
    REFUSED.set(REFUSED.get() || left.is_none());
    FREE.set(left.ok_or(OutOfFrames)?);
    Ok(())
}

/// Whether a frame was refused since this was asked last.
pub fn was_refused() -> bool {
    REFUSED.replace(false)
}

/// Gives a frame back.
pub fn give() {
    FREE.set(FREE.get() + 1);
}

thread_local! {
    static COPIES: Cell<u64> = const { Cell::new(0) };
    /// Frames that are in use for tables, and how many each mapping takes.
    static TABLES: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Has each mapping take so many frames for tables from now on; gives back what others have taken.
pub fn set_tables(each: u64) {
    let (taken, _) = TABLES.replace((0, each));
    FREE.set(FREE.get() + taken);
}

/// Takes what a mapping takes for tables.
pub fn take_tables() -> Result<(), OutOfFrames> {
    let (taken, each) = TABLES.get();
    FREE.set(FREE.get().checked_sub(each).ok_or(OutOfFrames)?);
    TABLES.set((taken + each, each));
    Ok(())
}

/// Has so many of the free frames be in use for copies of pages, until these are given back.
pub fn lend(count: u64) {
    FREE.set(FREE.get() - count);
    COPIES.set(COPIES.get() + count);
}

/// Gives the frames back in which copies of pages are.
pub fn give_back_copies() {
    FREE.set(FREE.get() + COPIES.take());
}

/// How many owners all frames have together: those that are free have none.
pub fn all_owners() -> u64 {
    u64::MAX - FREE.get()
}
