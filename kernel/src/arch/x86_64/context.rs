// SPDX-License-Identifier: MIT
//! Running user code as a function call that returns why it stopped.
//!
//! Nothing in a [`UserRegisters`] reaches a privileged load unchecked: [`execute`] sees that
//! every such field has a value that cannot fault in the kernel, or brings it to
//! one (decision 0001 has the table).

use core::mem::offset_of;

use pages::{Primitives, REGISTERS_LEN, Registers};
use pe_replay::stop::{Cause, DEBUG_STEP, FAULT_PRESENT, FAULT_USER, vector};
use pe_replay::user::{
    Extended, INTERRUPT_FLAG, RESUME_FLAG, TRAP_FLAG, USER_FLAGS, UserRegisters, XCR0, xsave,
};
use x86_64::registers::control::Cr2;
use x86_64::registers::debug::Dr6;

use super::entry::{ENTRIES, SYSCALL_ENTRY};
use super::{apic, exit, segment};

pub use super::entry::{APIC_WRITES, BASES, SELECTORS, TIME_STAMPS};

/// `entry_vector` after the counter's interrupt.
const COUNTER_ENTRY: u64 = apic::COUNTER_VECTOR as u64;
/// The reserved flag that always reads as one.
const ALWAYS_ONE: u64 = 2;
/// Ticks between the last time stamp before user mode and the disarming after it,
/// at most: within them a counter that was still running may have fired.
pub(super) const DISARM_LEAD: u64 = 256;

/// The time stamps around a stretch of user code.
#[derive(Clone, Copy, Debug)]
pub struct Stamps {
    /// Before it.
    pub entered: u64,
    /// After it.
    pub left: u64,
}

/// How a stretch of user code ended, as far as that is seen at a glance.
#[derive(Clone, Copy, Debug)]
pub enum UserExit {
    /// By a system call.
    Syscall(Stamps),
    /// By the counter.
    Counter(Stamps),
    /// In any way.
    Otherwise(Stretch),
}

/// One stretch of user code.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Why it ended.
    pub cause: Cause,
    /// Time stamp before it.
    pub entered: u64,
    /// Time stamp after it.
    pub left: u64,
    /// It was not executed at all: the state cannot be loaded, which is the
    /// user's own fault.
    pub refused: bool,
}

/// How a stretch is to begin.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// What to arm the APIC timer with, in ticks.
    pub timer: u32,
    /// Set TF.
    pub step: bool,
    /// Set RF: the breakpoint where execution stands is passed over.
    pub resume: bool,
    /// Leave IF clear: a flip did that.
    pub interrupts_off: bool,
    /// Clear what XRSTOR may not load: the x87 instruction and data pointers,
    /// which QEMU's XSAVE area never holds and AMD's only with an exception pending.
    pub fresh: bool,
}

/// Whether all addresses that a privileged instruction loads are canonical.
fn is_canonical(state: &UserRegisters) -> bool {
    let upper = |address: u64| (address as i64) >> 47;
    [state.rip, state.fs_base, state.gs_base].into_iter().all(|address| (upper(address) + 1) as u64 <= 1)
}

/// Whether every field that a privileged instruction loads can be loaded as it is.
/// Of states that can, those with addresses in the kernel's half are not found ready.
///
/// Without a branch but for the selectors, which are mostly null: it is asked at
/// every entry.
#[inline(always)]
fn is_ready(state: &UserRegisters, mxcsr_mask: u32) -> bool {
    let addresses = (state.rip | state.fs_base | state.gs_base) >> 47;
    let flags = state.rflags & !USER_FLAGS ^ (ALWAYS_ONE | INTERRUPT_FLAG);
    let cs = state.cs ^ u64::from(segment::USER_CS);
    let ss = state.ss ^ u64::from(segment::USER_SS);
    addresses | flags | cs | ss == 0
        && is_loadable(&state.extended, mxcsr_mask)
        && (state.selectors() == 0 || selectors_are_loadable(state))
}

/// Whether XRSTOR takes the extended state as it is, on a processor with these MXCSR bits: all
/// components there, nothing else in the header.
#[inline(always)]
fn is_loadable(extended: &Extended, mxcsr_mask: u32) -> bool {
    let header = extended.0[xsave::HEADER + 8..xsave::YMM].as_chunks::<8>().0;
    let rest = header.iter().fold(0, |bits, word| bits | u64::from_ne_bytes(*word));
    extended.components() == XCR0 && rest == 0 && extended.mxcsr() & !mxcsr_mask == 0
}

#[cold]
fn selectors_are_loadable(state: &UserRegisters) -> bool {
    [state.ds, state.es, state.fs, state.gs].into_iter().all(segment::user_loadable)
}

/// The first address that no program can have mapped (`mem::space::USER_END`).
const PROGRAM_END: u64 = 0x7fff_ffff_f000;

/// DR6: the breakpoint in DR0 was hit.
pub(super) const DEBUG_BREAKPOINT: u32 = 1;

