// SPDX-License-Identifier: MIT
//! What the interface's calls take, in ticks of the time-stamp counter: each line has a name and ticks a call.

use nova_rt::crd::{ALL, Crd, READ, WRITE};
use nova_rt::event::offset;
use nova_rt::hypercall::{self, Revocation, call, create_signal, delegate, down, receive, revoke, up};
use nova_rt::start::Root;
use nova_rt::thread::{Domain, Worker};
use nova_rt::trial::{self, Everything, place};
use nova_rt::utcb::Item;
use nova_rt::{PAGE, Status, Utcb, access, grants, line, supply};

use crate::keyboard;
use crate::lines::{LEVEL_HIGH, Line};
use crate::suite::Suite;
use crate::trace;

/// How often each call is made.
const CALLS: u64 = 1000;
const DONE: Status = Status::SUCCESS;

/// Measures all of them.
pub fn run(root: Root) {
    let suite = &Suite::new(root);
    measure("hypercall that does nothing", || hypercall::lookup(Crd::NULL) == Crd::NULL);
    let worker = suite.worker(silent).portal(root, 0);
    root.utcb.set_words(&[]);
    measure("call and reply, same domain", || call(worker) == DONE);
    let elsewhere = Worker::new(root, Domain::new(root, 64), 0x20, silent).portal(root, 0);
    measure("call and reply, other domain", || call(elsewhere) == DONE);
    root.utcb.set_counts(64, 0);
    measure("call and reply of 64 words, other domain", || {
        root.utcb.set_counts(64, 0);
        call(elsewhere) == DONE
    });
    delegation(suite);
    signal(suite);
    fault(suite);
    interrupt(suite);
}

extern "C" fn silent(_: u64, utcb: Utcb) -> u64 {
    utcb.set_counts(0, 0);
    0
}

/// Does something again and again, and prints what it takes.
///
/// # Panics
/// It panics if something was not done.
fn measure(name: &str, mut done: impl FnMut() -> bool) {
    // What is new the first time is not measured.
    assert!(done(), "{name}");
    let begin = access::time();
    let all = (0..CALLS).all(|_| done());
    let end = access::time();
    assert!(all, "{name}");
    line!("{name}: {}", (end - begin) / CALLS);
}

fn delegation(suite: &Suite) {
    let root = suite.root;
    let memory = grants::memory(root, 0) / PAGE;
    let child = Domain::bare(root, 64);
    let pair = |name, range: Crd| {
        measure(name, || {
            let given = delegate(root.utcb, root.pd, child.pd, range, &[Item::delegate(range, 0)]);
            given == DONE && revoke(range, Revocation::default()) == DONE
        });
    };
    pair("delegate and revoke a page", Crd::memory(memory, 0, READ | WRITE));
    pair("delegate and revoke an object", Crd::object(suite.semaphore(0), 0, ALL));
}

fn signal(suite: &Suite) {
    let receiver = suite.semaphore(0);
    let selector = supply::selector();
    assert_eq!(create_signal(selector, suite.root.pd, 1, receiver), DONE, "a signal is made");
    measure("signal and its receipt, one thread", || up(selector) == DONE && receive(receiver, 0).0 == DONE);
    trace::hand(0, receiver);
    suite.thread(receives, 0).run(suite.root, 5);
    measure("signal to a thread that waits", || {
        let before = trace::handed(1);
        up(selector) == DONE && trace::handed(1) == before + 1
    });
}

/// Receives signals for ever, and counts them.
extern "C" fn receives(_: Utcb, _: u64) {
    loop {
        let (_, _, count) = receive(trace::handed(0), 0);
        trace::add(1, count);
    }
}

/// Maps the page of a fault, from the memory that is handed over.
extern "C" fn maps(pd: u64, utcb: Utcb) -> u64 {
    let page = utcb.get(offset::ADDRESS) / PAGE;
    let item = Item::delegate(Crd::memory(trace::handed(2), 0, READ), 0);
    let _ = delegate(utcb, pd, pd, Crd::memory(page, 0, READ), &[item]);
    utcb.set_counts(0, 0);
    utcb.put(offset::MTD, 0);
    0
}

fn fault(suite: &Suite) {
    let root = suite.root;
    let memory = grants::memory(root, 0) / PAGE;
    trace::hand(2, memory);
    let address = supply::pages(0);
    suite.worker(maps).portal_at(root, 14, 0x800c, root.pd);
    let mut registers = Everything::pattern(1);
    measure("fault, its pager, and the page's revocation", || {
        registers.general[place::RSI] = address;
        trial::load(&mut registers);
        revoke(Crd::memory(memory, 0, ALL), Revocation::default()) == DONE
    });
}

/// Words that are handed over: the semaphore that a line raises, the line's own, and when the handler was there.
const BELL: usize = 3;
const LINE: usize = 4;
const THERE: usize = 5;

/// Handles interrupts of the keyboard's controller for ever.
extern "C" fn handles(_: Utcb, _: u64) {
    loop {
        let _ = receive(trace::handed(BELL), 0);
        trace::hand(THERE, access::time());
        let _ = access::input(keyboard::DATA);
        let _ = down(trace::handed(LINE), 0);
    }
}

/// From a write to a port, by which the keyboard's controller interrupts at once, to the first instruction of the thread
/// that waits for that.
///
/// # Panics
/// It panics if an interrupt does not come at once.
fn interrupt(suite: &Suite) {
    let mode = keyboard::open();
    let line = Line::new(suite.root, keyboard::LINE, LEVEL_HIGH);
    trace::hand(BELL, line.bell);
    trace::hand(LINE, line.own);
    suite.thread(handles, 0).run(suite.root, 5);
    let mut all = 0;
    for turn in 0..=CALLS {
        keyboard::announce();
        let begin = access::time();
        access::output(keyboard::DATA, 1);
        let there = trace::handed(THERE);
        assert!(there > begin, "the handler is there before the next instruction");
        // What is new the first time is not measured.
        all += if turn > 0 { there - begin } else { 0 };
    }
    line.close();
    keyboard::close(mode);
    line!("write of a port that interrupts, to the handler: {}", all / CALLS);
}
