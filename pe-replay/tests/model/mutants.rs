// SPDX-License-Identifier: MIT
//! What the second run and its comparison are for: each field that differs is found, and without run 2 nothing is.

use flips::{Injection, Target};
use pe_replay::stop::{FAULT_WRITE, vector};
use pe_replay::user::{UserRegisters, xsave};
use pe_replay::{Cause, Comparison, Exit, Field, Outcome, RegisterSet, Run};

use crate::cpu::Op;
use crate::session::{Session, Setup};
use crate::space::{DATA, EXIT};

const PROGRAM: [Op; 3] = [Op::Store((3, 0), 8), Op::MovImm(0, EXIT), Op::Syscall];

/// Every field that is compared by value, but the constant parts.
fn fields() -> Vec<Field> {
    let ends = [Field::Delimiter, Field::ErrorCode, Field::FaultAddress, Field::Count, Field::Memory];
    let registers = UserRegisters::default();
    let parts = registers.parts().map(|(field, _)| field).filter(|field| *field != Field::Constant);
    parts.chain(ends).collect()
}

/// Makes the end of run 2 differ from run 1's in `field` alone.
fn disturb(field: Field, user: &mut UserRegisters, stop: &mut Exit) {
    // XSAVE left components out; put them in before a bit is flipped.
    user.extended.normalize();
    let area = &mut user.extended.0;
    match field {
        Field::Gpr(index) => *user.gpr_mut(index) ^= 1 << 40,
        Field::Rip => user.rip ^= 4,
        Field::Rflags => user.rflags ^= 1 << 10,
        Field::Cs => user.cs ^= 8,
        Field::Ss => user.ss ^= 8,
        Field::Ds => user.ds ^= 8,
        Field::Es => user.es ^= 8,
        Field::Fs => user.fs ^= 8,
        Field::Gs => user.gs ^= 8,
        Field::FsBase => user.fs_base ^= 8,
        Field::GsBase => user.gs_base ^= 8,
        Field::Fcw => area[xsave::FCW] ^= 8,
        Field::Fsw => area[xsave::FSW] ^= 8,
        Field::Ftw => area[xsave::FTW] ^= 8,
        Field::Fop => area[xsave::FOP] ^= 8,
        Field::Fip => area[xsave::FIP + 7] ^= 8,
        Field::Fdp => area[xsave::FDP + 7] ^= 8,
        Field::St(index) => area[xsave::ST + 16 * usize::from(index) + 9] ^= 8,
        Field::Mxcsr => area[xsave::MXCSR] ^= 8,
        Field::Xmm(index) => area[xsave::XMM + 16 * usize::from(index) + 15] ^= 8,
        Field::YmmHigh(index) => area[xsave::YMM + 16 * usize::from(index) + 15] ^= 8,
        Field::Delimiter => stop.cause = Cause::Exception { vector: 6, error: 0, address: 0 },
        Field::ErrorCode | Field::FaultAddress => {}
        Field::Count => stop.span.instructions += 1,
        Field::Memory | Field::PageHash | Field::Compared | Field::Constant => {}
    }
}

/// A program that ends in a page fault, disturbed where run 2's end shows it.
fn fault(field: Field, stop: &mut Exit) {
    let Cause::Exception { vector: vector::PAGE_FAULT, error, address } = &mut stop.cause else {
        panic!("{stop:?}")
    };
    match field {
        Field::ErrorCode => *error ^= FAULT_WRITE,
        Field::FaultAddress => *address ^= 8,
        _ => {}
    }
}

/// Divergences, with one field disturbed once.
fn tried(field: Field, comparison: Comparison) -> usize {
    let faults = matches!(field, Field::ErrorCode | Field::FaultAddress);
    let program =
        if faults { Vec::from([Op::Store((3, 0), 8), Op::Load(9, (8, 0))]) } else { PROGRAM.to_vec() };
    let injections = match field {
        Field::Memory => {
            Vec::from([Injection { pe: 0, run: Run::Second, at: 2, target: Target::Memory(DATA), bit: 0 }])
        }
        _ => Vec::new(),
    };
    let flips = injections.len();
    let mut setup = Setup { injections, ..Setup::default() };
    setup.policy.comparison = comparison;
    let mut session = Session::new(&program, setup);
    session.engine.state_mut().r8 = 0x77_7000;
    session.reference.state.r8 = 0x77_7000;
    // Entry 0 ends in the tracking fault, 1 ends run 1, 2 is run 2.
    session.machine.glitch = Box::new(move |entry, user, stop| {
        if entry == 2 && faults {
            fault(field, stop);
        } else if entry == 2 {
            disturb(field, user, stop);
        }
    });
    // What is committed is run 1's result, which nothing disturbed.
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(_)));
    assert_eq!(usize::from(account.flips), flips);
    if let Some(difference) = account.divergences.first() {
        let by_hash = (field, comparison) == (Field::Memory, Comparison::Hash);
        assert_eq!(difference.field, if by_hash { Field::PageHash } else { field });
    }
    account.divergences.len()
}

#[test]
fn each_field_is_found() {
    for field in fields() {
        assert_eq!(tried(field, Comparison::Bytes), 1, "{field:?} is not compared");
        assert_eq!(tried(field, Comparison::Hash), 1, "{field:?} is in no hash");
    }
}

#[test]
fn without_run_2_nothing_is_found() {
    let flip = Injection { pe: 0, run: Run::First, at: 1, target: Target::Gpr(9), bit: 0 };
    let setup =
        Setup { injections: Vec::from([flip]), skips_run_2: true, lockstep: false, ..Setup::default() };
    let mut session = Session::new(&PROGRAM, setup);
    let (outcome, account) = session.execute();
    assert!(matches!(outcome, Outcome::Committed(_)));
    assert_eq!((account.flips, account.divergences.len()), (1, 0));
    assert_eq!(session.machine.executed, 3);
}
