// SPDX-License-Identifier: MIT
//! Delegation by the delegate call: which units arrive where, with which rights.

use nova_rt::crd::{ALL, Crd, READ, WRITE};
use nova_rt::hypercall::{self, delegate, lookup};
use nova_rt::utcb::Item;
use nova_rt::{PAGE, Status, access, grants, supply};

use crate::suite::Suite;

const DONE: Status = Status::SUCCESS;

pub fn run(suite: &mut Suite) {
    objects(suite);
    rights(suite);
    overlaps(suite);
    memory(suite);
    ports(suite);
    everything(suite);
}

/// Four semaphores at aligned selectors.
fn four(suite: &Suite) -> u64 {
    let first = supply::selectors(2);
    for selector in first..first + 4 {
        assert_eq!(hypercall::create_sm(selector, suite.root.pd, 0), DONE, "a semaphore is made");
    }
    first
}

fn within(suite: &Suite, window: Crd, item: Item) -> Status {
    let root = suite.root;
    delegate(root.utcb, root.pd, root.pd, window, &[item])
}

/// Which of 2^order selectors from a place on are taken, a bit each.
fn taken(first: u64, order: u64) -> u64 {
    (0..1 << order).map(|at| u64::from(lookup(Crd::object(first + at, 0, ALL)) != Crd::NULL) << at).sum()
}

fn objects(suite: &mut Suite) {
    let from = four(suite);
    let mut arrives = |what, sent: (u64, u64), window: u64, hotspot: u64, wanted: u64| {
        let to = supply::selectors(3);
        let item = Item::delegate(Crd::object(sent.0, sent.1, ALL), hotspot);
        let status = within(suite, Crd::object(to, window, ALL), item);
        suite.equal(what, (status, taken(to, 3)), (DONE, wanted));
    };
    arrives("four to four", (from, 2), 2, 0, 0b1111);
    arrives("four to four, unaligned", (from + 3, 2), 2, 0, 0b1111);
    arrives("two to the first of eight", (from, 1), 3, 0, 0b11);
    arrives("two to a hotspot of eight", (from, 1), 3, 4, 0b11_0000);
    arrives("two to an odd hotspot", (from, 1), 3, 7, 0b1100_0000);
    arrives("one to a hotspot beyond the window", (from, 0), 2, 0x125, 0b10);
    arrives("four to one", (from, 2), 0, 2, 0b1);
    arrives("four to two by a hotspot", (from, 2), 1, 2, 0b11);
    arrives("nothing there", (from + 0x1000_0000, 2), 2, 0, 0);
    // One of four that is empty leaves its place empty.
    assert_eq!(hypercall::revoke_all(Crd::object(from + 2, 0, ALL)), DONE, "a semaphore is gone");
    let to = supply::selectors(2);
    let item = Item::delegate(Crd::object(from, 2, ALL), 0);
    let status = within(suite, Crd::object(to, 2, ALL), item);
    suite.equal("four with a gap", (status, taken(to, 2)), (DONE, 0b1011));
    let found = lookup(Crd::object(to + 3, 0, ALL));
    suite.equal("each at its own place", found, Crd::object(to + 3, 0, 3));
}

fn rights(suite: &mut Suite) {
    let from = four(suite);
    let mut arrive = |what, sent, window, wanted| {
        let to = supply::selectors(0);
        let status = within(suite, Crd::object(to, 0, window), Item::delegate(Crd::object(from, 0, sent), 0));
        let wanted = if wanted == 0 { Crd::NULL } else { Crd::object(to, 0, wanted) };
        suite.equal(what, (status, lookup(Crd::object(to, 0, ALL))), (DONE, wanted));
    };
    arrive("the rights of the item", 1, ALL, 1);
    arrive("the rights of the window", ALL, 2, 2);
    arrive("the rights of neither", 1, 2, 0);
    arrive("the rights that the object lacks", 0x1c, ALL, 0);
    arrive("no more than the object has", ALL, ALL, 3);
    let to = supply::selector();
    let item = Item::delegate(Crd::object(from, 0, ALL), 0);
    let status = within(suite, Crd::memory(to, 0, ALL), item);
    suite.equal("an object into a window of memory", (status, taken(to, 0)), (DONE, 0));
    let item = Item { crd: Crd::object(from, 0, ALL), how: 3 };
    let status = within(suite, Crd::object(to, 0, ALL), item);
    suite.equal("an item of no kind", (status, taken(to, 0)), (DONE, 0));
    let item = Item::translate(Crd::object(from, 0, ALL));
    let status = within(suite, Crd::object(to, 0, ALL), item);
    suite.equal("translation yields nothing here", (status, taken(to, 0)), (DONE, 0));
    let item = Item::either(Crd::object(from, 0, ALL), 0);
    let status = within(suite, Crd::object(to, 0, ALL), item);
    suite.equal("so what is either is delegated", (status, taken(to, 0)), (DONE, 1));
}

