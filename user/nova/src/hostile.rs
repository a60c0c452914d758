// SPDX-License-Identifier: MIT
//! Isolation: domains that attack the kernel and a server, beside a neighbour that checks its own work.
//!
//! An attacker sees the text of the image and one page of its own, which the root task reads: not the data. It holds
//! its own domain with all rights, a portal of the server that the neighbour calls, too, and a semaphore of its own.

use nova_rt::crd::{ALL, EXECUTE, READ, WRITE};
use nova_rt::hypercall;
use nova_rt::start::{self, Root};
use nova_rt::thread::{Body, Domain, Thread};
use nova_rt::utcb::WORDS;
use nova_rt::{Crd, PAGE, Status, Utcb, access, grants, line};

use crate::suite::Suite;

mod attacks;
mod neighbour;

/// What an attacker holds in its domain: the domain itself.
const OWN: u64 = 0;
/// What an attacker holds in its domain: a portal of the server.
const SERVER: u64 = 1;
/// What an attacker holds in its domain: a semaphore.
const SEMAPHORE: u64 = 2;
/// Where an attacker makes new objects.
const NEW: u64 = 0x100;
/// The kernel memory of an attacker's domain, in pages.
const KERNEL_MEMORY: u64 = 400;

/// The attacks by name; each leaves in its page how far it came.
const ATTACKS: [(&str, Body, u64); 8] = [
    ("selectors that nothing is at", attacks::selectors, 0),
    ("forged headers of messages", attacks::headers, 0),
    ("forged items and windows", attacks::items, 1),
    ("creation of everything", attacks::creation, 0),
    ("random calls", attacks::random, 2),
    ("other random calls", attacks::random, 3),
    ("a reply of a thread with time of its own", attacks::reply, 0),
    ("revocation of everything", attacks::revocation, 0),
];

/// Replies each word plus one, as far as a message can have words.
extern "C" fn serves(_: u64, utcb: Utcb) -> u64 {
    let words = (utcb.counts() & 0xffff).min(WORDS);
    for index in 0..words {
        utcb.set_word(index, utcb.word(index).wrapping_add(1));
    }
    utcb.set_counts(words, 0);
    0
}

/// Runs every attack beside the neighbour; returns whether nobody was disturbed.
#[must_use]
pub fn run(root: Root) -> bool {
    let suite = &mut Suite::new(root);
    suite.topic("hostile");
    let portal = suite.worker(serves).portal(root, 0);
    if let Some(how) = grants::told(root, "stream") {
        stream(suite, portal, how);
        return suite.end();
    }
    for (name, attack, seed) in ATTACKS {
        let [reached, well, memory] = beside_a_neighbour(suite, portal, attack, seed);
        suite.say(format_args!("{name}"));
        suite.holds("the attack came to its end", reached);
        suite.holds("the neighbour did all its work, and found no mistake", well);
        suite.holds("the kernel has its memory back", memory);
    }
    suite.end()
}

/// Lets random calls run for so many seconds, a stream of them from a seed, in one domain after the other.
fn stream(suite: &mut Suite, portal: u64, [seconds, seed]: [u64; 2]) {
    let end = access::time() + seconds * 1000 * suite.root.hip.khz();
    let mut domains = 0;
    let mut found = [true; 3];
    while found == [true; 3] && access::time() < end {
        found = beside_a_neighbour(suite, portal, attacks::random, seed.wrapping_add(domains));
        domains += 1;
    }
    let [reached, well, memory] = found;
    suite.holds("each domain made all its calls", reached);
    suite.holds("no neighbour was disturbed", well);
    suite.holds("the kernel has its memory back", memory);
    line!("{} random calls of {domains} domains", domains * attacks::CALLS);
}

/// Lets an attack run beside a neighbour; returns whether it came to its end, whether the neighbour did all its work
/// without a mistake, and whether the kernel has its memory back.
fn beside_a_neighbour(suite: &Suite, portal: u64, attack: Body, seed: u64) -> [bool; 3] {
    let before = hypercall::quota(suite.root.pd);
    let neighbour = neighbour::Neighbour::new(suite, portal);
    let reached = attacked(suite, portal, attack, seed, neighbour);
    let is_well = neighbour.end();
    [reached == attacks::END, is_well, hypercall::quota(suite.root.pd) == before]
}

/// Lets an attack run beside a neighbour, destroys it, and returns how far it came.
fn attacked(suite: &Suite, portal: u64, attack: Body, seed: u64, neighbour: neighbour::Neighbour) -> u64 {
    let root = suite.root;
    let domain = Domain::bare(root, KERNEL_MEMORY);
    let (text, data, _) = start::image();
    domain.share(root, text, data, READ | EXECUTE);
    let page = grants::memory(root, 0);
    domain.share(root, page, page + PAGE, READ | WRITE);
    let semaphore = suite.semaphore(0);
    [(domain.pd, OWN), (portal, SERVER), (semaphore, SEMAPHORE)]
        .into_iter()
        .for_each(|(object, at)| domain.give(root, object, at, 0));
    access::write(page + 8, seed);
    let thread = Thread::new(root, suite.starter, domain, attack, page);
    neighbour.start(root);
    thread.run(root, 10);
    // The root task is the lowest: here nobody else is ready any more.
    let reached = access::read(page);
    thread.destroy();
    for object in [semaphore, domain.pd] {
        let status = hypercall::revoke_all(Crd::object(object, 0, ALL));
        assert_eq!(status, Status::SUCCESS, "an attacker is destroyed");
    }
    let status = hypercall::revoke_all(Crd::memory(page / PAGE, 0, ALL));
    assert_eq!(status, Status::SUCCESS, "its page goes, too");
    reached
}
