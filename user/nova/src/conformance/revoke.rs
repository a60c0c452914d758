// SPDX-License-Identifier: MIT
//! Revocation: what goes, what stays, and that all of it has gone when the call returns.

use nova_rt::crd::{ALL, Crd, READ, WRITE};
use nova_rt::hypercall::{self, Revocation, down, lookup, number, revoke, revoke_all};
use nova_rt::raw::Registers;
use nova_rt::thread::Domain;
use nova_rt::utcb::Item;
use nova_rt::{PAGE, Status, access, grants, supply};

use super::{ABSURD, FREE};
use crate::suite::Suite;

const DONE: Status = Status::SUCCESS;
/// A deadline that has passed.
const PAST: u64 = 1;
/// Takes from the children alone.
const CHILDREN: Revocation = Revocation { itself: false, remote: None, keep: false, notify: 0 };
/// Takes the node alone.
const KEEP: Revocation = Revocation { itself: true, remote: None, keep: true, notify: 0 };

pub fn run(suite: &mut Suite) {
    answers(suite);
    chain(suite);
    keep(suite);
    tree(suite);
    reuse(suite);
    memory(suite);
    notify(suite);
}

/// The rights at a selector.
fn rights(selector: u64) -> u64 {
    lookup(Crd::object(selector, 0, ALL)).rights()
}

/// A semaphore, and capabilities each of which comes from the one before it.
fn descent<const N: usize>(suite: &Suite) -> [u64; N] {
    let mut last = suite.semaphore(0);
    core::array::from_fn(|index| {
        if index > 0 {
            last = super::create::weaker(suite, last, ALL);
        }
        last
    })
}

fn answers(suite: &mut Suite) {
    let call = |flags, selector, crd: Crd, pd| {
        let after = hypercall::make(Registers::new(number::REVOKE, flags, selector, [crd.0, pd, 7, 8]));
        (after.rdi as u8, after.rsi, after.rdx, after.rax, after.r8)
    };
    let empty = Crd::object(FREE, 0, ALL);
    suite.equal("an empty selector", call(1, 0, empty, 5), (0, empty.0, 0, 7, 8));
    suite.equal("a range of nothing", call(1, 0, Crd::NULL, 5), (0, 0, 0, 7, 8));
    suite.equal("a bad remote domain", call(3, 0, empty, FREE), (4, empty.0, FREE, 7, 8));
    suite.equal("an absurd remote domain", call(3, 0, empty, ABSURD), (4, empty.0, ABSURD, 7, 8));
    let beyond = Crd::object(1 << 40, 31, ALL);
    suite.equal("a range beyond every table", call(1, 0, beyond, 5), (0, beyond.0, 0, 7, 8));
}

fn chain(suite: &mut Suite) {
    let [a, b, c] = descent(suite);
    suite.equal("one right of the children", revoke(Crd::object(a, 0, 1), CHILDREN), DONE);
    suite.equal("is taken from all of them", [a, b, c].map(rights), [3, 2, 2]);
    suite.equal("all rights of a child", revoke_all(Crd::object(b, 0, ALL)), DONE);
    suite.equal("take its children with it", [a, b, c].map(rights), [3, 0, 0]);
    let [a, b, c] = descent(suite);
    suite.equal("all rights of the children", revoke(Crd::object(a, 0, ALL), CHILDREN), DONE);
    suite.equal("leave the parent", [a, b, c].map(rights), [3, 0, 0]);
    let [a, b, c] = descent(suite);
    suite.equal("rights that it does not have", revoke_all(Crd::object(a, 0, 0x1c)), DONE);
    suite.equal("leave all as it was", [a, b, c].map(rights), [3, 3, 3]);
    suite.equal("the root of a semaphore", revoke_all(Crd::object(a, 0, ALL)), DONE);
    suite.equal("takes everything", [a, b, c].map(rights), [0, 0, 0]);
    suite.equal("and the semaphore", hypercall::up(b), Status::BAD_CAPABILITY);
}

fn keep(suite: &mut Suite) {
    let [a, b, c] = descent(suite);
    suite.equal("keep what comes from it", revoke(Crd::object(b, 0, 0), KEEP), DONE);
    suite.equal("it alone has gone", [a, b, c].map(rights), [3, 0, 3]);
    suite.equal("one right of the first one's children", revoke(Crd::object(a, 0, 1), CHILDREN), DONE);
    suite.equal("its children hang on its parent", [a, b, c].map(rights), [3, 0, 2]);
    let leaf = super::create::weaker(suite, a, ALL);
    suite.equal("keep without children", revoke(Crd::object(leaf, 0, 1), KEEP), DONE);
    suite.equal("is a plain revocation", rights(leaf), 2);
    // Not only one child is re-hung.
    let [a, b] = descent(suite);
    let children: [u64; 3] = core::array::from_fn(|_| super::create::weaker(suite, b, ALL));
    suite.equal("keep three children", revoke(Crd::object(b, 0, ALL), KEEP), DONE);
    suite.equal("they have stayed", children.map(rights), [3, 3, 3]);
    suite.equal("all of the parent's children go", revoke(Crd::object(a, 0, ALL), CHILDREN), DONE);
    suite.equal("and all three with them", children.map(rights), [0, 0, 0]);
}