fn overlaps(suite: &mut Suite) {
    let (from, to) = (four(suite), supply::selectors(2));
    let window = Crd::object(to, 2, ALL);
    let one = Item::delegate(Crd::object(from, 0, 1), 1);
    suite.equal("one in the middle", (within(suite, window, one), taken(to, 2)), (DONE, 0b10));
    let all = Item::delegate(Crd::object(from, 2, ALL), 0);
    suite.equal("all around it", (within(suite, window, all), taken(to, 2)), (DONE, 0b1111));
    let found = lookup(Crd::object(to + 1, 0, ALL));
    suite.equal("what was there has stayed", found, Crd::object(to + 1, 0, 1));
}

fn memory(suite: &mut Suite) {
    let root = suite.root;
    let from = grants::memory(root, 2);
    for page in 0..4 {
        access::write(from + page * PAGE, 0x100 + page);
    }
    let to = supply::pages(3);
    let item = Item::delegate(Crd::memory(from / PAGE, 2, READ | WRITE), 4);
    let status = within(suite, Crd::memory(to / PAGE, 3, READ), item);
    suite.equal("four pages to a hotspot of eight", status, DONE);
    let at = |page: u64| lookup(Crd::memory(to / PAGE + page, 0, 7));
    suite.holds("not before it", (0..4).all(|page| at(page) == Crd::NULL));
    suite.holds("with the window's rights", (4..8).all(|page| at(page).rights() == READ));
    let alike = (0..4).all(|page| access::read(to + (4 + page) * PAGE) == 0x100 + page);
    suite.holds("with their contents", alike);
    access::write(from + PAGE, 0x1000);
    suite.equal("one frame at two addresses", access::read(to + 5 * PAGE), 0x1000);
    let apart = supply::pages(0);
    let item = Item::delegate(Crd::memory(from / PAGE, 2, READ), 2);
    let status = within(suite, Crd::memory(apart / PAGE, 0, READ), item);
    suite.equal("one page of four by the hotspot", (status, access::read(apart)), (DONE, 0x102));
    // Only the root task may name the kernel's domain as source; here it names an address of its own.
    let own = supply::pages(0);
    let item = Item::delegate(Crd::memory(1, 0, READ), 0);
    let status = within(suite, Crd::memory(own / PAGE, 0, READ), item);
    let found = lookup(Crd::memory(own / PAGE, 0, 7));
    suite.equal("a page that is not mapped", (status, found), (DONE, Crd::NULL));
}

fn ports(suite: &mut Suite) {
    let all = lookup(Crd::port(0x3f8, 0));
    suite.equal("all ports are one range", (all.base(), all.order()), (0, 16));
    let bare = supply::selector();
    assert_eq!(hypercall::create_pd(bare, suite.root.pd, Crd::NULL, 0, 16), DONE, "a domain is made");
    let root = suite.root;
    let item = Item::delegate(Crd::port(0, 16), 0);
    let status = delegate(root.utcb, root.pd, bare, Crd::port(0x60, 3), &[item]);
    suite.equal("ports of a window", status, DONE);
}

fn everything(suite: &mut Suite) {
    let root = suite.root;
    let bare = supply::selector();
    assert_eq!(hypercall::create_pd(bare, root.pd, Crd::NULL, 0, 1024), DONE, "a domain is made");
    let item = Item::delegate(Crd::ALL_OBJECTS, 0);
    suite.equal("every object", delegate(root.utcb, root.pd, bare, Crd::ALL_OBJECTS, &[item]), DONE);
    let memory = Crd::memory(0, 31, 7);
    let item = Item::delegate(memory, 0);
    suite.equal("all memory", delegate(root.utcb, root.pd, bare, memory, &[item]), DONE);
    let remote = hypercall::Revocation { itself: true, remote: Some(bare), ..Default::default() };
    suite.equal("every object back", hypercall::revoke(Crd::ALL_OBJECTS, remote), DONE);
    suite.equal("all memory back", hypercall::revoke(memory, remote), DONE);
    suite.equal("and once more", hypercall::revoke(memory, remote), DONE);
    suite.equal("the domain goes", hypercall::revoke_all(Crd::object(bare, 0, ALL)), DONE);
}
