// SPDX-License-Identifier: MIT
//! The local APIC and its timer, the IO-APIC, and the two old interrupt
//! controllers, which are masked for good.
//!
//! Registers: Intel SDM vol. 3A, table 12-1; IO-APIC: 82093AA data sheet.

use x86_64::instructions::port::PortWriteOnly;

use super::map::{APIC, IO_APIC};
use super::tally;

/// The counter's vector, in the highest class.
pub const COUNTER_VECTOR: u8 = 0xfe;
/// The vector of spurious interrupts.
pub const SPURIOUS_VECTOR: u8 = 0xff;
/// Task priority: holds back every class below the counter's.
const TASK_PRIORITY: u32 = 0xe0;

/// Offset of the timer's initial count; zero disarms it.
pub const TIMER_INITIAL: u64 = 0x380;
/// Offset of end of interrupt.
pub const END_OF_INTERRUPT: u64 = 0xb0;
const TASK_PRIORITY_REGISTER: u64 = 0x80;
const SPURIOUS: u64 = 0xf0;
const INTERRUPT_REQUEST: u64 = 0x200;
const LVT_TIMER: u64 = 0x320;
const LVT_COUNTER: u64 = 0x340;
const LVT_LINT0: u64 = 0x350;
const LVT_LINT1: u64 = 0x360;
const LVT_ERROR: u64 = 0x370;
const TIMER_DIVIDE: u64 = 0x3e0;

/// An input, or a source of the local APIC, is masked.
pub const MASKED: u32 = 1 << 16;
const SOFTWARE_ENABLE: u32 = 1 << 8;
const DIVIDE_BY_1: u32 = 0b1011;

const PIC_DATA: [u16; 2] = [0x21, 0xa1];

fn write(offset: u64, value: u32) {
    tally::APIC_WRITES.add(1);
    // SAFETY: mem::layout maps the local APIC's page at APIC, uncached; the offset
    // is one of the registers above.
    unsafe { ((APIC + offset) as *mut u32).write_volatile(value) };
}

fn read(offset: u64) -> u32 {
    // SAFETY: as in `write`; reading has no effect.
    unsafe { ((APIC + offset) as *const u32).read_volatile() }
}

/// Masks the PICs, the IO-APIC and LINT0, enables the local APIC, sets up its timer
/// (one-shot, undivided, disarmed) and the task priority.
pub fn init() {
    for port in PIC_DATA {
        // SAFETY: writes the PIC's interrupt mask: all masked.
        unsafe { PortWriteOnly::<u8>::new(port).write(0xff) };
    }
    mask_io();
    write(SPURIOUS, SOFTWARE_ENABLE | u32::from(SPURIOUS_VECTOR));
    write(TASK_PRIORITY_REGISTER, TASK_PRIORITY);
    for lvt in [LVT_LINT0, LVT_LINT1, LVT_ERROR] {
        write(lvt, MASKED);
    }
    write(TIMER_INITIAL, 0);
    write(TIMER_DIVIDE, DIVIDE_BY_1);
    write(LVT_TIMER, u32::from(COUNTER_VECTOR));
}

/// Whether the counter's interrupt is waiting to be taken.
pub fn counter_pending() -> bool {
    let word = read(INTERRUPT_REQUEST + 0x10 * u64::from(COUNTER_VECTOR / 32));
    word & 1 << (COUNTER_VECTOR % 32) != 0
}

/// Writes the local vector table's entry of the performance counters.
pub fn set_counter_entry(entry: u32) {
    write(LVT_COUNTER, entry);
}

/// Ends the counter's interrupt.
pub fn end_of_interrupt() {
    write(END_OF_INTERRUPT, 0);
}

fn write_io(index: u8, value: u32) {
    // SAFETY: mem::layout maps the IO-APIC's page at IO_APIC, uncached; select, then write.
    unsafe {
        (IO_APIC as *mut u32).write_volatile(u32::from(index));
        ((IO_APIC + 0x10) as *mut u32).write_volatile(value);
    }
}

/// Masks every input of the IO-APIC.
fn mask_io() {
    const VERSION: u32 = 1;
    // SAFETY: as in `write_io`; reading the version has no effect.
    let last_input = unsafe {
        (IO_APIC as *mut u32).write_volatile(VERSION);
        ((IO_APIC + 0x10) as *const u32).read_volatile() >> 16 & 0xff
    };
    for input in 0..=last_input.min(119) as u8 {
        write_io(0x10 + 2 * input, MASKED);
    }
}

/// Routes an IO-APIC input to this processor.
pub fn route_line(pin: u8, vector: u8, is_level: bool) {
    const LEVEL: u32 = 1 << 15;
    write_io(0x10 + 2 * pin + 1, 0);
    write_io(0x10 + 2 * pin, u32::from(vector) | if is_level { LEVEL } else { 0 });
}

/// Masks an IO-APIC input.
pub fn mask_line(pin: u8) {
    write_io(0x10 + 2 * pin, MASKED);
}

/// Lets lines interrupt where interrupts are on, or holds them back.
pub fn admit_lines(admits: bool) {
    write(TASK_PRIORITY_REGISTER, if admits { 0 } else { TASK_PRIORITY });
}

/// Arms the timer, or disarms it with zero.
pub fn arm(ticks: u32) {
    write(TIMER_INITIAL, ticks);
}

/// Routes an IO-APIC input to this processor as a non-maskable interrupt, edge-triggered.
pub fn route_as_nmi(pin: u8) {
    const NMI: u32 = 0b100 << 8;
    write_io(0x10 + 2 * pin + 1, 0);
    write_io(0x10 + 2 * pin, NMI);
}
