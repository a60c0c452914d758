// SPDX-License-Identifier: MIT
//! The frames that a page has: copied when they have to be, given back, and not trusted when damaged.

use flips::{Injection, Injector};
use pe_replay::{Difference, Field, Outcome, Replay, Run, Thread, Tracker, UserRegisters};

use crate::private::Private;
use crate::toy::{HOMES, PAGE, Toy};
use crate::{POLICY, executor, flip, frames_of, pe, thread};

/// Where the counter is exact nobody keeps a witness of what run 2 starts from.
#[test]
fn a_page_is_copied_once_a_pe_whatever_ends_that() {
    let mut toy = Toy::new(&[&[(PAGE, 0)]], &[PAGE; 40]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    for round in 0..5 {
        toy.copied = 0;
        executor.execute(&mut toy, &mut thread, &mut replay, 8, &mut ());
        assert_eq!(toy.copied, if round == 0 { 3 } else { 1 });
    }
}

#[test]
fn what_nobody_has_changed_is_not_copied_when_a_space_was_away() {
    let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE], &[]);
    let [stayed, was_away] = [false, true].map(|was_away| {
        (toy.was_away, toy.copied) = (was_away, 0);
        pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE], &[]);
        toy.copied
    });
    assert_eq!(stayed, was_away);
}

#[test]
fn frames_without_copies_are_given_back_and_taken_again() {
    let pages: Vec<_> = (0..4).map(|page| (PAGE * (page + 1), page as usize)).collect();
    let mut toy = Toy::new(&[&pages], &[]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    for round in 0..3 {
        let account = pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE, 2 * PAGE], &[]);
        assert_eq!((account.write_faults, account.divergences.len()), (2, 0));
        let had = frames_of(&executor);
        executor.pool.give_back(&mut toy);
        assert_eq!((had > 0, frames_of(&executor)), (true, had), "round {round}: what has copies stays");
        executor.give_up(&mut toy, &mut replay, |_| true);
        executor.pool.give_back(&mut toy);
        assert_eq!((frames_of(&executor), toy.free.len()), (0, 100 - HOMES));
    }
    // Each round adds both words to the sum, and the sum and one to each word.
    assert_eq!((toy.word(0), toy.word(1)), (9, 14));
}

/// A frame of a page that has two roles holds nothing that a roll-back could trust.
#[test]
fn a_frame_with_two_roles_is_damage() {
    for run in [Run::First, Run::Second] {
        for (role, other) in (0..3).flat_map(|role| (0..4).map(move |other| (role, other))) {
            let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
            let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
            pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE, PAGE], &[]);
            let entry = executor.pool.entries.iter_mut().find(|entry| !entry.copies().is_empty()).unwrap();
            entry.frames[role] = entry.frames.get(other).copied().unwrap_or(entry.page.frame);
            thread.registers_mut().at = 0;
            let flip = Injection { at: 1, ..flip(0, run) };
            let (flips, observer) = ([flip], &mut ());
            let observer = &mut Injector::new(&flips, observer);
            let outcome = executor.execute(&mut toy, &mut thread, &mut replay, u64::MAX, observer);
            let is_damaged = matches!(outcome, Outcome::Damaged { .. });
            assert_eq!(is_damaged, role != other, "{role} is {other}, {run:?}: {outcome:?}");
        }
    }
}

/// More pages are said to be written than are compared: whichever number is wrong, that is no agreement.
#[test]
fn a_wrong_count_of_written_pages_is_a_difference() {
    let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE], &[]);
    let Replay::Bytes(tracker) = &mut replay else { unreachable!() };
    tracker.attempt.written = 1;
    let account = pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE], &[]);
    let difference = Difference { field: Field::Compared, first: 2, second: 1, address: 0 };
    assert_eq!(account.divergences[..], [difference]);
    assert_eq!(toy.word(0), 3);
}

#[test]
fn a_thread_and_a_space_cost_little() {
    let thread = size_of::<Thread<Box<UserRegisters>>>() + 2 * size_of::<UserRegisters>();
    assert!(thread <= 4 << 10, "a thread takes {thread} bytes");
    let space = size_of::<Replay>().max(size_of::<Tracker<Private>>());
    assert!(space <= 256, "a space takes {space} bytes beside the pool of the processor");
}