/// DR6 after a reset.
pub(super) const DEBUG_CLEAR: u32 = 0xffff_0ff0;

/// The state cannot be loaded and cannot be made loadable.
struct NotCanonical;

/// Makes `state` what can be loaded of `source`, or else of itself.
#[cold]
#[inline(never)]
fn make_ready(
    source: Option<&UserRegisters>,
    state: &mut UserRegisters,
    start: Start,
    mxcsr_mask: u32,
) -> Result<(), NotCanonical> {
    if let Some(source) = source {
        state.clone_from(source);
    }
    if !is_canonical(state) {
        return Err(NotCanonical);
    }
    make_loadable(state, start, mxcsr_mask);
    Ok(())
}

/// Whether two states are the same, byte for byte.
#[inline]
pub fn is_same(a: &UserRegisters, b: &UserRegisters, primitives: &Primitives) -> bool {
    primitives.equal_registers(bytes(a), bytes(b))
}

/// Copies a state, byte for byte.
#[inline]
pub fn copy(from: &UserRegisters, to: &mut UserRegisters, primitives: &Primitives) {
    primitives.copy_registers(bytes(from), bytes_mut(to));
}

// No byte of a state up to its last field is padding: the extended state, and words.
const _: () = assert!(offset_of!(UserRegisters, ss) + size_of::<u64>() == REGISTERS_LEN);
const _: () = assert!(size_of::<Extended>() + 26 * size_of::<u64>() == REGISTERS_LEN);

/// All bytes of a state.
#[inline]
fn bytes(state: &UserRegisters) -> &Registers {
    // SAFETY: within the state, and no padding, as is asserted above; bytes have no
    // alignment and no invalid values.
    unsafe { &*core::ptr::from_ref(state).cast() }
}

/// All bytes of a state, to be changed.
#[inline]
fn bytes_mut(state: &mut UserRegisters) -> &mut Registers {
    // SAFETY: as above; any bytes make the fields, too.
    unsafe { &mut *core::ptr::from_mut(state).cast() }
}

/// Brings those fields, addresses apart, to values that can be loaded.
fn make_loadable(state: &mut UserRegisters, start: Start, mxcsr_mask: u32) {
    for selector in [&mut state.ds, &mut state.es, &mut state.fs, &mut state.gs] {
        if !segment::user_loadable(*selector) {
            *selector = 0;
        }
    }
    state.cs = segment::USER_CS.into();
    state.ss = segment::USER_SS.into();
    state.extended.normalize();
    // XRSTOR would refuse the others with #GP.
    let mxcsr = state.extended.mxcsr() & mxcsr_mask;
    state.extended.0[xsave::MXCSR..xsave::MXCSR_MASK].copy_from_slice(&mxcsr.to_le_bytes());
    state.rflags = state.rflags & USER_FLAGS | ALWAYS_ONE;
    if start.step {
        state.rflags |= TRAP_FLAG;
    }
    if start.resume {
        state.rflags |= RESUME_FLAG;
    }
    if !start.interrupts_off {
        state.rflags |= INTERRUPT_FLAG;
    }
}

/// Executes user code from `source`, or else from `state`, until something stops
/// it; `state` is then what it has come to.
///
/// `mxcsr_mask` are the MXCSR bits that the processor has.
pub fn enter(
    source: Option<&UserRegisters>,
    state: &mut UserRegisters,
    start: Start,
    mxcsr_mask: u32,
) -> Stretch {
    match execute(source, state, start, mxcsr_mask) {
        Some(stamps) => finish(state, stamps, start.timer),
        None => refuse(),
    }
}

/// Executes user code from `source` until something stops it, and looks no closer than needed at what that was.
#[inline(always)]
pub fn begin(source: &UserRegisters, state: &mut UserRegisters, start: Start, mxcsr_mask: u32) -> UserExit {
    let Some(stamps) = execute(Some(source), state, start, mxcsr_mask) else {
        return UserExit::Otherwise(refuse());
    };
    match state.entry_vector {
        SYSCALL_ENTRY => {
            drop_late_overflow(stamps, start.timer);
            UserExit::Syscall(stamps)
        }
        COUNTER_ENTRY => {
            apic::end_of_interrupt();
            UserExit::Counter(stamps)
        }
        _ => UserExit::Otherwise(finish(state, stamps, start.timer)),
    }
}

/// Executes user code; `None` if the state cannot be loaded.
#[inline(always)]
fn execute(
    source: Option<&UserRegisters>,
    state: &mut UserRegisters,
    start: Start,
    mxcsr_mask: u32,
) -> Option<Stamps> {
    let plain = !start.step && !start.resume && !start.interrupts_off;
    let from = match source {
        Some(source) if plain && is_ready(source, mxcsr_mask) => core::ptr::from_ref(source),
        source => match make_ready(source, state, start, mxcsr_mask) {
            Ok(()) => core::ptr::from_ref(state),
            Err(NotCanonical) => return None,
        },
    };
    if start.fresh {
        // SAFETY: compiled code does not use the x87 unit.
        unsafe { core::arch::asm!("fninit", options(nomem, nostack)) };
    }
    // SAFETY: every field that a privileged instruction loads was just found or made
    // valid; user page tables share the kernel's half, or the entries know that they do not.
    unsafe { ((*ENTRIES.0.get()).enter)(from, state, start.timer) };
    // SAFETY: user mode is left, so nothing writes the entry state; plain copies.
    Some(unsafe { Stamps { entered: (*ENTRIES.0.get()).entered, left: (*ENTRIES.0.get()).left } })
}

