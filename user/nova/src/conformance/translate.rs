// SPDX-License-Identifier: MIT
//! Translation: a server gets back the very selector that it once gave away.

use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall::{self, call};
use nova_rt::thread::{Domain, Thread};
use nova_rt::utcb::Item;
use nova_rt::{Status, Utcb, supply};

use super::create::weaker;
use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;

pub fn run(suite: &mut Suite) {
    one_domain(suite);
    two_domains(suite);
}

/// Hands the first item's result over and replies nothing.
extern "C" fn keeps(_: u64, utcb: Utcb) -> u64 {
    let Item { crd, how } = utcb.item(0);
    trace::hand(0, crd.0);
    trace::hand(1, how);
    utcb.set_counts(0, 0);
    0
}

fn one_domain(suite: &mut Suite) {
    let root = suite.root;
    let worker = suite.worker(keeps);
    let portal = worker.portal(root, 0);
    let own = suite.semaphore(0);
    let alias = weaker(suite, own, 1);
    let far = weaker(suite, alias, 1);
    let room = supply::selectors(1);
    let sends = |window: Crd, item: Item| {
        worker.utcb.set_windows(window, Crd::object(room, 1, ALL));
        root.utcb.set_words(&[]);
        root.utcb.set_items(&[item]);
        (call(portal), Crd(trace::handed(0)), trace::handed(1))
    };
    let every = Crd::ALL_OBJECTS;
    let of = |selector, rights| Crd::object(selector, 0, rights);
    let mut case = |what, window, item, crd, how| suite.equal(what, sends(window, item), (DONE, crd, how));
    case("a capability of one's own", every, Item::translate(of(own, ALL)), of(own, 3), 0);
    case("an alias", every, Item::translate(of(alias, ALL)), of(own, 1), 0);
    case("an alias of an alias", every, Item::translate(of(far, ALL)), of(alias, 1), 0);
    case("an alias, by a window for its first", of(own, ALL), Item::translate(of(far, ALL)), of(own, 1), 0);
    case("into a closed window", Crd::NULL, Item::translate(of(own, ALL)), Crd::NULL, 0);
    case("into a window of memory", Crd::memory(0, 31, 7), Item::translate(of(own, ALL)), Crd::NULL, 0);
    case("what is not there", every, Item::translate(of(super::FREE, ALL)), Crd::NULL, 0);
    case("what can be translated is not delegated", every, Item::either(of(alias, ALL), 0), of(own, 1), 2);
    case("what cannot is", Crd::NULL, Item::either(of(own, 1), 1), of(room + 1, 1), 3);
    case("nothing", every, Item::either(Crd::NULL, 5), Crd::NULL, 3);
}

/// Sends the capability at selector 5 of its domain by the portal at selector 6, in three ways.
extern "C" fn sends(utcb: Utcb, _: u64) {
    for (word, item) in [
        Item::translate(Crd::object(5, 0, ALL)),
        Item::either(Crd::object(5, 0, ALL), 0),
        Item::either(Crd::object(7, 0, ALL), 1),
    ]
    .into_iter()
    .enumerate()
    {
        utcb.set_words(&[word as u64]);
        utcb.set_items(&[item]);
        trace::mark(u64::from(call(6).0));
        trace::mark(trace::handed(0));
        trace::mark(trace::handed(1));
    }
}

fn two_domains(suite: &mut Suite) {
    let root = suite.root;
    let child = Domain::new(root, 64);
    let worker = suite.worker(keeps);
    let room = supply::selectors(1);
    worker.utcb.set_windows(Crd::ALL_OBJECTS, Crd::object(room, 1, ALL));
    let own = suite.semaphore(0);
    child.give(root, weaker(suite, own, 1), 5, 0);
    child.give(root, worker.portal(root, 0), 6, 0);
    let thread = Thread::new(root, suite.starter, child, sends, 0);
    // What the child makes itself comes from nowhere in the root task.
    child.give(root, root.pd, 8, 0);
    thread.run(root, 5);
    let (count, marks) = trace::take();
    let first = hypercall::lookup(Crd(marks[1]));
    suite.equal("three calls of another domain", (count, marks[0], marks[3], marks[6]), (9, 0, 0, 0));
    suite.holds("the nearest ancestor comes back", first.base() != own && first.base() != 0);
    suite.equal("with the rights of the sender", Crd(marks[1]).rights(), 1);
    suite.equal("as either, too", (marks[4], marks[5]), (marks[1], 2));
    suite.equal("nothing that can be sent", (Crd(marks[7]), marks[8]), (Crd::object(room + 1, 0, ALL), 3));
    thread.destroy();
}
