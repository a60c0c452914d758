// SPDX-License-Identifier: MIT
//! The machine as core finds it: which frames are free, which modules there are, and how core reaches them.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use genode_ledger::frames::Frames;
use genode_rt::PAGE;
use nova_rt::crd::{ALL, Crd, Rights};
use nova_rt::hip::kind;
use nova_rt::start::Root;
use nova_rt::utcb::Item;
use nova_rt::{Hip, Status, Utcb, access, hypercall};

/// Where core sees all physical memory, devices included, and how much of it, as an order of pages.
const PHYSICAL: u64 = 1 << 40;
const PHYSICAL_ORDER: u64 = 28;
/// Physical memory below this address is the firmware's.
const FIRST: u64 = 1 << 20;
/// The longest name of a module.
const MOST_NAME: u64 = 63;

/// A boot module.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name, which is its command line.
    pub name: String,
    /// Its first frame.
    pub frame: u64,
    /// Its length in bytes.
    pub size: u64,
}

/// Where core sees a frame.
#[must_use]
pub const fn address(frame: u64) -> u64 {
    PHYSICAL + frame * PAGE
}

/// Has core see all physical memory.
pub fn show(root: Root) {
    let window = Crd::memory(PHYSICAL / PAGE, PHYSICAL_ORDER, ALL);
    let all = Item::from_kernel(Crd::memory(0, PHYSICAL_ORDER, ALL), 0);
    let shown = hypercall::delegate(root.utcb, root.pd, root.pd, window, &[all]);
    assert_eq!(shown, Status::SUCCESS, "physical memory is delegated");
}

/// Shows 2^order frames at pages of a domain, from the kernel's own.
pub fn map(utcb: Utcb, from: u64, domain: u64, page: u64, frame: u64, order: u64, rights: Rights) -> Status {
    let item = Item::from_kernel(Crd::memory(frame, order, rights), 0);
    hypercall::delegate(utcb, from, domain, Crd::memory(page, order, rights), &[item])
}

/// Whether the kernel lets core have all frames of a range; it keeps those of interrupt controllers, and its own.
#[must_use]
pub fn has(frames: Range<u64>) -> bool {
    let mut frame = frames.start;
    while frame < frames.end {
        let found = hypercall::lookup(Crd::memory(PHYSICAL / PAGE + frame, 0, ALL));
        if frame >= 1 << PHYSICAL_ORDER || found == Crd::NULL {
            return false;
        }
        frame = found.base() - PHYSICAL / PAGE + (1 << found.order());
    }
    true
}

/// The pages that a range of bytes touches.
const fn pages(address: u64, size: u64) -> Range<u64> {
    address / PAGE..address.saturating_add(size).div_ceil(PAGE)
}

/// The frames that are nobody's yet.
pub fn frames(hip: Hip, own: Range<u64>) -> Frames {
    let mut frames = Frames::new();
    for range in hip.memory().filter(|range| range.kind == kind::AVAILABLE) {
        let (start, end) = (range.address.max(FIRST).div_ceil(PAGE), (range.address + range.size) / PAGE);
        if start < end {
            // What the firmware lists twice counts once.
            let _ = frames.exclude(start..end);
            let _ = frames.add(start..end);
        }
    }
    let mut exclude = |range: Range<u64>| {
        let excluded = frames.exclude(range);
        assert_eq!(excluded, Ok(()), "there is memory for the list of frames");
    };
    for range in hip.memory().filter(|range| range.kind != kind::AVAILABLE) {
        exclude(pages(range.address, range.size));
        if range.kind == kind::MODULE && range.aux != 0 {
            exclude(pages(u64::from(range.aux), 2 * PAGE));
        }
    }
    exclude(own);
    frames
}

/// The command line at a physical address.
fn text(at: u64) -> String {
    let byte = |offset: u64| {
        let place = PHYSICAL + at + offset;
        (access::read(place & !7) >> (8 * (place & 7))) as u8
    };
    let bytes: Vec<u8> = (0..MOST_NAME).map(byte).take_while(|byte| *byte != 0).collect();
    String::from_utf8(bytes).unwrap_or_default()
}

/// All modules but the first one, which is core.
pub fn modules(hip: Hip) -> Vec<Module> {
    let modules = hip.memory().filter(|range| range.kind == kind::MODULE).skip(1);
    let named = modules.filter(|range| range.aux != 0 && range.address.is_multiple_of(PAGE));
    let module = |range: nova_rt::hip::Memory| Module {
        name: text(u64::from(range.aux)),
        frame: range.address / PAGE,
        size: range.size,
    };
    named.map(module).collect()
}
