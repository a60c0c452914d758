// SPDX-License-Identifier: MIT
//! The calls that control contexts, times, portals, domains and the machine, with the examples of the description.

use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{self, ec_ctrl, number, operation, sc_ctrl};
use nova_rt::raw::Registers;
use nova_rt::{Status, Utcb};

use super::create::weaker;
use super::{ABSURD, FREE};
use crate::suite::Suite;
use crate::trace;

const BAD: Status = Status::BAD_CAPABILITY;
const WRONG: Status = Status::BAD_PARAMETER;
const DONE: Status = Status::SUCCESS;
/// A slice that no case uses up, in microseconds.
const LONG: u64 = 100_000_000;

pub fn run(suite: &mut Suite) {
    contexts(suite);
    donation(suite);
    times(suite);
    domains(suite);
    machine(suite);
}

fn contexts(suite: &mut Suite) {
    let me = suite.root.ec;
    let semaphore = suite.semaphore(0);
    let mut control =
        |what, operation, ec, first, wanted| suite.equal(what, ec_ctrl(operation, ec, first, 0).0, wanted);
    control("recall nothing", operation::RECALL, FREE, 0, BAD);
    control("recall an absurd selector", operation::RECALL, ABSURD, 0, BAD);
    control("recall a semaphore", operation::RECALL, semaphore, 0, BAD);
    control("yield", operation::YIELD, FREE, 0, DONE);
    control("reschedule", operation::RESCHEDULE, FREE, 0, DONE);
    control("migrate", operation::MIGRATE, FREE, 0, WRONG);
    control("the time of nothing", operation::TIME, FREE, 0, BAD);
    control("the state of a virtual processor", operation::GET_STATE, FREE, 0, BAD);
    control("a new state of a virtual processor", operation::SET_STATE, FREE, 0, BAD);
    control("a new state of a thread as if it were one", operation::SET_STATE, me, 0, BAD);
    control("model-specific registers without the authority", operation::MSR, FREE, 0, BAD);
    for beyond in 9..16 {
        control("an operation that is not there", beyond, me, 0, WRONG);
    }
    let time = ec_ctrl(operation::TIME, me, 0, 0).0;
    suite.holds("the time of a context, if it is kept", [DONE, WRONG].contains(&time));
    let weak = weaker(suite, me, 0x0c);
    suite.equal("recall without the right", ec_ctrl(operation::RECALL, weak, 0, 0).0, BAD);
}

/// Hands the processor back to who gave it.
extern "C" fn borrower(_: Utcb, _: u64) {
    trace::mark(1);
    let _ = ec_ctrl(operation::RESCHEDULE, FREE, 0, 0);
    trace::mark(2);
}

/// Gives the processor to the thread that is handed over; both have the same priority, and slices that never end.
extern "C" fn lender(_: Utcb, pd: u64) {
    let (ec, sc) = (trace::handed(0), trace::handed(1));
    let started = hypercall::create_sc(sc, pd, ec, 5, LONG);
    trace::mark(0x10 | u64::from(started.0));
    trace::mark(0x20 | u64::from(ec_ctrl(operation::DONATE, ec, 0, 0).0.0));
    trace::mark(0x30 | u64::from(ec_ctrl(operation::YIELD, FREE, 0, 0).0.0));
}

fn donation(suite: &mut Suite) {
    suite.equal("donate to nothing", ec_ctrl(operation::DONATE, FREE, 0, 0).0, BAD);
    suite.root.utcb.set_tls(6);
    suite.equal(
        "donate to oneself with a wrong counter",
        ec_ctrl(operation::DONATE, suite.root.ec, 5, 0).0,
        WRONG,
    );
    let idle = suite.worker(idle);
    suite.equal("donate to a worker that nobody called", ec_ctrl(operation::DONATE, idle.ec, 0, 0).0, WRONG);
    let thread = suite.thread(borrower, 0);
    trace::hand(0, thread.ec);
    trace::hand(1, thread.sc);
    suite.thread(lender, suite.root.pd).run_for(suite.root, 5, LONG);
    let (count, marks) = trace::take();
    let marks = &marks[..count.min(marks.len())];
    // A kernel may do without donation; then the other thread runs when this one yields.
    let done = [&[0x10, 1, 0x20, 2, 0x30][..], &[0x10, 0x25, 1, 0x30, 2], &[0x10, 0x25, 1, 2, 0x30]];
    suite.holds("a thread that is ready gets the processor and hands it back", done.contains(&marks));
}

extern "C" fn idle(_: u64, _: Utcb) -> u64 {
    0
}

fn times(suite: &mut Suite) {
    let sc = suite.root.sc;
    suite.equal("the time of no scheduling context", sc_ctrl(0, FREE, 0).0, BAD);
    suite.equal("the time of a context instead", sc_ctrl(0, suite.root.ec, 0).0, BAD);
    let answered = [0, 1, 2].map(|operation| sc_ctrl(operation, sc, 0).0);
    suite.holds("the times of a scheduling context", answered.iter().all(|one| [DONE, WRONG].contains(one)));
    suite.holds("its time and a context's", [DONE, WRONG].contains(&sc_ctrl(3, sc, suite.root.ec).0));
}

fn domains(suite: &mut Suite) {
    let pd = suite.root.pd;
    suite.equal("the kernel memory of nothing", hypercall::quota(FREE).0, BAD);
    suite.equal("the kernel memory of a context", hypercall::quota(suite.root.ec).0, BAD);
    let (status, limit, usage) = hypercall::quota(pd);
    suite.holds("the kernel memory of the root task", status == DONE && usage <= limit && limit > 0);
    suite.equal("moving it from nothing", hypercall::transfer(FREE, pd, 1), BAD);
    suite.equal("moving it to nothing", hypercall::transfer(pd, FREE, 1), BAD);
}

fn machine(suite: &mut Suite) {
    let pd = suite.root.pd;
    suite.equal("suspend without the authority", hypercall::suspend(FREE, 0, 0), BAD);
    suite.equal("suspend by another semaphore", hypercall::suspend(suite.semaphore(0), 0, 0), BAD);
    for flags in [3, 4, 14] {
        let answer = hypercall::make(Registers::new(number::MISC, flags, 0, [0; 4]));
        suite.equal("a part of misc that is not there", hypercall::status(answer), WRONG);
    }
    suite.equal("a device for nothing", hypercall::assign_pci(FREE, 0, 0), BAD);
    suite.equal("a device without an IOMMU", hypercall::assign_pci(pd, 0x1000, 0), Status::BAD_DEVICE);
    let item = nova_rt::Item::delegate(Crd::object(pd, 0, ALL), 0);
    let window = Crd::object(FREE, 0, ALL);
    let delegated = |from, to| hypercall::delegate(suite.root.utcb, from, to, window, &[item]);
    let (from, to) = (delegated(FREE, pd), delegated(pd, FREE));
    suite.equal("delegate from nothing", from, BAD);
    suite.equal("delegate to nothing", to, BAD);
}
