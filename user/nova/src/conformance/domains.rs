// SPDX-License-Identifier: MIT
//! What a domain can and cannot do that is not the root task.

use nova_rt::crd::{ALL, Crd, READ};
use nova_rt::hip::kind;
use nova_rt::hypercall::{self, call, delegate, lookup, up};
use nova_rt::thread::{Domain, EVENTS_ELSEWHERE, Thread};
use nova_rt::utcb::Item;
use nova_rt::{PAGE, Status, Utcb, grants, supply};

use super::FREE;
use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;

pub fn run(suite: &mut Suite) {
    initial(suite);
    examples(suite);
    kernel(suite);
    pager(suite);
}

/// Ups selector 1 of its domain, and marks the status.
extern "C" fn ups(_: Utcb, _: u64) {
    trace::mark(u64::from(up(1).0));
}

fn initial(suite: &mut Suite) {
    let root = suite.root;
    let given = supply::selectors(1);
    assert_eq!(hypercall::create_sm(given + 1, root.pd, 0), DONE, "a semaphore is made");
    let pd = supply::selector();
    let made = hypercall::create_pd(pd, root.pd, Crd::object(given, 1, ALL), 0, 64);
    suite.equal("a domain with initial capabilities", made, DONE);
    let child = Domain::of(pd);
    child.share_image(root);
    Thread::new(root, suite.starter, child, ups, 0).run(root, 5);
    suite.holds("has them from 0 on", trace::took(&[0]));
    suite.equal("and they are the same objects", hypercall::down(given + 1, 1), DONE);
}

/// The examples of the description that a domain with nothing of its own tries.
extern "C" fn tries(utcb: Utcb, _: u64) {
    let page = supply::pages(0);
    let window = Crd::object(0x40, 0, ALL);
    let item = Item::delegate(Crd::object(5, 0, ALL), 0);
    let statuses = [
        call(FREE),
        hypercall::create_pd(0x50, FREE, Crd::NULL, 0, 1),
        hypercall::create_ec(0x50, FREE, page, 0, 0, false),
        hypercall::create_sm(0x50, FREE, 0),
        // There is no capability of a domain to itself: not where its creator has it, and not where the root task has.
        hypercall::create_sm(0x50, 0x20, 0),
        hypercall::create_pt(0x50, FREE, FREE, 0, nova_rt::USER_END),
        delegate(utcb, FREE, FREE, window, &[item]),
        hypercall::quota(0x20).0,
        hypercall::up(5),
        hypercall::down(5, 1),
    ];
    statuses.into_iter().for_each(|status| trace::mark(u64::from(status.0)));
    trace::mark(lookup(Crd::object(5, 0, ALL)).0);
    trace::mark(lookup(Crd::object(FREE, 0, ALL)).0);
}

fn examples(suite: &mut Suite) {
    let root = suite.root;
    let child = Domain::new(root, 64);
    child.give(root, suite.semaphore(0), 5, 0);
    Thread::new(root, suite.starter, child, tries, 0).run(root, 5);
    suite.holds("what a domain is refused", trace::took(&[4, 4, 4, 4, 4, 5, 4, 4, 0, 0, 0x500f, 0]));
}

/// Sends an item to the portal at selector 6 that names the kernel's domain as its source.
extern "C" fn asks_kernel(utcb: Utcb, frame: u64) {
    utcb.set_words(&[]);
    utcb.set_items(&[Item::from_kernel(Crd::memory(frame, 0, READ), 0)]);
    trace::mark(u64::from(call(6).0));
}

/// Replies nothing.
extern "C" fn silent(_: u64, utcb: Utcb) -> u64 {
    utcb.set_counts(0, 0);
    0
}

fn kernel(suite: &mut Suite) {
    let root = suite.root;
    let Some(frame) = supply::frames(root.hip, 0) else { panic!("no frame is left") };
    let worker = suite.worker(silent);
    let to = supply::pages(0) / PAGE;
    worker.utcb.set_windows(Crd::NULL, Crd::memory(to, 0, READ));
    let child = Domain::new(root, 64);
    child.give(root, worker.portal(root, 0), 6, 0);
    Thread::new(root, suite.starter, child, asks_kernel, frame).run(root, 5);
    suite.holds("another domain names the kernel's as source", trace::took(&[0]));
    suite.equal("and that is ignored", lookup(Crd::memory(to, 0, 7)), Crd::NULL);
    let kept = || root.hip.memory().filter(|range| range.kind == kind::KERNEL && range.size != 0);
    let ends = kept().flat_map(|range| [range.address / PAGE, (range.address + range.size - 1) / PAGE]);
    let refused = ends
        .map(|frame| (grants::map(root, frame, to * PAGE, 0, READ), lookup(Crd::memory(to, 0, 7))))
        .all(|outcome| outcome == (DONE, Crd::NULL));
    suite.holds("memory of the kernel is not to be had", refused);
    // Nothing is there, and it can be had all the same.
    let nowhere = 0x40_0000_0000 / PAGE;
    suite.equal("an address that nothing answers at", grants::map(root, nowhere, to * PAGE, 0, READ), DONE);
    suite.equal("is memory", lookup(Crd::memory(to, 0, 7)).rights(), READ);
}

/// Loads from pages that are not there, and leaves what it finds.
extern "C" fn reads(_: Utcb, address: u64) {
    for page in 0..3 {
        trace::mark(nova_rt::access::read(address + page * PAGE));
    }
}

/// Maps the page of a fault from the root task's, where word 8 hands over the memory and word 9 the domain.
extern "C" fn maps(_: u64, utcb: Utcb) -> u64 {
    use nova_rt::event::offset;
    let page = utcb.get(offset::ADDRESS) / PAGE;
    let from = trace::handed(8) / PAGE + page % 4;
    let saved = [utcb.get(0), utcb.get(8), utcb.get(0x10)];
    let window = Crd::memory(page, 0, READ);
    let status = delegate(
        utcb,
        trace::handed(7),
        trace::handed(9),
        window,
        &[Item::delegate(Crd::memory(from, 0, READ), 0)],
    );
    trace::mark(0x100 | u64::from(status.0));
    [0, 8, 0x10].into_iter().zip(saved).for_each(|(at, value)| utcb.put(at, value));
    utcb.put(offset::MTD, 0);
    utcb.set_counts(0, 0);
    0
}

fn pager(suite: &mut Suite) {
    let root = suite.root;
    let memory = grants::memory(root, 2);
    for page in 0..4 {
        nova_rt::access::write(memory + page * PAGE, 0x10 + page);
    }
    let child = Domain::new(root, 64);
    [(7, root.pd), (8, memory), (9, child.pd)]
        .into_iter()
        .for_each(|(index, value)| trace::hand(index, value));
    let portal = supply::selector();
    suite.worker(maps).portal_at(root, portal, 0x800c, 0);
    child.give(root, portal, EVENTS_ELSEWHERE + 14, 0);
    Thread::new(root, suite.starter, child, reads, supply::pages(2)).run(root, 5);
    suite.holds("a pager maps what a thread reads", trace::took(&[0x100, 0x10, 0x100, 0x11, 0x100, 0x12]));
}
