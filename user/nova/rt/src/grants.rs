// SPDX-License-Identifier: MIT
//! What a root task asks the kernel's domain for: memory and ports.

use crate::crd::{Crd, READ, Rights, WRITE};
use crate::hip::kind;
use crate::start::Root;
use crate::utcb::Item;
use crate::{PAGE, Status, access, hypercall, supply};

/// The part of a command line that is looked at, in bytes.
const COMMAND_LINE: usize = 64;

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

/// The numbers behind a word, if the image's command line is that.
#[must_use]
pub fn told<const N: usize>(root: Root, word: &str) -> Option<[u64; N]> {
    let mut modules = root.hip.memory().filter(|range| range.kind == kind::MODULE);
    let text = modules.next().map(|range| u64::from(range.aux)).filter(|text| *text != 0)?;
    let page = supply::pages(0);
    if map(root, text / PAGE, page, 0, READ) != Status::SUCCESS {
        return None;
    }
    let mut line = [0; COMMAND_LINE];
    for (place, bytes) in (0..).zip(line.as_chunks_mut::<8>().0) {
        *bytes = access::read(page + text % PAGE + 8 * place).to_le_bytes();
    }
    let line = line.split(|byte| *byte == 0).next().and_then(|line| str::from_utf8(line).ok())?;
    let mut words = line.split(' ');
    words.next().filter(|first| *first == word)?;
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = words.next()?.parse().ok()?;
    }
    words.next().is_none().then_some(numbers)
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
