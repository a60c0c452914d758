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
