// SPDX-License-Identifier: MIT
//! Who runs when: priorities, time that goes along with a call, and help for a worker that is busy.

use nova_rt::hypercall::{self, call, down, ec_ctrl, operation, up};
use nova_rt::thread::Thread;
use nova_rt::{Status, Utcb};

use super::FREE;
use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;
/// A slice that no case uses up, in microseconds.
const LONG: u64 = 100_000_000;

pub fn run(suite: &mut Suite) {
    priorities(suite);
    equals(suite);
    slices(suite);
    help(suite);
    queue(suite);
    event(suite);
}

/// Hands a thread over at an index, so that another one can give it time.
fn hand(index: usize, thread: Thread) {
    trace::hand(index, thread.ec);
    trace::hand(index + 1, thread.sc);
}

/// Gives time to the thread that was handed over at an index.
fn start(pd: u64, index: usize, priority: u64) {
    let status = hypercall::create_sc(trace::handed(index + 1), pd, trace::handed(index), priority, LONG);
    assert_eq!(status, DONE, "a thread gets time");
}

/// Leaves its argument as a mark.
extern "C" fn marks(_: Utcb, mark: u64) {
    trace::mark(mark);
}

/// Starts a thread below itself and one above itself.
extern "C" fn middle(_: Utcb, pd: u64) {
    trace::mark(1);
    start(pd, 0, 4);
    trace::mark(2);
    start(pd, 2, 6);
    trace::mark(3);
}

fn priorities(suite: &mut Suite) {
    hand(0, suite.thread(marks, 0x10));
    hand(2, suite.thread(marks, 0x20));
    suite.thread(middle, suite.root.pd).run_for(suite.root, 5, LONG);
    suite.holds("the higher one runs at once, the lower one afterwards", trace::took(&[1, 2, 0x20, 3, 0x10]));
    suite.thread(marks, 1).run(suite.root, 127);
    suite.holds("the highest priority", trace::took(&[1]));
}

/// Starts a thread of its own priority, and yields to it.
extern "C" fn equal(_: Utcb, pd: u64) {
    trace::mark(1);
    start(pd, 0, 5);
    trace::mark(2);
    let _ = ec_ctrl(operation::RESCHEDULE, FREE, 0, 0);
    trace::mark(3);
    let _ = ec_ctrl(operation::YIELD, FREE, 0, 0);
    trace::mark(4);
}

fn equals(suite: &mut Suite) {
    hand(0, suite.thread(marks, 0x10));
    suite.thread(equal, suite.root.pd).run_for(suite.root, 5, LONG);
    suite.holds("an equal one waits until its like yields", trace::took(&[1, 2, 3, 0x10, 4]));
}

/// Spins until the other one has been there.
extern "C" fn spins(_: Utcb, pd: u64) {
    start(pd, 0, 5);
    while trace::handed(2) == 0 {
        core::hint::spin_loop();
    }
    trace::mark(2);
}

/// Says that it has been there.
extern "C" fn been(_: Utcb, _: u64) {
    trace::mark(1);
    trace::hand(2, 1);
}

fn slices(suite: &mut Suite) {
    hand(0, suite.thread(been, 0));
    trace::hand(2, 0);
    suite.thread(spins, suite.root.pd).run_for(suite.root, 5, 1000);
    suite.holds("a thread that spins is interrupted for its like", trace::took(&[1, 2]));
}

/// Starts a thread above its caller at its first call.
extern "C" fn busy(pd: u64, utcb: Utcb) -> u64 {
    let caller = utcb.word(0);
    trace::mark(caller << 8);
    if caller == 1 {
        start(pd, 0, 6);
    }
    trace::mark(caller << 8 | 1);
    0
}

/// Starts a thread between itself and the worker's caller, and calls the worker.
extern "C" fn urgent(utcb: Utcb, pd: u64) {
    trace::mark(2);
    start(pd, 2, 5);
    utcb.set_words(&[2]);
    trace::mark(u64::from(call(trace::handed(4)).0));
}

fn help(suite: &mut Suite) {
    let root = suite.root;
    let worker = suite.worker(busy);
    trace::hand(4, worker.portal(root, root.pd));
    hand(0, suite.thread(urgent, root.pd));
    hand(2, suite.thread(marks, 0x10));
    root.utcb.set_words(&[1]);
    suite.equal("a call by the lowest", call(trace::handed(4)), DONE);
    let order = [0x100, 2, 0x101, 0x200, 0x201, 0, 0x10];
    suite.holds("the highest helps its worker past the one between them", trace::took(&order));
}

/// Waits at the semaphore that is handed over, in the middle of a call.
extern "C" fn blocks(_: u64, utcb: Utcb) -> u64 {
    let caller = utcb.word(0);
    trace::mark(caller << 8);
    let _ = down(trace::handed(5), 0);
    trace::mark(caller << 8 | 1);
    0
}

/// Calls the worker that blocks.
extern "C" fn calls(utcb: Utcb, name: u64) {
    utcb.set_words(&[name]);
    let status = call(trace::handed(4));
    trace::mark(name << 8 | 0x10 | u64::from(status.0));
}

fn queue(suite: &mut Suite) {
    let root = suite.root;
    trace::hand(4, suite.worker(blocks).portal(root, 0));
    trace::hand(5, suite.semaphore(0));
    let threads = [1, 2, 3].map(|name| suite.thread(calls, name).run(root, 4 + name));
    suite.holds("a worker blocks, and others wait for it", trace::took(&[0x100]));
    suite.equal("it is released", up(trace::handed(5)), DONE);
    let (count, marks) = trace::take();
    suite.equal("it serves its caller", (count, marks[0]), (3, 0x101));
    suite.holds("and then the most urgent one", marks[1] == 0x300 && marks[2] == 0x110);
    suite.equal("twice more", (up(trace::handed(5)), up(trace::handed(5))), (DONE, DONE));
    suite.holds("until all are served", trace::took(&[0x301, 0x310, 0x200, 0x201, 0x210]));
    threads.iter().for_each(|thread| thread.destroy());
}

/// Starts the urgent thread in the middle of an event, as [`busy`] does in a call.
extern "C" fn handles(id: u64, utcb: Utcb) -> u64 {
    trace::mark(0x100);
    start(id, 0, 6);
    trace::mark(0x101);
    utcb.put(nova_rt::event::offset::MTD, 0);
    0
}

/// Waits for the page that only the event's handler could map, by calling the handler's worker.
extern "C" fn calls_handler(utcb: Utcb, _: u64) {
    utcb.set_words(&[2]);
    trace::mark(0x10 | u64::from(call(trace::handed(4)).0));
}

fn event(suite: &mut Suite) {
    let root = suite.root;
    let worker = suite.worker(handles);
    worker.portal_at(root, nova_rt::event::RECALL, 0, root.pd);
    let other = nova_rt::supply::selector();
    let made = hypercall::create_pt(other, root.pd, worker.ec, 0, nova_rt::thread::replying_entry());
    suite.equal("a second portal of the worker", made, DONE);
    trace::hand(4, other);
    hand(0, suite.thread(calls_handler, 0));
    suite.equal("an event by the lowest", ec_ctrl(operation::RECALL, root.ec, 0, 0).0, DONE);
    suite.holds("its handler is helped, too", trace::took(&[0x100, 0x101, 0x10]));
    let gone = hypercall::revoke_all(nova_rt::Crd::object(nova_rt::event::RECALL, 0, nova_rt::crd::ALL));
    suite.equal("the portal goes", gone, DONE);
}
