// SPDX-License-Identifier: MIT
//! The ends of objects while others wait for them or work for them.

use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{self, call, create_signal, down, receive, revoke_all, up};
use nova_rt::thread::{Domain, Thread};
use nova_rt::{Status, Utcb, access, supply};

use super::events;
use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;
/// A deadline that has passed.
const PAST: u64 = 1;

pub fn run(suite: &mut Suite) {
    semaphores(suite);
    waiters(suite);
    callers(suite);
    times(suite);
    workers(suite);
    utcbs(suite);
    domains(suite);
}

fn gone(selector: u64) -> Status {
    revoke_all(Crd::object(selector, 0, ALL))
}

/// Waits at the semaphore that is handed over first and leaves the status.
extern "C" fn waits(_: Utcb, name: u64) {
    trace::mark(name << 8 | u64::from(down(trace::handed(0), 0).0));
}

/// Waits at the second semaphore until the end of the first one is over.
fn settle(wakes: usize) {
    for _ in 0..wakes {
        // Destruction may lag: each waiter ups this semaphore when it comes back.
        let _ = down(trace::handed(1), access::time() + 1_000_000_000);
    }
}

/// Waits at the first semaphore, leaves the status, and says so at the second one.
extern "C" fn waits_and_says(_: Utcb, name: u64) {
    waits(Utcb::at(0), name);
    let _ = up(trace::handed(1));
}

fn semaphores(suite: &mut Suite) {
    trace::hand(0, suite.semaphore(0));
    trace::hand(1, suite.semaphore(0));
    for name in 1..=3 {
        suite.thread(waits_and_says, name).run(suite.root, 5);
    }
    suite.equal("a semaphore goes while three wait", gone(trace::handed(0)), DONE);
    settle(3);
    let (count, mut marks) = trace::take();
    marks[..3].sort_unstable();
    // In which order is the scheduler's to choose.
    suite.equal("all of them come back", (count, &marks[..3]), (3, &[0x104, 0x204, 0x304][..]));
    suite.equal("it is no more", up(trace::handed(0)), Status::BAD_CAPABILITY);
    let receiver = suite.semaphore(0);
    trace::hand(0, receiver);
    let signal = supply::selector();
    suite.equal("a signal", create_signal(signal, suite.root.pd, 9, receiver), DONE);
    suite.thread(waits_and_says, 1).run(suite.root, 5);
    suite.equal("its receiver goes while one waits", gone(receiver), DONE);
    settle(1);
    suite.holds("the waiter is released", trace::took(&[0x100]));
    suite.equal("the signal can be upped all the same", up(signal), DONE);
    suite.equal("and goes", gone(signal), DONE);
}

fn waiters(suite: &mut Suite) {
    let semaphore = suite.semaphore(0);
    trace::hand(0, semaphore);
    let first = suite.thread(waits, 1).run(suite.root, 5);
    suite.thread(waits, 2).run(suite.root, 5);
    first.destroy();
    suite.equal("up after the first waiter's end", up(semaphore), DONE);
    suite.holds("wakes the second one", trace::took(&[0x200]));
    let last = suite.thread(waits, 3).run(suite.root, 5);
    last.destroy();
    suite.equal("up after the last waiter's end", up(semaphore), DONE);
    suite.equal("is counted", down(semaphore, PAST), DONE);
}

/// Marks its begin, waits at the semaphore that is handed over first, and marks its end.
extern "C" fn works(_: u64, utcb: Utcb) -> u64 {
    trace::mark(utcb.word(0) << 8);
    let _ = down(trace::handed(0), 0);
    trace::mark(utcb.word(0) << 8 | 1);
    0
}

/// Calls the portal that is handed over second and leaves the status.
extern "C" fn calls(utcb: Utcb, name: u64) {
    utcb.set_words(&[name]);
    trace::mark(name << 8 | 0x10 | u64::from(call(trace::handed(1)).0));
}

