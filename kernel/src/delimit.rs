// SPDX-License-Identifier: MIT
//! What a committed delimiter means for the process.

use iced_x86::{Decoder, DecoderOptions, Mnemonic};
use pe_replay::stop::vector;
use pe_replay::{Delimiter, DelimiterKind, Uprr};

use crate::mem::space::Space;

/// The longest x86 instruction, in bytes.
pub const MAX_INSTRUCTION_LEN: usize = 15;

/// Signals that a fault of the program's own turns into (signal(7)).
pub mod signal {
    pub const SIGILL: u8 = 4;
    pub const SIGTRAP: u8 = 5;
    pub const SIGBUS: u8 = 7;
    pub const SIGFPE: u8 = 8;
    pub const SIGKILL: u8 = 9;
    pub const SIGSEGV: u8 = 11;
}

/// What the kernel has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// Nothing: the process goes on.
    GoOn,
    /// Perform a system call.
    Syscall,
    /// Resolve a page fault.
    PageFault {
        /// The address.
        address: u64,
        /// The error code.
        error: u32,
    },
    /// Give the process the time, for RDTSC or RDTSCP.
    ReadTime {
        /// RDTSCP: also the processor number, in ECX.
        with_processor: bool,
        /// The instruction's length.
        length: u64,
    },
    /// End the process: it may not do what it did.
    Kill {
        /// The signal.
        signal: u8,
        /// The exception behind it.
        vector: u8,
    },
}

/// The instruction bytes at `address`, as far as they are mapped; the rest is zero.
pub fn code_at(space: &Space, address: u64) -> [u8; MAX_INSTRUCTION_LEN] {
    let mut code = [0; MAX_INSTRUCTION_LEN];
    for (index, byte) in code.iter_mut().enumerate() {
        let at = address.wrapping_add(index as u64);
        if space.peek(at, core::slice::from_mut(byte)).is_err() {
            break;
        }
    }
    code
}

/// Classifies a committed delimiter; general-protection exceptions are told apart
/// by the instruction that caused them.
pub fn duty(delimiter: Delimiter, state: &Uprr, space: &Space) -> (DelimiterKind, Duty) {
    match delimiter {
        Delimiter::Syscall => (delimiter.kind(), Duty::Syscall),
        Delimiter::Limit | Delimiter::DirtyLimit { .. } => (delimiter.kind(), Duty::GoOn),
        Delimiter::PageFault { address, error } => (delimiter.kind(), Duty::PageFault { address, error }),
        Delimiter::Exception { vector: number @ vector::GENERAL_PROTECTION, error: 0 } => {
            let code = code_at(space, state.rip);
            let instruction = Decoder::new(64, &code, DecoderOptions::NONE).decode();
            let length = instruction.len() as u64;
            match instruction.mnemonic() {
                Mnemonic::Rdtsc => (DelimiterKind::Rdtsc, Duty::ReadTime { with_processor: false, length }),
                Mnemonic::Rdtscp => (DelimiterKind::Rdtsc, Duty::ReadTime { with_processor: true, length }),
                // No process has been given a port, so the permission check ends here.
                Mnemonic::In
                | Mnemonic::Out
                | Mnemonic::Insb
                | Mnemonic::Insw
                | Mnemonic::Insd
                | Mnemonic::Outsb
                | Mnemonic::Outsw
                | Mnemonic::Outsd => {
                    (DelimiterKind::PortIo, Duty::Kill { signal: signal::SIGSEGV, vector: number })
                }
                _ => (DelimiterKind::Exception, Duty::Kill { signal: signal::SIGSEGV, vector: number }),
            }
        }
        Delimiter::Exception { vector, error: _ } => {
            (delimiter.kind(), Duty::Kill { signal: signal_of(vector), vector })
        }
        // The engine commits no run that the watchdog had to end.
        Delimiter::Watchdog => (delimiter.kind(), Duty::Kill { signal: signal::SIGKILL, vector: 2 }),
    }
}

/// The signal that Linux sends for an exception (arch/x86/kernel/traps.c).
fn signal_of(vector: u8) -> u8 {
    match vector {
        0 | 16 | 19 => signal::SIGFPE,
        1 | 3 => signal::SIGTRAP,
        6 => signal::SIGILL,
        11 | 12 | 17 => signal::SIGBUS,
        _ => signal::SIGSEGV,
    }
}
