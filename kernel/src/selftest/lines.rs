// SPDX-License-Identifier: MIT
//! Interrupt lines, on the clock that every PC has: line 8, a thousand times a second. The watchdog away from its timer.

use wire::end::Watchdog;

use super::{Fixture, Found, Test, check, user_entry};
use crate::arch::line_set::LineSet;
use crate::arch::wiring::{Polarity, Trigger, Wire};
use crate::arch::{firmware, line, machine, port, watchdog};

pub const TESTS: &[Test] = &[
    ("an edge is counted and masks nothing", edges),
    ("a level is masked until it is acknowledged", levels),
    ("the firmware's tables are sound", tables),
    ("idle ends at its time", idle_ends),
    ("the watchdog leaves the timer that a program writes to", watchdog_moves),
];

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

/// Does something while the clock interrupts.
fn with_clock(wire: Wire, act: impl FnOnce() -> Found) -> Found {
    let control = read(CONTROL);
    write(RATE.0, RATE.1);
    write(CONTROL, control | PERIODIC);
    read(CAUSE);
    line::open(LINE, wire);
    let found = act();
    write(CONTROL, control);
    line::close(LINE);
    read(CAUSE);
    found
}

/// Lets a long time pass; returns how often the clock has interrupted.
fn interrupts() -> Result<u32, alloc::string::String> {
    line::idle(Some(machine::now() + LONG));
    let taken = line::take();
    let count = line::take_count(LINE);
    let mut expected = LineSet::default();
    expected.set(LINE, count > 0);
    check!(taken == expected, "{taken:?} has interrupted, line {LINE} {count} times");
    Ok(count)
}

fn edges(_fixture: &mut Fixture) -> Found {
    with_clock(Wire::ISA, || {
        for round in 0..5 {
            let count = interrupts()?;
            check!(count == 1, "round {round}: {count} interrupts");
            // The clock has no other edge before. Nobody has to unmask anything.
            read(CAUSE);
        }
        Ok(())
    })
}

fn levels(_fixture: &mut Fixture) -> Found {
    with_clock(Wire { trigger: Trigger::Level, polarity: Polarity::High }, || {
        for round in 0..3 {
            let first = [interrupts()?, interrupts()?];
            // Acknowledged before the clock has let go, it comes again at once.
            line::unmask(LINE);
            let again = [interrupts()?, interrupts()?];
            check!((first, again) == ([1, 0], [1, 0]), "round {round}: {first:?}, then {again:?}");
            read(CAUSE);
            line::unmask(LINE);
        }
        Ok(())
    })
}

fn tables(_fixture: &mut Fixture) -> Found {
    if let Some(fault) = firmware::fault() {
        return Err(alloc::format!("{fault}"));
    }
    let tables = firmware::tables();
    check!(tables.roots.rsdt.is_some() || tables.roots.xsdt.is_some(), "there are none");
    check!(tables.madt.as_ref().is_some_and(|madt| !madt.io_apics.is_empty()), "they name no I/O APIC");
    let clock = line::wiring().wire(LINE);
    check!(clock == Wire::ISA, "the clock is wired {clock:?}");
    Ok(())
}

fn idle_ends(_fixture: &mut Fixture) -> Found {
    for ticks in [1000, 1_000_000, LONG] {
        let until = machine::now() + ticks;
        line::idle(Some(until));
        let late = machine::now().wrapping_sub(until);
        check!(late < 1_000_000, "it ended {late} ticks late, after {ticks}");
        check!(!line::take().any(), "a line has interrupted");
    }
    check!(line::strays() == 0, "something has interrupted that is no line");
    Ok(())
}

/// The last of all tests: the watchdog does not come back.
fn watchdog_moves(fixture: &mut Fixture) -> Found {
    check!(watchdog::place() == Watchdog::Pit, "it was not at the old timer");
    // Of its counter 0, only the low byte is to be written.
    port::write_byte(0x43, 0x10);
    match watchdog::place() {
        Watchdog::EventTimer => {
            user_entry::watchdog(fixture)?;
            let timer = firmware::tables().hpet.unwrap_or_default();
            watchdog::note_device_write(timer + 0x2000);
            check!(watchdog::place() == Watchdog::EventTimer, "another device has driven it away");
            // The event timer's counter.
            watchdog::note_device_write(timer + 0xf0);
            check!(watchdog::place() == Watchdog::Off, "it is at a timer that is a program's");
            Ok(())
        }
        Watchdog::Off if firmware::tables().hpet.is_none() => Ok(()),
        place => Err(alloc::format!("it is now {place:?}")),
    }
}
