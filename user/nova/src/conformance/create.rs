// SPDX-License-Identifier: MIT
//! Creation of every kind of object, and every way in which it is refused, in the order of the checks.

use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{
    self, create_ec, create_pd, create_pt, create_sc, create_signal, create_sm, number,
};
use nova_rt::raw::Registers;
use nova_rt::supply::{pages, selector};
use nova_rt::thread::portal_entry;
use nova_rt::{Status, USER_END};

use super::{ABSURD, FREE};
use crate::suite::Suite;

const BAD: Status = Status::BAD_CAPABILITY;
const WRONG: Status = Status::BAD_PARAMETER;
const DONE: Status = Status::SUCCESS;

pub fn run(suite: &mut Suite) {
    domains(suite);
    contexts(suite);
    times(suite);
    portals(suite);
    semaphores(suite);
}

/// Another capability of an object, with fewer rights.
pub fn weaker(suite: &Suite, object: u64, rights: u64) -> u64 {
    let to = selector();
    let item = nova_rt::Item::delegate(Crd::object(object, 0, rights), 0);
    let root = suite.root;
    let status = hypercall::delegate(root.utcb, root.pd, root.pd, Crd::object(to, 0, ALL), &[item]);
    assert_eq!(status, DONE, "a capability is delegated");
    to
}

fn domains(suite: &mut Suite) {
    let pd = suite.root.pd;
    let semaphore = suite.semaphore(0);
    suite.equal("a domain of nothing", create_pd(selector(), FREE, Crd::NULL, 0, 1), BAD);
    suite.equal("a domain of an absurd selector", create_pd(selector(), ABSURD, Crd::NULL, 0, 1), BAD);
    suite.equal("a domain of a semaphore", create_pd(selector(), semaphore, Crd::NULL, 0, 1), BAD);
    let weak = weaker(suite, pd, 0x1e);
    suite.equal("a domain without the right", create_pd(selector(), weak, Crd::NULL, 0, 1), BAD);
    suite.equal("a domain with more kept than given", create_pd(selector(), pd, Crd::NULL, 3, 2), WRONG);
    let much = create_pd(selector(), pd, Crd::NULL, 2, (1 << 31) - 1);
    suite.equal("a domain with more than there is", much, WRONG);
    suite.equal("a domain where one is", create_pd(pd, pd, Crd::NULL, 0, 1), BAD);
    let new = selector();
    suite.equal("a domain", create_pd(new, pd, Crd::NULL, 2, 32), DONE);
    suite.equal("its kernel memory", hypercall::quota(new), (DONE, 32, 0));
    suite.equal("its rights", hypercall::lookup(Crd::object(new, 0, ALL)), Crd::object(new, 0, 0x1f));
    let weak = weaker(suite, pd, 0x01);
    let weakly = selector();
    suite.equal("a domain by a weak capability", create_pd(weakly, weak, Crd::NULL, 0, 1), DONE);
    let found = hypercall::lookup(Crd::object(weakly, 0, ALL));
    suite.equal("has the rights of that capability", found, Crd::object(weakly, 0, 1));
}

fn contexts(suite: &mut Suite) {
    let pd = suite.root.pd;
    let on = |cpu: u64, selector, pd, utcb| {
        let parameters = [pd, utcb + cpu, 0, 0];
        hypercall::status(hypercall::make(Registers::new(number::CREATE_EC, 0, selector, parameters)))
    };
    suite.equal("a context elsewhere", on(5, selector(), FREE, 0), Status::BAD_CPU);
    suite.equal("a virtual processor", create_ec(selector(), FREE, 0, 0, 0, false), Status::BAD_FEATURE);
    suite.equal("a context of nothing", create_ec(selector(), FREE, USER_END, 0, 0, false), BAD);
    let weak = weaker(suite, pd, 0x1d);
    suite.equal("a context without the right", create_ec(selector(), weak, pages(0), 0, 0, false), BAD);
    suite.equal("a context beyond user space", create_ec(selector(), pd, USER_END, 0, 0, false), WRONG);
    suite.equal("a context where a domain is", create_ec(pd, pd, pages(0), 0, 0, false), BAD);
    let (worker, utcb) = (selector(), pages(0));
    suite.equal("a worker", create_ec(worker, pd, utcb, 0, 0, false), DONE);
    suite.equal("its rights", hypercall::lookup(Crd::object(worker, 0, ALL)), Crd::object(worker, 0, 0x0d));
    let zero = (0..512).all(|word| nova_rt::access::read(utcb + 8 * word) == 0);
    suite.holds("its UTCB is there at once, and zero", zero);
    suite.equal("a thread", create_ec(selector(), pd, pages(0), 0, 0, true), DONE);
}