fn callers(suite: &mut Suite) {
    let root = suite.root;
    trace::hand(0, suite.semaphore(0));
    trace::hand(1, suite.worker(works).portal(root, 0));
    let caller = suite.thread(calls, 1).run(root, 5);
    suite.equal("a caller goes while its worker waits", gone(caller.ec), DONE);
    suite.equal("the worker is released", up(trace::handed(0)), DONE);
    suite.holds("goes on in the dead caller's time, and drops the reply", trace::took(&[0x100, 0x101]));
    suite.equal("is released at once the next time", up(trace::handed(0)), DONE);
    root.utcb.set_words(&[2]);
    suite.equal("and serves others", call(trace::handed(1)), DONE);
    suite.holds("as before", trace::took(&[0x200, 0x201]));
    caller.destroy();
}

fn times(suite: &mut Suite) {
    let root = suite.root;
    trace::hand(0, suite.semaphore(0));
    trace::hand(1, suite.worker(works).portal(root, 0));
    let caller = suite.thread(calls, 1).run(root, 5);
    suite.equal("a caller loses its time while its worker waits", gone(caller.sc), DONE);
    suite.equal("the worker is released again", up(trace::handed(0)), DONE);
    suite.holds("finishes, and the caller never goes on", trace::took(&[0x100, 0x101]));
    suite.equal("new time", hypercall::create_sc(caller.sc, root.pd, caller.ec, 5, 10_000), DONE);
    suite.holds("lets the caller go on", trace::took(&[0x110]));
    caller.destroy();
}

fn workers(suite: &mut Suite) {
    let root = suite.root;
    trace::hand(0, suite.semaphore(0));
    let worker = suite.worker(works);
    trace::hand(1, worker.portal(root, 0));
    let caller = suite.thread(calls, 1).run(root, 5);
    suite.equal("the capability of a worker goes while it waits", gone(worker.ec), DONE);
    suite.equal("its portal is there and goes, too", gone(trace::handed(1)), DONE);
    suite.equal("it cannot be called", call(trace::handed(1)), Status::BAD_CAPABILITY);
    caller.destroy();
    suite.equal("an up for nobody", up(trace::handed(0)), DONE);
    let _ = trace::take();
}

fn utcbs(suite: &mut Suite) {
    let root = suite.root;
    let (ec, utcb) = (supply::selector(), supply::pages(0));
    let create = || hypercall::create_ec(ec, root.pd, utcb, 0, 0, false);
    let again = (0..10u64).all(|round| {
        let fresh = create() == DONE && access::read(utcb + 8) == 0;
        access::write(utcb + 8, round + 1);
        fresh && gone(ec) == DONE
    });
    suite.holds("the UTCB of a new context at an old one's place is new", again);
    suite.equal("and is not there after its end", events::load_error(suite, utcb), Some(4));
}

/// Waits at selector 5 of its domain, and marks that it came back.
extern "C" fn waits_in_domain(_: Utcb, _: u64) {
    trace::mark(1);
    let status = down(5, 0);
    trace::mark(0x10 | u64::from(status.0));
}

fn domains(suite: &mut Suite) {
    let root = suite.root;
    let semaphore = suite.semaphore(0);
    let child = Domain::new(root, 64);
    child.give(root, semaphore, 5, 0);
    let thread = Thread::new(root, suite.starter, child, waits_in_domain, 0).run(root, 5);
    suite.holds("a thread of another domain waits", trace::took(&[1]));
    suite.equal("the domain goes", gone(child.pd), DONE);
    suite.equal("an up for its thread", up(semaphore), DONE);
    suite.holds("it never runs again", trace::took(&[]));
    suite.equal("nothing was counted", down(semaphore, PAST), Status::TIMEOUT);
    thread.destroy();
    suite.equal("nothing was signalled", receive(semaphore, PAST).0, Status::TIMEOUT);
}
