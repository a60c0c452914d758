// SPDX-License-Identifier: MIT
//! Signals: semaphores that are chained to another one and tell it their value and their count.

use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{self, create_signal, down, number, receive, up};
use nova_rt::raw::Registers;
use nova_rt::{Status, Utcb, supply};

use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;
/// A deadline that has passed.
const PAST: u64 = 1;

pub fn run(suite: &mut Suite) {
    examples(suite);
    order(suite);
    waiting(suite);
    ends(suite);
}

fn signal(suite: &Suite, value: u64, receiver: u64) -> u64 {
    let selector = supply::selector();
    assert_eq!(create_signal(selector, suite.root.pd, value, receiver), DONE, "a signal is made");
    selector
}

fn examples(suite: &mut Suite) {
    let receiver = suite.semaphore(0);
    let one = signal(suite, 0xbeef, receiver);
    suite.equal("up twice", (up(one), up(one)), (DONE, DONE));
    suite.equal("up the receiver itself", up(receiver), DONE);
    suite.equal("value and count", receive(receiver, 0), (DONE, 0xbeef, 2));
    suite.equal("a plain up keeps the registers", receive(receiver, PAST), (DONE, 0, 1));
    suite.equal("nothing is left", receive(receiver, PAST), (Status::TIMEOUT, 0, 1));
    suite.equal("down a signal", down(one, PAST), Status::BAD_CAPABILITY);
    suite.equal("the count begins anew", (up(one), receive(receiver, PAST)), (DONE, (DONE, 0xbeef, 1)));
}

fn order(suite: &mut Suite) {
    let receiver = suite.semaphore(0);
    let (first, second) = (signal(suite, 1, receiver), signal(suite, 2, receiver));
    let ups = [second, first, second, first, first].map(up);
    suite.holds("signals come in", ups.iter().all(|status| *status == DONE));
    suite.equal("the first that came", receive(receiver, PAST), (DONE, 2, 2));
    suite.equal("the other one", receive(receiver, PAST), (DONE, 1, 3));
    suite.equal("no third one", receive(receiver, PAST).0, Status::TIMEOUT);
    suite.equal("both once more", (up(first), up(second)), (DONE, DONE));
    let zero = hypercall::make(Registers::new(number::SM_CTRL, 3, receiver, [0, PAST, 0, 0]));
    suite.equal("down to 0 takes one", (hypercall::status(zero), zero.rsi, zero.rdx), (DONE, 1, 1));
}

/// Waits for a signal at the semaphore that is handed over first.
extern "C" fn waiter(_: Utcb, _: u64) {
    let (status, value, count) = receive(trace::handed(0), 0);
    trace::mark(u64::from(status.0));
    trace::mark(value);
    trace::mark(count);
}

fn waiting(suite: &mut Suite) {
    let receiver = suite.semaphore(0);
    let one = signal(suite, 0x77, receiver);
    trace::hand(0, receiver);
    suite.thread(waiter, 0).run(suite.root, 5);
    suite.equal("up while a thread waits", up(one), DONE);
    suite.holds("it is told value and count", trace::took(&[0, 0x77, 1]));
    suite.thread(waiter, 0).run(suite.root, 5);
    suite.equal("a plain up while a thread waits", up(receiver), DONE);
    suite.holds("its registers are kept", trace::took(&[0, 0, 0]));
    suite.equal("nothing is left", receive(receiver, PAST).0, Status::TIMEOUT);
}

fn ends(suite: &mut Suite) {
    let receiver = suite.semaphore(0);
    let (gone, stays) = (signal(suite, 1, receiver), signal(suite, 2, receiver));
    suite.equal("two signals", (up(gone), up(stays)), (DONE, DONE));
    suite.equal("one is destroyed", hypercall::revoke_all(Crd::object(gone, 0, ALL)), DONE);
    suite.equal("the other one comes", receive(receiver, PAST), (DONE, 2, 1));
    suite.equal("the counter has stayed", receive(receiver, PAST), (DONE, 0, 1));
    suite.equal("nothing is left", receive(receiver, PAST).0, Status::TIMEOUT);
}