/// A stretch that was not executed: the user's #GP.
#[cold]
fn refuse() -> Stretch {
    let now = super::machine::now();
    let cause = Cause::Exception { vector: vector::GENERAL_PROTECTION, error: 0, address: 0 };
    Stretch { cause, entered: now, left: now, refused: true }
}

/// Finds out why user mode was left.
#[inline(never)]
fn finish(state: &UserRegisters, stamps: Stamps, timer: u32) -> Stretch {
    let cause = cause(state);
    if cause == Cause::Counter {
        apic::end_of_interrupt();
    } else {
        drop_late_overflow(stamps, timer);
    }
    let Stamps { entered, left } = stamps;
    Stretch { cause, entered, left, refused: false }
}

#[inline(always)]
fn drop_late_overflow(stamps: Stamps, timer: u32) {
    let Stamps { entered, left } = stamps;
    if left.wrapping_sub(entered).wrapping_add(DISARM_LEAD) >= u64::from(timer) {
        drop_overflow();
    }
}

/// Takes and drops an overflow that may have come after the stop.
#[cold]
#[inline(never)]
fn drop_overflow() {
    take_pending();
}

/// Takes and drops a counter interrupt that waits; whether there was one.
pub fn take_pending() -> bool {
    let pending = apic::counter_pending();
    if pending {
        // SAFETY: with the task priority as it is, only the counter can interrupt.
        unsafe { exit::drain() };
    }
    pending
}

/// Reads why user mode was left from what the entry code pushed.
#[inline(always)]
fn cause(state: &UserRegisters) -> Cause {
    match state.entry_vector {
        SYSCALL_ENTRY => Cause::Syscall,
        number if number < 32 => exception(state, number as u8),
        // The counter's vector, or a spurious interrupt, which says nothing more.
        _ => Cause::Counter,
    }
}

#[inline(always)]
fn exception(state: &UserRegisters, number: u8) -> Cause {
    let error = state.entry_error as u32;
    match number {
        2 => Cause::Watchdog,
        vector::DEBUG => match take_debug_status() {
            DEBUG_BREAKPOINT => Cause::Breakpoint,
            status => Cause::Exception { vector: vector::DEBUG, error: status & DEBUG_STEP, address: 0 },
        },
        // Whatever the rights it was made with, this was the user's access: QEMU before
        // 9.1 makes those of IRET and far transfers to the user's stack with the kernel's.
        vector::PAGE_FAULT => {
            let address = Cr2::read_raw();
            // As on Linux, what is mapped beyond a program's addresses is none of its business.
            let hidden = if address < PROGRAM_END { 0 } else { FAULT_PRESENT };
            Cause::Exception { vector: vector::PAGE_FAULT, error: error | FAULT_USER | hidden, address }
        }
        vector => Cause::Exception { vector, error: own_error(state, error), address: 0 },
    }
}

/// The error code of a fault in user mode, unless it is of what user mode cannot read.
///
/// An error code names the selector that did not fit. QEMU before 9.1 reads it with the kernel's rights from
/// wherever RSP points, where a processor refuses that by a page fault or #SS, whose error code is zero.
fn own_error(state: &UserRegisters, error: u32) -> u32 {
    if (state.rsp as i64) < 0 { 0 } else { error }
}

/// What DR6 says about the trap flag and the breakpoint; clears it, as the processor
/// only ever adds to it.
fn take_debug_status() -> u32 {
    let status = Dr6::read_raw() as u32 & (DEBUG_STEP | DEBUG_BREAKPOINT);
    // SAFETY: writes DR6's reset value, which nothing else reads.
    unsafe { core::arch::asm!("mov dr6, {}", in(reg) u64::from(DEBUG_CLEAR), options(nomem, nostack)) };
    status
}

/// NMIs that came in the kernel: the watchdog ran down in a long system call.
pub fn kernel_nmis() -> u64 {
    // SAFETY: user mode is not running; a plain copy.
    unsafe { (*ENTRIES.0.get()).kernel_nmis }
}

/// Counter interrupts that were dropped because they came too late.
pub fn drained() -> u64 {
    // SAFETY: user mode is not running; a plain copy.
    unsafe { (*ENTRIES.0.get()).drained }
}

/// How often selectors and bases had to be loaded.
pub fn segment_loads() -> u64 {
    // SAFETY: user mode is not running; a plain copy.
    unsafe { (*ENTRIES.0.get()).segment_loads }
}
