// SPDX-License-Identifier: MIT
//! Counters that fire late, early or for nothing: misses are repeated with a
//! wider margin, none of it is a divergence, and the result stays exact.

use proptest::prelude::*;

use flips::{Injection, Target};
use pe_replay::End;
use pe_replay::{Cause, Delimiter, Mode, Outcome, Policy, Run};
use pmu::Repeats;

use crate::cpu::{Alu, Condition, Op, UNDEFINED};
use crate::generate::{config, steppable};
use crate::machine::Counter;
use crate::reference::Reference;
use crate::session::{Session, Setup};
use crate::space::{DATA, EXIT};

const ENDLESS: [Op; 3] = [Op::Alu(Alu::Adc, 0, 2), Op::Store((3, 0), 0), Op::Jump(Condition::Always, 0)];

/// Numbers from 0 to `bound`, the same ones each time.
pub fn noise(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed | 1;
    move |bound| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) % (bound + 1)
    }
}

pub fn late(seed: u64, skid: u64) -> Counter {
    let mut noise = noise(seed);
    Box::new(move |order| order.budget + noise(skid))
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn late_interrupts_are_counter_misses(program in steppable(), seed in any::<u64>(), skid in 1..70u64) {
        let mut session = Session::new(&program, Setup::default());
        session.machine.counter = late(seed, skid);
        let outcome = session.run(40);
        prop_assert!(matches!(outcome, Outcome::Committed(_)));
        prop_assert_eq!(session.sums.divergences, 0);
    }

    #[test]
    fn a_margin_above_the_skid_never_misses(program in steppable(), seed in any::<u64>(), skid in 1..20u64) {
        let mut session = Session::new(&program, Setup { margin: skid, ..Setup::default() });
        session.machine.counter = late(seed, skid);
        session.run(40);
        prop_assert_eq!((session.sums.divergences, session.sums.counter_misses), (0, 0));
    }

    /// Of runs that go on at once each may be stopped late, and somewhere else.
    #[test]
    fn runs_at_once_that_end_apart_are_repeated_alone(
        program in steppable(), seed in any::<u64>(), skid in 1..70u64, triple in any::<bool>()
    ) {
        let mode = if triple { Mode::Triple } else { Mode::Dual };
        let policy = Policy { mode, ..Setup::default().policy };
        let mut session = Session::new(&program, Setup { policy, private: true, pool: 200, ..Setup::default() });
        session.machine.counter = late(seed, skid);
        let outcome = session.run(40);
        prop_assert!(matches!(outcome, Outcome::Committed(_)));
        prop_assert_eq!(session.sums.divergences, 0);
    }

    #[test]
    fn early_and_spurious_interrupts_are_passed_over(program in steppable(), seed in any::<u64>()) {
        let mut session = Session::new(&program, Setup::default());
        let mut noise = noise(seed);
        session.machine.counter = Box::new(move |order| noise(order.budget + 5).min(order.budget));
        session.run(40);
        prop_assert_eq!((session.sums.divergences, session.sums.counter_misses), (0, 0));
    }

    #[test]
    fn all_of_it_at_once(program in steppable(), seed in any::<u64>(), margin in 0..30u64) {
        let mut session = Session::new(&program, Setup { margin, ..Setup::default() });
        let mut noise = noise(seed);
        session.machine.counter = Box::new(move |order| match noise(3) {
            0 => noise(order.budget),
            1 => order.budget + noise(30),
            _ => order.budget,
        });
        session.run(40);
        prop_assert_eq!(session.sums.divergences, 0);
    }
}

#[test]
fn the_margin_doubles_until_it_covers_the_skid() {
    let mut session = Session::new(&ENDLESS, Setup::default());
    session.machine.counter = Box::new(|order| order.budget + 30);
    let (outcome, account) = session.execute();
    // Run 1 has 80 instructions. Margins 0, 2, 4, 8 and 16 overshoot; 32 stops
    // at 78, and a breakpoint does the rest.
    assert!(matches!(outcome, Outcome::Committed(committed) if committed.count == 80));
    assert_eq!((account.counter_misses, account.divergences.len()), (5, 0));
    assert_eq!((session.machine.steps, account.debug_exceptions), (0, 1));
}

#[test]
fn a_skid_as_long_as_the_pe_ends_in_single_steps() {
    let mut session = Session::new(&ENDLESS, Setup::default());
    session.machine.counter = Box::new(|order| order.budget + if order.step { 0 } else { 500 });
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(committed) if committed.count == 550));
    // Margins 0, 2, .., 256 miss, 512 stops at 538, four rounds from the end.
    assert_eq!((account.counter_misses, session.machine.steps), (9, 0));
    assert_eq!(account.debug_exceptions, 4);
}

