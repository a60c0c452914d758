// SPDX-License-Identifier: MIT
//! UTCBs at more than one address, written by others, and out of reach of revocation elsewhere than in the root task.

use nova_rt::crd::{ALL, Crd, EXECUTE, READ, WRITE};
use nova_rt::hypercall::{self, Revocation, call, delegate, lookup, up};
use nova_rt::thread::{Domain, Thread};
use nova_rt::utcb::Item;
use nova_rt::{PAGE, Status, Utcb, supply};

use super::events;
use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;

pub fn run(suite: &mut Suite) {
    root_task(suite);
    elsewhere(suite);
}

/// Replies the sum of its words, read from its UTCB.
extern "C" fn sums(_: u64, utcb: Utcb) -> u64 {
    let sum = (0..utcb.counts() & 0xffff).map(|index| utcb.word(index)).sum();
    utcb.set_words(&[sum]);
    0
}

fn root_task(suite: &mut Suite) {
    let root = suite.root;
    let worker = suite.worker(sums);
    let portal = worker.portal(root, 0);
    let page = worker.utcb.address() / PAGE;
    suite.equal("a UTCB is memory of the root task", lookup(Crd::memory(page, 0, 7)).rights(), READ | WRITE);
    let alias = Utcb::at(supply::pages(0));
    let own = Utcb::at(supply::pages(0));
    let at = |from: u64, to: u64| {
        let window = Crd::memory(to / PAGE, 0, READ | WRITE);
        delegate(root.utcb, root.pd, root.pd, window, &[Item::delegate(Crd::memory(from / PAGE, 0, 3), 0)])
    };
    suite.equal("a worker's UTCB at a second address", at(worker.utcb.address(), alias.address()), DONE);
    suite.equal("the main UTCB at a second address", at(root.utcb.address(), own.address()), DONE);
    // Each message is written by one address and read by the other, call after call.
    let right = (1..40).all(|round| {
        let (writes, reads) = if round % 2 == 0 { (own, root.utcb) } else { (root.utcb, own) };
        writes.set_words(&[round, 2 * round, 5]);
        call(portal) == DONE
            && reads.word(0) == 3 * round + 5
            && alias.word(0) == 3 * round + 5
            && alias.word(1) == 2 * round
            && worker.utcb.counts() == 1
    });
    suite.holds("both addresses show the same", right);
    alias.put(0x800, 0x1234);
    suite.equal("a write by one is read by the other", worker.utcb.get(0x800), 0x1234);
    let revoked = hypercall::revoke_all(Crd::memory(page, 0, 7));
    suite.equal("the first address goes", revoked, DONE);
    let errors = [worker.utcb, alias].map(|utcb| events::load_error(suite, utcb.address()));
    suite.equal("with the second one", errors, [Some(4), Some(4)]);
}

/// Writes its UTCB, calls the portal at selector 6 with words, and waits at selector 5, again and again.
extern "C" fn calls(utcb: Utcb, rounds: u64) {
    for round in 0..rounds {
        utcb.set_words(&[round, 10]);
        let status = call(6);
        trace::mark(utcb.word(0) << 8 | u64::from(status.0));
        let _ = hypercall::down(5, 0);
    }
}

fn elsewhere(suite: &mut Suite) {
    let root = suite.root;
    let child = Domain::new(root, 64);
    let semaphore = suite.semaphore(0);
    child.give(root, semaphore, 5, 0);
    child.give(root, suite.worker(sums).portal(root, 0), 6, 0);
    let thread = Thread::new(root, suite.starter, child, calls, 3).run(root, 5);
    suite.holds("a thread elsewhere calls", trace::took(&[0xa00]));
    let page = thread.utcb.address() / PAGE;
    let how = Revocation { itself: true, remote: Some(child.pd), ..Revocation::default() };
    let range = Crd::memory(page, 0, READ | WRITE | EXECUTE);
    suite.equal("its UTCB is revoked", hypercall::revoke(range, how), DONE);
    suite.equal("it goes on", up(semaphore), DONE);
    suite.holds("with its UTCB", trace::took(&[0xb00]));
    let stolen = supply::pages(0);
    let item = Item::delegate(Crd::memory(page, 0, READ), 0);
    let status = delegate(root.utcb, child.pd, root.pd, Crd::memory(stolen / PAGE, 0, READ), &[item]);
    suite.equal(
        "its UTCB is no memory to delegate",
        (status, lookup(Crd::memory(stolen / PAGE, 0, 7))),
        (DONE, Crd::NULL),
    );
    let memory = nova_rt::grants::memory(root, 0);
    let over = Item::delegate(Crd::memory(memory / PAGE, 0, 3), 0);
    suite.equal(
        "memory over it",
        delegate(root.utcb, root.pd, child.pd, Crd::memory(page, 0, 3), &[over]),
        DONE,
    );
    suite.equal("it goes on once more", up(semaphore), DONE);
    suite.holds("with its UTCB all the same", trace::took(&[0xc00]));
    suite.equal("the last time", up(semaphore), DONE);
    thread.destroy();
    suite.equal("the domain goes", hypercall::revoke_all(Crd::object(child.pd, 0, ALL)), DONE);
}
