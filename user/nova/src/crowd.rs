// SPDX-License-Identifier: MIT
//! Many at once, and many one after the other: 200 threads in 100 domains, and domains with all that belongs to them made
//! and destroyed until a leak would show.

use nova_rt::crd::ALL;
use nova_rt::hypercall::{
    self, call, create_ec, create_pd, create_pt, create_sc, create_sm, down, revoke_all, up,
};
use nova_rt::start::Root;
use nova_rt::thread::{Domain, Thread, Worker, portal_entry};
use nova_rt::{Crd, Status, Utcb, supply};

use crate::suite::Suite;
use crate::trace;

/// Kernel memory of each domain, in pages.
const PAGES: u64 = 16;
/// Domains at once; each has a worker and a thread that calls the next domain's worker.
const DOMAINS: usize = 100;
/// How often each thread calls.
const ROUNDS: u64 = 5;
/// How often a domain is made and destroyed.
const LIVES: u64 = 10_000;

const DONE: Status = Status::SUCCESS;

/// Runs both parts; returns whether all was well.
#[must_use]
pub fn run(root: Root) -> bool {
    let suite = &mut Suite::new(root);
    suite.topic("crowd");
    at_once(suite);
    one_by_one(suite);
    suite.end()
}

/// Adds the portal's id to the first word.
extern "C" fn adds(id: u64, utcb: Utcb) -> u64 {
    utcb.set_word(0, utcb.word(0) + id);
    0
}

/// Calls the portal at selector 1 in rounds with the others, who wait at selector 2, and adds up what it is told.
extern "C" fn calls(utcb: Utcb, name: u64) {
    let mut sum = 0;
    for round in 0..ROUNDS {
        utcb.set_words(&[round << 32 | name]);
        let status = call(1);
        sum += if status == DONE { utcb.word(0) } else { 1 << 60 };
        let _ = down(2, 0);
    }
    trace::add(0, sum);
    trace::add(1, 1);
}

fn at_once(suite: &mut Suite) {
    let root = suite.root;
    let gate = suite.semaphore(0);
    let domains: [Domain; DOMAINS] = core::array::from_fn(|_| Domain::new(root, PAGES));
    let workers: [Worker; DOMAINS] = core::array::from_fn(|at| Worker::new(root, domains[at], 0x40, adds));
    let mut threads = [None; DOMAINS];
    for (at, worker) in workers.into_iter().enumerate() {
        let caller = domains[(at + 1) % DOMAINS];
        caller.give(root, worker.portal(root, at as u64), 1, 0);
        caller.give(root, gate, 2, 0);
        threads[at] = Some(Thread::new(root, suite.starter, caller, calls, at as u64));
    }
    threads.iter().flatten().for_each(|thread| {
        thread.run(root, 5);
    });
    for _ in 0..ROUNDS {
        (0..DOMAINS).for_each(|_| {
            let _ = up(gate);
        });
    }
    let names: u64 = (0..DOMAINS as u64).sum();
    let rounds: u64 = (0..ROUNDS).sum();
    let wanted = (rounds << 32) * DOMAINS as u64 + 2 * names * ROUNDS;
    suite.equal("200 threads in 100 domains have all ended", trace::handed(1), DOMAINS as u64);
    suite.equal("and been told what they should", trace::handed(0), wanted);
    let gone = domains.iter().all(|domain| revoke_all(Crd::object(domain.pd, 0, ALL)) == DONE);
    suite.holds("all domains go", gone);
}

/// Makes a domain with a thread, its time, a worker, its portal and a semaphore, and destroys all of it.
fn live(root: Root, selectors: u64, utcbs: u64) -> bool {
    let at = |index: u64| selectors + index;
    let made = create_pd(at(0), root.pd, Crd::NULL, 0, PAGES) == DONE
        && create_ec(at(1), at(0), utcbs, 0, 0, true) == DONE
        && create_ec(at(2), at(0), utcbs + nova_rt::PAGE, 0, 0x20, false) == DONE
        && create_sc(at(3), at(0), at(1), 1, 10_000) == DONE
        && create_pt(at(4), at(0), at(2), 0, portal_entry()) == DONE
        && create_sm(at(5), at(0), 0) == DONE;
    made && revoke_all(Crd::object(selectors, 3, ALL)) == DONE
}

fn one_by_one(suite: &mut Suite) {
    let root = suite.root;
    let (selectors, utcbs) = (supply::selectors(3), supply::pages(1));
    // The first life may make tables that stay.
    suite.holds("a first life", live(root, selectors, utcbs));
    let before = hypercall::quota(root.pd);
    let (told, left) = hypercall::kernel_memory(root.pd);
    suite.equal("the kernel tells of its memory", told, DONE);
    let all = (0..LIVES).all(|_| live(root, selectors, utcbs));
    suite.holds("10,000 lives", all);
    suite.equal("the domain has its quota back", hypercall::quota(root.pd), before);
    suite.equal("the kernel has its memory back", hypercall::kernel_memory(root.pd), (DONE, left));
}
