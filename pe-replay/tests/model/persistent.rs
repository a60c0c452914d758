// SPDX-License-Identifier: MIT
//! Programs that are never the same twice end in a verdict, with the state that
//! they started from.

use flips::{Injection, Target};
use pe_replay::policy::MAX_DIVERGENCES;
use pe_replay::user::{INTERRUPT_FLAG, TRAP_FLAG};
use pe_replay::{Difference, Field, Mode, Outcome, Policy, Run};

use crate::counter::late;
use crate::cpu::{CODE, Op};
use crate::machine::WATCHDOG;
use crate::session::{Session, Setup};
use crate::space::{self, DATA, EXIT, LAZY};

/// Runs the first PE and checks all but what the verdict says.
fn verdict(program: &[Op], setup: Setup) -> (Difference, u64) {
    let mut session = Session::new(program, setup);
    let (outcome, account) = session.execute();
    assert_eq!(account.divergences.len(), usize::from(MAX_DIVERGENCES));
    // Lockstep: the reference has not moved, registers and memory are its.
    assert_eq!(*session.state(), space::first_state());
    match outcome {
        Outcome::Persistent { difference, end_rip } => {
            assert_eq!(account.divergences.last(), Some(&difference));
            (difference, end_rip)
        }
        Outcome::Committed(_) | Outcome::Damaged { .. } | Outcome::OutOfFrames => panic!("{outcome:?}"),
    }
}

#[test]
fn a_register_that_is_another_each_time() {
    let program = [Op::Store((3, 0), 8), Op::Random(9), Op::Syscall];
    let (difference, end_rip) = verdict(&program, Setup::default());
    // Two values an attempt: 5 and 6 in the third.
    assert_eq!(difference, Difference { field: Field::Gpr(9), first: 5, second: 6, address: 0 });
    assert_eq!(end_rip, CODE + 12);
}

#[test]
fn memory_that_is_another_each_time() {
    let program = [Op::Random(9), Op::Store((3, 1), 9), Op::MovImm(9, 0), Op::Syscall];
    let (difference, _) = verdict(&program, Setup::default());
    let address = DATA + 0x101;
    assert_eq!(difference, Difference { field: Field::Memory, first: 5, second: 6, address });
}

#[test]
fn a_course_that_is_another_each_time() {
    let program =
        [Op::Random(9), Op::MovImm(7, LAZY - 1), Op::StoreByte((7, 0), 9), Op::Loop(0), Op::Syscall];
    let (difference, _) = verdict(&program, Setup::default());
    // The write is refused: not mapped, alike in both runs.
    assert_eq!(difference.field, Field::Gpr(9));
}

#[test]
fn two_bad_attempts_are_forgiven() {
    // Effective flips in three PEs in a row, two of them in the same one.
    let flip = |pe, run, at| Injection { pe, run, at, target: Target::Gpr(8), bit: 3 };
    let program = [Op::Store((3, 0), 8), Op::Store((5, 0), 8), Op::Syscall].repeat(3);
    let injections = Vec::from([
        flip(0, Run::First, 0),
        flip(0, Run::Second, 1),
        flip(1, Run::First, 1),
        flip(2, Run::Second, 2),
    ]);
    let mut session = Session::new(&program, Setup { injections, ..Setup::default() });
    session.run(3);
    // The first attempt is hit in both runs, at different steps.
    assert_eq!((session.sums.divergences, session.sums.flips), (3, 4));
}

#[test]
fn a_run_that_only_the_watchdog_ends() {
    let program = [Op::Store((3, 0), 1), Op::Loop(0), Op::MovImm(0, EXIT), Op::Syscall];
    let mut session = Session::new(&program, Setup::default());
    session.engine.state_mut().rcx = 1 << 40;
    session.reference.state.rcx = 1 << 40;
    session.machine.counter = Box::new(|_| u64::MAX);
    let (outcome, account) = session.execute();
    let Outcome::Persistent { difference, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((difference.field, difference.second), (Field::Delimiter, 0));
    assert!(difference.first >= WATCHDOG);
    assert_eq!(account.divergences.len(), 3);
}

#[test]
fn off_gives_a_verdict_at_the_first_watchdog() {
    let program = [Op::Alu(crate::cpu::Alu::Add, 0, 2), Op::Jump(crate::cpu::Condition::Always, 0)];
    let policy = Policy { mode: Mode::Off, limit: 50, max_dirty: 8, ..Policy::DEFAULT };
    let flip = Injection { pe: 0, run: Run::First, at: 3, target: Target::Rflags, bit: 9 };
    let mut session =
        Session::new(&program, Setup { policy, injections: Vec::from([flip]), ..Setup::default() });
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Persistent { .. }));
    assert_eq!(account.divergences.len(), 1);
    assert_eq!(session.state().rflags & INTERRUPT_FLAG, INTERRUPT_FLAG);
}

/// The instruction that a session which ends in a verdict is said to diverge at.
fn culprit(program: &[Op], setup: Setup) -> Option<(u64, u64)> {
    culprit_in(Session::new(program, setup))
}

