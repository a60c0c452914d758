// SPDX-License-Identifier: MIT
//! What the processor remembers of page tables: which tree is the current one, and translations.

use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

use super::frame::Frame;
use crate::arch::{isolation, tally};

/// Makes `root` the current top table, with which user mode is entered. Where the kernel is isolated, it stays on a
/// table of its own.
pub(super) fn switch_to(root: Frame) {
    if isolation::is_isolated() {
        isolation::set_user_root(root.address());
    } else {
        load(root);
    }
}

/// Loads a top table.
pub(super) fn load(root: Frame) {
    tally::SPACES_LOADED.add(1);
    // SAFETY: every root comes from `layout::init` or has a copy of that one's kernel half, so the
    // code and stack in use stay mapped.
    unsafe { Cr3::write(PhysFrame::containing_address(PhysAddr::new(root.address())), Cr3Flags::empty()) };
}

/// The top table with which user mode is entered.
pub(super) fn current() -> Frame {
    if isolation::is_isolated() { Frame::at(isolation::user_root()) } else { loaded() }
}

/// The top table that is loaded.
pub(super) fn loaded() -> Frame {
    Frame::at(Cr3::read().0.start_address().as_u64())
}

/// Forgets the translation of one page, and all that is remembered of tables above the last.
#[inline(always)]
pub(super) fn flush(page: u64) {
    tlb::flush(VirtAddr::new_truncate(page));
}

/// Forgets the translation of a page that the tracker has switched. An isolated kernel need not: user mode is
/// entered with its own tables, and has no translation then.
#[inline(always)]
pub(super) fn flush_switched(page: u64) {
    if !isolation::is_isolated() {
        tally::MAPPED.add(1);
        flush(page);
    }
}

/// Forgets all translations, as the tracker has switched many pages.
#[inline(always)]
pub(super) fn flush_all_switched() {
    if !isolation::is_isolated() {
        tally::MAPPED_AT_ONCE.add(1);
        flush_all();
    }
}

/// Forgets all translations.
pub(super) fn flush_all() {
    tlb::flush_all();
}
