// SPDX-License-Identifier: MIT
//! Messages: words, typed items, windows, and the rest of the page.

use nova_rt::crd::{ALL, Crd, READ};
use nova_rt::hypercall::{self, call, lookup};
use nova_rt::thread::Worker;
use nova_rt::utcb::{Item, WORDS};
use nova_rt::{Status, Utcb, supply};

use crate::suite::Suite;
use crate::trace;

const DONE: Status = Status::SUCCESS;

pub fn run(suite: &mut Suite) {
    words(suite);
    page(suite);
    items(suite);
    windows(suite);
    reply(suite);
    limits(suite);
}

/// Hands the counts over and replies nothing.
extern "C" fn keeps(_: u64, utcb: Utcb) -> u64 {
    trace::hand(0, utcb.counts());
    utcb.set_counts(0, 0);
    0
}

/// Replies each word plus one.
extern "C" fn adds(_: u64, utcb: Utcb) -> u64 {
    for index in 0..utcb.counts() & 0xffff {
        utcb.set_word(index, utcb.word(index) + 1);
    }
    0
}

fn words(suite: &mut Suite) {
    let me = suite.root.utcb;
    let portal = suite.worker(adds).portal(suite.root, 0);
    for count in [0, 1, 2, 100, WORDS - 1, WORDS] {
        me.set_counts(count, 0);
        for index in 0..WORDS {
            me.set_word(index, 3 * index);
        }
        let status = call(portal);
        let right = (0..WORDS).all(|index| me.word(index) == 3 * index + u64::from(index < count));
        suite.equal("so many words there and back", (status, me.counts(), right), (DONE, count, true));
    }
}

fn page(suite: &mut Suite) {
    let me = suite.root.utcb;
    let worker = suite.worker(keeps);
    let portal = worker.portal(suite.root, 0);
    let page = worker.utcb;
    for offset in (0..4096).step_by(8) {
        page.put(offset, !offset);
    }
    me.set_words(&[1, 2, 3]);
    me.set_tls(0x1234);
    suite.equal("three words", (call(portal), trace::handed(0)), (DONE, 3));
    suite.equal("arrive", [0, 1, 2].map(|index| page.word(index)), [1, 2, 3]);
    let untouched = (8..0x20).chain(0x38..4096).step_by(8).all(|offset| page.get(offset) == !offset);
    suite.holds("nothing else is touched", untouched);
    suite.equal("the caller's own word stays", me.tls(), 0x1234);
}

/// A worker whose windows are set, and its portal.
fn open(suite: &Suite, translate: Crd, receive: Crd) -> (Worker, u64) {
    let worker = suite.worker(keeps);
    worker.utcb.set_windows(translate, receive);
    (worker, worker.portal(suite.root, 0))
}

/// Sends items and returns what the worker finds in their places.
fn sent<const N: usize>(suite: &Suite, to: (Worker, u64), items: [Item; N]) -> (Status, [(Crd, u64); N]) {
    let me = suite.root.utcb;
    me.set_words(&[7]);
    me.set_items(&items);
    let status = call(to.1);
    (
        status,
        core::array::from_fn(|index| {
            let Item { crd, how } = to.0.utcb.item(index as u64);
            (crd, how)
        }),
    )
}

fn items(suite: &mut Suite) {
    let object = suite.root.pd + 3;
    let crd = Crd::object(object, 0, ALL);
    let closed = open(suite, Crd::NULL, Crd::NULL);
    suite.equal(
        "into a closed window",
        sent(suite, closed, [Item::delegate(crd, 2)]),
        (DONE, [(Crd::NULL, 1)]),
    );
    let base = supply::selectors(2);
    let window = Crd::object(base, 2, ALL);
    let ready = open(suite, Crd::NULL, window);
    let wanted = Crd::object(base + 2, 0, ALL);
    suite.equal("by a hotspot", sent(suite, ready, [Item::delegate(crd, 2)]), (DONE, [(wanted, 1)]));
    let found = lookup(Crd::object(base + 2, 0, ALL));
    suite.equal("with the object's rights", found, Crd::object(base + 2, 0, 3));
    suite.equal("once more", sent(suite, ready, [Item::delegate(crd, 2)]), (DONE, [(wanted, 1)]));
    suite.equal("has changed nothing", lookup(Crd::object(base + 2, 0, ALL)), Crd::object(base + 2, 0, 3));
    suite.equal("the windows stay", ready.0.utcb.windows(), (Crd::NULL, window));
    let weak = Crd::object(object, 0, 1);
    let several =
        [Item::delegate(weak, 0), Item { crd, how: 3 }, Item::delegate(crd, 1), Item::either(Crd::NULL, 3)];
    let results =
        [(Crd::object(base, 0, 1), 1), (Crd::NULL, 3), (Crd::object(base + 1, 0, ALL), 1), (Crd::NULL, 3)];
    suite.equal("several in order", sent(suite, ready, several), (DONE, results));
    suite.equal("the worker finds both counts", trace::handed(0), 4 << 16 | 1);
    let missing = Crd::object(super::FREE, 0, ALL);
    let named = Crd::object(base + 3, 0, ALL);
    suite.equal(
        "what is not there has a result",
        sent(suite, ready, [Item::delegate(missing, 3)]),
        (DONE, [(named, 1)]),
    );
    suite.equal("and is not there", lookup(Crd::object(base + 3, 0, ALL)), Crd::NULL);
    let flags = Item { crd: missing, how: 3 << 12 | 0x700 | 1 };
    suite.equal("flags come with it, the hotspot not", sent(suite, ready, [flags]).1, [(named, 0x701)]);
}

