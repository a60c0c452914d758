// SPDX-License-Identifier: MIT
//! Recall: what is told of a thread at once, and the event before it goes on.

use nova_rt::crd::{ALL, Crd};
use nova_rt::event::{ITEMS, RECALL, mtd, offset};
use nova_rt::hypercall::{self, down, ec_ctrl, number, operation, up};
use nova_rt::start;
use nova_rt::trial::{self, Everything, place};
use nova_rt::{Status, Utcb, supply};

use super::events;
use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;
/// What the copy of a thread's state says of itself.
const STATE: u64 = 0x40_801f;

pub fn run(suite: &mut Suite) {
    blocked(suite);
    itself(suite);
    in_event(suite);
    unhandled(suite);
}

/// Keeps where the thread is, and marks the event.
extern "C" fn recalled(id: u64, utcb: Utcb) -> u64 {
    trace::mark(0x1f00 | id);
    trace::hand(10, utcb.get(offset::RIP));
    trace::hand(11, utcb.get(offset::RSP));
    utcb.put(offset::MTD, 0);
    0
}

/// Waits at the semaphore that is handed over first and leaves the status.
extern "C" fn waits(_: Utcb, _: u64) {
    trace::mark(u64::from(down(trace::handed(0), 0).0));
}

fn blocked(suite: &mut Suite) {
    let root = suite.root;
    trace::hand(0, suite.semaphore(0));
    let thread = suite.thread(waits, 0);
    suite.worker(recalled).portal_at(root, thread.events + RECALL, mtd::RIP | mtd::RSP, 7);
    thread.run(root, 5);
    root.utcb.set_counts(0, 0);
    suite.equal("a thread that waits", ec_ctrl(operation::RECALL, thread.ec, 1, 0).0, DONE);
    suite.equal("its state", (root.utcb.get(0), root.utcb.get(offset::MTD)), (ITEMS, STATE));
    let (text, data, _) = start::image();
    let (rip, rsp) = (root.utcb.get(offset::RIP), root.utcb.get(offset::RSP));
    suite.holds("is in its text", (text..data).contains(&rip));
    suite.equal("and in no event", root.utcb.get(offset::ERROR), 0);
    suite.holds("nothing happens yet", trace::took(&[]));
    suite.equal("it is woken", up(trace::handed(0)), DONE);
    suite.holds("the event comes before it goes on", trace::took(&[0x1f07, 0]));
    suite.equal("at the place that was told", (trace::handed(10), trace::handed(11)), (rip, rsp));
    thread.destroy();
}

fn itself(suite: &mut Suite) {
    let root = suite.root;
    suite.worker(recalled).portal_at(root, RECALL, mtd::RIP | mtd::RSP, 8);
    let rdi = root.ec << 8 | operation::RECALL << 4 | number::EC_CTRL;
    let sent = Everything::pattern(9).with(&[(place::RDI, rdi), (place::RSI, 0)]);
    let mut registers = sent;
    trial::hypercall(&mut registers);
    suite.equal("the main thread itself", registers.general[place::RDI] & 0xff, 0);
    suite.holds("the event comes at the call's return", trace::took(&[0x1f08]));
    suite.equal("and says so", (trace::handed(10), trace::handed(11)), (trial::next(), trial::stack()));
    suite.equal("a second time", ec_ctrl(operation::RECALL, root.ec, 0, 0).0, DONE);
    suite.holds("is a second event", trace::took(&[0x1f08]));
    let _ = hypercall::revoke_all(Crd::object(RECALL, 0, ALL));
}

/// Loads from where nothing is.
extern "C" fn faults(_: Utcb, address: u64) {
    trial::load(&mut Everything::pattern(1).with(&[(place::RSI, address)]));
    trace::mark(1);
}

fn in_event(suite: &mut Suite) {
    let root = suite.root;
    let thread = suite.thread(faults, supply::pages(0));
    let semaphore = suite.semaphore(0);
    events::park_at(suite, thread.events + 14, semaphore, 0);
    suite.worker(recalled).portal_at(root, thread.events + RECALL, mtd::RIP, 9);
    thread.run(root, 5);
    suite.holds("a thread is parked in an event", trace::took(&[14]));
    suite.equal("its recall", ec_ctrl(operation::RECALL, thread.ec, 0, 0).0, DONE);
    suite.equal("it is released", up(semaphore), DONE);
    suite.holds("the event comes after the fault", trace::took(&[0x1f09, 1]));
    thread.destroy();
}

fn unhandled(suite: &mut Suite) {
    trace::hand(0, suite.semaphore(0));
    let thread = suite.thread(waits, 0).run(suite.root, 5);
    suite.equal("a thread without a portal for it", ec_ctrl(operation::RECALL, thread.ec, 0, 0).0, DONE);
    suite.equal("it is woken", up(trace::handed(0)), DONE);
    suite.holds("goes", trace::took(&[]));
    thread.destroy();
}
