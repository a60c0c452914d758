// SPDX-License-Identifier: MIT
//! The counter stops where it is told to, and says so.

use pe_replay::Cause;

use super::fixture::{CODE, DATA, Fixture, READ_ONLY};
use super::{Found, Test, check};
use crate::arch::context;

pub const TESTS: &[Test] = &[
    ("counter: stops after exactly N instructions", exact),
    ("counter: counts up to every kind of stop", up_to_events),
    ("counter: a stale overflow is dropped and nothing lost", stale),
];

/// INC RAX 7 times, then back.
const LOOP: [u8; 23] = [
    0x48, 0xff, 0xc0, 0x48, 0xff, 0xc0, 0x48, 0xff, 0xc0, 0x48, 0xff, 0xc0, 0x48, 0xff, 0xc0, 0x48, 0xff,
    0xc0, 0x48, 0xff, 0xc0, 0xeb, 0xe9,
];

fn exact(fixture: &mut Fixture) -> Found {
    for budget in (1..200).chain([999, 1000, 9973, 65_536, 100_000, 1_234_567]) {
        let mut state = fixture.start(&LOOP);
        let stop = fixture.enter(&mut state, budget);
        let position = (state.rip - CODE) / 3;
        let executed = state.rax / 7 * 8 + state.rax % 7;
        // At the jump seven increments are done, but not the jump.
        let executed = if position == 7 { executed - 1 } else { executed };
        check!(stop.cause == Cause::Counter, "{budget}: {:?}", stop.cause);
        check!(executed == budget, "asked for {budget}, executed {executed}");
        check!(stop.span.instructions == budget, "asked for {budget}, counted {}", stop.span.instructions);
    }
    Ok(())
}

/// Code, whether a stop is the one it must cause, and what it counts for itself.
type Event = (&'static [u8], fn(Cause) -> bool, u64);

fn up_to_events(fixture: &mut Fixture) -> Found {
    // N times NOP, then something that stops.
    let events: [Event; 3] = [
        (&[0x0f, 0x05], |cause| cause == Cause::Syscall, 1),
        (&[0x48, 0x89, 0x03], |cause| cause.write_fault() == Some(READ_ONLY), 0),
        (&[0x48, 0x8b, 0x01], |cause| matches!(cause, Cause::Exception { vector: 14, error: 4, .. }), 0),
    ];
    for (event, expected, own) in events {
        for count in [0, 1, 2, 3, 17, 100] {
            let mut code = [0x90; 128];
            code[count..count + event.len()].copy_from_slice(event);
            let mut state = fixture.start(&code);
            state.rbx = READ_ONLY;
            state.rcx = 0x7000_0000;
            let stop = fixture.enter(&mut state, 10_000);
            check!(expected(stop.cause), "{event:x?} gave {:?}", stop.cause);
            let counted = stop.span.instructions;
            check!(counted == count as u64 + own, "{event:x?} after {count}: counted {counted}");
        }
    }
    Ok(())
}

/// A counter that runs out between the last user instruction and the disarming
/// leaves its interrupt pending.
fn stale(fixture: &mut Fixture) -> Found {
    let before = context::drained();
    for budget in 1..80 {
        let mut code = [0x90; 64];
        code[30..32].copy_from_slice(&[0x0f, 0x05]);
        let mut state = fixture.start(&code);
        let stop = fixture.enter(&mut state, budget);
        let (cause, count) = if budget <= 30 { (Cause::Counter, budget) } else { (Cause::Syscall, 31) };
        // With both due at the same instruction either may win, the same one every time.
        let tie = budget == 31 && stop.span.instructions == 31;
        check!(tie || (stop.cause == cause && stop.span.instructions == count), "{budget}: {stop:?}");
        let mut next = fixture.start(&LOOP);
        next.rsi = DATA;
        let stop = fixture.enter(&mut next, 1000);
        check!(stop.span.instructions == 1000, "after {budget}, the next stretch: {stop:?}");
    }
    let drained = context::drained() - before;
    check!(drained > 0, "no overflow was stale");
    Ok(())
}
