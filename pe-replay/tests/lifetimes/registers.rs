// SPDX-License-Identifier: MIT
//! A thread's registers: how they begin, that they are compared, and PEs that do next to nothing.

use pe_replay::{Delimiter, Difference, End, Field, Mode, Outcome, Policy, Replay, Run};

use crate::toy::{PAGE, Toy};
use crate::{POLICY, executor, flip, pe, thread};

/// What the kernel leaves in a thread's registers that is no state has no consequences.
#[test]
fn a_thread_begins_in_the_normal_form() {
    for mode in [Mode::Off, Mode::Dual] {
        let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
        toy.spaces[0].values_mut().for_each(|page| page.open = mode == Mode::Off);
        let mut replay = Replay::new(1, Policy { mode, ..POLICY });
        let (mut executor, mut thread) = (executor(), thread(0));
        for _ in 0..3 {
            thread.registers_mut().left = 5;
            pe(&mut toy, &mut executor, &mut thread, &mut replay, &[], &[]);
            assert_eq!((thread.registers().sum, thread.registers().left), (0, 0));
        }
    }
}

/// A flip that no memory shows is found in the registers.
#[test]
fn registers_alone_can_differ() {
    for run in [Run::First, Run::Second] {
        let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
        let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
        let flip = flip(0, run);
        let account = pe(&mut toy, &mut executor, &mut thread, &mut replay, &[], &[flip]);
        let [difference] = account.divergences[..] else { panic!("{account:?}") };
        let (first, second) = if run == Run::First { (32, 0) } else { (0, 32) };
        assert_eq!(difference, Difference { field: Field::Gpr(0), first, second, address: 0 });
        assert_eq!(thread.registers().sum, 0);
    }
}

#[test]
fn nobody_has_to_watch_and_a_pe_may_be_of_no_instruction() {
    let mut toy = Toy::new(&[&[(PAGE, 0)]], &[PAGE; 5]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    for (limit, delimiter, count) in [
        (0, Delimiter::Limit, 0),
        (1, Delimiter::Limit, 1),
        (9, Delimiter::Syscall, 4),
        (0, Delimiter::Limit, 0),
    ] {
        let outcome = executor.execute(&mut toy, &mut thread, &mut replay, limit, &mut ());
        assert_eq!(outcome, Outcome::Committed(End { delimiter, count }));
        assert_eq!((executor.account.flips, executor.account.divergences.len()), (0, 0));
    }
    assert_eq!((thread.registers().sum, toy.word(0)), (33, 55));
}
