// SPDX-License-Identifier: MIT
//! What a thread is expected to write: each thread by itself, for how long, and what a fault tells of it.

use flips::Injector;
use pe_replay::{Account, Comparison, Delimiter, End, Outcome, Policy, Replay, Run};

use crate::toy::{HOMES, Mapped, PAGE, Toy};
use crate::{POLICY, executor, flip, frames_of, pe, thread};

#[test]
fn threads_of_a_space_have_predictions_of_their_own() {
    for comparison in [Comparison::Bytes, Comparison::Hash] {
        let pages: Vec<_> = (0..5).map(|page| (PAGE * (page + 1), page as usize)).collect();
        let mut toy = Toy::new(&[&pages], &[]);
        let (mut executor, mut replay) = (executor(), Replay::new(1, Policy { comparison, ..POLICY }));
        let mut threads = [thread(0), thread(1), thread(2)];
        let codes = [&[PAGE, 2 * PAGE, 4 * PAGE][..], &[3 * PAGE, 4 * PAGE], &[5 * PAGE]];
        for round in 0..10 {
            for (thread, code) in threads.iter_mut().zip(codes) {
                let account = pe(&mut toy, &mut executor, thread, &mut replay, code, &[]);
                let faults = if round == 0 { code.len() as u16 } else { 0 };
                assert_eq!((account.write_faults, account.frames_written), (faults, code.len() as u16));
                assert_eq!(account.divergences.len(), 0);
                // What other threads alone write rests, read-only.
                assert_eq!(toy.open_pages(), code);
            }
        }
        // A page that rests is woken by a write without being copied anew.
        let copied = toy.copied;
        let account = pe(&mut toy, &mut executor, &mut threads[0], &mut replay, &[3 * PAGE], &[]);
        assert_eq!((account.write_faults, account.frames_written, account.divergences.len()), (1, 1, 0));
        assert!(toy.copied <= copied + 2);
        executor.give_up(&mut toy, &mut replay, |_| true);
        assert_eq!((executor.pool.vacant, frames_of(&executor) + toy.free.len()), (64, 100 - HOMES));
        executor.pool.drain(&mut toy);
        assert_eq!((toy.open_pages(), toy.free.len()), (Vec::new(), 100 - HOMES));
    }
}

/// A page is given up after three PEs of its thread without a write to it, whoever is run between them: one that is
/// written by turns with others is not, and one that is not written any more is closed.
#[test]
fn a_thread_expects_a_page_for_three_pes_whoever_is_between_them() {
    let pages: Vec<_> = (0..4).map(|page| (PAGE * (page + 1), page as usize)).collect();
    for numbers in [[0, 1], [1, 0], [31, 2]] {
        let mut toy = Toy::new(&[&pages], &[]);
        let (mut executor, mut replay) = (executor(), Replay::new(1, POLICY));
        let mut threads = numbers.map(thread);
        for (round, own) in [1, 2, 3, 1, 2, 3, 1, 1, 1, 1, 1, 2].into_iter().enumerate() {
            let account = pe(&mut toy, &mut executor, &mut threads[0], &mut replay, &[own * PAGE], &[]);
            // Page 2 was not written in four PEs before the last.
            let faults = u16::from(round < 3 || round == 11);
            assert_eq!((account.write_faults, account.divergences.len()), (faults, 0), "{round}: {own}");
            pe(&mut toy, &mut executor, &mut threads[1], &mut replay, &[4 * PAGE], &[]);
            assert_eq!(toy.open_pages(), [4 * PAGE], "{round}");
        }
    }
}

