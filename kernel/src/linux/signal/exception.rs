// SPDX-License-Identifier: MIT
//! Which signal an exception of the processor becomes (arch/x86/kernel/traps.c, fpu/core.c).

use linux_raw_sys::general::{
    BUS_ADRALN, BUS_ADRERR, FPE_FLTDIV, FPE_FLTINV, FPE_FLTOVF, FPE_FLTRES, FPE_FLTUND, FPE_INTDIV,
    ILL_ILLOPN, SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP, TRAP_BRKPT,
    TRAP_TRACE,
};
use pe_replay::UserRegisters;
use pe_replay::stop::{DEBUG_STEP, vector};
use pe_replay::user::xsave;

use super::{Detail, Info};

/// An exception other than a page fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Its vector.
    pub vector: u8,
    /// Its error code; for #DB what DR6 said.
    pub error: u32,
}

/// A page fault that the program has to answer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPage {
    /// The fault address.
    pub address: u64,
    /// The error code.
    pub error: u32,
    /// Whether something is mapped there.
    pub is_mapped: bool,
    /// Whether it lies behind the end of a mapped file.
    pub is_past_end: bool,
}

/// Exception bits, alike in the x87 status word and in MXCSR.
mod flag {
    pub const INVALID: u32 = 1;
    pub const DENORMAL: u32 = 2;
    pub const DIVISION: u32 = 4;
    pub const OVERFLOW: u32 = 8;
    pub const UNDERFLOW: u32 = 16;
    pub const PRECISION: u32 = 32;
}

/// The code of an arithmetic exception with these bits raised and not masked.
fn arithmetic(raised: u32) -> u32 {
    if raised & flag::INVALID != 0 {
        FPE_FLTINV
    } else if raised & flag::DIVISION != 0 {
        FPE_FLTDIV
    } else if raised & flag::OVERFLOW != 0 {
        FPE_FLTOVF
    } else if raised & (flag::DENORMAL | flag::UNDERFLOW) != 0 {
        FPE_FLTUND
    } else if raised & flag::PRECISION != 0 {
        FPE_FLTRES
    } else {
        SI_KERNEL
    }
}

fn half(state: &UserRegisters, at: usize) -> u32 {
    u32::from(u16::from_le_bytes([state.extended.0[at], state.extended.0[at + 1]]))
}

impl Exception {
    /// The signal for it; `state` is the program's at the exception.
    pub fn signal(self, state: &UserRegisters) -> Info {
        let here = Detail::Address(state.rip);
        let (signal, code, detail) = match self.vector {
            0 => (SIGFPE, FPE_INTDIV, here),
            vector::DEBUG if self.error & DEBUG_STEP != 0 => (SIGTRAP, TRAP_TRACE, here),
            vector::DEBUG => (SIGTRAP, TRAP_BRKPT, here),
            3 => (SIGTRAP, SI_KERNEL, Detail::None),
            6 => (SIGILL, ILL_ILLOPN, here),
            11 | 12 => (SIGBUS, SI_KERNEL, Detail::None),
            16 => {
                let raised = half(state, xsave::FSW) & !half(state, xsave::FCW);
                (SIGFPE, arithmetic(raised), here)
            }
            17 => (SIGBUS, BUS_ADRALN, Detail::None),
            19 => {
                let mxcsr = state.extended.mxcsr();
                (SIGFPE, arithmetic(mxcsr & !(mxcsr >> 7)), here)
            }
            _ => (SIGSEGV, SI_KERNEL, Detail::None),
        };
        Info { signal, code: code as i32, detail }
    }

    /// The error code that a handler sees.
    pub fn visible_error(self) -> u32 {
        if self.vector == vector::DEBUG { 0 } else { self.error }
    }
}

impl BadPage {
    /// The signal for it.
    pub fn signal(self) -> Info {
        let (signal, code) = match self {
            Self { is_past_end: true, .. } => (SIGBUS, BUS_ADRERR),
            Self { is_mapped: true, .. } => (SIGSEGV, SEGV_ACCERR),
            Self { .. } => (SIGSEGV, SEGV_MAPERR),
        };
        Info { signal, code: code as i32, detail: Detail::Address(self.address) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_exceptions_tell_what_was_raised() {
        let mut state = UserRegisters::new(0x33, 0x2b);
        state.rip = 0x40_1000;
        let mut code = |fsw: u16, fcw: u16, mxcsr: u32, vector| {
            state.extended.0[xsave::FSW..xsave::FSW + 2].copy_from_slice(&fsw.to_le_bytes());
            state.extended.0[xsave::FCW..xsave::FCW + 2].copy_from_slice(&fcw.to_le_bytes());
            state.extended.0[xsave::MXCSR..xsave::MXCSR + 4].copy_from_slice(&mxcsr.to_le_bytes());
            let info = Exception { vector, error: 0 }.signal(&state);
            assert_eq!((info.signal, info.detail), (SIGFPE, Detail::Address(0x40_1000)));
            info.code as u32
        };
        assert_eq!(code(0x0084, 0x37b, 0x1f80, 16), FPE_FLTDIV);
        assert_eq!(code(0x0085, 0x37a, 0x1f80, 16), FPE_FLTINV);
        assert_eq!(code(0, 0x37f, 0x1d84, 19), FPE_FLTDIV);
        assert_eq!(code(0, 0x37f, 0x0fa0, 19), FPE_FLTRES);
        assert_eq!(code(0, 0x37f, 0x1f80, 0), FPE_INTDIV);
    }

    #[test]
    fn a_trap_flag_is_told_from_an_icebp() {
        let state = UserRegisters::new(0x33, 0x2b);
        let code = |error| Exception { vector: vector::DEBUG, error }.signal(&state).code as u32;
        assert_eq!((code(DEBUG_STEP), code(0)), (TRAP_TRACE, TRAP_BRKPT));
    }
}
