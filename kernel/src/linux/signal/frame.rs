// SPDX-License-Identifier: MIT
//! The frame that a handler finds on its stack, in Linux's layout, and the way back.
//!
//! `struct rt_sigframe`: the restorer's address, a `ucontext_t` with the registers,
//! a `siginfo_t`; above it the extended state as XSAVE writes it. On the way back
//! the program can have written anything there (decision 0001): what a privileged
//! instruction will load is checked or confined here, and once more at the entry.

use linux_raw_sys::general::{SA_ONSTACK, SA_RESTORER};
use pe_replay::UserRegisters;
use pe_replay::user::{Extended, RESUME_FLAG, TRAP_FLAG, XCR0, xsave};

use super::{Action, Info, LastTrap, Stack};
use crate::linux::layout::{Layout, get_u32, get_u64};

/// Bytes of a frame below the extended state.
pub const FRAME_LEN: usize = INFO + Info::LEN;
/// Bytes of the extended state with the mark behind it.
pub const EXTENDED_LEN: usize = xsave::LEN + 4;

// Offsets in the frame (arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h).
const CONTEXT: usize = 8;
const STACK: usize = CONTEXT + 16;
const REGISTERS: usize = CONTEXT + 40;
const RIP: usize = REGISTERS + 128;
const FLAGS: usize = REGISTERS + 136;
const SELECTORS: usize = REGISTERS + 144;
const TRAP: usize = REGISTERS + 152;
const EXTENDED_AT: usize = REGISTERS + 184;
const MASK: usize = CONTEXT + 296;
const INFO: usize = CONTEXT + 304;
/// The program's stack below its stack pointer, which leaf functions use.
const RED_ZONE: u64 = 128;

/// uc_flags: there is an XSAVE area, and SS is there and counts.
const CONTEXT_FLAGS: u64 = 1 | 2 | 4;
/// Offset of what Linux keeps in the unused end of the legacy area.
const SOFTWARE: usize = 464;
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
/// The MXCSR bits that any processor has; what this one lacks is cleared at the entry.
const MXCSR_BITS: u32 = 0x2_ffff;

const DIRECTION_FLAG: u64 = 1 << 10;
/// The flags that come back: CF PF AF ZF SF TF DF OF RF AC.
const RESTORED_FLAGS: u64 =
    1 << 0 | 1 << 2 | 1 << 4 | 1 << 6 | 1 << 7 | TRAP_FLAG | DIRECTION_FLAG | 1 << 11 | RESUME_FLAG | 1 << 18;

/// Where the parts of a frame are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The frame itself.
    pub frame: u64,
    /// The extended state.
    pub extended: u64,
}

/// The frame or its content is not one that Linux takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFrame;

/// Chooses where the frame goes.
pub fn place(sp: u64, action: Action, stack: Stack) -> Result<Place, BadFrame> {
    let nested = stack.is_in_use(sp);
    let entering = action.has(SA_ONSTACK) && stack.size != 0 && !nested;
    let top = if entering { stack.base.wrapping_add(stack.size) } else { sp.wrapping_sub(RED_ZONE) };
    let extended = top.wrapping_sub(EXTENDED_LEN as u64) & !63;
    let frame = (extended.wrapping_sub(FRAME_LEN as u64) & !15).wrapping_sub(8);
    // A return address is missing without it, and an alternate stack has an end.
    if !action.has(SA_RESTORER) || (nested || entering) && !stack.contains(frame) {
        return Err(BadFrame);
    }
    Ok(Place { frame, extended })
}

/// What goes into the frame beside the registers.
pub struct Content {
    /// The signal.
    pub info: Info,
    /// Its disposition.
    pub action: Action,
    /// The mask to come back to.
    pub mask: u64,
    /// The alternate stack.
    pub stack: Stack,
    /// The last exception.
    pub trap: LastTrap,
}

