// SPDX-License-Identifier: MIT
//! Threads, spaces and processes on one engine, which a [toy machine](toy) drives.

use flips::{Injection, Injector, Target};
use pe_replay::{
    Account, Delimiter, End, Entry, Executor, Outcome, Policy, Pool, Replay, Run, Thread, ThreadOf,
};

use toy::{Little, Toy};

mod frames;
mod porter;
mod predictions;
#[path = "../placement/private.rs"]
mod private;
mod registers;
mod sharing;
mod toy;

const POLICY: Policy = Policy { max_dirty: 16, limit: 1000, ..Policy::DEFAULT };

fn executor() -> Executor<Toy> {
    let entries = (0..64).map(|_| Entry::vacant(0, ())).collect();
    let place = || Box::<Little>::default();
    Executor::new([place(), place(), place()], Pool::new(entries), pmu::Margin::default(), 0)
}

/// How many frames the entries of the pool have.
fn frames_of(executor: &Executor<Toy>) -> usize {
    executor.pool.entries.iter().map(|entry| entry.copies().len()).sum()
}

fn thread(number: u8) -> ThreadOf<Toy> {
    Thread::new(Box::default(), Box::default(), number)
}

/// One PE that runs the code from `at` on.
fn pe(
    toy: &mut Toy,
    executor: &mut Executor<Toy>,
    thread: &mut ThreadOf<Toy>,
    replay: &mut Replay,
    code: &[u64],
    flips: &[Injection],
) -> Account {
    toy.code = code.to_vec();
    thread.registers_mut().at = 0;
    let outcome = executor.execute(toy, thread, replay, u64::MAX, &mut Injector::new(flips, &mut ()));
    let end = End { delimiter: Delimiter::Syscall, count: code.len() as u64 };
    assert_eq!(outcome, Outcome::Committed(end));
    executor.account.clone()
}

/// A flip of a register that every instruction adds to, before the first instruction of a PE.
fn flip(pe: u64, run: Run) -> Injection {
    Injection { pe, run, at: 0, target: Target::Gpr(0), bit: 5 }
}
