// SPDX-License-Identifier: MIT
//! Interrupt lines as semaphores: who may route them where.

use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{self, assign_gsi, create_signal, delegate, down, number};
use nova_rt::raw::Registers;
use nova_rt::utcb::Item;
use nova_rt::{Status, supply};

use super::FREE;
use crate::suite::Suite;

const DONE: Status = Status::SUCCESS;
const BAD: Status = Status::BAD_CAPABILITY;
/// No semaphore to chain.
const NONE: u64 = u64::MAX;
/// A line of the legacy devices that nothing raises here.
const QUIET: u64 = 10;
/// A line beyond the pins of an I/O APIC, for messages.
const MESSAGES: u64 = 100;

/// A capability of an interrupt line from the kernel's domain.
///
/// # Panics
/// It panics if the delegation is refused.
pub fn line(suite: &Suite, number: u64) -> u64 {
    let root = suite.root;
    let selector = supply::selector();
    let item = Item::from_kernel(Crd::object(root.hip.processors() + number, 0, ALL), 0);
    let window = Crd::object(selector, 0, ALL);
    assert_eq!(delegate(root.utcb, root.pd, root.pd, window, &[item]), DONE, "a line is delegated");
    selector
}

pub fn run(suite: &mut Suite) {
    let root = suite.root;
    let quiet = line(suite, QUIET);
    let found = hypercall::lookup(Crd::object(quiet, 0, ALL));
    suite.equal("a line is a semaphore", found, Crd::object(quiet, 0, 3));
    let semaphore = suite.semaphore(0);
    let signal = supply::selector();
    assert_eq!(create_signal(signal, root.pd, 7, semaphore), DONE, "a signal is made");
    let assign = |line, cpu, signal| assign_gsi(line, 0, 0, cpu, signal);
    suite.equal("a line to another processor", assign(FREE, 9, NONE).0, Status::BAD_CPU);
    suite.equal("a line that is nothing", assign(FREE, 0, NONE).0, BAD);
    suite.equal("a line that is a domain", assign(root.pd, 0, NONE).0, BAD);
    suite.equal("a line that is a plain semaphore", assign(semaphore, 0, NONE).0, BAD);
    suite.equal("a line to nothing", assign(quiet, 0, FREE).0, BAD);
    suite.equal("a line to another line", assign(quiet, 0, line(suite, 11)).0, BAD);
    suite.equal("a line", assign(quiet, 0, NONE), (DONE, 0, 0));
    suite.equal("a line to a signal", assign(quiet, 0, signal), (DONE, 0, 0));
    suite.equal("down on a chained line", down(quiet, 0), DONE);
    let unchained = hypercall::make(Registers::new(number::ASSIGN_GSI, 0, quiet, [0x123, 0, quiet, 0]));
    suite.equal("unchained", (hypercall::status(unchained), unchained.rsi), (DONE, 0x123));
    suite.equal("down on a line that nothing has raised", down(quiet, 1), Status::TIMEOUT);
    suite.equal("a line with a device's page", assign_gsi(quiet, 0, 0x1000, 0, NONE).0, Status::BAD_DEVICE);
    if root.hip.lines() > MESSAGES {
        let messages = line(suite, MESSAGES);
        let (status, address, data) = assign(messages, 0, NONE);
        suite.equal("a line of messages", (status, address, data & 0xffff_ffff), (DONE, 0xfee0_0000, 0x84));
        suite.equal("messages of no device", assign_gsi(messages, 0, 0x1000, 0, NONE).0, Status::BAD_DEVICE);
    }
    let beyond = line(suite, root.hip.lines());
    suite.equal("no line beyond the last", hypercall::lookup(Crd::object(beyond, 0, ALL)), Crd::NULL);
}
