// SPDX-License-Identifier: MIT
//! Calls of portals: what a worker finds, what a caller gets back, and what is refused.

use core::sync::atomic::{AtomicU64, Ordering};

use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{self, call, call_if_idle};
use nova_rt::start;
use nova_rt::trial::{self, Everything, place};
use nova_rt::{PAGE, Status, Utcb, access, grants, supply};

use super::create::weaker;
use super::{ABSURD, FREE};
use crate::suite::Suite;
use crate::trace;

const BAD: Status = Status::BAD_CAPABILITY;
const DONE: Status = Status::SUCCESS;

pub fn run(suite: &mut Suite) {
    refusals(suite);
    rights(suite);
    nested(suite);
    entry(suite);
    deaths(suite);
}

/// Leaves the portal's id as a mark.
extern "C" fn marks(id: u64, _: Utcb) -> u64 {
    trace::mark(id);
    0
}

fn refusals(suite: &mut Suite) {
    suite.equal("nothing", call(FREE), BAD);
    suite.equal("an absurd selector", call(ABSURD), BAD);
    suite.equal("a semaphore", call(suite.semaphore(0)), BAD);
    suite.equal("a domain", call(suite.root.pd), BAD);
    suite.equal("nothing, without waiting", call_if_idle(FREE), BAD);
}

fn rights(suite: &mut Suite) {
    let worker = suite.worker(marks);
    let portal = worker.portal(suite.root, 0x123);
    suite.equal("a call", call(portal), DONE);
    suite.holds("the worker finds the id", trace::took(&[0x123]));
    // A call that succeeds leaves RDI as it was passed, and the flag is a part of it.
    suite.equal("an idle worker, without waiting", call_if_idle(portal), Status(0x10));
    suite.equal("a new id", hypercall::pt_ctrl(portal, u64::MAX), DONE);
    suite.equal("a call without the right", call(weaker(suite, portal, 1)), DONE);
    suite.holds("the worker finds the new id", trace::took(&[0x123, u64::MAX]));
    let plain = supply::selector();
    let made = hypercall::create_pt(plain, suite.root.pd, worker.ec, 0, nova_rt::thread::portal_entry());
    suite.equal("a portal without an id", (made, call(plain)), (DONE, DONE));
    suite.holds("the worker finds 0", trace::took(&[0]));
    suite.equal("the portal goes", hypercall::revoke_all(Crd::object(plain, 0, ALL)), DONE);
    suite.equal("and cannot be called", call(plain), BAD);
    suite.equal("the other one can", call(portal), DONE);
    suite.holds("and is served", trace::took(&[u64::MAX]));
}

/// Calls the portal that is its id plus one, unless that is the last.
extern "C" fn forwards(id: u64, _: Utcb) -> u64 {
    trace::mark(id);
    let next = trace::handed(id as usize);
    if next != 0 {
        trace::mark(0x100 | u64::from(call(next).0));
    }
    0
}

/// Calls its own portal, without waiting.
extern "C" fn calls_itself(id: u64, _: Utcb) -> u64 {
    trace::mark(u64::from(call_if_idle(trace::handed(id as usize)).0));
    0
}

fn nested(suite: &mut Suite) {
    let portals: [u64; 4] = core::array::from_fn(|id| suite.worker(forwards).portal(suite.root, id as u64));
    for id in 0..4 {
        trace::hand(id, portals.get(id + 1).copied().unwrap_or(0));
    }
    suite.equal("a call through four workers", call(portals[0]), DONE);
    suite.holds("goes there and back", trace::took(&[0, 1, 2, 3, 0x100, 0x100, 0x100]));
    let portal = suite.worker(calls_itself).portal(suite.root, 5);
    trace::hand(5, portal);
    suite.equal("a worker that calls itself", call(portal), DONE);
    suite.holds("is busy", trace::took(&[1]));
}

fn entry(suite: &mut Suite) {
    let root = suite.root;
    let page = grants::memory(root, 0);
    let found = |index: u64| access::read(page + 8 * index);
    let leaves = Everything::pattern(7);
    for (index, value) in (0..).zip(leaves.general) {
        access::write(page + 128 + 8 * index, value);
    }
    let top = grants::memory(root, 0) + PAGE - 16;
    access::write(top, page);
    let (ec, portal, at) = (supply::selector(), supply::selector(), trial::exchange());
    let made = hypercall::create_ec(ec, root.pd, supply::pages(0), top, 0, false);
    suite.equal("a worker of registers", made, DONE);
    suite.equal("its portal", hypercall::create_pt(portal, root.pd, ec, 0, at), DONE);
    suite.equal("its id", hypercall::pt_ctrl(portal, 0x77), DONE);
    suite.equal("its first call", call(portal), DONE);
    let zero = [place::RAX, place::RBX, place::RDX, place::RSI, place::RBP, place::R8];
    suite.equal("its first registers are 0", zero.map(|index| found(index as u64)), [0; 6]);
    let given =
        [place::RDI, place::RCX, place::R11, trial::Everything::FLAGS].map(|index| found(index as u64));
    suite.equal("it finds id, entry and flags", given, [0x77, at, 0x200, 0x202]);
    let passed = portal << 8;
    let sent = Everything::pattern(3).with(&[(place::RDI, passed)]);
    let mut registers = sent;
    trial::hypercall(&mut registers);
    let kept = sent.with(&[(place::RCX, trial::next()), (place::R11, 0x200)]);
    suite.holds("the caller's registers are kept", registers == kept);
    let special = [place::RAX, place::RCX, place::RDI, place::R11];
    let same = (0..15)
        .filter(|index| !special.contains(index))
        .all(|index| found(index as u64) == leaves.general[index]);
    suite.holds(
        "the worker finds what it left",
        same && found(place::RAX as u64) == leaves.general[place::RAX],
    );
    let flags = [0xcd5u64, 0x8d5, 0x41].map(|set| {
        let mut registers = Everything { flags: 0x202 | set, ..sent };
        trial::hypercall(&mut registers);
        (registers.flags, found(trial::Everything::FLAGS as u64))
    });
    suite.equal("flags are reset for both", flags, [(0x202, 0x202); 3]);
}

/// The id at which [`dies`] dies.
static FATAL: AtomicU64 = AtomicU64::new(1);

extern "C" fn dies(id: u64, _: Utcb) -> u64 {
    if id == FATAL.load(Ordering::Relaxed) {
        start::die();
    }
    0
}

fn deaths(suite: &mut Suite) {
    let worker = suite.worker(dies);
    let (fine, fatal) = (worker.portal(suite.root, 0), worker.portal(suite.root, 1));
    suite.equal("a worker that lives", call(fine), DONE);
    suite.equal("a worker that dies", call(fatal), Status::ABORTED);
    suite.equal("a dead worker", call(fatal), Status::TIMEOUT);
    suite.equal("a dead worker by another portal", call(fine), Status::TIMEOUT);
    suite.equal("a dead worker, without waiting", call_if_idle(fine), Status::TIMEOUT);
    // Who calls a worker that dies gets its status as its own worker's caller does.
    let outer = suite.worker(forwards);
    let dying = suite.worker(dies).portal(suite.root, 1);
    trace::hand(6, dying);
    suite.equal("a worker whose worker dies", call(outer.portal(suite.root, 6)), DONE);
    suite.holds("goes on", trace::took(&[6, 0x102]));
}
