// SPDX-License-Identifier: MIT
//! Whole PEs on the real machine: undisturbed, and with flips.

use flips::{Injection, Target};
use pe_replay::{Delimiter, End, Field, Outcome, Policy, Run, UserRegisters};

use super::fixture::{CODE, DATA, Fixture, READ_ONLY};
use super::{Found, Test, check};
use crate::arch::segment::USER_SS;
use crate::mem::space::PAGE_LEN;

pub const TESTS: &[Test] = &[
    ("replay: both runs agree, pages and all", agreement),
    ("replay: write faults inside a PE do not move its end", faults_do_not_count),
    ("replay: a REP that crosses pages is replayed", rep),
    ("replay: the dirty-frame limit ends a PE in both runs", dirty_limit),
    ("replay: an engine that is retired leaves nothing writable", nothing_writable),
    ("replay: a flip in any register is found and undone", register_flips),
    ("replay: a flip in memory is found and undone", memory_flips),
    ("replay: a cleared interrupt flag is found and undone", interrupt_flag),
    ("replay: selectors and bases that run 1 changes are the old ones in run 2", segments),
    ("replay: RDTSC and port I/O end a PE", privileged),
];

/// Adds 1 to R8 words from RSI on, one every RDX bytes, then SYSCALL:
/// `1: INC QWORD [RSI]; ADD RSI, RDX; DEC R8; JNZ 1b; SYSCALL`.
pub const TOUCH: [u8; 13] = [0x48, 0xff, 0x06, 0x48, 0x01, 0xd6, 0x49, 0xff, 0xc8, 0x75, 0xf5, 0x0f, 0x05];
pub const POLICY: Policy = Policy { max_dirty: 64, ..Policy::DEFAULT };

fn touch(fixture: &mut Fixture, pages: u64) -> UserRegisters {
    let mut state = fixture.start(&TOUCH);
    state.rsi = DATA;
    state.rdx = PAGE_LEN;
    state.r8 = pages;
    state
}

pub fn committed(outcome: Outcome) -> Result<End, alloc::string::String> {
    match outcome {
        Outcome::Committed(committed) => Ok(committed),
        other => Err(alloc::format!("the PE ended with {other:?}")),
    }
}

fn agreement(fixture: &mut Fixture) -> Found {
    let mut state = touch(fixture, 10);
    let (outcome, account) = fixture.execute(&mut state, POLICY, &[]);
    let committed = committed(outcome)?;
    check!(committed.delimiter == Delimiter::Syscall, "it ended with {:?}", committed.delimiter);
    check!(committed.count == 41, "{} instructions", committed.count);
    check!(account.frames_written == 10 && account.write_faults == 10, "{account:?}");
    check!(account.divergences.is_empty(), "{account:?}");
    for page in 0..10 {
        check!(fixture.word(DATA + page * PAGE_LEN) == 1, "page {page} was written once too often");
    }
    check!(fixture.word(DATA + 10 * PAGE_LEN) == 0, "one page too many was written");
    Ok(())
}

fn faults_do_not_count(fixture: &mut Fixture) -> Found {
    for limit in 10..40 {
        let mut state = touch(fixture, 10);
        let (outcome, account) = fixture.execute(&mut state, Policy { limit, ..POLICY }, &[]);
        let committed = committed(outcome)?;
        check!(committed.delimiter == Delimiter::Limit, "{limit}: {:?}", committed.delimiter);
        check!(committed.count == limit, "{limit}: {}", committed.count);
        check!(account.divergences.is_empty() && account.counter_misses == 0, "{limit}: {account:?}");
        let at = [0, 3, 6, 9][(limit % 4) as usize];
        check!(state.rip == CODE + at, "{limit}: ends at {:#x}", state.rip);
    }
    Ok(())
}

fn rep(fixture: &mut Fixture) -> Found {
    // REP STOSB over two page boundaries, forwards and backwards, then SYSCALL.
    for backwards in [false, true] {
        for limit in [100, 1000, 4097, 100_000] {
            let mut state = fixture.start(&[0xf3, 0xaa, 0x0f, 0x05]);
            state.rcx = 3 * PAGE_LEN - 200;
            state.rdi = DATA + if backwards { 3 * PAGE_LEN - 101 } else { 100 };
            state.rax = 0x5a;
            state.rflags |= u64::from(backwards) << 10;
            loop {
                let (outcome, account) = fixture.execute(&mut state, Policy { limit, ..POLICY }, &[]);
                let committed = committed(outcome)?;
                check!(account.divergences.is_empty(), "{limit}: {account:?}");
                match committed.delimiter {
                    Delimiter::Syscall => break,
                    Delimiter::Limit => {}
                    other => return Err(alloc::format!("{limit}: {other:?}")),
                }
            }
            let written = [fixture.word(DATA + 104), fixture.word(DATA + 3 * PAGE_LEN - 112)];
            check!(written == [0x5a5a_5a5a_5a5a_5a5a; 2], "{limit}: {written:x?}");
            check!(fixture.word(DATA + 88) == 0, "{limit}: written too far");
        }
    }
    Ok(())
}

fn dirty_limit(fixture: &mut Fixture) -> Found {
    let mut state = touch(fixture, 12);
    let (outcome, account) = fixture.execute(&mut state, Policy { max_dirty: 8, ..POLICY }, &[]);
    let expected = Delimiter::DirtyLimit { address: DATA + 8 * PAGE_LEN };
    let committed = committed(outcome)?;
    check!(committed.delimiter == expected, "it ended with {:?}", committed.delimiter);
    check!(account.frames_written == 8 && account.divergences.is_empty(), "{account:?}");
    Ok(())
}