#[test]
fn a_counter_that_never_obeys_in_run_2_is_stepped_all_the_way() {
    let mut session = Session::new(&ENDLESS, Setup::default());
    let mut entries = 0;
    session.machine.counter = Box::new(move |order| {
        entries += 1;
        // Run 1 has two entries: up to its write fault, and the rest.
        if entries <= 2 || order.step { order.budget } else { order.budget + 1000 }
    });
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(committed) if committed.count == 50));
    // Margins 0, 2, 4, 8, 16 and 32 miss; the next one is the whole count.
    assert_eq!((account.counter_misses, session.machine.steps), (6, 50));
}

#[test]
fn a_counter_interrupt_that_ends_a_step_leaves_no_trap_flag() {
    let mut session = Session::new(&ENDLESS, Setup::default());
    let mut entries = 0;
    session.machine.counter = Box::new(move |order| {
        entries += 1;
        match order.step {
            // In a step the interrupt wins over #DB.
            true => 1,
            false if entries <= 2 => order.budget,
            false => order.budget + 1000,
        }
    });
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(committed) if committed.count == 50));
    assert_eq!((account.divergences.len(), session.machine.steps), (0, 50));
}

#[test]
fn a_system_call_met_in_the_overshoot_is_a_counter_miss() {
    let mut program = Vec::from([Op::Alu(Alu::Add, 0, 2); 52]);
    program.push(Op::Syscall);
    let mut session = Session::new(&program, Setup::default());
    let mut entries = 0;
    session.machine.counter = Box::new(move |order| {
        entries += 1;
        if entries == 2 { order.budget + 10 } else { order.budget }
    });
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(committed) if committed.count == 50));
    assert_eq!((account.divergences.len(), account.counter_misses), (0, 1));
}

#[test]
fn a_fault_met_right_at_the_limit_is_a_counter_miss() {
    let mut program = Vec::from([Op::Alu(Alu::Add, 0, 2); 50]);
    program.push(Op::Undefined);
    let mut session = Session::new(&program, Setup::default());
    let mut entries = 0;
    session.machine.counter = Box::new(move |order| {
        entries += 1;
        if entries == 2 { order.budget + 1 } else { order.budget }
    });
    let (outcome, account) = session.execute();
    let limit = End { delimiter: Delimiter::Limit, count: 50 };
    assert_eq!(outcome, Outcome::Committed(limit));
    assert_eq!((account.divergences.len(), account.counter_misses), (0, 1));
}

/// Of runs at once it may be the first one that meets it, too late, while the others end in time.
#[test]
fn a_fault_that_only_the_first_of_runs_at_once_meets_is_a_counter_miss() {
    let mut program = Vec::from([Op::Alu(Alu::Add, 0, 2); 50]);
    program.push(Op::Undefined);
    let mut session = Session::new(&program, Setup { private: true, ..Setup::default() });
    let mut entries = 0;
    session.machine.counter = Box::new(move |order| {
        entries += 1;
        order.budget + u64::from(entries == 1)
    });
    let (outcome, account) = session.execute();
    let fault = End { delimiter: Delimiter::Exception { vector: UNDEFINED, error: 0 }, count: 50 };
    assert_eq!(outcome, Outcome::Committed(fault));
    assert_eq!((account.divergences.len(), account.counter_misses), (0, 1));
}

#[test]
fn a_flip_after_the_last_instruction_is_none_however_the_run_ends() {
    for (margin, run) in [(0, Run::First), (0, Run::Second), (10, Run::Second)] {
        let flip = Injection { pe: 0, run, at: 50, target: Target::Gpr(8), bit: 0 };
        let setup = Setup { margin, injections: Vec::from([flip]), ..Setup::default() };
        let mut session = Session::new(&ENDLESS, setup);
        // The last step ends in #DB, not in the counter's interrupt.
        session.machine.counter = Box::new(|order| order.budget + u64::from(order.step));
        let (_, account) = session.execute();
        assert_eq!((account.flips, account.divergences.len()), (0, 0));
    }
}

#[test]
fn a_flip_among_single_steps_is_found() {
    for at in 40..50 {
        let flip = Injection { pe: 0, run: Run::Second, at, target: Target::Gpr(8), bit: 0 };
        let setup = Setup { margin: 10, injections: Vec::from([flip]), ..Setup::default() };
        let mut session = Session::new(&ENDLESS, setup);
        let (_, account) = session.execute();
        assert_eq!((account.flips, account.divergences.len()), (1, 1));
    }
}

#[test]
fn early_interrupts_are_counted() {
    let mut session = Session::new(&ENDLESS, Setup::default());
    session.machine.counter = Box::new(|order| order.budget.div_ceil(2));
    let (_, account) = session.execute();
    // After the write at 1: 49 left, then 24, 12, 6, 3, 1; in run 2 50, 25, 12, ..
    assert!(account.early_overflows >= 10, "{}", account.early_overflows);
    assert_eq!(account.divergences.len(), 0);
}

