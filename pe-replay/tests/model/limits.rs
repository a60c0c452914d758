// SPDX-License-Identifier: MIT
//! Bounds: the dirty-frame limit, and pools that are too small.

use proptest::prelude::*;

use pe_replay::policy::MIN_DIRTY_PAGES;
use pe_replay::user::{RESUME_FLAG, xsave};
use pe_replay::{Delimiter, Mode, Outcome, Policy};
use pmu::Repeats;

use crate::cpu::{Condition, Op};
use crate::generate::{config, program};
use crate::session::{Session, Setup};
use crate::space::{self, DATA, EXIT, PAGE_LEN};

/// Writes to one page after the other.
fn stride() -> Vec<Op> {
    Vec::from([
        Op::Store((3, 0), 0),
        Op::AddImm(3, PAGE_LEN as i32),
        Op::Loop(0),
        Op::Jump(Condition::Always, 3),
    ])
}

fn setup(max_dirty: u16, pool: usize) -> Setup {
    Setup {
        policy: Policy { mode: Mode::Dual, limit: 100, max_dirty, ..Policy::DEFAULT },
        pool,
        ..Setup::default()
    }
}

#[test]
fn a_pe_ends_before_the_page_too_many() {
    let mut session = Session::new(&stride(), setup(3, 40));
    let (outcome, account) = session.execute();
    let Outcome::Committed(committed) = outcome else { panic!("{outcome:?}") };
    let expected = Delimiter::DirtyLimit { address: DATA + 3 * PAGE_LEN + 0x100 };
    assert_eq!((committed.delimiter, committed.count), (expected, 9));
    assert_eq!((account.frames_written, account.write_faults), (3, 3));
    let (_, account) = session.execute();
    assert_eq!(account.frames_written, 2);
    assert_eq!(session.sums.divergences, 0);
}

/// Where a REP string instruction is counted once, a PE inside of it has no count, and yet comes on.
#[test]
fn a_pe_of_no_count_is_one_if_it_changes_registers() {
    let program =
        [Op::MovImm(7, DATA), Op::MovImm(1, 8 * 512), Op::RepStos, Op::MovImm(0, EXIT), Op::Syscall];
    let mut session = Session::new(&program, Setup { lockstep: false, ..setup(3, 40) });
    session.machine.repeats = Repeats::PerInstruction;
    assert!(matches!(session.run(20), Outcome::Committed(_)));
    assert_eq!((session.sums.instructions, session.sums.divergences), (5, 0));
    session.reference.run(&program, u64::MAX, None);
    session.compare();
}

#[test]
fn a_small_pool_only_makes_pes_shorter() {
    for pool in [3, 4, 5, 6, 8, 11] {
        let mut session = Session::new(&stride(), setup(64, pool));
        let (outcome, account) = session.execute();
        let Outcome::Committed(committed) = outcome else { panic!("{outcome:?}") };
        assert!(matches!(committed.delimiter, Delimiter::DirtyLimit { .. }));
        assert_eq!(usize::from(account.frames_written), pool / 3);
        assert!(matches!(session.run(20), Outcome::Committed(_)));
    }
}

#[test]
fn a_pool_too_small_for_one_write_is_named() {
    for pool in [0, 1, 2] {
        let mut session = Session::new(&stride(), setup(64, pool));
        let before = session.state().clone();
        let (outcome, _) = session.execute();
        assert_eq!(outcome, Outcome::OutOfFrames);
        assert_eq!(*session.state(), before);
    }
}

#[test]
fn a_start_outside_the_normal_form_is_brought_to_it() {
    let mut session = Session::new(&stride(), Setup { lockstep: false, ..setup(64, 0) });
    session.engine.state_mut().entry_vector = 14;
    session.engine.state_mut().rflags |= RESUME_FLAG;
    session.engine.state_mut().extended.0[xsave::HEADER] = 0;
    let (outcome, _) = session.execute();
    assert_eq!(outcome, Outcome::OutOfFrames);
    assert_eq!(*session.state(), space::first_state());
}

#[test]
fn a_store_across_pages_that_the_pool_cannot_hold_is_named() {
    let program = [Op::Store((5, 0), 0), Op::Store((5, 0), 1), Op::Jump(Condition::Always, 0)];
    for pool in [3, 4, 5] {
        let mut session = Session::new(&program, setup(64, pool));
        let (outcome, _) = session.execute();
        assert_eq!(outcome, Outcome::OutOfFrames);
        // The lockstep has compared: what the attempt opened is as it was.
        assert_eq!(*session.state(), space::first_state());
    }
}

#[test]
fn a_pool_that_is_too_small_later_commits_what_came_before() {
    let program = [Op::MovImm(8, 7), Op::MovImm(9, 8), Op::Store((3, 0), 8), Op::Jump(Condition::Always, 2)];
    let mut session = Session::new(&program, setup(64, 2));
    let (outcome, _) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(committed) if committed.count == 2));
    let (outcome, _) = session.execute();
    assert_eq!(outcome, Outcome::OutOfFrames);
    assert_eq!((session.state().r8, session.state().r9), (7, 8));
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn no_bound_changes_what_is_computed(
        program in program(),
        max_dirty in MIN_DIRTY_PAGES..12,
        pool in 6..30usize,
        limit in 10..60u64,
    ) {
        let policy = Policy { mode: Mode::Dual, limit, max_dirty, ..Policy::DEFAULT };
        let mut session = Session::new(&program, Setup { policy, pool, ..Setup::default() });
        let outcome = session.run(60);
        prop_assert!(matches!(outcome, Outcome::Committed(_)));
        prop_assert_eq!(session.sums.divergences, 0);
    }
}

/// The comparison itself can be hit: what it called different once is compared and
/// copied again, and never taken over.
#[test]
fn a_misjudged_comparison_is_a_divergence() {
    let mut session = Session::new(&stride(), setup(3, 40));
    session.machine.misjudges = true;
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(_)), "{outcome:?}");
    assert_eq!(account.divergences.len(), 1);
    let (_, account) = session.execute();
    assert!(account.divergences.is_empty());
}
