// SPDX-License-Identifier: MIT
//! Kernel memory: what a domain may use, how it is moved, and its end.

use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{self, operation, quota, transfer};
use nova_rt::supply::{pages, selector};
use nova_rt::thread::{Domain, Thread, portal_entry};
use nova_rt::{Status, Utcb};

use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;
const FULL: Status = Status::OUT_OF_MEMORY;
const WRONG: Status = Status::BAD_PARAMETER;

pub fn run(suite: &mut Suite) {
    moving(suite);
    creation(suite);
    end(suite);
    calls(suite);
}

fn limit(pd: u64) -> u64 {
    quota(pd).1
}

fn moving(suite: &mut Suite) {
    let root = suite.root.pd;
    let before = limit(root);
    let (one, other) = (selector(), selector());
    let made = |pd, lower, upper| hypercall::create_pd(pd, root, Crd::NULL, lower, upper);
    suite.equal("two domains", (made(one, 8, 32), made(other, 0, 0)), (DONE, DONE));
    suite.equal("have it from their parent", before - limit(root), 32);
    suite.equal("more than is free", transfer(one, other, 1 << 40), WRONG);
    suite.equal("what may never be moved", transfer(one, other, 25), WRONG);
    suite.equal("all that may be moved", transfer(one, other, 24), DONE);
    suite.equal("the limits afterwards", (limit(one), limit(other)), (8, 24));
    suite.equal("back", transfer(other, one, 24), DONE);
    suite.equal("the limits at the end", (limit(one), limit(other)), (32, 0));
    let gone = [one, other].map(|pd| hypercall::revoke_all(Crd::object(pd, 0, ALL)));
    suite.equal("both go", gone, [DONE, DONE]);
    suite.equal("and all comes back to their parent", limit(root), before);
}

fn creation(suite: &mut Suite) {
    let root = suite.root;
    let made = |upper| Domain::bare(root, upper).pd;
    let ec = |pd| hypercall::create_ec(selector(), pd, pages(0), 0, 0, true);
    suite.equal("a context in a domain with 6 pages", ec(made(6)), FULL);
    suite.equal("a context in a domain with 16 pages", ec(made(16)), DONE);
    let (thread, worker) = (selector(), selector());
    assert_eq!(hypercall::create_ec(thread, root.pd, pages(0), 0, 0, true), DONE, "a thread is made");
    assert_eq!(hypercall::create_ec(worker, root.pd, pages(0), 0, 0, false), DONE, "a worker is made");
    let (none, one) = (made(0), made(1));
    suite.equal(
        "time in a domain with 1 page",
        hypercall::create_sc(selector(), one, thread, 1, 10_000),
        FULL,
    );
    suite.equal(
        "a portal in a domain with 1 page",
        hypercall::create_pt(selector(), one, worker, 0, portal_entry()),
        FULL,
    );
    suite.equal("a semaphore in a domain with no page", hypercall::create_sm(selector(), none, 0), FULL);
    let objects = nova_rt::Item::delegate(Crd::ALL_OBJECTS, 0);
    let given = hypercall::delegate(root.utcb, root.pd, none, Crd::ALL_OBJECTS, &[objects]);
    suite.equal("capabilities for a domain with no page", given, FULL);
    suite.equal(
        "a domain of a domain with no page",
        hypercall::create_pd(selector(), none, Crd::NULL, 0, 0),
        FULL,
    );
}

fn end(suite: &mut Suite) {
    let root = suite.root;
    let child = Domain::bare(root, 40);
    let first = nova_rt::supply::selectors(16);
    let mut count = 0;
    while hypercall::create_sm(first + count, child.pd, 0) == DONE && count < 60_000 {
        count += 1;
    }
    suite.holds("semaphores until the domain is full", (1..60_000).contains(&count));
    suite.equal("one more", hypercall::create_sm(first + count, child.pd, 0), FULL);
    let (status, limit, usage) = quota(child.pd);
    suite.holds("its kernel memory is used", status == DONE && usage <= limit && usage + 2 >= limit);
    suite.equal("more for it", transfer(root.pd, child.pd, 4), DONE);
    suite.equal("makes room", hypercall::create_sm(first + count, child.pd, 0), DONE);
    suite.equal("all of them go", hypercall::revoke_all(Crd::object(first, 16, ALL)), DONE);
    suite.equal("and can be made again", hypercall::create_sm(first, child.pd, 0), DONE);
    suite.equal("the domain goes", hypercall::revoke_all(Crd::object(child.pd, 0, ALL)), DONE);
}

/// Waits until its domain has no kernel memory, and makes calls.
extern "C" fn starves(_: Utcb, _: u64) {
    trace::mark(u64::from(hypercall::up(5).0));
    let _ = hypercall::down(6, 0);
    let statuses = [
        hypercall::up(5),
        hypercall::pt_ctrl(7, 1),
        hypercall::ec_ctrl(operation::YIELD, 0, 0, 0).0,
        hypercall::sc_ctrl(0, 8, 0).0,
        hypercall::quota(9).0,
        hypercall::assign_pci(9, 0, 0),
        hypercall::assign_gsi(10, 0, 0, 0, u64::MAX).0,
        hypercall::suspend(11, 0, 0),
    ];
    statuses.into_iter().for_each(|status| trace::mark(u64::from(status.0)));
}

extern "C" fn silent(_: u64, _: Utcb) -> u64 {
    0
}

fn calls(suite: &mut Suite) {
    let root = suite.root;
    let child = Domain::new(root, 64);
    let (told, wait) = (suite.semaphore(0), suite.semaphore(0));
    let portal = suite.worker(silent).portal(root, 0);
    for (at, object) in [(5, told), (6, wait), (7, portal), (8, root.sc), (9, child.pd), (11, root.pd + 3)] {
        child.give(root, object, at, 0);
    }
    let line = super::lines::line(suite, 10);
    child.give(root, line, 10, 0);
    let thread = Thread::new(root, suite.starter, child, starves, 0).run(root, 5);
    suite.holds("a domain with kernel memory", trace::took(&[0]));
    let (_, limit, usage) = quota(child.pd);
    suite.equal("all that is free goes", transfer(child.pd, root.pd, limit - usage), DONE);
    suite.equal("its thread goes on", hypercall::up(wait), DONE);
    let (count, marks) = trace::take();
    // A kernel may do without this check, since none of these calls takes memory for good.
    let refused = marks[..8].iter().filter(|status| **status == 9).count();
    suite.holds("calls without kernel memory", count == 8 && (refused == 8 || refused == 0));
    thread.destroy();
}
