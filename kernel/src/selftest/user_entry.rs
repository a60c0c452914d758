// SPDX-License-Identifier: MIT
//! What passes the border between kernel and user mode, and what must not.

use pe_replay::stop::DEBUG_STEP;
use pe_replay::user::{TRAP_FLAG, xsave};
use pe_replay::{Cause, RegisterSet, UserRegisters};

use super::fixture::{CODE, DATA, DATA_PAGES, Fixture};
use super::{Found, Test, check};
use crate::arch::context::Start;
use crate::mem::space::{Access, PAGE_LEN};

pub const TESTS: &[Test] = &[
    ("entry: all registers survive a round trip", round_trip),
    ("entry: a non-canonical RIP or base is the user's own #GP", non_canonical),
    ("entry: unloadable values never reach a privileged load", unloadable),
    ("entry: there is no LDT, not even the one of the reset state", no_ldt),
    ("entry: only the user's flags are loaded", flags),
    ("entry: SYSCALL under TF stops cleanly", syscall_under_tf),
    ("entry: a cleared interrupt flag is ended by the watchdog", watchdog),
];

const FREE: Start =
    Start { timer: 1_000_000, step: false, resume: false, interrupts_off: false, fresh: true };
/// The page that the stack of a fresh state begins in.
const STACK_PAGE: u64 = DATA + (DATA_PAGES - 1) * PAGE_LEN;
const SYSCALL: [u8; 2] = [0x0f, 0x05];

fn fill(state: &mut UserRegisters) {
    for index in (0..16).filter(|index| *index != 4) {
        *state.gpr_mut(index) = 0x0101_0101_0101_0101 * (u64::from(index) + 1);
    }
    for at in (xsave::XMM..xsave::RESERVED).chain(xsave::YMM..xsave::LEN) {
        state.extended.0[at] = (at * 7) as u8;
    }
    for register in 0..8 {
        for byte in 0..10 {
            state.extended.0[xsave::ST + 16 * register + byte] = (register * 16 + byte) as u8 | 1;
        }
    }
    state.extended.0[xsave::FTW] = 0xff;
    state.extended.0[xsave::MXCSR..xsave::MXCSR + 2].copy_from_slice(&0x9fc0u16.to_le_bytes());
    state.fs_base = 0x1234_5678_9000;
    state.gs_base = 0xffff_8765_4321_0000;
}

fn round_trip(fixture: &mut Fixture) -> Found {
    let mut state = fixture.start(&SYSCALL);
    fill(&mut state);
    state.rflags |= 0x8d5;
    let mut expected = state.clone();
    let stretch = fixture.stretch(&mut state, FREE);
    check!(stretch.cause == Cause::Syscall, "it ended with {:?}", stretch.cause);
    expected.rip = CODE + 2;
    expected.rcx = expected.rip;
    expected.r11 = expected.rflags;
    expected.normalize();
    state.normalize();
    // What x87 instruction was the last is not carried by every emulator.
    for at in xsave::FOP..xsave::MXCSR {
        state.extended.0[at] = 0;
    }
    check!(state == expected, "some register changed: {state:?} against {expected:?}");
    Ok(())
}

fn non_canonical(fixture: &mut Fixture) -> Found {
    let fields: [fn(&mut UserRegisters) -> &mut u64; 3] =
        [|state| &mut state.rip, |state| &mut state.fs_base, |state| &mut state.gs_base];
    for value in [1 << 47, 0xffff_7fff_ffff_ffff, 1 << 63] {
        for field in fields {
            let mut state = fixture.start(&SYSCALL);
            *field(&mut state) = value;
            let stretch = fixture.stretch(&mut state, FREE);
            let expected = Cause::Exception { vector: 13, error: 0, address: 0 };
            check!(stretch.cause == expected, "{value:#x} gave {:?}", stretch.cause);
            check!(*field(&mut state) == value, "it became {:#x}", field(&mut state));
        }
    }
    Ok(())
}

fn unloadable(fixture: &mut Fixture) -> Found {
    for value in [0x08, 0x10, 0x18, 0x23, 0x40, 0x48, 0xfff8, 0xffff_u16] {
        let mut state = fixture.start(&SYSCALL);
        (state.ds, state.es, state.fs, state.gs) = (value, value, value, value);
        (state.cs, state.ss) = (value.into(), value.into());
        state.extended.0[xsave::MXCSR..xsave::MXCSR + 4].fill(0xff);
        state.extended.0[xsave::HEADER + 1..xsave::YMM].fill(0xff);
        let stretch = fixture.stretch(&mut state, FREE);
        check!(stretch.cause == Cause::Syscall, "{value:#x} gave {:?}", stretch.cause);
    }
    Ok(())
}

