// SPDX-License-Identifier: MIT
//! A space of two processes, and a frame of two spaces.

use pe_replay::{Replay, Run};

use crate::toy::{PAGE, Toy};
use crate::{POLICY, executor, flip, pe, thread};

#[test]
fn a_space_is_shared_by_two_processes() {
    // As after vfork: one space, one tracker, two threads of two processes.
    let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
    let (mut executor, mut replay) = (executor(), Replay::new(1, POLICY));
    let (mut parent, mut child) = (thread(0), thread(1));
    let mut expected = 0;
    for round in 0..6 {
        let who = if round % 2 == 0 { &mut parent } else { &mut child };
        let sum = who.registers().sum + expected;
        pe(&mut toy, &mut executor, who, &mut replay, &[PAGE], &[]);
        expected += sum + 1;
        assert_eq!((who.registers().sum, toy.word(0)), (sum, expected));
    }
    assert_eq!(toy.faults, 2, "each process predicts for itself");
}

#[test]
fn a_shared_frame_is_written_by_turns_by_two_spaces() {
    for run in [Run::First, Run::Second] {
        let flip = flip(0, run);
        let mut toy = Toy::new(&[&[(PAGE, 0)], &[(5 * PAGE, 0)]], &[]);
        let mut executor = executor();
        let mut replays = [Replay::new(1, POLICY), Replay::new(2, POLICY)];
        let mut threads = [thread(0), thread(0)];
        let mut expected = 0;
        for round in 0..12 {
            let (at, address) = [(0, PAGE), (1, 5 * PAGE)][round % 2];
            (toy.space, toy.was_away) = (at, true);
            let sum = threads[at].registers().sum + expected;
            let flips = if round % 3 == 0 { &[flip][..] } else { &[] };
            let account = pe(&mut toy, &mut executor, &mut threads[at], &mut replays[at], &[address], flips);
            expected += sum + 1;
            // A restart puts back what the other space has written, not what this one had before.
            assert_eq!((threads[at].registers().sum, toy.word(0)), (sum, expected), "round {round}");
            assert_eq!(account.divergences.len(), flips.len());
            // The switch gives nothing up.
            assert_eq!(account.write_faults, u16::from(round < 2));
            if round == 7 {
                // The kernel, or a device; nobody has run since either space did.
                expected = 1000;
                toy.write(0, expected);
                threads.iter_mut().for_each(|thread| thread.registers_mut().sum = 0);
            }
        }
    }
}
