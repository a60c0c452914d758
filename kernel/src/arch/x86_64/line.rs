// SPDX-License-Identifier: MIT
//! Interrupt lines of devices: the inputs of the IO-APIC.
//!
//! While a PE runs, and in the kernel, every line is held back by the task priority or by IF. Between
//! PEs whoever asks opens a window. In it, an entry notes down which line it was, masks that
//! line, and is gone: what follows from it is the executive's business.

use core::arch::naked_asm;
use core::sync::atomic::{AtomicU32, Ordering};

use super::apic::{self, END_OF_INTERRUPT};
use super::map::{APIC, IO_APIC};
use super::{machine, tally};

/// Lines that there are.
pub const LINES: u8 = 24;
/// The vector of the first line.
pub const FIRST_VECTOR: u8 = 0x20;

/// Lines that have interrupted, by their bits, until somebody asks.
static PENDING: AtomicU32 = AtomicU32::new(0);

/// An address in the last 2 GiB as a displacement.
const fn displacement(address: u64) -> i32 {
    let address = address as i64;
    assert!(address as i32 as i64 == address);
    address as i32
}

/// A line has interrupted.
///
/// Comes from: a window, [`window`] or [`halt`], and from nowhere else. State: CPL 0, on the kernel's stack,
/// interrupts off. Clobbers RAX and flags, which whoever opens a window gives up. Masks the line before it
/// ends the interrupt, so that a level does not come at once again.
#[unsafe(naked)]
pub unsafe extern "C" fn line_entry<const LINE: u32>() {
    naked_asm!(
        "mov eax, 1",
        "shl eax, {line}",
        "or dword ptr [rip + {pending}], eax",
        "mov dword ptr ds:[{select}], {low}",
        "mov eax, dword ptr ds:[{data}]",
        "or eax, {masked}",
        "mov dword ptr ds:[{data}], eax",
        "mov dword ptr ds:[{eoi}], 0",
        "iretq",
        line = const LINE,
        pending = sym PENDING,
        select = const displacement(IO_APIC),
        data = const displacement(IO_APIC + 0x10),
        low = const 0x10 + 2 * LINE,
        masked = const apic::MASKED,
        eoi = const displacement(APIC + END_OF_INTERRUPT),
    )
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

/// Has a line interrupt, once: by a level or by an edge.
pub fn enable(line: u8, is_level: bool) {
    assert!(line < LINES, "there is no line {line}");
    apic::route_line(line, FIRST_VECTOR + line, is_level);
}

/// Masks a line.
pub fn disable(line: u8) {
    assert!(line < LINES, "there is no line {line}");
    apic::mask_line(line);
    PENDING.fetch_and(!(1 << line), Ordering::Relaxed);
}

/// Takes the lines that have interrupted, by their bits; each is masked.
pub fn take() -> u32 {
    apic::admit_lines(true);
    // SAFETY: of what can interrupt now, lines are counted and masked, and the counter is dropped.
    unsafe { window() };
    apic::admit_lines(false);
    PENDING.swap(0, Ordering::Relaxed)
}

/// Halts until a line has interrupted, or until this time stamp. The timer is armed for nothing else
/// meanwhile; the watchdog may wake the processor too, which then halts again.
pub fn idle(until: Option<u64>) {
    apic::admit_lines(true);
    while PENDING.load(Ordering::Relaxed) == 0 {
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
