// SPDX-License-Identifier: MIT
//! Replies that park the caller on a semaphore.

use core::sync::atomic::{AtomicU64, Ordering};

use nova_rt::hypercall::{call, down, up};
use nova_rt::trial::{self, Everything, place};
use nova_rt::{Status, Utcb, supply};

use super::create::weaker;
use super::events;
use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;
/// A deadline that has passed.
const PAST: u64 = 1;

pub fn run(suite: &mut Suite) {
    calls(suite);
    ignored(suite);
    event(suite);
}

/// How often [`parks`] parks its caller before it replies.
static TIMES: AtomicU64 = AtomicU64::new(0);

/// Parks the caller on the semaphore that is handed over first, so many times.
extern "C" fn parks(id: u64, utcb: Utcb) -> u64 {
    let left = TIMES.load(Ordering::Relaxed);
    trace::mark(0x100 | utcb.word(0));
    utcb.set_words(&[left, id]);
    if left == 0 {
        return 0;
    }
    TIMES.store(left - 1, Ordering::Relaxed);
    trace::handed(0)
}

/// Calls the portal that is handed over second, and leaves the status and the reply.
extern "C" fn caller(utcb: Utcb, name: u64) {
    utcb.set_words(&[name]);
    trace::mark(u64::from(call(trace::handed(1)).0));
    trace::mark(utcb.word(0) << 8 | utcb.word(1));
}

fn calls(suite: &mut Suite) {
    let semaphore = suite.semaphore(0);
    trace::hand(0, semaphore);
    trace::hand(1, suite.worker(parks).portal(suite.root, 7));
    TIMES.store(2, Ordering::Relaxed);
    suite.thread(caller, 3).run(suite.root, 5);
    suite.holds("a caller is parked", trace::took(&[0x103]));
    suite.equal("up", up(semaphore), DONE);
    suite.holds("its call is made again, with its message", trace::took(&[0x103]));
    suite.equal("up once more", up(semaphore), DONE);
    suite.holds("until it is answered", trace::took(&[0x103, 0, 7]));
    TIMES.store(1, Ordering::Relaxed);
    suite.equal("up before", up(semaphore), DONE);
    suite.root.utcb.set_words(&[4]);
    suite.equal("a caller is parked where the counter is above 0", call(trace::handed(1)), DONE);
    suite.holds("it goes on at once", trace::took(&[0x104, 0x104]));
    suite.equal("the counter was taken", down(semaphore, PAST), Status::TIMEOUT);
}

fn ignored(suite: &mut Suite) {
    let semaphore = suite.semaphore(1);
    let me = suite.root.utcb;
    for (what, selector) in [
        ("parking on a semaphore without the right", weaker(suite, semaphore, 1)),
        ("parking on a domain", suite.root.pd),
        ("parking on nothing", supply::selector()),
    ] {
        trace::hand(0, selector);
        TIMES.store(1, Ordering::Relaxed);
        me.set_words(&[5]);
        suite.equal(what, (call(trace::handed(1)), me.word(0), trace::took(&[0x105])), (DONE, 1, true));
    }
    suite.equal("the semaphore was not touched", down(semaphore, PAST), DONE);
}

/// Loads from an address where nothing is, and leaves what it got.
extern "C" fn faults(_: Utcb, address: u64) {
    let mut registers = Everything::pattern(1).with(&[(place::RSI, address)]);
    trial::load(&mut registers);
    trace::mark(registers.general[place::RAX]);
}

fn event(suite: &mut Suite) {
    let root = suite.root;
    let semaphore = suite.semaphore(0);
    let thread = suite.thread(faults, supply::pages(0));
    events::park_at(suite, thread.events + 14, semaphore, 0xabcd);
    thread.run(root, 5);
    suite.holds("a thread is parked in an event", trace::took(&[0xe]));
    suite.equal("up", up(semaphore), DONE);
    suite.holds("it goes on with the registers of the reply", trace::took(&[0xabcd]));
    thread.destroy();
}