/// A page that is mapped because a thread was about to write it is open in the thread's next PE, whether or not anything else has
/// changed. A PE that ends where code is not there yet is none that has left other pages alone.
#[test]
fn the_page_that_a_fault_was_about_is_open_in_the_next_pe() {
    for comparison in [Comparison::Bytes, Comparison::Hash] {
        for (hit, fetches) in
            [None, Some(Run::First), Some(Run::Second)].into_iter().flat_map(|hit| [(hit, 0), (hit, 0x10)])
        {
            let code: Vec<_> = [1, 2, 3, 4, 5, 6, 1].map(|page| PAGE * page).to_vec();
            let mut toy = Toy::new(&[&[(PAGE, 0)]], &code);
            let mut replay = Replay::new(1, Policy { comparison, ..POLICY });
            let (mut executor, mut thread) = (executor(), thread(0));
            toy.fetches = fetches;
            let flips: Vec<_> = hit.map(|run| flip(0, run)).into_iter().collect();
            for (home, &address) in code.iter().enumerate().skip(1) {
                let (limit, observer) = (u64::MAX, &mut ());
                let observer = &mut Injector::new(&flips, observer);
                let outcome = executor.execute(&mut toy, &mut thread, &mut replay, limit, observer);
                let Outcome::Committed(End { delimiter, count }) = outcome else { panic!("{outcome:?}") };
                let Account { write_faults, divergences, frames_written, .. } = &executor.account;
                assert_eq!(executor.last_written(&replay).count(), usize::from(*frames_written));
                // In the end the first page has been given up, unless PEs that fetches ended do not count. Behind a fetch no
                // write is expected.
                let faults = home == 1 || home == 6 && fetches == 0 || home > 1 && fetches != 0;
                assert_eq!(
                    (*write_faults, divergences.len()),
                    (u16::from(faults), flips.len()),
                    "{hit:?}, {home}"
                );
                if home == 6 {
                    assert_eq!((delimiter, count), (Delimiter::Syscall, 2));
                    continue;
                }
                assert_eq!((delimiter, count), (Delimiter::PageFault { address, error: 6 | fetches }, 1));
                toy.spaces[0].insert(address, Mapped::new(home));
            }
            // Each word takes in the sum so far and one, and at the end the sum takes in the first word.
            assert_eq!(std::array::from_fn(|home| toy.word(home)), [3, 1, 1, 1, 1, 1]);
        }
    }
}

/// Not even if it was about to be written: the fault comes again, and is the kernel's to judge.
#[test]
fn a_page_that_may_not_be_written_does_not_open() {
    let mut toy = Toy::new(&[&[]], &[PAGE]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    for error in [6, 7, 7] {
        let outcome = executor.execute(&mut toy, &mut thread, &mut replay, u64::MAX, &mut ());
        let delimiter = Delimiter::PageFault { address: PAGE, error };
        assert_eq!(outcome, Outcome::Committed(End { delimiter, count: 0 }));
        assert_eq!((toy.open_pages(), toy.word(0)), (vec![], 0));
        toy.spaces[0].entry(PAGE).or_insert(Mapped::new(0)).writable = false;
    }
}

#[test]
fn a_page_that_is_not_written_any_more_is_closed_and_forgotten_and_no_other() {
    let pages: Vec<_> = (0..4).map(|page| (PAGE * (page + 1), page as usize)).collect();
    let mut toy = Toy::new(&[&pages], &[]);
    let (mut executor, mut replay) = (executor(), Replay::new(1, POLICY));
    let mut threads = [thread(0), thread(1)];
    pe(&mut toy, &mut executor, &mut threads[1], &mut replay, &[4 * PAGE], &[]);
    pe(&mut toy, &mut executor, &mut threads[0], &mut replay, &[PAGE, 2 * PAGE], &[]);
    for open in [&[PAGE, 2 * PAGE][..], &[PAGE, 2 * PAGE], &[2 * PAGE], &[2 * PAGE]] {
        pe(&mut toy, &mut executor, &mut threads[0], &mut replay, &[2 * PAGE], &[]);
        assert_eq!(toy.open_pages(), open);
    }
    // What the other thread expects to write is there still.
    let account = pe(&mut toy, &mut executor, &mut threads[1], &mut replay, &[4 * PAGE], &[]);
    assert_eq!((account.write_faults, account.frames_written), (0, 1));
    assert_eq!(executor.pool.entries.len() - executor.pool.vacant, 2);
}

/// What threads do in turn is what they would do with a set of their own each, under flips in every run.
#[test]
fn what_rests_is_as_well_kept_as_what_is_open() {
    for run in [Run::First, Run::Second] {
        let pages: Vec<_> = (0..4).map(|page| (PAGE * (page + 1), page as usize)).collect();
        let (mut toy, mut plain) = (Toy::new(&[&pages], &[]), Toy::new(&[&pages], &[]));
        let (mut engine, mut other) = (executor(), executor());
        let (mut replay, mut off) =
            (Replay::new(1, POLICY), [Replay::new(1, POLICY), Replay::new(2, POLICY)]);
        let (mut threads, mut alone) = ([thread(0), thread(1)], [thread(0), thread(1)]);
        for round in 0..12_u64 {
            let at = (round % 2) as usize;
            let code = [PAGE * (1 + round % 3), PAGE * (1 + round % 4), PAGE];
            let flip = flip(round, run);
            let account = pe(&mut toy, &mut engine, &mut threads[at], &mut replay, &code, &[flip]);
            assert_eq!((account.flips, account.divergences.len()), (1, 1));
            pe(&mut plain, &mut other, &mut alone[at], &mut off[at], &code, &[]);
            other.give_up(&mut plain, &mut off[at], |_| true);
            assert_eq!(threads[at].registers(), alone[at].registers());
            assert!((0..4).all(|home| toy.word(home) == plain.word(home)), "round {round}");
        }
    }
}
