// SPDX-License-Identifier: MIT
//! A root task that gives its own domain a name, and has its PEs run once, twice and three times. It checks what it
//! computes, and that its PEs are counted.
#![no_std]
#![no_main]

use nova_rt::hypercall::{number, status};
use nova_rt::raw::{Registers, hypercall};
use nova_rt::start::Root;
use nova_rt::{Status, access, grants, line};

nova_rt::entry!(main);

/// The flags of the call, and what is asked for.
const OWN: u64 = 15;
const LABEL: u64 = 0;
const POLICY: u64 = 1;
const COUNTS: u64 = 2;
/// The limit that is asked for, in instructions.
const LIMIT: u64 = 20_000;
/// Pages that are written, as a power of two, and how often.
const ORDER: u64 = 4;
const ROUNDS: u64 = 40;
const PAGE: u64 = 4096;

fn ask(root: Root, parameters: [u64; 4]) -> Registers {
    hypercall(Registers::new(number::MISC, OWN, root.pd, parameters))
}

/// PEs so far, and divergences.
fn counts(root: Root) -> (u64, u64) {
    let told = ask(root, [COUNTS, 0, 0, 0]);
    assert_eq!(status(told), Status::SUCCESS);
    (told.rsi, told.rdx)
}

/// Writes pages over and over; returns what they hold in the end.
fn work(memory: u64) -> u64 {
    let words = (PAGE << ORDER) / 8;
    for round in 0..ROUNDS {
        for word in (0..words).step_by(64) {
            let address = memory + word * 8;
            access::write(address, access::read(address).rotate_left(7) ^ (word + round));
        }
    }
    (0..words).step_by(64).fold(0, |sum: u64, word| sum.rotate_left(3) ^ access::read(memory + word * 8))
}

fn main(root: Root) {
    root.utcb.set_words(&[u64::from_le_bytes(*b"the root"), u64::from_le_bytes(*b" task\0\0\0")]);
    assert_eq!(status(ask(root, [LABEL, 0, 0, 0])), Status::SUCCESS);
    let expected = work(grants::memory(root, ORDER));
    for (mode, times) in [(0, "once"), (1, "twice"), (2, "three times"), (0, "once"), (2, "three times")] {
        assert_eq!(status(ask(root, [POLICY, mode, LIMIT, 0])), Status::SUCCESS);
        let (before, _) = counts(root);
        assert_eq!(work(grants::memory(root, ORDER)), expected, "run {times}");
        let (after, divergences) = counts(root);
        assert!(after > before && divergences == 0, "PEs are counted: {before}, {after}");
        line!("run {times}: right");
    }
    assert_eq!(status(ask(root, [POLICY, 3, LIMIT, 0])), Status::BAD_PARAMETER);
    line!("no other way");
}