fn nothing_writable(fixture: &mut Fixture) -> Found {
    let mut state = touch(fixture, 10);
    committed(fixture.execute(&mut state, POLICY, &[]).0)?;
    for page in (0..16).map(|index| DATA + index * PAGE_LEN).chain([CODE, READ_ONLY]) {
        check!(!fixture.machine.space.processor_may_write(page), "{page:#x} is writable");
    }
    Ok(())
}

fn flipped(
    fixture: &mut Fixture,
    injection: Injection,
) -> Result<(UserRegisters, bool, Option<Field>), alloc::string::String> {
    let mut state = touch(fixture, 4);
    let (outcome, account) = fixture.execute(&mut state, POLICY, &[injection]);
    let committed = committed(outcome)?;
    check!(committed.count == 17, "{injection:?}: {} instructions", committed.count);
    check!(account.flips == 1, "{injection:?}: {} flips", account.flips);
    for page in 0..5 {
        let word = fixture.word(DATA + page * PAGE_LEN);
        check!(word == u64::from(page < 4), "{injection:?}: page {page} holds {word}");
    }
    let first = account.divergences.first().map(|difference| difference.field);
    Ok((state, account.divergences.len() == 1, first))
}

fn register_flips(fixture: &mut Fixture) -> Found {
    let mut expected = touch(fixture, 4);
    committed(fixture.execute(&mut expected, POLICY, &[]).0)?;
    // RCX and R11 are written by SYSCALL itself; the flags by the loop's last DEC.
    let gprs = (0..16).filter(|index| ![1, 11].contains(index)).map(Target::Gpr);
    let targets = gprs.chain([Target::Rip]).chain((0..16).map(Target::Xmm));
    for target in targets {
        for run in [Run::First, Run::Second] {
            for bit in [0, 3, 40, 63] {
                let (state, found, _) = flipped(fixture, Injection { pe: 0, run, at: 9, target, bit })?;
                check!(found, "{target:?} bit {bit} in {run:?} was not found");
                check!(state == expected, "{target:?} bit {bit} in {run:?} was not undone");
            }
        }
    }
    Ok(())
}

fn memory_flips(fixture: &mut Fixture) -> Found {
    for run in [Run::First, Run::Second] {
        for address in [DATA, DATA + PAGE_LEN + 8, DATA + 5 * PAGE_LEN + 4095, READ_ONLY + 17] {
            let injection = Injection { pe: 0, run, at: 6, target: Target::Memory(address), bit: 6 };
            let (_, found, field) = flipped(fixture, injection)?;
            check!(found && field == Some(Field::Memory), "{injection:?} was found as {field:?}");
        }
    }
    Ok(())
}

fn interrupt_flag(fixture: &mut Fixture) -> Found {
    for run in [Run::First, Run::Second] {
        let mut state = fixture.start(&[0xeb, 0xfe]);
        let injection = Injection { pe: 0, run, at: 100, target: Target::Rflags, bit: 9 };
        let (outcome, account) = fixture.execute(&mut state, Policy { limit: 1000, ..POLICY }, &[injection]);
        let committed = committed(outcome)?;
        check!(committed.count == 1000 && committed.delimiter == Delimiter::Limit, "{committed:?}");
        check!(account.divergences.len() == 1, "{run:?}: {account:?}");
    }
    Ok(())
}

fn segments(fixture: &mut Fixture) -> Found {
    // MOV RAX, FS:[0]; MOV FS, ECX, which makes the base another; MOV DS, ECX; SYSCALL
    const CODE: [u8; 15] = [0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x8e, 0xe1, 0x8e, 0xd9, 0x0f, 0x05];
    for round in 1..=3_u64 {
        let mut state = fixture.start(&CODE);
        check!(fixture.machine.space.load(DATA, &round.to_le_bytes()).is_ok(), "data is not mapped");
        (state.fs_base, state.rcx) = (DATA, u64::from(USER_SS));
        let (outcome, account) = fixture.execute(&mut state, POLICY, &[]);
        committed(outcome)?;
        check!(account.divergences.is_empty(), "{account:?}");
        check!(state.rax == round, "FS:[0] was {}", state.rax);
        check!((state.fs, state.ds, state.fs_base) == (USER_SS, USER_SS, 0), "they became {state:?}");
    }
    Ok(())
}

fn privileged(fixture: &mut Fixture) -> Found {
    for code in
        [&[0x0f, 0x31][..], &[0x0f, 0x01, 0xf9], &[0xe4, 0x60], &[0xee], &[0xfa], &[0xf4], &[0x0f, 0x33]]
    {
        let mut state = fixture.start(code);
        let (outcome, account) = fixture.execute(&mut state, POLICY, &[]);
        let committed = committed(outcome)?;
        let is_protection = matches!(committed.delimiter, Delimiter::Exception { vector: 13, error: 0 });
        // RDPMC is #UD where the emulator has no performance counters.
        let is_undefined = matches!(committed.delimiter, Delimiter::Exception { vector: 6, .. });
        check!(
            is_protection || (is_undefined && code == [0x0f, 0x33]),
            "{code:x?}: {:?}",
            committed.delimiter
        );
        check!(account.divergences.is_empty(), "{code:x?}: {account:?}");
    }
    Ok(())
}
