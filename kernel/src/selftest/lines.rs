// SPDX-License-Identifier: MIT
//! Interrupt lines, on the clock that every PC has: line 8, a thousand times a second.

use super::{Fixture, Found, Test, check};
use crate::arch::{line, machine, port};

pub const TESTS: &[Test] =
    &[("a line interrupts once and is masked", interrupts_once), ("idle ends at its time", idle_ends)];

/// The clock's line.
const LINE: u8 = 8;
const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;
/// Register A: rate 6, 1,024 Hz. Register B: periodic interrupts. Register C: to read it ends one.
const RATE: (u8, u8) = (0x0a, 0x26);
const PERIODIC: u8 = 0x40;
const CONTROL: u8 = 0x0b;
const CAUSE: u8 = 0x0c;
/// A long time in ticks, of whatever length they are: some ten periods at least.
const LONG: u64 = 100_000_000;

fn read(register: u8) -> u8 {
    port::write_byte(INDEX, register);
    port::read_byte(DATA)
}

fn write(register: u8, value: u8) {
    port::write_byte(INDEX, register);
    port::write_byte(DATA, value);
}

fn interrupts_once(_fixture: &mut Fixture) -> Found {
    let control = read(CONTROL);
    write(RATE.0, RATE.1);
    write(CONTROL, control | PERIODIC);
    let mut found = Ok(());
    for round in 0..3 {
        // What came before is over, and with it the level that holds the next edge back.
        read(CAUSE);
        line::enable(LINE, false);
        line::idle(Some(machine::now() + LONG));
        let first = line::take();
        read(CAUSE);
        // The clock goes on, and the line is masked.
        line::idle(Some(machine::now() + LONG));
        let second = line::take();
        if (first, second) != (1 << LINE, 0) {
            found = Err(alloc::format!("round {round}: {first:#x}, then {second:#x}"));
        }
    }
    write(CONTROL, control);
    line::disable(LINE);
    read(CAUSE);
    found
}

fn idle_ends(_fixture: &mut Fixture) -> Found {
    for ticks in [1000, 1_000_000, LONG] {
        let until = machine::now() + ticks;
        line::idle(Some(until));
        let late = machine::now().wrapping_sub(until);
        check!(late < 1_000_000, "it ended {late} ticks late, after {ticks}");
        check!(line::take() == 0, "a line has interrupted");
    }
    Ok(())
}
