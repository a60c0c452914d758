// SPDX-License-Identifier: MIT
//! What the processor remembers of page tables: which tree is the current one, and translations.

use x86_64::instructions::tlb;
use x86_64::registers::control::{Cr3, Cr3Flags};
use x86_64::structures::paging::PhysFrame;
use x86_64::{PhysAddr, VirtAddr};

use super::frame::Frame;
use crate::arch::tally;

/// Makes `root` the current top table.
pub(super) fn switch_to(root: Frame) {
    tally::SPACES_LOADED.add(1);
    // SAFETY: every root comes from `layout::init` or has a copy of that one's kernel half, so the
    // code and stack in use stay mapped.
    unsafe { Cr3::write(PhysFrame::containing_address(PhysAddr::new(root.address())), Cr3Flags::empty()) };
}

/// The current top table.
pub(super) fn current() -> Frame {
    Frame::at(Cr3::read().0.start_address().as_u64())
}

/// Forgets the translation of one page, and all that is remembered of tables above the last.
#[inline(always)]
pub(super) fn flush(page: u64) {
    tlb::flush(VirtAddr::new_truncate(page));
}

/// Forgets all translations.
pub(super) fn flush_all() {
    tlb::flush_all();
}
