// SPDX-License-Identifier: MIT
//! What a PE left behind, of which digests are made: it does not depend on how its runs came to agree.

use std::collections::BTreeMap;

use flips::{Injection, Target};
use pe_replay::{Comparison, Mode, Outcome, Policy, Recovery, Run};

use crate::cpu::{Alu, Op};
use crate::engine::Left;
use crate::session::{Session, Setup};
use crate::space::DATA;

const PROGRAM: [Op; 4] = [Op::Store((3, 0), 8), Op::Alu(Alu::Add, 8, 9), Op::Store((3, 8), 8), Op::Syscall];
const REGISTER: Target = Target::Gpr(8);
/// On the page that the program writes.
const MEMORY: Target = Target::Memory(DATA + 0x100);

/// All that replay.
fn policies() -> impl Iterator<Item = Policy> {
    let bounds = Policy { limit: 50, max_dirty: 64, ..Policy::DEFAULT };
    [Comparison::Hash, Comparison::Bytes].into_iter().flat_map(move |comparison| {
        [(Mode::Dual, Recovery::Restart), (Mode::Dual, Recovery::Vote), (Mode::Triple, Recovery::Restart)]
            .map(|(mode, recovery)| Policy { mode, recovery, comparison, ..bounds })
    })
}

fn flips(runs: &[Run], target: Target) -> Vec<Injection> {
    runs.iter().map(|run| Injection { pe: 0, run: *run, at: 2, target, bit: 3 }).collect()
}

/// What the program's only PE left behind, and its divergences.
fn left(policy: Policy, injections: Vec<Injection>, lockstep: bool) -> (Left, usize) {
    let mut session = Session::new(&PROGRAM, Setup { policy, injections, lockstep, ..Setup::default() });
    let (outcome, account) = session.execute();
    let Outcome::Committed(committed) = outcome else { panic!("{policy:?}: {outcome:?}") };
    (session.engine.left(&mut session.machine, committed), account.divergences.len())
}

#[test]
fn whichever_run_was_hit_the_same_is_left() {
    let (expected, _) = left(policies().next().unwrap(), Vec::new(), true);
    assert!(!expected.pages.is_empty());
    for policy in policies() {
        assert_eq!(left(policy, Vec::new(), true), (expected.clone(), 0), "{policy:?}");
        let runs = if policy.mode == Mode::Triple { 3 } else { 2 };
        for run in &Run::ALL[..runs] {
            for target in [REGISTER, MEMORY] {
                assert_eq!(
                    left(policy, flips(&[*run], target), true),
                    (expected.clone(), 1),
                    "{run:?} {policy:?}"
                );
            }
        }
    }
}

#[test]
fn what_all_runs_do_alike_is_left() {
    for policy in policies() {
        let (expected, _) = left(policy, Vec::new(), true);
        let (found, divergences) = left(policy, flips(&Run::ALL, REGISTER), false);
        assert_eq!(divergences, 0, "{policy:?}");
        assert!(found.registers != expected.registers, "{policy:?}");
        let (found, divergences) = left(policy, flips(&Run::ALL, MEMORY), false);
        assert_eq!((divergences, found.registers), (0, expected.registers), "{policy:?}");
        assert!(found.pages != expected.pages, "{policy:?}");
    }
}

/// Without replay pages are not tracked; all else is the same.
#[test]
fn without_replay_there_is_the_state_alone() {
    let off = Policy { mode: Mode::Off, limit: 50, max_dirty: 64, ..Policy::DEFAULT };
    for policy in policies() {
        let (dual, _) = left(policy, Vec::new(), true);
        let alone = Left { pages: BTreeMap::new(), ..dual.clone() };
        assert_eq!(left(off, Vec::new(), true), (alone, 0), "{policy:?}");
        let (flipped, _) = left(off, flips(&Run::ALL, REGISTER), false);
        assert!(flipped.registers != dual.registers && flipped.pages.is_empty());
    }
}

/// What is kept from PE to PE does not matter: a page that was written before and is not written again has no part in
/// it, a page that is has.
#[test]
fn only_what_the_last_pe_wrote_is_among_it() {
    let again = [
        Op::Store((3, 0), 8),
        Op::Syscall,
        Op::Alu(Alu::Add, 8, 9),
        Op::Syscall,
        Op::Store((3, 0), 8),
        Op::Syscall,
    ];
    for policy in policies() {
        let mut session = Session::new(&again, Setup { policy, ..Setup::default() });
        let mut pages = Vec::new();
        for _ in 0..3 {
            let (outcome, account) = session.execute();
            let Outcome::Committed(committed) = outcome else { panic!("{policy:?}: {outcome:?}") };
            let left = session.engine.left(&mut session.machine, committed);
            assert_eq!(left.pages.is_empty(), account.frames_written == 0, "{policy:?}");
            pages.push(left.pages);
            assert!(session.serve(committed.delimiter));
        }
        assert!(
            !pages[0].is_empty() && pages[1].is_empty() && !pages[2].is_empty() && pages[2] != pages[0],
            "{policy:?}: {pages:x?}"
        );
    }
}
