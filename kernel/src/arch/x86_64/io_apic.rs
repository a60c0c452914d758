// SPDX-License-Identifier: MIT
//! The I/O APICs (82093AA data sheet): to which vector each of their inputs leads.

use super::apic::MASKED;
use super::firmware;
use super::map::IO_APICS;
use super::wiring::{Pin, Polarity, Trigger, Wire};

const PAGE: u64 = 4096;
const VERSION: u8 = 1;
/// The redirection entry of the first input; each has two words.
const FIRST_ENTRY: u8 = 0x10;
/// The most inputs that the index register can name.
const MAX_INPUTS: u32 = (u8::MAX - FIRST_ENTRY) as u32 / 2;

/// An entry's bits.
const LEVEL: u32 = 1 << 15;
const LOW: u32 = 1 << 13;
const NMI: u32 = 0b100 << 8;

/// Where an I/O APIC's registers are mapped.
fn base(io_apic: u8) -> u64 {
    let at = firmware::io_apics()[usize::from(io_apic)].address % PAGE;
    IO_APICS + u64::from(io_apic) * PAGE + at
}

fn select(io_apic: u8, index: u8) -> *mut u32 {
    let base = base(io_apic);
    // SAFETY: mem::layout maps this I/O APIC's page there, uncached; what is written names a register.
    unsafe { (base as *mut u32).write_volatile(index.into()) };
    (base + 0x10) as *mut u32
}

fn write(io_apic: u8, index: u8, value: u32) {
    // SAFETY: as in `select`; the register is an entry's.
    unsafe { select(io_apic, index).write_volatile(value) };
}

/// How many inputs an I/O APIC has; `None` if nothing answers where it should be.
pub fn inputs(io_apic: u8) -> Option<u32> {
    // SAFETY: as in `select`; to read a register has no effect.
    let version = unsafe { select(io_apic, VERSION).read_volatile() };
    (version != 0 && version != u32::MAX).then(|| ((version >> 16 & 0xff) + 1).min(MAX_INPUTS))
}

fn set_low(pin: Pin, word: u32) {
    write(pin.io_apic, FIRST_ENTRY + 2 * pin.input, word);
}

/// Masks an input.
pub fn mask(pin: Pin) {
    set_low(pin, MASKED);
}

/// What leads an input to a vector of this processor.
pub fn entry(vector: u8, wire: Wire) -> u32 {
    let level = if wire.trigger == Trigger::Level { LEVEL } else { 0 };
    let low = if wire.polarity == Polarity::Low { LOW } else { 0 };
    u32::from(vector) | level | low
}

/// Whether an input that leads there interrupts by a level.
pub fn is_level(entry: u32) -> bool {
    entry & LEVEL != 0
}

/// Leads an input somewhere on the processor with this local APIC.
pub fn set(pin: Pin, entry: u32, apic: u8) {
    write(pin.io_apic, FIRST_ENTRY + 2 * pin.input + 1, u32::from(apic) << 24);
    set_low(pin, entry);
}

/// Masks an input, and keeps where it leads.
pub fn mask_entry(pin: Pin, entry: u32) {
    set_low(pin, entry | MASKED);
}

/// Leads an input to the processor with this local APIC as a non-maskable interrupt, edge-triggered.
pub fn set_nmi(pin: Pin, apic: u8) {
    set(pin, NMI, apic);
}
