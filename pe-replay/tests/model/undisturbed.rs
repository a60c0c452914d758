// SPDX-License-Identifier: MIT
//! Without faults: every PE runs twice, nothing diverges, and what is committed
//! is what a single plain execution computes.

use proptest::prelude::*;

use pe_replay::End;
use pe_replay::lifecycle::Phase;
use pe_replay::{Delimiter, Mode, Outcome, Policy};

use crate::cpu::{Alu, Condition, Op};
use crate::generate::{config, program};
use crate::session::{Session, Setup, Sums};
use crate::space::{ALIAS, CONSTANT, DATA, EXIT, PAGE_LEN};

fn policy(mode: Mode, limit: u64) -> Policy {
    Policy { mode, limit, max_dirty: 64, ..Policy::DEFAULT }
}

fn clean(sums: &Sums) {
    let Sums { divergences, counter_misses, early_overflows, flips, .. } = sums;
    assert_eq!((*divergences, *counter_misses, *early_overflows, *flips), (0, 0, 0, 0));
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn random_programs_commit_what_one_execution_computes(program in program(), limit in 10..200u64) {
        let mut session = Session::new(&program, Setup { policy: policy(Mode::Dual, limit), ..Setup::default() });
        let outcome = session.run(60);
        prop_assert!(matches!(outcome, Outcome::Committed(_)));
        clean(&session.sums);
        // Twice, to the instruction, also where nothing was written.
        prop_assert_eq!(session.machine.executed, 2 * session.sums.instructions);
        prop_assert!(session.machine.entered >= 2 * session.sums.pes);
    }

    #[test]
    fn off_executes_once_and_tracks_nothing(program in program(), limit in 10..200u64) {
        let setup = Setup { policy: policy(Mode::Off, limit), pool: 0, ..Setup::default() };
        let mut session = Session::new(&program, setup);
        session.run(60);
        clean(&session.sums);
        prop_assert_eq!(session.machine.executed, session.sums.instructions);
        prop_assert_eq!(session.machine.entered, session.sums.pes);
        prop_assert_eq!((session.sums.frames_written, session.sums.write_faults), (0, 0));
    }

    #[test]
    fn runs_that_go_on_at_once_are_not_repeated(program in program(), limit in 10..200u64, triple in any::<bool>()) {
        let mode = if triple { Mode::Triple } else { Mode::Dual };
        let setup = Setup { policy: policy(mode, limit), private: true, pool: 200, ..Setup::default() };
        let mut session = Session::new(&program, setup);
        for _ in 0..40 {
            let (outcome, account) = session.execute();
            let Outcome::Committed(End { delimiter, .. }) = outcome else { panic!("{outcome:?}") };
            prop_assert_eq!(account.third_runs, u16::from(triple));
            if !session.serve(delimiter) {
                break;
            }
        }
        clean(&session.sums);
        let runs = if triple { 3 } else { 2 };
        prop_assert_eq!(session.machine.executed, runs * session.sums.instructions);
        let begins = session.machine.steps_of_life.keys().filter(|(from, ..)| *from == Phase::Preparing);
        prop_assert!(begins.into_iter().all(|(.., to)| *to == Phase::RunningAll));
    }

    #[test]
    fn off_and_dual_end_their_pes_at_the_same_places(program in program(), limit in 10..200u64) {
        let ends = |mode| {
            let mut session = Session::new(&program, Setup { policy: policy(mode, limit), ..Setup::default() });
            let last = session.run(60);
            (last, session.sums.pes, session.sums.instructions)
        };
        prop_assert_eq!(ends(Mode::Off), ends(Mode::Dual));
    }

    #[test]
    fn the_same_program_takes_the_same_course(program in program()) {
        let course = || {
            let mut session = Session::new(&program, Setup::default());
            session.run(60);
            (session.engine.executor.watch.phases, session.sums)
        };
        prop_assert_eq!(course(), course());
    }
}

#[test]
fn a_pe_that_writes_nothing_runs_twice() {
    let program = [Op::Alu(Alu::Add, 0, 2), Op::Alu(Alu::Xor, 2, 8), Op::Syscall];
    let mut session = Session::new(&program, Setup::default());
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(_)));
    assert_eq!((session.machine.entered, session.machine.executed), (2, 6));
    assert_eq!((account.frames_written, account.write_faults), (0, 0));
}

#[test]
fn a_store_across_pages_is_tracked_on_both() {
    let program = [
        Op::MovImm(3, DATA + PAGE_LEN - 3),
        Op::Store((3, 0), 8),
        Op::StoreX((3, -5), 1),
        Op::MovImm(0, EXIT),
        Op::Syscall,
    ];
    let mut session = Session::new(&program, Setup::default());
    let (_, account) = session.execute();
    assert_eq!((account.frames_written, account.write_faults), (2, 2));
    // Run 1 was entered again after each fault, run 2 ran through.
    assert_eq!(session.machine.entered, 4);
}

#[test]
fn aliases_are_one_page() {
    let program = [
        Op::MovImm(3, DATA + 8),
        Op::MovImm(15, ALIAS + 8),
        Op::Load(8, (15, 0)),
        Op::Store((3, 0), 2),
        Op::Load(9, (15, 0)),
        Op::Store((15, 0), 0),
        Op::Load(10, (3, 0)),
        Op::MovImm(0, EXIT),
        Op::Syscall,
    ];
    let mut session = Session::new(&program, Setup::default());
    let (_, account) = session.execute();
    assert_eq!((account.frames_written, account.write_faults), (1, 1));
    assert_eq!(session.state().r9, session.state().rdx);
    clean(&session.sums);
}

#[test]
fn a_writable_page_does_not_open_its_read_only_alias() {
    let program = [
        Op::MovImm(3, DATA + PAGE_LEN),
        Op::MovImm(15, ALIAS + PAGE_LEN),
        Op::Store((3, 0), 2),
        Op::Store((15, 0), 2),
    ];
    let mut session = Session::new(&program, Setup::default());
    let (outcome, account) = session.execute();
    assert_eq!((account.frames_written, account.write_faults), (1, 1));
    let refused = Delimiter::PageFault { address: ALIAS + PAGE_LEN, error: 7 };
    assert_eq!(outcome, Outcome::Committed(End { delimiter: refused, count: 3 }));
}

#[test]
fn a_write_that_is_refused_is_not_tracked() {
    let program = [Op::MovImm(3, CONSTANT), Op::Store((3, 8), 2)];
    let mut session = Session::new(&program, Setup::default());
    let (outcome, account) = session.execute();
    let refused = Delimiter::PageFault { address: CONSTANT + 8, error: 7 };
    assert_eq!(outcome, Outcome::Committed(End { delimiter: refused, count: 1 }));
    assert_eq!((account.frames_written, account.write_faults), (0, 0));
}

#[test]
fn a_loop_without_end_ends_at_each_limit() {
    let program = [Op::Alu(Alu::Adc, 0, 2), Op::Jump(Condition::Always, 0)];
    let mut session = Session::new(&program, Setup::default());
    session.run(20);
    assert_eq!((session.sums.pes, session.sums.instructions), (20, 20 * 50));
    clean(&session.sums);
}
