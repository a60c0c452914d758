// SPDX-License-Identifier: MIT
//! Digests: what a PE left behind, in a number that does not depend on how its runs came to agree.

use pe_replay::{Comparison, Digest, Injection, Mode, Outcome, Policy, Recovery, Run, Target};

use crate::cpu::{Alu, Op};
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

/// The digest of the program's only PE, and its divergences.
fn digest(policy: Policy, injections: Vec<Injection>, lockstep: bool) -> (Digest, usize) {
    let mut session = Session::new(&PROGRAM, Setup { policy, injections, lockstep, ..Setup::default() });
    let (outcome, account) = session.execute();
    let Outcome::Committed(committed) = outcome else { panic!("{policy:?}: {outcome:?}") };
    (session.engine.digest(&mut session.machine, committed), account.divergences.len())
}

#[test]
fn whichever_run_was_hit_the_digest_is_the_same() {
    let (expected, _) = digest(policies().next().unwrap(), Vec::new(), true);
    assert!(expected.pages != 0);
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
        let (found, divergences) = digest(policy, flips(&Run::ALL, REGISTER), false);
        assert_eq!(divergences, 0, "{policy:?}");
        assert!(found.state != expected.state, "{policy:?}");
        let (found, divergences) = digest(policy, flips(&Run::ALL, MEMORY), false);
        assert_eq!((divergences, found.state), (0, expected.state), "{policy:?}");
        assert!(found.pages != expected.pages, "{policy:?}");
    }
}

/// Without replay pages are not tracked; all else is the same.
#[test]
fn without_replay_there_is_the_state_alone() {
    let off = Policy { mode: Mode::Off, limit: 50, max_dirty: 64, ..Policy::DEFAULT };
    for policy in policies() {
        let (dual, _) = digest(policy, Vec::new(), true);
        assert_eq!(digest(off, Vec::new(), true), (Digest { pages: 0, ..dual }, 0), "{policy:?}");
        let (flipped, _) = digest(off, flips(&Run::ALL, REGISTER), false);
        assert!(flipped.state != dual.state && flipped.pages == 0);
    }
}

/// What is kept from PE to PE does not matter: a page that was written before and is not written again has no part in
/// the digest, a page that is has.
#[test]
fn only_what_the_last_pe_wrote_is_in_the_digest() {
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
            let digest = session.engine.digest(&mut session.machine, committed);
            assert_eq!(digest.pages == 0, account.frames_written == 0, "{policy:?}");
            pages.push(digest.pages);
            assert!(session.serve(committed.delimiter));
        }
        assert!(
            pages[0] != 0 && pages[1] == 0 && pages[2] != 0 && pages[2] != pages[0],
            "{policy:?}: {pages:x?}"
        );
    }
}
