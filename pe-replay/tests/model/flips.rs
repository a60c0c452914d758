// SPDX-License-Identifier: MIT
//! Single flips: one that changes a run's result is found and undone by exactly
//! one restart, one that does not changes nothing.
//!
//! Whether a flip is effective is asked of the plain interpreter.

use proptest::prelude::*;

use flips::{Injection, MAX_INJECTIONS, Target};
use pe_replay::{Mode, Outcome, Policy, Run};

use crate::cpu::INJECTABLE_FLAGS;
use crate::cpu::{Alu, Condition, Op};
use crate::generate::{config, flip, program};
use crate::session::{Session, Setup};
use crate::space::{ALIAS, CONSTANT, DATA, EXIT, LAZY, PAGE_LEN};

const LIMIT: u64 = 25;

fn setup(mode: Mode, flip: Injection) -> Setup {
    let policy = Policy { mode, limit: LIMIT, max_dirty: 64, ..Policy::DEFAULT };
    Setup { policy, injections: Vec::from([flip]), ..Setup::default() }
}

/// Runs up to the PE that is hit; false if the program ends before.
fn approach(session: &mut Session, pe: u64) -> bool {
    while session.engine.sequence() < pe {
        let (outcome, account) = session.execute();
        assert_eq!((account.flips, account.divergences.len()), (0, 0));
        let Outcome::Committed(committed) = outcome else { panic!("{outcome:?}") };
        if !session.serve(committed.delimiter) {
            return false;
        }
    }
    true
}

/// Whether `flip` changes what the PE ahead leaves, and whether it comes about.
fn effect(session: &Session, program: &[Op], flip: Injection) -> (bool, bool) {
    let (mut right, mut wrong) = (session.reference.clone(), session.reference.clone());
    let ended = right.run(program, LIMIT, None);
    let effective = ended != wrong.run(program, LIMIT, Some(flip)) || !right.agrees(&wrong);
    (effective, wrong.flipped)
}

/// The whole claim, for one flip. Returns whether it was effective.
fn undone(program: &[Op], flip: Injection) -> bool {
    let mut session = Session::new(program, setup(Mode::Dual, flip));
    if !approach(&mut session, flip.pe) {
        return false;
    }
    let (effective, applied) = effect(&session, program, flip);
    // The lockstep inside compares what is committed with the undisturbed run.
    let (outcome, account) = session.execute();
    let Outcome::Committed(committed) = outcome else { panic!("{flip:?}: {outcome:?}") };
    assert_eq!(account.divergences.len(), usize::from(effective), "{flip:?}: {:?}", account.divergences);
    assert_eq!((account.flips, account.counter_misses), (applied.into(), 0), "{flip:?}");
    if session.serve(committed.delimiter) {
        session.run(flip.pe + 8);
        assert_eq!(session.sums.divergences, usize::from(effective), "{flip:?}");
    }
    effective
}

/// Touches everything a flip can hit, over several PEs.
fn sampler() -> Vec<Op> {
    Vec::from([
        Op::MovImm(1, 3),
        Op::Load(8, (6, -2)),
        Op::Alu(Alu::Add, 8, 9),
        Op::Store((3, 0), 8),
        Op::Store((5, 0), 0),
        Op::MovX(2, 8),
        Op::AddX(2, 3),
        Op::StoreX((3, 32), 2),
        Op::Push(2),
        Op::Alu(Alu::Adc, 10, 11),
        Op::Pushf,
        Op::Store((15, 8), 10),
        Op::Jump(Condition::Carry, 14),
        Op::Alu(Alu::Rol, 12, 1),
        Op::Load(13, (3, 0)),
        Op::Popf,
        Op::Pop(14),
        Op::Loop(1),
        Op::MovImm(0, 1),
        Op::Syscall,
        Op::MovImm(1, 6),
        Op::MovImm(7, DATA + 3 * PAGE_LEN - 20),
        Op::RepStos,
        Op::Fld(8),
        Op::Undefined,
        Op::MovImm(7, LAZY),
        Op::Store((7, 0), 1),
        Op::MovImm(0, EXIT),
        Op::Syscall,
    ])
}

