// SPDX-License-Identifier: MIT
//! The event timer (IA-PC HPET Specification 1.0a): one of its comparators, which interrupts once as an NMI.
//!
//! A comparator writes a message where it can, and needs no pin then. Where it cannot it takes an input of an I/O
//! APIC that is neither the old timer's nor one of the first PCs'. All registers are used by halves: not every
//! emulator takes them as a whole.

use super::acpi::hpet::is_period;
use super::line::wiring;
use super::map::HPET;
use super::wiring::Pin;
use super::{apic, firmware, io_apic};

/// The registers, by their offsets.
const CAPABILITIES: u64 = 0x00;
const CONFIGURATION: u64 = 0x10;
const COUNTER: u64 = 0xf0;
/// Of the first comparator: configuration, value, message. Those of the others follow.
const COMPARATOR: u64 = 0x100;
const VALUE: u64 = 0x08;
const MESSAGE: u64 = 0x10;
const COMPARATOR_LEN: u64 = 0x20;
/// The upper half of a register.
const UPPER: u64 = 4;

/// The counter runs.
const RUNS: u32 = 1 << 0;
/// A comparator's bits: it interrupts; it writes messages, and can do so.
const INTERRUPTS: u32 = 1 << 2;
const WRITES_MESSAGES: u32 = 1 << 14;
const CAN_WRITE: u32 = 1 << 15;
/// Where its input stands.
const INPUT_SHIFT: u32 = 9;
/// A message that is a non-maskable interrupt, and where to write it.
const NMI: u32 = 0b100 << 8;
const MESSAGES: u32 = 0xfee0_0000;
/// The first line that is none of the first PCs'.
const FIRST_FREE: u8 = 16;

fn register(offset: u64) -> *mut u32 {
    let at = firmware::tables().hpet.unwrap_or(0) % 4096;
    (HPET + at + offset) as *mut u32
}

fn read(offset: u64) -> u32 {
    // SAFETY: mem::layout maps the timer's page there, uncached, as there is one; reading has no effect.
    unsafe { register(offset).read_volatile() }
}

fn write(offset: u64, value: u32) {
    // SAFETY: as in `read`; the offset is one of the registers above.
    unsafe { register(offset).write_volatile(value) };
}

/// A comparator that is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparator {
    /// The offset of its registers.
    at: u64,
    /// Its configuration when it interrupts.
    configuration: u32,
    /// The input that it takes, if it cannot write messages.
    pub pin: Option<Pin>,
    /// Femtoseconds in a tick.
    period_fs: u32,
}

impl Comparator {
    /// The last comparator that can reach the processor beside everything else, set up and stopped.
    pub fn claim() -> Option<Self> {
        firmware::tables().hpet?;
        let (capabilities, period_fs) = (read(CAPABILITIES), read(CAPABILITIES + UPPER));
        if !is_period(period_fs) {
            return None;
        }
        let count = u64::from(capabilities >> 8 & 0x1f) + 1;
        let found =
            (0..count).rev().find_map(|index| Self::at(COMPARATOR + COMPARATOR_LEN * index, period_fs))?;
        found.stop();
        if let Some(pin) = found.pin {
            io_apic::set_nmi(pin, apic::id());
        } else {
            write(found.at + MESSAGE, NMI);
            write(found.at + MESSAGE + UPPER, MESSAGES | u32::from(apic::id()) << 12);
        }
        write(CONFIGURATION, read(CONFIGURATION) | RUNS);
        Some(found)
    }

    /// The comparator at an offset, if it can reach the processor.
    fn at(at: u64, period_fs: u32) -> Option<Self> {
        if read(at) & CAN_WRITE != 0 {
            return Some(Self { at, configuration: INTERRUPTS | WRITES_MESSAGES, pin: None, period_fs });
        }
        let inputs = read(at + UPPER);
        let is_free = |line: &u8| inputs & 1 << line != 0 && *line != wiring().timer();
        let line = (FIRST_FREE..32).rev().find(is_free)?;
        let pin = wiring().pin(line)?;
        Some(Self {
            at,
            configuration: INTERRUPTS | u32::from(line) << INPUT_SHIFT,
            pin: Some(pin),
            period_fs,
        })
    }

    /// Has it interrupt once, after so many nanoseconds.
    pub fn start(self, duration_ns: u64) {
        let ticks = u128::from(duration_ns) * 1_000_000 / u128::from(self.period_fs);
        // While it is set it does not interrupt: its halves are written one after the other.
        self.stop();
        let value = counter().wrapping_add(ticks as u64);
        write(self.at + VALUE, value as u32);
        write(self.at + VALUE + UPPER, (value >> 32) as u32);
        write(self.at, self.configuration);
    }

    /// Keeps it from interrupting.
    pub fn stop(self) {
        write(self.at, self.configuration & !INTERRUPTS);
    }
}

/// The counter, whose halves are read until nothing has gone from one to the other between them.
fn counter() -> u64 {
    loop {
        let upper = read(COUNTER + UPPER);
        let lower = read(COUNTER);
        if read(COUNTER + UPPER) == upper {
            return u64::from(upper) << 32 | u64::from(lower);
        }
    }
}
