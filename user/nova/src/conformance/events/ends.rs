// SPDX-License-Identifier: MIT
//! Steps, exceptions that nobody handles, and ports that are taken away.

use nova_rt::crd::{ALL, Crd};
use nova_rt::event::{mtd, offset};
use nova_rt::hypercall::{self, revoke_all};
use nova_rt::thread::{Domain, EVENTS_ELSEWHERE, Thread};
use nova_rt::trial::{self, Everything, place};
use nova_rt::{Status, Utcb, access, supply};

use crate::suite::Suite;
use crate::trace;

pub fn run(suite: &mut Suite) {
    stepping(suite);
    unhandled(suite);
    revoked(suite);
}

/// Sets TF in its answer to a breakpoint, and keeps where the step ended.
extern "C" fn steps(id: u64, utcb: Utcb) -> u64 {
    trace::mark(id);
    if id == 3 {
        utcb.put(offset::MTD, mtd::RFLAGS | mtd::RIP);
        utcb.put(offset::RFLAGS, 0x302);
        utcb.put(offset::RIP, trial::next());
        return 0;
    }
    trace::hand(14, utcb.get(offset::RIP));
    utcb.put(offset::MTD, mtd::RFLAGS);
    utcb.put(offset::RFLAGS, 0x202);
    0
}

fn stepping(suite: &mut Suite) {
    let worker = suite.worker(steps);
    for vector in [1, 3] {
        let _ = revoke_all(Crd::object(vector, 0, ALL));
        worker.portal_at(suite.root, vector, mtd::RIP | mtd::RFLAGS, vector);
    }
    let _ = trace::take();
    trial::breakpoint(&mut Everything::pattern(1));
    suite.holds("a step that a reply asks for", trace::took(&[3, 1]));
    let behind = trace::handed(14);
    suite.holds("ends behind the next instruction", behind > trial::next() && behind < trial::next() + 8);
}

/// Executes an undefined instruction.
extern "C" fn undefined(_: Utcb, _: u64) {
    trace::mark(1);
    trial::undefined(&mut Everything::pattern(1));
    trace::mark(2);
}

fn unhandled(suite: &mut Suite) {
    let thread = suite.thread(undefined, 0).run(suite.root, 5);
    suite.holds("a thread without a portal for its exception goes", trace::took(&[1]));
    thread.destroy();
}

/// Reads a port of its domain, again and again, with a mark for each time.
extern "C" fn ports(_: Utcb, _: u64) {
    let mut registers = Everything::pattern(1).with(&[(place::RDX, 0x80)]);
    trial::port(&mut registers);
    trace::mark(1);
    trial::ports(&mut Everything::pattern(1).with(&[(place::RDX, 0x84)]));
    trace::mark(2);
    trial::ports(&mut Everything::pattern(1).with(&[(place::RDX, 0x85)]));
    trace::mark(3);
    let _ = hypercall::down(5, 0);
    trial::port(&mut registers);
    trace::mark(4);
    trial::ports(&mut Everything::pattern(1).with(&[(place::RDX, 0xffff)]));
    trace::mark(5);
}

/// Marks the event, and lets the thread go on behind its instruction.
extern "C" fn passes(id: u64, utcb: Utcb) -> u64 {
    trace::mark(id << 8 | utcb.get(offset::ERROR));
    utcb.put(offset::MTD, mtd::RIP);
    utcb.put(offset::RIP, trial::next());
    0
}

fn revoked(suite: &mut Suite) {
    let root = suite.root;
    let child = Domain::new(root, 64);
    let item = nova_rt::Item::delegate(Crd::port(0, 16), 0);
    let given = hypercall::delegate(root.utcb, root.pd, child.pd, Crd::port(0x80, 3), &[item]);
    suite.equal("eight ports for a domain", given, Status::SUCCESS);
    let worker = suite.worker(passes);
    let portal = supply::selector();
    worker.portal_at(root, portal, mtd::QUAL, 13);
    child.give(root, portal, EVENTS_ELSEWHERE + 13, 0);
    let semaphore = suite.semaphore(0);
    child.give(root, semaphore, 5, 0);
    let thread = Thread::new(root, suite.starter, child, ports, 0).run(root, 5);
    suite.holds("an access has to have all its ports", trace::took(&[1, 2, 0xd00, 3]));
    let how = hypercall::Revocation { itself: true, remote: Some(child.pd), ..Default::default() };
    suite.equal("the ports go", hypercall::revoke(Crd::port(0x80, 3), how), Status::SUCCESS);
    suite.equal("the thread goes on", hypercall::up(semaphore), Status::SUCCESS);
    suite.holds("without them", trace::took(&[0xd00, 4, 0xd00, 5]));
    suite.holds("the root task has kept them", access::input(0x80) == access::input(0x80));
    thread.destroy();
}