fn windows(suite: &mut Suite) {
    let memory = nova_rt::grants::memory(suite.root, 0) / nova_rt::PAGE;
    let to = supply::pages(0) / nova_rt::PAGE;
    let ready = open(suite, Crd::NULL, Crd::memory(to, 0, READ));
    let item = Item::delegate(Crd::memory(memory, 0, 7), 0);
    suite.equal("memory", sent(suite, ready, [item]), (DONE, [(Crd::memory(to, 0, READ), 1)]));
    suite.equal("with the window's rights", lookup(Crd::memory(to, 0, 7)).rights(), READ);
    let object = Item::delegate(Crd::object(suite.root.pd + 3, 0, ALL), 0);
    suite.equal("an object into a window of memory", sent(suite, ready, [object]), (DONE, [(Crd::NULL, 1)]));
}

/// Replies two words and an item for the selector that is handed over.
extern "C" fn gives(_: u64, utcb: Utcb) -> u64 {
    utcb.set_words(&[8, 9]);
    utcb.set_items(&[Item::delegate(Crd::object(trace::handed(1), 0, ALL), 1)]);
    0
}

fn reply(suite: &mut Suite) {
    let me = suite.root.utcb;
    let portal = suite.worker(gives).portal(suite.root, 0);
    let base = supply::selectors(1);
    let window = Crd::object(base, 1, ALL);
    trace::hand(1, suite.semaphore(0));
    me.set_words(&[]);
    me.set_windows(Crd::NULL, window);
    suite.equal("a reply with an item", (call(portal), me.counts()), (DONE, 1 << 16 | 2));
    suite.equal("its words", [me.word(0), me.word(1)], [8, 9]);
    let item = me.item(0);
    suite.equal("its item", (item.crd, item.how), (Crd::object(base + 1, 0, ALL), 1));
    suite.equal("is there", lookup(Crd::object(base + 1, 0, ALL)), Crd::object(base + 1, 0, 3));
    suite.equal("the caller's windows stay", me.windows(), (Crd::NULL, window));
    me.set_windows(Crd::NULL, Crd::NULL);
    suite.equal("a reply into a closed window", (call(portal), me.item(0).crd), (DONE, Crd::NULL));
}

fn limits(suite: &mut Suite) {
    let me = suite.root.utcb;
    let base = supply::selectors(8);
    let closed = open(suite, Crd::NULL, Crd::object(base, 8, ALL));
    me.set_counts(0, 0);
    let semaphore = suite.semaphore(0);
    let full = 254;
    for index in 0..full {
        me.set_item(index, Item::delegate(Crd::object(semaphore, 0, 1), index));
    }
    me.set_counts(0, full);
    suite.equal("as many items as there is room for", (call(closed.1), trace::handed(0)), (DONE, full << 16));
    let all =
        (0..full).all(|index| lookup(Crd::object(base + index, 0, ALL)) == Crd::object(base + index, 0, 1));
    suite.holds("all of them arrive", all);
    let revoked = hypercall::revoke(Crd::object(semaphore, 0, ALL), hypercall::Revocation::default());
    let none = (0..full).all(|index| lookup(Crd::object(base + index, 0, ALL)) == Crd::NULL);
    suite.equal("and go", (revoked, none), (DONE, true));
}