fn culprit_in(mut session: Session) -> Option<(u64, u64)> {
    let (outcome, _) = session.execute();
    let Outcome::Persistent { difference, .. } = outcome else { panic!("{outcome:?}") };
    let mut log = [0; 200];
    let culprit = session.engine.diagnose(&mut session.machine, difference, &mut log);
    // Nothing of it stays.
    session.machine.check_between_pes(true, &session.engine.executor.pool);
    session.compare();
    culprit.map(|culprit| ((culprit.rip - CODE) / 4, culprit.after))
}

#[test]
fn the_instruction_that_diverges_is_found() {
    let quiet = [Op::MovImm(8, 1), Op::Store((5, 0), 8), Op::Store((5, 9), 8)];
    let random = [Op::Random(9), Op::Store((3, 1), 9), Op::MovImm(9, 0)];
    for before in 0..4 {
        let program = [&quiet.repeat(before)[..], &random, &quiet, &[Op::Syscall]].concat();
        let at = 3 * before as u64;
        assert_eq!(culprit(&program, Setup::default()), Some((at, at)));
    }
    // Not the instruction where the run ends, and not the second one of its kind.
    let program = [&quiet[..], &random[..2], &random, &[Op::Loop(0), Op::Syscall]].concat();
    assert_eq!(culprit(&program, Setup::default()), Some((3, 3)));
}

#[test]
fn a_store_that_diverges_is_found_by_the_byte_that_it_leaves() {
    let quiet = [Op::MovImm(8, 1), Op::Store((5, 0), 8)];
    for before in 0..4 {
        let program =
            [&quiet.repeat(before)[..], &[Op::StoreRandom((3, 9))], &quiet, &[Op::Syscall]].concat();
        let at = 2 * before as u64;
        assert_eq!(culprit(&program, Setup::default()), Some((at, at)));
    }
}

/// What was different once is found, whether or not it is different again.
#[test]
fn an_instruction_that_diverged_once_is_found() {
    let mut session = Session::new(&[Op::MovImm(8, 1), Op::Random(9), Op::Syscall], Setup::default());
    let mut drawn = 0;
    session.machine.random = Box::new(move || {
        drawn += 1;
        u64::from(drawn == 2)
    });
    let seen = Difference { field: Field::Gpr(9), first: 0, second: 1, address: 0 };
    let culprit = session.engine.diagnose(&mut session.machine, seen, &mut [0; 200]).unwrap();
    assert_eq!((culprit.rip, culprit.after), (CODE + 4, 1));
}

/// Behind the end of a PE other code follows, which is not its own; and a write fault is no instruction. Where steps are made,
/// the counter's interrupt may come with one of them, up to the POPF that sets the trap flag.
#[test]
fn where_all_is_the_same_nothing_is_found() {
    let stepped =
        [Op::Pushf, Op::Pop(8), Op::Alu(crate::cpu::Alu::Or, 8, 9), Op::Push(8), Op::Popf, Op::Mov(8, 9)];
    for (end, trap) in [(&[Op::Syscall][..], 0), (&stepped, TRAP_FLAG), (&[Op::Undefined], 0)] {
        for (stores, popf) in [(&[][..], 7), (&[Op::Store((3, 0), 9), Op::Store((5, 0), 9)], 11)] {
            let program = [&[Op::MovImm(9, trap)], stores, end, &[Op::Random(9), Op::Syscall]].concat();
            for (margin, taken) in (0..=popf).map(|taken| (10, taken)).chain([(0, 0)]) {
                let mut session = Session::new(&program, Setup { margin, ..Setup::default() });
                let mut entries = 0;
                session.machine.counter = Box::new(move |order| {
                    entries += 1;
                    if entries == taken { 1 } else { order.budget }
                });
                let seen = Difference { field: Field::Memory, first: 0, second: 1, address: DATA };
                let culprit = session.engine.diagnose(&mut session.machine, seen, &mut [0; 200]);
                assert_eq!(culprit, None, "{stores:?}, {end:?}, {margin}, {taken}");
                session.compare();
            }
        }
    }
}

#[test]
fn a_late_counter_does_not_hide_it() {
    let quiet = [Op::MovImm(8, 1), Op::Store((5, 0), 8), Op::Store((5, 9), 8)];
    for before in 0..4 {
        let program = [&quiet.repeat(before)[..], &[Op::Random(9)], &quiet, &[Op::Syscall]].concat();
        let mut session = Session::new(&program, Setup { margin: 10, ..Setup::default() });
        session.machine.counter = late(1 + before as u64, 10);
        let at = 3 * before as u64;
        assert_eq!(culprit_in(session), Some((at, at)));
    }
}

#[test]
fn behind_what_is_noted_nothing_is_found() {
    let mut program = vec![Op::MovImm(8, 1); 300];
    program.extend([Op::Random(9), Op::Syscall]);
    let policy = Policy { limit: 1000, ..Setup::default().policy };
    assert_eq!(culprit(&program, Setup { policy, ..Setup::default() }), None);
}
