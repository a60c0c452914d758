// SPDX-License-Identifier: MIT
//! The neighbour of an attacker: it computes, calls the server, and counts what is not as it should be.

use nova_rt::crd::ALL;
use nova_rt::hypercall::{self, call};
use nova_rt::start::Root;
use nova_rt::thread::{Domain, Thread};
use nova_rt::{Crd, PAGE, Status, Utcb, access, grants};

use crate::suite::Suite;

/// How many rounds the neighbour works.
const ROUNDS: u64 = 300;
/// How many words it works on.
const WORDS: u64 = 64;

/// A thread in a domain of its own, with a page of results and one of work.
#[derive(Clone, Copy)]
pub struct Neighbour {
    thread: Thread,
    domain: Domain,
    page: u64,
}

impl Neighbour {
    /// A neighbour that calls a portal, and does not run yet.
    pub fn new(suite: &Suite, portal: u64) -> Self {
        let root = suite.root;
        let domain = Domain::new(root, 64);
        let page = grants::memory(root, 1);
        domain.share(root, page, page + 2 * PAGE, 3);
        domain.give(root, portal, 1, 0);
        let thread = Thread::new(root, suite.starter, domain, works, page);
        Self { thread, domain, page }
    }

    /// Starts its work, at the attackers' priority.
    pub fn start(self, root: Root) {
        self.thread.run_for(root, 10, 1000);
    }

    /// Destroys it; returns whether it did all its work without a mistake.
    pub fn end(self) -> bool {
        self.thread.destroy();
        let gone = hypercall::revoke_all(Crd::object(self.domain.pd, 0, ALL)) == Status::SUCCESS;
        let is_well = access::read(self.page) == ROUNDS && access::read(self.page + 8) == 0;
        let hidden = hypercall::revoke_all(Crd::memory(self.page / PAGE, 1, ALL)) == Status::SUCCESS;
        gone && is_well && hidden
    }
}

/// A step of a sequence that goes through all numbers.
const fn step(value: u64) -> u64 {
    value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

/// Writes sequences to its page, has the server count their words up, and reads both again.
extern "C" fn works(utcb: Utcb, page: u64) {
    let work = page + PAGE;
    for round in 0..ROUNDS {
        let mut value = round;
        for word in 0..WORDS {
            value = step(value);
            access::write(work + 8 * word, value);
            utcb.set_word(word, value);
        }
        utcb.set_counts(WORDS, 0);
        let mut mistakes = u64::from(call(1) != Status::SUCCESS);
        mistakes += u64::from(utcb.counts() != WORDS);
        value = round;
        for word in 0..WORDS {
            value = step(value);
            mistakes += u64::from(access::read(work + 8 * word) != value);
            mistakes += u64::from(utcb.word(word) != value.wrapping_add(1));
        }
        access::write(page + 8, access::read(page + 8) + mistakes);
        access::write(page, round + 1);
    }
}
