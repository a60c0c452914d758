// SPDX-License-Identifier: MIT
//! Interrupt lines of devices: the inputs of the I/O APICs, and messages of devices that have none.
//!
//! While a PE runs, and in the kernel, every line is held back by the task priority or by IF. Between
//! PEs whoever asks opens a window. In it, an entry notes down which line it was, masks it if it
//! interrupts by a level, and is gone: what follows from it is the executive's business.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arrayvec::ArrayVec;
use spin::Once;

use super::line_set::{LINES, LineSet, Message};
use super::wiring::{Inputs, Pin, Wire, Wiring};
use super::{apic, firmware, io_apic, machine, tally, watchdog};

/// The vector of the first line.
pub const FIRST_VECTOR: u8 = 0x20;
/// Vectors that have an entry here: those of all lines, and behind them those that are held back while a PE runs.
pub const VECTORS: u8 = 0xf0 - FIRST_VECTOR;
/// Bytes of an entry.
const ENTRY_LEN: u64 = 10;
/// Where devices without a pin write to interrupt a processor.
const MESSAGES: u64 = 0xfee0_0000;

/// Lines that have interrupted, by their bits, until somebody asks.
static PENDING: [AtomicU64; LINES as usize / 64] = [const { AtomicU64::new(0) }; LINES as usize / 64];
/// How often each line has interrupted, until somebody asks.
static COUNTS: [AtomicU32; LINES as usize] = [const { AtomicU32::new(0) }; LINES as usize];
/// Where each line leads by its pin; zero if it is closed.
static ENTRIES: [AtomicU32; LINES as usize] = [const { AtomicU32::new(0) }; LINES as usize];
/// Interrupts by vectors that are no line's.
static STRAYS: AtomicU32 = AtomicU32::new(0);

static WIRING: Once<Wiring> = Once::new();

/// Finds out how lines are wired, and masks all of them.
pub fn init() {
    let tables = firmware::tables();
    let mut inputs = ArrayVec::new();
    for (index, it) in firmware::io_apics().iter().enumerate() {
        // One that does not answer has no inputs.
        let count = io_apic::inputs(index as u8).unwrap_or(0);
        for input in 0..count as u8 {
            io_apic::mask(Pin { io_apic: index as u8, input });
        }
        inputs.push(Inputs { first: it.first, count });
    }
    let events = tables.fadt.as_ref().map(|fadt| fadt.line);
    WIRING.call_once(|| Wiring::new(tables.madt.as_ref(), inputs, events));
}

/// How lines are wired.
///
/// # Panics
/// Before [`init`].
pub fn wiring() -> &'static Wiring {
    match WIRING.get() {
        Some(wiring) => wiring,
        None => panic!("nobody knows yet how lines are wired"),
    }
}

/// The entries of all lines' vectors, [`ENTRY_LEN`] bytes each.
///
/// Comes from: a window, [`window`] or [`halt`], and from nowhere else. State: CPL 0, on the kernel's stack, interrupts
/// off. What a called function may change, whoever opens a window gives up.
///
/// ```text
/// the stack:  SS  RSP  RFLAGS  CS  RIP  line
///                                       RSP, a multiple of 16
/// ```
#[unsafe(naked)]
unsafe extern "C" fn line_entries() {
    naked_asm!(
        ".set reprise_line, 0",
        ".rept {count}",
        ".byte 0x68",
        ".long reprise_line",
        ".byte 0xe9",
        ".long 2f - . - 4",
        ".set reprise_line, reprise_line + 1",
        ".endr",
        "2:",
        "mov rdi, [rsp]",
        "call {note}",
        "add rsp, 8",
        "iretq",
        count = const VECTORS,
        note = sym note,
    )
}

/// The address of the entry of a vector, the first line's on.
pub fn entry_address(index: u8) -> u64 {
    assert!(index < VECTORS);
    line_entries as *const () as u64 + ENTRY_LEN * u64::from(index)
}