fn times(suite: &mut Suite) {
    let pd = suite.root.pd;
    let (worker, thread) = (selector(), selector());
    suite.equal("a worker for time", create_ec(worker, pd, pages(0), 0, 0, false), DONE);
    suite.equal("a thread for time", create_ec(thread, pd, pages(0), 0, 0, true), DONE);
    let weak = weaker(suite, pd, 0x1b);
    suite.equal("time of nothing", create_sc(selector(), FREE, thread, 1, 10_000), BAD);
    suite.equal("time without the right", create_sc(selector(), weak, thread, 1, 10_000), BAD);
    suite.equal("time for nothing", create_sc(selector(), pd, FREE, 1, 10_000), BAD);
    let unbindable = weaker(suite, thread, 0x0b);
    suite.equal("time for a thread without the right", create_sc(selector(), pd, unbindable, 1, 10_000), BAD);
    suite.equal("time for a worker", create_sc(selector(), pd, worker, 1, 10_000), BAD);
    suite.equal("time without priority", create_sc(selector(), pd, thread, 0, 10_000), WRONG);
    suite.equal("time above all priorities", create_sc(selector(), pd, thread, 128, 10_000), WRONG);
    suite.equal("time without a slice", create_sc(selector(), pd, thread, 1, 0), WRONG);
    suite.equal("time where a domain is", create_sc(pd, pd, thread, 1, 10_000), BAD);
    let time = selector();
    suite.equal("time", create_sc(time, pd, thread, 127, 10_000), DONE);
    suite.equal("its rights", hypercall::lookup(Crd::object(time, 0, ALL)), Crd::object(time, 0, 1));
}

fn portals(suite: &mut Suite) {
    let pd = suite.root.pd;
    let (worker, entry) = (selector(), portal_entry());
    suite.equal("a worker for portals", create_ec(worker, pd, pages(0), 0, 0, false), DONE);
    suite.equal("a portal beyond user space", create_pt(selector(), FREE, worker, 0, USER_END), WRONG);
    suite.equal("a portal of nothing", create_pt(selector(), FREE, worker, 0, entry), BAD);
    let weak = weaker(suite, pd, 0x17);
    suite.equal("a portal without the right", create_pt(selector(), weak, worker, 0, entry), BAD);
    suite.equal("a portal to nothing", create_pt(selector(), pd, FREE, 0, entry), BAD);
    let unbindable = weaker(suite, worker, 0x07);
    suite.equal(
        "a portal to a worker without the right",
        create_pt(selector(), pd, unbindable, 0, entry),
        BAD,
    );
    suite.equal("a portal to a thread", create_pt(selector(), pd, suite.root.ec, 0, entry), BAD);
    suite.equal("a portal where a domain is", create_pt(pd, pd, worker, 0, entry), BAD);
    let portal = selector();
    let range = Crd::object(portal, 0, ALL);
    suite.equal("a portal", create_pt(portal, pd, worker, 0, entry), DONE);
    suite.equal("its rights", hypercall::lookup(range), Crd::object(portal, 0, 0x13));
    suite.equal("its id", hypercall::pt_ctrl(portal, 7), DONE);
    suite.equal("the right to set it is taken", hypercall::revoke_all(Crd::object(portal, 0, 1)), DONE);
    suite.equal("the other rights", hypercall::lookup(range), Crd::object(portal, 0, 0x12));
    suite.equal("its id without the right", hypercall::pt_ctrl(portal, 8), BAD);
    suite.equal("the id of nothing", hypercall::pt_ctrl(FREE, 8), BAD);
    suite.equal("the id of a worker", hypercall::pt_ctrl(worker, 8), BAD);
}

fn semaphores(suite: &mut Suite) {
    let pd = suite.root.pd;
    let (plain, signal) = (selector(), selector());
    suite.equal("a semaphore of nothing", create_sm(selector(), FREE, 0), BAD);
    let weak = weaker(suite, pd, 0x0f);
    suite.equal("a semaphore without the right", create_sm(selector(), weak, 0), BAD);
    suite.equal("a semaphore where a domain is", create_sm(pd, pd, 0), BAD);
    suite.equal("a semaphore", create_sm(plain, pd, 5), DONE);
    suite.equal("its rights", hypercall::lookup(Crd::object(plain, 0, ALL)), Crd::object(plain, 0, 3));
    suite.equal("a signal to nothing", create_signal(selector(), pd, 1, FREE), BAD);
    suite.equal("a signal to a domain", create_signal(selector(), pd, 1, pd), BAD);
    suite.equal("a signal", create_signal(signal, pd, 1, plain), DONE);
    suite.equal("a signal to a signal", create_signal(selector(), pd, 1, signal), BAD);
    let rightless = weaker(suite, plain, 1);
    suite.equal("a signal needs no right there", create_signal(selector(), pd, 1, rightless), DONE);
}
