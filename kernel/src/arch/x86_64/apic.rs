// SPDX-License-Identifier: MIT
//! The local APIC and its timer, and the two old interrupt controllers, which are masked.
//!
//! Registers: Intel SDM vol. 3A, table 12-1; the old controllers: 8259A data sheet.

use x86_64::instructions::port::PortWriteOnly;

use super::acpi::fadt::Enables;
use super::map::APIC;
use super::{firmware, tally};

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
const ID: u64 = 0x20;
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

/// The old controllers: where each takes commands, and where data.
const PICS: [(u16, u16); 2] = [(0x20, 0x21), (0xa0, 0xa1)];
/// Their vectors, eight each, behind those of all lines. Nothing of theirs reaches the processor, as LINT0 is masked.
const PIC_VECTORS: [u8; 2] = [0xe0, 0xe8];
/// What begins their initialisation; how the two hang together; their mode; all inputs masked.
const PIC_INIT: u8 = 0x11;
const PIC_LINKS: [u8; 2] = [1 << 2, 2];
const PIC_8086: u8 = 1;
const PIC_MASKED: u8 = 0xff;

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

/// Gives the old controllers vectors that are nobody's, and masks all their inputs.
fn init_pics() {
    for (((command, data), vectors), link) in PICS.into_iter().zip(PIC_VECTORS).zip(PIC_LINKS) {
        // SAFETY: this is how these controllers are initialised; nobody is interrupted by them.
        unsafe {
            PortWriteOnly::<u8>::new(command).write(PIC_INIT);
            let mut data = PortWriteOnly::<u8>::new(data);
            for word in [vectors, link, PIC_8086, PIC_MASKED] {
                data.write(word);
            }
        }
    }
}

/// Keeps the firmware's own events from interrupting: nobody would see to them.
fn silence_firmware() {
    let enables = firmware::tables().fadt.iter().flat_map(|fadt| fadt.enables).flatten();
    for Enables { port, count } in enables {
        for port in port..port + u16::from(count) {
            // SAFETY: the firmware's table names these ports as those that enable its events.
            unsafe { PortWriteOnly::<u8>::new(port).write(0) };
        }
    }
}

/// Masks the old controllers and LINT0, enables the local APIC, sets up its timer
/// (one-shot, undivided, disarmed) and the task priority.
pub fn init() {
    if firmware::tables().madt.as_ref().is_none_or(|madt| madt.has_8259) {
        init_pics();
    }
    silence_firmware();
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

/// The number by which others name this local APIC.
pub fn id() -> u8 {
    (read(ID) >> 24) as u8
}

/// Lets lines interrupt where interrupts are on, or holds them back.
pub fn admit_lines(admits: bool) {
    write(TASK_PRIORITY_REGISTER, if admits { 0 } else { TASK_PRIORITY });
}

/// Arms the timer, or disarms it with zero.
pub fn arm(ticks: u32) {
    write(TIMER_INITIAL, ticks);
}