/// A line has interrupted. It is masked before the interrupt is ended if it does so by a level: it would come at once
/// again.
extern "C" fn note(line: u64) {
    match COUNTS.get(line as usize) {
        Some(count) => {
            count.fetch_add(1, Ordering::Relaxed);
            PENDING[line as usize / 64].fetch_or(1 << (line % 64), Ordering::Relaxed);
            let entry = ENTRIES[line as usize].load(Ordering::Relaxed);
            if io_apic::is_level(entry)
                && let Some(pin) = wiring().pin(line as u8)
            {
                io_apic::mask_entry(pin, entry);
            }
        }
        None => {
            STRAYS.fetch_add(1, Ordering::Relaxed);
        }
    }
    apic::end_of_interrupt();
}

/// Lets what waits interrupt.
///
/// # Safety
/// Only lines and the counter may be able to interrupt.
#[unsafe(naked)]
unsafe extern "C" fn window() {
    naked_asm!("sti", "nop", "nop", "cli", "ret")
}

/// Halts until something interrupts. What waits already wakes it at once: STI holds interrupts back for
/// one instruction.
///
/// # Safety
/// As for [`window`].
#[unsafe(naked)]
unsafe extern "C" fn halt() {
    naked_asm!("sti", "hlt", "cli", "ret")
}

/// What a device without a pin writes, and where to, to interrupt by a line.
pub fn message(line: u8) -> Message {
    assert!(line < LINES, "there is no line {line}");
    let address = MESSAGES | u64::from(apic::id()) << 12;
    Message { address, data: u32::from(FIRST_VECTOR) + u32::from(line) }
}

/// Has a line interrupt, its pin as it is wired, if it has one.
pub fn open(line: u8, wire: Wire) {
    assert!(line < LINES, "there is no line {line}");
    if let Some(pin) = wiring().pin(line) {
        watchdog::leave_pin(pin);
        let entry = io_apic::entry(FIRST_VECTOR + line, wire);
        ENTRIES[usize::from(line)].store(entry, Ordering::Relaxed);
        io_apic::set(pin, entry, apic::id());
    }
}

/// Has a line interrupt again that was masked when it interrupted.
pub fn unmask(line: u8) {
    let entry = ENTRIES[usize::from(line)].load(Ordering::Relaxed);
    if io_apic::is_level(entry)
        && let Some(pin) = wiring().pin(line)
    {
        io_apic::set(pin, entry, apic::id());
    }
}

/// Masks a line, and forgets that it has interrupted.
pub fn close(line: u8) {
    if ENTRIES[usize::from(line)].swap(0, Ordering::Relaxed) != 0
        && let Some(pin) = wiring().pin(line)
    {
        io_apic::mask(pin);
    }
    PENDING[usize::from(line / 64)].fetch_and(!(1 << (line % 64)), Ordering::Relaxed);
    COUNTS[usize::from(line)].store(0, Ordering::Relaxed);
}

/// Takes the lines that have interrupted.
pub fn take() -> LineSet {
    apic::admit_lines(true);
    // SAFETY: of what can interrupt now, lines are counted, and the counter is dropped.
    unsafe { window() };
    apic::admit_lines(false);
    LineSet::new(core::array::from_fn(|index| PENDING[index].swap(0, Ordering::Relaxed)))
}

/// How often a line has interrupted since this was asked last.
pub fn take_count(line: u8) -> u32 {
    COUNTS[usize::from(line)].swap(0, Ordering::Relaxed)
}

/// How often something has interrupted that is no line.
pub fn strays() -> u32 {
    STRAYS.load(Ordering::Relaxed)
}

/// Halts until a line has interrupted, or until this time stamp. The timer is armed for nothing else
/// meanwhile; the watchdog may wake the processor too, which then halts again.
pub fn idle(until: Option<u64>) {
    apic::admit_lines(true);
    while PENDING.iter().all(|pending| pending.load(Ordering::Relaxed) == 0) {
        if let Some(until) = until {
            tally::TIME_STAMPS.add(1);
            let left = until.wrapping_sub(machine::now());
            if left as i64 <= 0 {
                break;
            }
            apic::arm(u32::try_from(left).unwrap_or(u32::MAX));
        }
        // SAFETY: as in `take`.
        unsafe { halt() };
    }
    if until.is_some() {
        apic::arm(0);
    }
    apic::admit_lines(false);
}