/// After reset LDTR is not null: base 0, limit 64 KiB. A user page in there would
/// be a descriptor table, and a call gate in it the way to ring 0.
fn no_ldt(fixture: &mut Fixture) -> Found {
    const TABLE: u64 = 0x2000;
    const DATA_DESCRIPTOR: u64 = 0x00cf_f300_0000_ffff;
    /// To 10h:CODE, from ring 3.
    const CALL_GATE: [u64; 2] = [0x0010_ec00_0010_0000, 0];
    const _: () = assert!(CODE == 0x10_0000);
    let access = Access { read: true, write: true, execute: false };
    check!(fixture.machine.space.map_zeroed(TABLE, access).is_ok(), "no memory");
    if let Some(page) = fixture.machine.space.tracked(TABLE) {
        fixture.machine.space.switch(&page, page.frame, pe_replay::Access::Open);
        fixture.machine.space.flush(TABLE);
    }
    for (index, word) in [DATA_DESCRIPTOR, 0, CALL_GATE[0], CALL_GATE[1]].into_iter().enumerate() {
        let loaded = fixture.machine.space.load(TABLE + 8 * index as u64, &word.to_le_bytes());
        check!(loaded.is_ok(), "the table is not mapped");
    }
    // MOV DS, EAX
    let mut state = fixture.start(&[0x8e, 0xd8, 0x0f, 0x05]);
    state.rax = TABLE | 7;
    let by_data = fixture.stretch(&mut state, FREE).cause;
    // CALL FAR [RDI]
    let mut state = fixture.start(&[0xff, 0x1f, 0x0f, 0x05]);
    state.rdi = DATA;
    let target = [0, 0, 0, 0, 0x17, 0x20];
    check!(fixture.machine.space.load(DATA, &target).is_ok(), "data is not mapped");
    let by_gate = fixture.stretch(&mut state, FREE).cause;
    fixture.machine.space.unmap(TABLE);
    for (cause, selector) in [(by_data, 0x2004), (by_gate, 0x2014)] {
        let expected = Cause::Exception { vector: 13, error: selector, address: 0 };
        check!(cause == expected, "selector {selector:#x} gave {cause:?}");
    }
    Ok(())
}

fn flags(fixture: &mut Fixture) -> Found {
    // PUSHFQ; POP RAX; SYSCALL
    let mut state = fixture.start(&[0x9c, 0x58, 0x0f, 0x05]);
    state.rflags = !TRAP_FLAG;
    let mut stretch = fixture.stretch(&mut state, FREE);
    while let Some(address) = stretch.cause.write_fault() {
        let stack = fixture.machine.space.tracked(STACK_PAGE);
        check!(address / PAGE_LEN == STACK_PAGE / PAGE_LEN && stack.is_some(), "a write to {address:#x}");
        if let Some(page) = stack {
            fixture.machine.space.switch(&page, page.frame, pe_replay::Access::Open);
            fixture.machine.space.flush(STACK_PAGE);
        }
        stretch = fixture.stretch(&mut state, FREE);
    }
    if let Some(page) = fixture.machine.space.tracked(STACK_PAGE) {
        fixture.machine.space.switch(&page, page.frame, pe_replay::Access::Released);
        fixture.machine.space.flush(STACK_PAGE);
    }
    check!(stretch.cause == Cause::Syscall, "it ended with {:?}", stretch.cause);
    // Everything but VM, IOPL, VIF, VIP, RF, TF and the bits that do not exist; IF set.
    check!(state.rax == 0x0024_4ed7, "user mode sees flags {:#x}", state.rax);
    Ok(())
}

fn syscall_under_tf(fixture: &mut Fixture) -> Found {
    let mut state = fixture.start(&[0x90, 0x0f, 0x05, 0x90]);
    state.rflags |= TRAP_FLAG;
    let first = fixture.stretch(&mut state, FREE);
    let trap = Cause::Exception { vector: 1, error: DEBUG_STEP, address: 0 };
    check!(first.cause == trap && state.rip == CODE + 1, "NOP gave {:?} at {:#x}", first.cause, state.rip);
    let second = fixture.stretch(&mut state, FREE);
    check!(second.cause == Cause::Syscall, "SYSCALL gave {:?} at {:#x}", second.cause, state.rip);
    check!(state.r11 & TRAP_FLAG != 0, "R11 lost the user's TF");
    Ok(())
}

/// A run with its interrupt flag cleared is ended by the watchdog, wherever that is.
pub fn watchdog(fixture: &mut Fixture) -> Found {
    let mut state = fixture.start(&[0xeb, 0xfe]);
    let stretch = fixture.stretch(&mut state, Start { interrupts_off: true, ..FREE });
    check!(stretch.cause == Cause::Watchdog, "it ended with {:?}", stretch.cause);
    // The counter's interrupt, which could not come, is dropped; the next stretch is whole.
    let mut state = fixture.start(&[0xeb, 0xfe]);
    let stop = fixture.enter(&mut state, 5000);
    check!(stop.cause == Cause::Counter && stop.span.instructions == 5000, "then came {stop:?}");
    Ok(())
}