fn tree(suite: &mut Suite) {
    let root = suite.root;
    let (near, far) = (Domain::bare(root, 32), Domain::bare(root, 32));
    let [a, b] = descent(suite);
    near.give(root, b, 5, 0);
    let item = Item::delegate(Crd::object(5, 0, ALL), 0);
    let onward = hypercall::delegate(root.utcb, near.pd, far.pd, Crd::object(9, 0, ALL), &[item]);
    suite.equal("from domain to domain", onward, DONE);
    let back = supply::selector();
    let item = Item::delegate(Crd::object(9, 0, ALL), 0);
    let from_far = || hypercall::delegate(root.utcb, far.pd, root.pd, Crd::object(back, 0, ALL), &[item]);
    suite.equal("and back", (from_far(), rights(back)), (DONE, 3));
    let remote = Revocation { itself: true, remote: Some(near.pd), ..Revocation::default() };
    suite.equal("one right in the middle", revoke(Crd::object(5, 0, 1), remote), DONE);
    suite.equal("is taken at the end", [a, b, back].map(rights), [3, 3, 2]);
    suite.equal("the middle one", revoke(Crd::object(0, 31, ALL), remote), DONE);
    suite.equal("takes what comes after it", [a, b, back].map(rights), [3, 3, 0]);
    suite.equal("nothing is there to come back", (from_far(), rights(back)), (DONE, 0));
    near.give(root, b, 5, 0);
    suite.equal("a domain goes", revoke_all(Crd::object(near.pd, 0, ALL)), DONE);
    suite.equal("what it was given from stays", [a, b].map(rights), [3, 3]);
    suite.equal(
        "it can be given nothing more",
        hypercall::delegate(root.utcb, root.pd, near.pd, Crd::object(0, 0, ALL), &[item]),
        Status::BAD_CAPABILITY,
    );
}

fn reuse(suite: &mut Suite) {
    let root = suite.root;
    let child = Domain::bare(root, 32);
    let [a, b] = descent(suite);
    child.give(root, b, 5, 0);
    let again = (0..100).all(|_| {
        revoke_all(Crd::object(a, 0, ALL)) == DONE
            && rights(b) == 0
            && hypercall::create_sm(a, root.pd, 1) == DONE
            && hypercall::create_sm(b, root.pd, 2) == DONE
            && down(b, PAST) == DONE
            && revoke_all(Crd::object(b, 0, ALL)) == DONE
    });
    suite.holds("a selector is free at once", again);
}

fn memory(suite: &mut Suite) {
    let root = suite.root;
    let from = grants::memory(root, 1);
    let to = supply::pages(1);
    let delegated = || {
        let item = Item::delegate(Crd::memory(from / PAGE, 1, READ | WRITE), 0);
        hypercall::delegate(root.utcb, root.pd, root.pd, Crd::memory(to / PAGE, 1, 3), &[item])
    };
    let found = |address: u64| lookup(Crd::memory(address / PAGE, 0, 7)).rights();
    access::write(from, 0x55);
    suite.equal("memory at a second place", (delegated(), access::read(to)), (DONE, 0x55));
    suite.equal("the right to write goes", revoke(Crd::memory(from / PAGE, 1, WRITE), CHILDREN), DONE);
    suite.equal("at the second place", (found(from), found(to)), (3, 1));
    suite.equal("the second place goes", revoke(Crd::memory(from / PAGE, 1, 7), CHILDREN), DONE);
    suite.equal("the first one stays", (found(from), found(to)), (3, 0));
    let again = (0..20).all(|round| {
        access::write(from, round);
        delegated() == DONE
            && access::read(to) == round
            && revoke(Crd::memory(from / PAGE, 1, 7), CHILDREN) == DONE
    });
    suite.holds("again and again", again);
}

fn notify(suite: &mut Suite) {
    let [victim] = descent(suite);
    let told = suite.semaphore(0);
    let how = Revocation { itself: true, notify: told, ..Revocation::default() };
    suite.equal("a revocation that tells", revoke(Crd::object(victim, 0, ALL), how), DONE);
    suite.equal("tells when all has gone", down(told, 0), DONE);
    suite.equal("once", down(told, PAST), Status::TIMEOUT);
}