/// Emulators count each iteration of a REP string instruction, and a run may end between two. Processors count it once, and
/// stop inside of it: no run ends there.
#[test]
fn runs_end_inside_a_rep_only_where_iterations_are_counted() {
    let at = |page: u64| DATA + page * 0x1000 - 40;
    let fill = |page, count| {
        [
            Op::MovImm(7, at(page)),
            Op::MovImm(1, count),
            Op::AddImm(0, 3),
            Op::RepStos,
            Op::Alu(Alu::Add, 8, 7),
        ]
    };
    // What the last filling has left is found, or not.
    let find = |page, count| {
        [
            Op::MovImm(7, at(page) - 160),
            Op::MovImm(1, count),
            Op::RepneScas,
            Op::Alu(Alu::Adc, 8, 7),
            Op::Mov(9, 1),
        ]
    };
    let parts = [
        fill(1, 700),
        find(1, 10),
        fill(2, 1),
        find(2, 60),
        find(2, 20),
        find(2, 21),
        fill(1, 0),
        fill(3, 9),
        find(3, 90),
        fill(2, 5),
        fill(1, 90),
    ];
    let program = [&parts.concat()[..], &[Op::MovImm(0, EXIT), Op::Syscall]].concat();
    let mut reference = Reference::new();
    reference.run(&program, u64::MAX, None);
    for repeats in [Repeats::PerIteration, Repeats::PerInstruction] {
        for (margin, private) in [(0, false), (12, false), (0, true)] {
            for (limit, seed) in (10..30).zip(1..) {
                let policy = Policy { limit, ..Setup::default().policy };
                let setup = Setup { policy, margin, private, lockstep: false, ..Setup::default() };
                let mut session = Session::new(&program, setup);
                session.machine.repeats = repeats;
                let mut noise = noise(seed);
                session.machine.counter = match margin {
                    // On the way to a breakpoint an interrupt may come for nothing, and as soon as it is let in.
                    0 => Box::new(move |order| match order.breakpoint {
                        Some(_) => noise(1) * order.budget,
                        None => order.budget,
                    }),
                    _ => late(seed, margin),
                };
                assert!(matches!(session.run(1000), Outcome::Committed(_)));
                assert_eq!(session.sums.divergences, 0, "{repeats:?}, limit {limit}, margin {margin}");
                if repeats == Repeats::PerInstruction {
                    assert_eq!(session.sums.instructions, program.len() as u64);
                }
                session.reference = reference.clone();
                session.compare();
            }
        }
    }
}

#[test]
fn interrupts_that_came_in_the_kernel_are_counted() {
    let program = [Op::Alu(Alu::Add, 0, 2), Op::Store((3, 0), 0), Op::Syscall];
    // Entry 0 is up to the write fault; run 2 is one entry.
    for (entry, strays) in [(0, 3), (1, 4), (2, 5)] {
        let mut session = Session::new(&program, Setup::default());
        session.machine.glitch = Box::new(move |entered, _, exit| {
            exit.strays = if entered == entry { strays } else { 0 };
        });
        let (outcome, account) = session.execute();
        assert!(matches!(outcome, Outcome::Committed(_)));
        assert_eq!((account.early_overflows, account.divergences.len()), (strays, 0));
    }
}

/// Where none was set, a breakpoint is a debug exception like any other.
#[test]
fn a_breakpoint_that_nobody_set_ends_a_run() {
    for before in [&[Op::Store((3, 0), 0), Op::Store((3, 0), 0)][..], &[]] {
        let program = [before, &[Op::Breakpoint, Op::Alu(Alu::Add, 0, 2), Op::Syscall]].concat();
        let mut session = Session::new(&program, Setup { lockstep: false, ..Setup::default() });
        session.machine.glitch = Box::new(|_, _, exit| {
            if matches!(exit.cause, Cause::Exception { vector: 3, .. }) {
                exit.cause = Cause::Breakpoint;
            }
        });
        let (outcome, account) = session.execute();
        let Outcome::Committed(End { delimiter, .. }) = outcome else { panic!("{outcome:?}") };
        assert_eq!(delimiter, Delimiter::Exception { vector: 1, error: 0 });
        assert_eq!((account.divergences.len(), account.debug_exceptions), (0, 0));
    }
}

/// A run that has gone astray and never comes to the other one's end is stopped behind it. That is no counter's fault.
#[test]
fn a_course_that_misses_the_end_is_no_counter_miss() {
    let program: Vec<_> = [0, 4]
        .into_iter()
        .flat_map(|to| {
            [Op::Alu(Alu::Adc, 0, 2), Op::Store((3, 0), 0), Op::AddImm(8, 1), Op::Jump(Condition::Always, to)]
        })
        .collect();
    for at in 42..50 {
        // Four instructions on, in the other loop.
        let flip = Injection { pe: 0, run: Run::Second, at, target: Target::Rip, bit: 4 };
        let setup = Setup { margin: 10, injections: Vec::from([flip]), ..Setup::default() };
        let mut session = Session::new(&program, setup);
        let (outcome, account) = session.execute();
        assert_eq!(outcome, Outcome::Committed(End { delimiter: Delimiter::Limit, count: 50 }));
        assert_eq!((account.flips, account.divergences.len(), account.counter_misses), (1, 1, 0), "at {at}");
    }
}
