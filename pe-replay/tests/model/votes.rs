// SPDX-License-Identifier: MIT
//! Votes: what two of three runs agree on is committed, at the first attempt, and
//! nothing else ever is.

use flips::{Injection, Target};
use pe_replay::lifecycle::Phase;
use pe_replay::{Comparison, Delimiter, End, Flush, Mode, Outcome, Policy, Recovery, Run};

use crate::cpu::{Alu, Condition, Op};
use crate::machine::moments::{Call, Fault, Spot, Stored};
use crate::session::{Session, Setup};
use crate::space::{self, DATA};

/// All ways to come to a result, with the same bounds.
fn policies() -> impl Iterator<Item = Policy> {
    let bounds = Policy { limit: 50, max_dirty: 64, ..Policy::DEFAULT };
    let modes = [Mode::Dual, Mode::Triple].into_iter();
    let recoveries = modes.flat_map(|mode| [Recovery::Restart, Recovery::Vote].map(|it| (mode, it)));
    recoveries.flat_map(move |(mode, recovery)| {
        let policy = Policy { mode, recovery, ..bounds };
        [Comparison::Bytes, Comparison::Hash].map(|comparison| Policy { comparison, ..policy })
    })
}

fn session(program: &[Op], policy: Policy, injections: &[Injection]) -> Session {
    Session::new(program, Setup { policy, injections: injections.to_vec(), ..Setup::default() })
}

#[test]
fn what_is_another_each_time_ends_in_a_verdict_under_every_policy() {
    let in_register = Vec::from([Op::Store((3, 0), 8), Op::Random(9), Op::Syscall]);
    let in_memory = Vec::from([Op::Random(9), Op::Store((3, 1), 9), Op::MovImm(9, 0), Op::Syscall]);
    for (program, policy) in [in_register, in_memory].iter().flat_map(|it| policies().map(move |p| (it, p))) {
        let mut session = session(program, policy, &[]);
        let (outcome, account) = session.execute();
        assert!(matches!(outcome, Outcome::Persistent { .. }), "{policy:?}: {outcome:?}");
        assert_eq!((account.divergences.len(), account.outvoted), (3, None));
        // The lockstep has compared the memory.
        assert_eq!(*session.state(), space::first_state());
    }
}

/// The lockstep sees to it that a PE ends as the runs do that agree.
#[test]
fn a_run_that_ends_otherwise_is_outvoted() {
    let add = Op::Alu(Alu::Add, 8, 9);
    let program = [Op::Store((3, 0), 8), add, add, Op::Store((3, 8), 8), Op::Syscall, add, Op::Undefined];
    for policy in policies() {
        let votes = policy.mode == Mode::Triple || policy.recovery == Recovery::Vote;
        for run in [Run::First, Run::Second] {
            // Four instructions on.
            let astray = Injection { pe: 0, run, at: 2, target: Target::Rip, bit: 4 };
            let mut session = session(&program, policy, &[astray]);
            let (outcome, account) = session.execute();
            let end = End { delimiter: Delimiter::Syscall, count: 5 };
            assert_eq!(outcome, Outcome::Committed(end), "{astray:?} {policy:?}");
            assert_eq!((account.divergences.len(), account.outvoted), (1, votes.then_some(run)));
        }
    }
}

#[test]
fn one_run_of_three_is_outvoted_without_a_restart() {
    let program = [Op::Store((3, 0), 8), Op::Alu(Alu::Add, 8, 9), Op::Store((3, 8), 8), Op::Syscall];
    for policy in policies() {
        let votes = policy.mode == Mode::Triple || policy.recovery == Recovery::Vote;
        let runs = if policy.mode == Mode::Triple { 3 } else { 2 };
        for run in &Run::ALL[..runs] {
            let in_register = Target::Gpr(8);
            for target in [in_register, Target::Memory(DATA + 0x100)] {
                let flip = Injection { pe: 0, run: *run, at: 2, target, bit: 3 };
                let mut session = session(&program, policy, &[flip]);
                let (outcome, account) = session.execute();
                assert!(matches!(outcome, Outcome::Committed(_)), "{flip:?} {policy:?}: {outcome:?}");
                assert_eq!(account.divergences.len(), 1, "{flip:?} {policy:?}");
                // By hash the memory of the first two is gone when run 3 is over.
                let kept = *run != Run::Third || policy.comparison == Comparison::Bytes;
                let outvoted = (votes && kept).then_some(*run);
                assert_eq!(account.outvoted, outvoted, "{flip:?} {policy:?}");
                let attempts = if votes && kept { 1 } else { 2 };
                let third_runs = match policy.mode {
                    Mode::Triple => attempts,
                    Mode::Off | Mode::Dual => u16::from(votes),
                };
                assert_eq!(account.third_runs, third_runs, "{flip:?} {policy:?}");
            }
        }
    }
}

#[test]
fn three_results_that_all_differ_are_no_majority() {
    let program = [Op::Store((3, 0), 8), Op::Alu(Alu::Add, 8, 9), Op::Syscall];
    let flips = Run::ALL.map(|run| Injection { pe: 0, run, at: 1, target: Target::Gpr(9), bit: run as u8 });
    for policy in policies().filter(|it| it.recovery == Recovery::Vote || it.mode == Mode::Triple) {
        // In dual mode run 3 comes with the first difference.
        for hit in [&flips[..], &flips[1..], &[flips[0], flips[2]]] {
            let mut session = session(&program, policy, hit);
            let (outcome, account) = session.execute();
            assert!(matches!(outcome, Outcome::Committed(_)), "{policy:?}: {outcome:?}");
            assert_eq!((account.divergences.len(), account.outvoted), (1, None), "{policy:?}");
            assert_eq!(usize::from(account.flips), hit.len());
        }
    }
}