/// The frame.
pub fn bytes(state: &UserRegisters, place: Place, content: &Content) -> [u8; FRAME_LEN] {
    let [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = state.gprs();
    let order = [
        r8,
        r9,
        r10,
        r11,
        r12,
        r13,
        r14,
        r15,
        rdi,
        rsi,
        rbp,
        rbx,
        rdx,
        rax,
        rcx,
        rsp,
        state.rip,
        state.rflags,
    ];
    let mut frame = Layout::<FRAME_LEN>::new();
    for (index, register) in order.into_iter().enumerate() {
        frame = frame.u64(REGISTERS + 8 * index, register);
    }
    frame
        .u64(0, content.action.restorer)
        .u64(CONTEXT, CONTEXT_FLAGS)
        .bytes(STACK, &content.stack.bytes(if content.stack.size == 0 { super::SS_DISABLE } else { 0 }))
        .u16(SELECTORS, state.cs as u16)
        .u16(SELECTORS + 6, state.ss as u16)
        .u64(TRAP, content.trap.error)
        .u64(TRAP + 8, content.trap.number)
        .u64(TRAP + 16, content.mask)
        .u64(TRAP + 24, content.trap.cr2)
        .u64(EXTENDED_AT, place.extended)
        .u64(MASK, content.mask)
        .bytes(INFO, &content.info.bytes())
        .0
}

/// The extended state as a frame has it.
pub fn extended_bytes(state: &Extended) -> [u8; EXTENDED_LEN] {
    let mut state = state.clone();
    state.normalize();
    Layout::<EXTENDED_LEN>::new()
        .bytes(0, &state.0)
        .u32(SOFTWARE, MAGIC1)
        .u32(SOFTWARE + 4, EXTENDED_LEN as u32)
        .u64(SOFTWARE + 8, XCR0)
        .u32(SOFTWARE + 16, xsave::LEN as u32)
        .u32(xsave::LEN, MAGIC2)
        .0
}

/// Makes the registers those with which the handler begins.
pub fn enter_handler(state: &mut UserRegisters, place: Place, content: &Content) {
    state.rdi = content.info.signal.into();
    state.rsi = place.frame + INFO as u64;
    state.rdx = place.frame + CONTEXT as u64;
    state.rax = 0;
    state.rsp = place.frame;
    state.rip = content.action.handler;
    state.rflags &= !(TRAP_FLAG | DIRECTION_FLAG | RESUME_FLAG);
    state.extended = Extended::default();
}

/// What a frame brings back.
pub struct Restored {
    /// The registers, but for the extended state.
    pub state: UserRegisters,
    /// Where the extended state is; 0 is none.
    pub extended: u64,
    /// The mask.
    pub mask: u64,
    /// The `stack_t`.
    pub stack: [u8; 24],
}

/// Takes a frame apart; `current` is the state of whoever returns.
pub fn restore(frame: &[u8; FRAME_LEN], current: &UserRegisters) -> Result<Restored, BadFrame> {
    let word = |index: usize| get_u64(frame, REGISTERS + 8 * index);
    let mut state = current.clone();
    (state.r8, state.r9, state.r10, state.r11) = (word(0), word(1), word(2), word(3));
    (state.r12, state.r13, state.r14, state.r15) = (word(4), word(5), word(6), word(7));
    (state.rdi, state.rsi, state.rbp, state.rbx) = (word(8), word(9), word(10), word(11));
    (state.rdx, state.rax, state.rcx, state.rsp) = (word(12), word(13), word(14), word(15));
    state.rip = get_u64(frame, RIP);
    state.rflags = current.rflags & !RESTORED_FLAGS | get_u64(frame, FLAGS) & RESTORED_FLAGS;
    // No other code and stack segments exist; Linux lets the IRET fault on others.
    let selector = |at: usize| u64::from(u16::from_le_bytes([frame[at], frame[at + 1]]) | 3);
    if selector(SELECTORS) != current.cs || selector(SELECTORS + 6) != current.ss {
        return Err(BadFrame);
    }
    let mut stack = [0; 24];
    stack.copy_from_slice(&frame[STACK..STACK + 24]);
    Ok(Restored { state, extended: get_u64(frame, EXTENDED_AT), mask: get_u64(frame, MASK), stack })
}

/// How much of an extended state is to be believed, by its legacy area: all of it
/// (its end mark apart), or that area alone.
pub fn claims_all(legacy: &[u8; xsave::HEADER]) -> bool {
    get_u32(legacy, SOFTWARE) == MAGIC1
        && get_u32(legacy, SOFTWARE + 16) as usize == xsave::LEN
        && get_u32(legacy, SOFTWARE + 4) as usize == EXTENDED_LEN
}

/// The extended state that a frame brings back: from all of its area, or from the
/// legacy part alone, which leaves the rest initial. XRSTOR would refuse what is
/// refused here.
pub fn restore_extended(area: &[u8; EXTENDED_LEN], whole: bool) -> Result<Extended, BadFrame> {
    let mut extended = Extended::default();
    let end = if whole && get_u32(area, xsave::LEN) == MAGIC2 { xsave::LEN } else { xsave::HEADER };
    extended.0[..end].copy_from_slice(&area[..end]);
    if end == xsave::LEN {
        let wanted = get_u64(area, SOFTWARE + 8) & XCR0;
        let present = extended.components();
        let rest = &area[xsave::HEADER + 8..xsave::YMM];
        if present & !XCR0 != 0 || rest.iter().any(|byte| *byte != 0) {
            return Err(BadFrame);
        }
        extended.0[xsave::HEADER] = (present & wanted) as u8;
    } else {
        extended.0[xsave::HEADER] = (XCR0 & 3) as u8;
    }
    if extended.mxcsr() & !MXCSR_BITS != 0 {
        return Err(BadFrame);
    }
    extended.normalize();
    Ok(extended)
}
