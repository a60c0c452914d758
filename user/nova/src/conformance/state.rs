// SPDX-License-Identifier: MIT
//! Vector registers: each thread has its own, over calls too.

use nova_rt::hypercall;
use nova_rt::vectors::{self, Exchange, Vectors};
use nova_rt::{PAGE, Status, access, grants, supply};

use crate::suite::Suite;

/// The bytes of vector registers and their control word.
const SIZE: u64 = size_of::<Vectors>() as u64;

const _: () = assert!(size_of::<Exchange>() as u64 == 2 * SIZE);

/// The vector registers in memory, word by word.
fn found(page: u64, at: u64) -> impl Iterator<Item = u64> {
    (0..33).map(move |word| access::read(page + at + 8 * word))
}

fn words(vectors: &Vectors) -> [u64; 33] {
    core::array::from_fn(|word| match vectors.registers.get(word / 2) {
        Some(register) => (register >> (64 * (word % 2))) as u64,
        None => vectors.control,
    })
}

pub fn run(suite: &mut Suite) {
    let root = suite.root;
    let page = grants::memory(root, 0);
    let left = Vectors::pattern(0xaaaa, 0x5f80);
    for (word, value) in (0..).zip(words(&left)) {
        access::write(page + SIZE + 8 * word, value);
    }
    let top = grants::memory(root, 0) + PAGE - 16;
    access::write(top, page);
    let (ec, portal) = (supply::selector(), supply::selector());
    let made = hypercall::create_ec(ec, root.pd, supply::pages(0), top, 0, false);
    suite.equal("a worker of vectors", made, Status::SUCCESS);
    suite.equal(
        "its portal",
        hypercall::create_pt(portal, root.pd, ec, 0, vectors::exchange()),
        Status::SUCCESS,
    );
    let new = Vectors { registers: [0; 16], control: 0x1f80 };
    for (what, finds) in [("the first call", new), ("the second call", left), ("the third call", left)] {
        let sent = Vectors::pattern(0xbbbb, 0x3f80);
        let mut mine = sent;
        suite.equal(what, vectors::call(portal, &mut mine) & 0xff, 0);
        suite.holds(
            "the caller keeps its own",
            mine.registers == sent.registers && mine.control as u32 == 0x3f80,
        );
        let same = found(page, 0).take(32).eq(words(&finds).into_iter().take(32));
        suite.holds(
            "the worker finds its own",
            same && access::read(page + 256) as u32 == finds.control as u32,
        );
    }
}
