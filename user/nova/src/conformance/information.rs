// SPDX-License-Identifier: MIT
//! The information page, the first registers, and what the root task holds at its start.

use nova_rt::crd::{Crd, READ};
use nova_rt::hip::kind;
use nova_rt::start::{self, MODULE};
use nova_rt::trial::place;
use nova_rt::{PAGE, Status, access, grants, hypercall, supply};

use crate::suite::Suite;

pub fn run(suite: &mut Suite) {
    page(suite);
    registers(suite);
    capabilities(suite);
    memory(suite);
}

fn page(suite: &mut Suite) {
    let hip = suite.root.hip;
    suite.equal("the page begins with NOVA", hip.signature(), u64::from(u32::from_le_bytes(*b"NOVA")));
    suite.equal("the version of the interface", hip.version(), 10);
    suite.equal("the checksum", hip.sum(), 0);
    suite.equal("no IOMMU, VMX or SVM", hip.features() & 7, 0);
    suite.holds("no more than 64 processors", (1..=64).contains(&hip.processors()));
    let running = hip.processor_flags(suite.root.cpu) & 1;
    suite.equal("the processor that runs is enabled", running, 1);
    suite.holds("the legacy lines are there", hip.lines() >= 16);
    suite.holds("the time-stamp counter has a frequency", hip.khz() > 0);
}

fn registers(suite: &mut Suite) {
    let first = start::first();
    let zero = (0..first.general.len())
        .filter(|index| ![place::RCX, place::RDI, place::R11].contains(index))
        .all(|index| first.general[index] == 0);
    suite.holds("the first registers are 0", zero);
    suite.equal("the first flags", first.flags, 0x202);
    suite.equal("R11 at the first instruction", first.general[place::R11], 0x200);
    let (text, data, _) = start::image();
    suite.holds(
        "RCX at the first instruction is the entry",
        (text..data).contains(&first.general[place::RCX]),
    );
    suite.equal("the information page's place", suite.root.hip.address(), 0x7fff_bfff_f000);
}

fn capabilities(suite: &mut Suite) {
    let root = suite.root;
    suite.equal("selectors 0 to 31 are empty", (0..32).all(|at| object(at) == 0), true);
    suite.equal("the root domain", object(root.pd), 0x2007f);
    suite.equal("the main context", object(root.ec), 0x21037);
    suite.equal("the main time", object(root.sc), 0x22007);
    suite.equal("the authority to suspend", object(root.pd + 3), 0x2300f);
    suite.equal("the authority over registers", object(root.pd + 4), 0x2400f);
    let page = hypercall::lookup(Crd::memory(root.hip.address() / PAGE, 0, 7));
    suite.equal("the information page can be read only", page.0, 0x7fff_bfff_f005);
    let utcb = hypercall::lookup(Crd::memory(root.utcb.address() / PAGE, 0, 7));
    suite.equal("the UTCB can be read and written", utcb.0, 0x7fff_bfff_e00d);
    let text = hypercall::lookup(Crd::memory(start::image().0 / PAGE, 0, 7));
    suite.equal("text can be read and executed", text.rights(), 5);
    suite.equal("an address with nothing", hypercall::lookup(Crd::memory(1, 0, 7)), Crd::NULL);
}

fn object(selector: u64) -> u64 {
    hypercall::lookup(Crd::object(selector, 0, 0x1f)).0
}

fn memory(suite: &mut Suite) {
    let root = suite.root;
    let modules = || root.hip.memory().filter(|range| range.kind == kind::MODULE);
    suite.equal("one module is named", modules().count(), 1);
    suite.holds("the kernel names its memory", root.hip.memory().any(|range| range.kind == kind::KERNEL));
    let start = modules().next().map_or(0, |range| range.address);
    suite.equal("the module begins a page", start % PAGE, 0);
    let (text, _, module) = start::image();
    let frame = (start + PAGE + module - text) / PAGE;
    let address = supply::pages(0);
    suite.equal(
        "the module's frame is delegated",
        grants::map(root, frame, address, 0, READ),
        Status::SUCCESS,
    );
    let alike = (0..MODULE.len() as u64 / 8)
        .all(|word| access::read(address + 8 * word) == access::read(module + 8 * word));
    let expected = u64::from_le_bytes(core::array::from_fn(|byte| MODULE[byte]));
    suite.holds("the module is where its image says", alike && access::read(address) == expected);
}
