// SPDX-License-Identifier: MIT
//! Deadlines of semaphores: none, past, near, far.

use nova_rt::hypercall::{down, up};
use nova_rt::{Status, Utcb, access};

use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;
/// A while that every machine takes more than one hypercall for, in ticks.
const SOON: u64 = 200_000;

pub fn run(suite: &mut Suite) {
    let semaphore = suite.semaphore(0);
    let past = [1, access::time() - 1, access::time()].map(|deadline| down(semaphore, deadline));
    suite.equal("deadlines that have passed", past, [Status::TIMEOUT; 3]);
    let deadline = access::time() + SOON;
    suite.equal("a deadline soon", down(semaphore, deadline), Status::TIMEOUT);
    suite.holds("it is not early", access::time() >= deadline);
    suite.equal("nothing is left of it", (up(semaphore), down(semaphore, 1)), (DONE, DONE));
    far(suite);
    order(suite);
}

/// Waits by the deadline that is its argument, and leaves the status as a mark.
extern "C" fn waiter(_: Utcb, deadline: u64) {
    trace::mark(u64::from(down(trace::handed(0), deadline).0));
}

fn far(suite: &mut Suite) {
    let semaphore = suite.semaphore(0);
    trace::hand(0, semaphore);
    for deadline in [u64::MAX, 18_000_000_000_000_000, 1 << 63, 0] {
        suite.thread(waiter, deadline).run(suite.root, 5);
        suite.holds("a thread waits for a deadline far away", trace::took(&[]));
        suite.equal("an up comes first", up(semaphore), DONE);
        suite.holds("it is woken", trace::took(&[0]));
    }
    suite.equal("no count is left", down(semaphore, 1), Status::TIMEOUT);
}

/// Waits by a deadline so much later, and leaves its argument as a mark.
extern "C" fn later(_: Utcb, ticks: u64) {
    let base = trace::handed(1);
    let status = down(trace::handed(0), base + ticks);
    trace::mark((ticks / SOON) << 8 | u64::from(status.0));
}

fn order(suite: &mut Suite) {
    let (semaphore, mine) = (suite.semaphore(0), suite.semaphore(0));
    trace::hand(0, semaphore);
    // Threads are made before the first deadline passes.
    let base = access::time() + 50_000_000;
    trace::hand(1, base);
    for ticks in [3, 1, 2] {
        suite.thread(later, ticks * SOON).run(suite.root, 5);
    }
    suite.holds("three threads wait", trace::took(&[]));
    suite.equal("the main thread waits longer", down(mine, base + 5 * SOON), Status::TIMEOUT);
    suite.holds("deadlines pass in order", trace::took(&[0x101, 0x201, 0x301]));
}
