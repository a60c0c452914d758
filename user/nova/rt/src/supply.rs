// SPDX-License-Identifier: MIT
//! Where frames, addresses and selectors come from: each kind is handed out upwards and never twice.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::hip::{Hip, kind};
use crate::{EVENTS, PAGE};

/// The next selector; lower ones are the kernel's and the programs' own.
static SELECTOR: AtomicU64 = AtomicU64::new(0x1000);
/// The next address, behind every image.
static ADDRESS: AtomicU64 = AtomicU64::new(0x1000_0000);
/// The next frame, by its address; 0 and the pages of the firmware are left alone.
static FRAME: AtomicU64 = AtomicU64::new(0x10_0000);

/// A fresh selector.
#[must_use]
pub fn selector() -> u64 {
    SELECTOR.fetch_add(1, Ordering::Relaxed)
}

/// The first of some fresh selectors, aligned to as many.
#[must_use]
pub fn selectors(order: u64) -> u64 {
    aligned(&SELECTOR, 1 << order, 1 << order)
}

/// The first of a thread's fresh selectors of events.
#[must_use]
pub fn event_base() -> u64 {
    aligned(&SELECTOR, EVENTS, EVENTS)
}

/// The first of some fresh pages' addresses, with nothing mapped there, aligned to as many.
#[must_use]
pub fn pages(order: u64) -> u64 {
    aligned(&ADDRESS, PAGE << order, PAGE << order)
}

fn aligned(next: &AtomicU64, size: u64, align: u64) -> u64 {
    let place = |at: u64| at.next_multiple_of(align);
    let before = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| Some(place(at) + size));
    before.map_or(0, place)
}

/// The number of the first of some fresh frames, aligned to as many, or nothing if memory is used up.
#[must_use]
pub fn frames(hip: Hip, order: u64) -> Option<u64> {
    let size = PAGE << order;
    let mut at = FRAME.load(Ordering::Relaxed);
    loop {
        at = at.next_multiple_of(size);
        let end = at + size;
        let overlaps = |address: u64, length: u64| address < end && at < address.saturating_add(length);
        let taken = hip.memory().find(|range| {
            range.kind != kind::AVAILABLE && range.size != 0 && overlaps(range.address, range.size)
        });
        if let Some(range) = taken {
            at = range.address.checked_add(range.size)?;
            continue;
        }
        let mut free = hip.memory().filter(|range| range.kind == kind::AVAILABLE);
        if free.any(|range| range.address <= at && end <= range.address + range.size) {
            FRAME.store(end, Ordering::Relaxed);
            return Some(at / PAGE);
        }
        let mut later = hip.memory().filter(|range| range.kind == kind::AVAILABLE && range.address > at);
        at = later.next()?.address;
    }
}