#[test]
fn every_target_at_every_step_of_either_run() {
    let program = sampler();
    let mut targets = Vec::new();
    for index in 0..16u8 {
        targets.extend([0, 2, 3, 11, 12, 31 + index, 63].map(|bit| (Target::Gpr(index), bit)));
        targets.extend([index, 127 - index].map(|bit| (Target::Xmm(index), bit)));
    }
    targets.extend([0, 2, 3, 5, 12, 46, 47, 63].map(|bit| (Target::Rip, bit)));
    targets.extend((0..22).filter(|bit| INJECTABLE_FLAGS >> bit & 1 != 0).map(|bit| (Target::Rflags, bit)));
    for address in [DATA + 0x100, DATA + 0x107, DATA + 0x200, DATA + 2 * PAGE_LEN, CONSTANT + PAGE_LEN - 6] {
        targets.push((Target::Memory(address), 5));
    }
    targets.extend([ALIAS + 0x104, ALIAS + PAGE_LEN + 9, LAZY].map(|address| (Target::Memory(address), 0)));
    let (mut effective, mut tried) = (0, 0);
    for pe in 0..8 {
        for run in [Run::First, Run::Second] {
            for at in 0..LIMIT {
                // All targets at some steps, a third of them at each.
                for (target, bit) in targets.iter().copied().skip((pe + at) as usize % 3).step_by(3) {
                    effective += u32::from(undone(&program, Injection { pe, run, at, target, bit }));
                    tried += 1;
                }
            }
        }
    }
    assert!(effective > tried / 5, "only {effective} of {tried} flips had an effect");
}

#[test]
fn every_bit_of_every_register() {
    let program = sampler();
    let registers = (0..16).flat_map(|index| (0..64).map(move |bit| (Target::Gpr(index), bit)));
    let vectors = (0..16).flat_map(|index| (0..128).map(move |bit| (Target::Xmm(index), bit)));
    for (target, bit) in registers.chain(vectors).chain((0..64).map(|bit| (Target::Rip, bit))) {
        for run in [Run::First, Run::Second] {
            undone(&program, Injection { pe: 0, run, at: 7, target, bit });
        }
    }
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn flips_in_random_programs(program in program(), flip in flip()) {
        undone(&program, flip);
    }

    #[test]
    fn off_lets_every_flip_through(program in program(), flip in flip()) {
        let flip = Injection { run: Run::First, ..flip };
        // IF is the counter's only hold; its loss is tested apart.
        prop_assume!(!(flip.target == Target::Rflags && flip.bit == 9));
        let mut session = Session::new(&program, setup(Mode::Off, flip));
        if approach(&mut session, flip.pe) {
            session.reference.run(&program, LIMIT, Some(flip));
            session.lockstep = false;
            let (_, account) = session.execute();
            prop_assert_eq!(usize::from(account.flips), usize::from(session.reference.flipped));
            prop_assert_eq!(account.divergences.len(), 0);
            session.compare();
        }
    }
}

#[test]
fn a_lost_interrupt_flag_is_found_in_a_run_that_only_the_counter_ends() {
    let program = [Op::Alu(Alu::Add, 0, 2), Op::Jump(Condition::Always, 0)];
    for run in [Run::First, Run::Second] {
        let flip = Injection { pe: 1, run, at: 3, target: Target::Rflags, bit: 9 };
        assert!(undone(&program, flip));
    }
}

#[test]
fn a_lost_interrupt_flag_is_found_where_the_program_traps_beyond_the_limit() {
    // Run 2 goes past run 1's end and meets a system call before the watchdog.
    let mut program = Vec::from([Op::Alu(Alu::Add, 0, 2); 30]);
    program.push(Op::Syscall);
    for run in [Run::First, Run::Second] {
        let flip = Injection { pe: 0, run, at: 3, target: Target::Rflags, bit: 9 };
        assert!(undone(&program, flip));
    }
}

#[test]
fn as_many_flips_as_there_can_be_hit_one_pe() {
    let program = [Op::Alu(Alu::Add, 0, 2), Op::MovImm(0, EXIT), Op::Syscall];
    let flip = |number: usize| {
        let target = Target::Gpr(8 + (number / 64) as u8);
        Injection { pe: 0, run: Run::Second, at: 1, target, bit: (number % 64) as u8 }
    };
    let injections = (0..MAX_INJECTIONS).map(flip).collect();
    let mut session = Session::new(&program, Setup { injections, ..setup(Mode::Dual, flip(0)) });
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(_)));
    assert_eq!((usize::from(account.flips), account.divergences.len()), (MAX_INJECTIONS, 1));
}
