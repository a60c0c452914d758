// SPDX-License-Identifier: MIT
//! Digests: what a PE left behind, in a number that does not depend on how its runs came to agree.

use pe_replay::{Comparison, Injection, Mode, Outcome, Policy, Recovery, Run, Target};

use crate::cpu::{Alu, Op};
use crate::session::{Session, Setup};
use crate::space::DATA;

const PROGRAM: [Op; 4] = [Op::Store((3, 0), 8), Op::Alu(Alu::Add, 8, 9), Op::Store((3, 8), 8), Op::Syscall];
const REGISTER: Target = Target::Gpr(8);
/// On the page that the program writes.
const MEMORY: Target = Target::Memory(DATA + 0x100);

fn policies() -> impl Iterator<Item = Policy> {
    let bounds = Policy { comparison: Comparison::Hash, limit: 50, max_dirty: 64, ..Policy::DEFAULT };
    [(Mode::Dual, Recovery::Restart), (Mode::Dual, Recovery::Vote), (Mode::Triple, Recovery::Restart)]
        .map(|(mode, recovery)| Policy { mode, recovery, ..bounds })
        .into_iter()
}

fn flips(runs: &[Run], target: Target) -> Vec<Injection> {
    runs.iter().map(|run| Injection { pe: 0, run: *run, at: 2, target, bit: 3 }).collect()
}

/// The digest of the program's only PE, and its divergences.
fn digest(policy: Policy, injections: Vec<Injection>, lockstep: bool) -> (Option<u128>, usize) {
    let mut session = Session::new(&PROGRAM, Setup { policy, injections, lockstep, ..Setup::default() });
    assert_eq!(session.engine.digest(), None, "before the first PE");
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(_)), "{policy:?}: {outcome:?}");
    (session.engine.digest(), account.divergences.len())
}

#[test]
fn whichever_run_was_hit_the_digest_is_the_same() {
    let (expected, _) = digest(policies().next().unwrap(), Vec::new(), true);
    assert!(expected.is_some());
    for policy in policies() {
        assert_eq!(digest(policy, Vec::new(), true), (expected, 0), "{policy:?}");
        let runs = if policy.mode == Mode::Triple { 3 } else { 2 };
        for run in &Run::ALL[..runs] {
            for target in [REGISTER, MEMORY] {
                assert_eq!(digest(policy, flips(&[*run], target), true), (expected, 1), "{run:?} {policy:?}");
            }
        }
    }
}

#[test]
fn what_all_runs_do_alike_shows_in_the_digest() {
    for policy in policies() {
        let (expected, _) = digest(policy, Vec::new(), true);
        for target in [REGISTER, MEMORY] {
            let (found, divergences) = digest(policy, flips(&Run::ALL, target), false);
            assert_eq!(divergences, 0, "{policy:?}");
            assert!(found.is_some() && found != expected, "{target:?} {policy:?}");
        }
    }
}

#[test]
fn what_is_compared_byte_by_byte_has_none() {
    for mode in [Mode::Off, Mode::Dual, Mode::Triple] {
        let policy = Policy { mode, limit: 50, max_dirty: 64, ..Policy::DEFAULT };
        assert_eq!(digest(policy, Vec::new(), true), (None, 0), "{mode:?}");
    }
}
