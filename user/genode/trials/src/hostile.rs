// SPDX-License-Identifier: MIT
//! A hostile component: calls at random to whatever it has, with words and capabilities at random, some of them no
//! messages of the runtime's at all.

use genode_rt::message::call;
use genode_rt::services::{ANYWHERE, Name, kind};
use genode_rt::{Cap, Env, PAGE, hypercall, log, utcb};
use nova_rt::crd::{ALL, Crd};
use nova_rt::utcb::Item;

use crate::trial;

/// How many calls are made.
const CALLS: u64 = 4000;
/// The operations of all services that core has, by their first numbers and how many there are.
const OPERATIONS: [(u64, u64); 12] = [
    (0x200, 1),
    (0x300, 3),
    (0x400, 14),
    (0x500, 3),
    (0x600, 5),
    (0x700, 2),
    (0x780, 5),
    (0x800, 1),
    (0x900, 3),
    (0xa00, 2),
    (0, 2),
    (0x100, 0x12),
];
/// What takes away from this component what it needs to go on: its memory, its end.
const SUICIDES: [u64; 3] = [0x405, 0x781, 0x100];
/// Selectors that a component does not choose itself.
const GIVEN: u64 = 0x20;

/// Numbers that follow from a seed (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize]
    }

    /// A word that a check may be wrong about.
    fn word(&mut self) -> u64 {
        let near = [ANYWHERE, 1, 7, PAGE, 16 * PAGE, 0x6000_0000, 1 << 32, 1 << 52, 1 << 63, u64::MAX];
        let word = self.one_of(&near);
        match self.below(3) {
            0 => word,
            1 => word.wrapping_sub(self.below(3)),
            _ => self.next() >> self.below(64),
        }
    }
}

pub fn run(env: Env, task: trial::Client) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let name = Name::from("x").unwrap_or_default();
    let memory = env.pd.alloc_ds(PAGE).unwrap_or(Cap::NONE);
    let space = env.pd.address_space().unwrap_or(Cap::NONE);
    let thread =
        env.cpu.create_thread(env.pd.0, name, kind::GLOBAL, 9, 0).map_or(Cap::NONE, |(thread, _)| thread);
    let known = [env.pd.0, env.cpu.0, env.log.0, memory, space, thread, task.0, env.parent.0];
    let page = utcb::current();
    for _ in 0..CALLS {
        let (first, count) = random.one_of(&OPERATIONS);
        let operation = first + random.below(count);
        let to = random.one_of(&known);
        // Output would be lines at random; the parent's own are no part of this.
        if SUICIDES.contains(&operation) || to == env.log.0 || to == env.parent.0 && random.below(8) > 0 {
            continue;
        }
        let words = random.below(12);
        for index in 2..2 + words {
            page.set_word(index, random.word());
        }
        page.set_word(0, 0);
        page.set_word(1, operation);
        // More than there are words for, at times.
        page.set_counts(random.one_of(&[2 + words, 2 + words, 2 + words, 508, 0]), 0);
        let items = random.one_of(&[0, 1, 1, 2, 4, 9, 200]);
        for index in 0..items {
            let cap = match random.below(4) {
                0 => Cap::at(random.below(GIVEN)),
                1 => Cap::at(random.word() & 0xff_ffff),
                _ => random.one_of(&known),
            };
            let crd = Crd::object(cap.selector(), random.one_of(&[0, 0, 0, 2, 31]), ALL);
            let how = random.one_of(&[0, 1, 2, 3]);
            page.set_item(index, Item { crd, how: random.below(8) << 12 | how });
        }
        page.set_counts(page.counts() & 0xffff, items);
        let _ = hypercall::call(to.selector());
    }
    log!("the hostile child has made its calls");
    let _ = task.next(1);
    // The portals of events are called, too; core never answers this one.
    let _ = call::<_, ()>(Cap::at(14), 1, &(u64::MAX, 0x1234u64));
}
