// SPDX-License-Identifier: MIT
//! What a root task asks the kernel's domain for: memory and ports.

use crate::crd::{Crd, READ, Rights, WRITE};
use crate::hip::kind;
use crate::start::Root;
use crate::utcb::Item;
use crate::{PAGE, Status, access, hypercall, supply};

/// Delegates frames of the machine to addresses of the root task, 2^order of them.
pub fn map(root: Root, frame: u64, address: u64, order: u64, rights: Rights) -> Status {
    let item = Item::from_kernel(Crd::memory(frame, order, rights), 0);
    let window = Crd::memory(address / PAGE, order, rights);
    hypercall::delegate(root.utcb, root.pd, root.pd, window, &[item])
}

/// Delegates all ports to the root task.
pub fn ports(root: Root) -> Status {
    let all = Crd::port(0, 16);
    hypercall::delegate(root.utcb, root.pd, root.pd, all, &[Item::from_kernel(all, 0)])
}

/// Whether the image's command line begins with a word.
#[must_use]
pub fn is_told(root: Root, word: [u8; 8]) -> bool {
    let mut modules = root.hip.memory().filter(|range| range.kind == kind::MODULE);
    let Some(text) = modules.next().map(|range| u64::from(range.aux)).filter(|text| *text != 0) else {
        return false;
    };
    let page = supply::pages(0);
    let is_mapped = map(root, text / PAGE, page, 0, READ) == Status::SUCCESS;
    is_mapped && access::read(page + text % PAGE) == u64::from_le_bytes(word)
}

/// Fresh memory of the root task that can be read and written, 2^order pages, by its address.
///
/// # Panics
/// It panics if there is no such memory, since none of these programs can go on without.
#[must_use]
pub fn memory(root: Root, order: u64) -> u64 {
    let Some(frame) = supply::frames(root.hip, order) else { panic!("no 2^{order} frames are left") };
    let address = supply::pages(order);
    assert_eq!(map(root, frame, address, order, READ | WRITE), Status::SUCCESS, "memory is delegated");
    address
}