/// Two runs that lost RFLAGS.IF agree, but on no result.
#[test]
fn two_runs_that_only_the_watchdog_ends_win_no_vote() {
    let program = [Op::Alu(Alu::Add, 0, 2), Op::Store((3, 0), 0), Op::Jump(Condition::Always, 0)];
    let lost = |run| Injection { pe: 0, run, at: 3, target: Target::Rflags, bit: 9 };
    for policy in policies().filter(|it| it.recovery == Recovery::Vote || it.mode == Mode::Triple) {
        let mut session = session(&program, policy, &[lost(Run::Second), lost(Run::Third)]);
        let (outcome, account) = session.execute();
        assert!(matches!(outcome, Outcome::Committed(ref it) if it.count == 50), "{policy:?}: {outcome:?}");
        assert_eq!((account.divergences.len(), account.outvoted, account.flips), (1, None, 2), "{policy:?}");
    }
}

#[test]
fn caches_are_flushed_as_asked_for() {
    let program = [Op::Store((3, 0), 8), Op::Load(9, (6, 0)), Op::Syscall];
    let flip = Injection { pe: 0, run: Run::First, at: 1, target: Target::Gpr(8), bit: 0 };
    // Flushes of lines and of all without a fault, and with one and a restart or a vote.
    for (mode, recovery, flush, undisturbed, disturbed) in [
        (Mode::Dual, Recovery::Restart, Flush::Never, (0, 0), (0, 0)),
        (Mode::Dual, Recovery::Restart, Flush::Lines, (1, 0), (3, 0)),
        (Mode::Dual, Recovery::Restart, Flush::All, (0, 1), (0, 3)),
        (Mode::Dual, Recovery::Restart, Flush::Retry, (0, 0), (0, 1)),
        (Mode::Dual, Recovery::Vote, Flush::Lines, (1, 0), (2, 0)),
        (Mode::Dual, Recovery::Vote, Flush::All, (0, 1), (0, 2)),
        (Mode::Dual, Recovery::Vote, Flush::Retry, (0, 0), (0, 1)),
        (Mode::Triple, Recovery::Vote, Flush::Lines, (2, 0), (2, 0)),
        (Mode::Triple, Recovery::Vote, Flush::Retry, (0, 0), (0, 0)),
    ] {
        let policy = Policy { mode, recovery, flush, limit: 50, max_dirty: 64, ..Policy::DEFAULT };
        for (flips, expected) in [(&[][..], undisturbed), (&[flip], disturbed)] {
            let mut session = session(&program, policy, flips);
            session.execute();
            let machine = &session.machine;
            assert_eq!(machine.pages_flushed > 0, expected.0 > 0);
            assert_eq!((machine.line_flushes, machine.cache_flushes), expected, "{policy:?}");
        }
    }
}

/// One run goes another way and writes what is there already, to a page that is hot
/// and that the others leave alone. It gets a copy of the page as it is, not of what
/// that was before the last PE.
#[test]
fn a_needless_write_in_one_run_is_no_difference() {
    let program = [
        Op::Store((3, 0), 8),
        Op::Store((3, 32), 8),
        Op::Syscall,
        Op::MovImm(10, 0),
        Op::Alu(Alu::Xor, 9, 9),
        Op::Jump(Condition::Zero, 8),
        Op::Store((3, 0), 8),
        Op::Jump(Condition::Always, 10),
        Op::MovImm(10, 0),
        Op::MovImm(10, 0),
        Op::Alu(Alu::Xor, 9, 9),
        Op::Syscall,
    ];
    for policy in policies() {
        let runs = if policy.mode == Mode::Triple { 3 } else { 2 };
        for run in Run::ALL.into_iter().take(runs) {
            let astray = Injection { pe: 1, run, at: 2, target: Target::Rflags, bit: 6 };
            let mut session = session(&program, policy, &[astray]);
            session.run(3);
            let sums = &session.sums;
            assert_eq!((sums.flips, sums.divergences), (1, 0), "{astray:?} {policy:?}");
        }
    }
}

#[test]
fn what_is_hit_between_two_comparisons_is_outvoted() {
    let program = [Op::Store((3, 0), 8), Op::Alu(Alu::Add, 8, 9), Op::Syscall];
    let policy = Policy { mode: Mode::Triple, limit: 50, max_dirty: 64, ..Policy::DEFAULT };
    let mut undisturbed = session(&program, policy, &[]);
    undisturbed.machine.moments.log = Some(Vec::new());
    undisturbed.execute();
    let log = undisturbed.machine.moments.log.unwrap_or_default();
    let calls = |call| {
        let verifying = log.iter().enumerate().filter(|(_, it)| it.phase == Phase::Verifying(Run::Third));
        verifying.filter(move |(_, it)| it.call == call).map(|(at, _)| at)
    };
    // The first visit comes before the phase, each other one before a comparison.
    let register = calls(Call::Visit).nth(2).map(|call| (call, Spot::Stored(Stored::Result(Run::First))));
    let page = calls(Call::Comparison).nth(1).map(|call| (call, Spot::Home));
    for (call, spot) in [register, page].map(|found| found.expect("runs 1 and 3 are compared")) {
        let mut session = session(&program, policy, &[]);
        session.expect(Some(Fault { pe: 0, call, spot, choice: 0x305 }), None);
        let (outcome, account) = session.execute();
        assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
        assert_eq!(account.outvoted, Some(Run::First), "{spot:?}");
    }
}
