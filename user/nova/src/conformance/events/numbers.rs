// SPDX-License-Identifier: MIT
//! Which number and which error code each exception and fault has.

use nova_rt::crd::{Crd, READ};
use nova_rt::event::offset;
use nova_rt::hypercall;
use nova_rt::trial::{self, Everything, place};
use nova_rt::{PAGE, Status, USER_END, grants, supply};

use super::{Trial, event_of, told};
use crate::suite::Suite;

/// A trial: its name, its code, registers to set; and its event's number, error code, and whether that is told at the
/// instruction.
type Case = (&'static str, Trial, &'static [(usize, u64)], u64, u64, bool);

/// An address that no processor has.
const NONCANONICAL: u64 = 1 << 48;

pub fn run(suite: &mut Suite) {
    numbers(suite);
    faults(suite);
}

fn numbers(suite: &mut Suite) {
    let cases: [Case; 12] = [
        ("a division by 0", trial::division, &[(place::RCX, 0)], 0, 0, true),
        ("a breakpoint", trial::breakpoint, &[], 3, 0, false),
        ("an overflow", trial::overflow, &[], 4, 0, false),
        ("an undefined instruction", trial::undefined, &[], 6, 0, true),
        ("a load of no address", trial::load, &[(place::RSI, NONCANONICAL)], 13, 0, true),
        ("a halt", trial::halt, &[], 13, 0, true),
        ("interrupts held back", trial::mask, &[], 13, 0, true),
        ("a model-specific register", trial::model_specific, &[(place::RCX, 0x10)], 13, 0, true),
        ("a load", trial::load, &[(place::RSI, 0x5000)], 14, 4, true),
        ("a store", trial::store, &[(place::RSI, 0x5000)], 14, 6, true),
        ("a jump", trial::jump, &[(place::RSI, 0x5000)], 14, 0x14, false),
        ("x87 arithmetic", trial::x87, &[], 16, 0, false),
    ];
    for (what, trial, set, number, error, at) in cases {
        let mut registers = Everything::pattern(2).with(set);
        let event = event_of(trial, &mut registers);
        // A trap is told behind its instruction; some trials have several instructions, and a jump ends elsewhere.
        let place = !at || told(offset::RIP) == trial::at();
        // Vectors that define no error code have 0 here as on the processor.
        suite.equal(what, (event, told(offset::ERROR), place), (Some(number), error, true));
    }
    let event = event_of(trial::stack_load, &mut Everything::pattern(2).with(&[(place::RBP, NONCANONICAL)]));
    // An emulator may tell this one as any other address of no use.
    suite.holds("a load by the stack segment", event == Some(12) || event == Some(13));
    let event = event_of(trial::interrupt, &mut Everything::pattern(2));
    let error = told(offset::ERROR);
    // An emulator may tell the place of the gate in units of eight bytes though each has sixteen.
    let is_gate = [0x30 * 8 + 2, 0x30 * 16 + 2].contains(&error) && told(offset::RIP) == trial::at();
    suite.equal("an interrupt instruction", (event, is_gate), (Some(13), true));
    // An emulator may know no exceptions of vector arithmetic.
    let event = event_of(trial::vector, &mut Everything::pattern(2));
    suite.holds("vector arithmetic", event.is_none() || event == Some(19));
    let traps: [(&str, Trial); 2] = [("breakpoints", trial::breakpoint), ("overflows", trial::overflow)];
    for (what, trial) in traps {
        let _ = event_of(trial, &mut Everything::pattern(2));
        suite.equal(what, told(offset::RIP), trial::next());
    }
}

fn faults(suite: &mut Suite) {
    let (memory, read_only) = (grants::memory(suite.root, 0), supply::pages(0));
    let frame = Crd::memory(memory / PAGE, 0, READ);
    let item = nova_rt::Item::delegate(frame, 0);
    let window = Crd::memory(read_only / PAGE, 0, READ);
    let root = suite.root;
    let delegated = hypercall::delegate(root.utcb, root.pd, root.pd, window, &[item]);
    suite.equal("a page that can be read only", delegated, Status::SUCCESS);
    let fault = |trial, address| {
        let event = event_of(trial, &mut Everything::pattern(3).with(&[(place::RSI, address)]));
        event.map(|event| (event, told(offset::ERROR) & 0x17, told(offset::ADDRESS) == address))
    };
    suite.equal("a load from it", fault(trial::load, read_only), None);
    suite.equal("a store to it", fault(trial::store, read_only + 8), Some((14, 7, true)));
    suite.equal("its execution", fault(trial::jump, read_only), Some((14, 0x15, true)));
    suite.equal("a load at the end of user space", fault(trial::load, USER_END), Some((14, 4, true)));
    suite.equal(
        "a load of the kernel's",
        fault(trial::load, 0xffff_ffff_8020_0000).map(|(event, ..)| event),
        Some(14),
    );
    suite.equal(
        "a store to the information page",
        fault(trial::store, root.hip.address()),
        Some((14, 7, true)),
    );
}
