// SPDX-License-Identifier: MIT
//! Whether user mode runs on page tables that have nothing of the kernel but the entry area.

use x86_64::registers::control::Cr3;

use super::entry::{self, ENTRIES};
use super::{interrupt, segment};

/// Whether the kernel is out of the user's page tables.
#[inline]
pub fn is_isolated() -> bool {
    // SAFETY: user mode is not running; a plain copy.
    unsafe { (*ENTRIES.0.get()).is_isolated }
}

/// Takes the kernel out of the user's page tables: user mode is left to the tables that are loaded now. The
/// user's own are [told](set_user_root) before it is entered.
pub fn isolate() {
    let root = Cr3::read().0.start_address().as_u64();
    // SAFETY: user mode is not running, so nothing looks at these meanwhile.
    unsafe {
        *entry::KERNEL_ROOT.0.get() = root;
        (*ENTRIES.0.get()).user_root = root;
        (*ENTRIES.0.get()).is_isolated = true;
        (*ENTRIES.0.get()).enter = entry::enter_user::<true>;
    }
    segment::use_entry_stack();
    interrupt::isolate();
}

/// The user's top table, where the kernel is [isolated](isolate).
pub fn user_root() -> u64 {
    // SAFETY: user mode is not running; a plain copy.
    unsafe { (*ENTRIES.0.get()).user_root }
}

/// Has user mode entered with this top table, where the kernel is [isolated](isolate). What the user of another space
/// left on the stacks of the entry area is cleared.
pub fn set_user_root(root: u64) {
    segment::clear_entry_stacks();
    // SAFETY: user mode is not running, so nothing looks at it meanwhile.
    unsafe { (*ENTRIES.0.get()).user_root = root };
}
