// SPDX-License-Identifier: MIT
//! What a committed delimiter means for the process.

use iced_x86::{Decoder, DecoderOptions, Mnemonic};
use pe_replay::stop::vector;
use pe_replay::{Delimiter, UserRegisters};
use wire::DelimiterKind;

use crate::linux::signal::exception::Exception;
use crate::mem::code;
use crate::mem::space::Space;

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
    /// Tell the process that it may not do what it did.
    Exception(Exception),
}

/// Classifies a committed delimiter; general-protection exceptions are told apart
/// by the instruction that caused them.
pub fn duty(delimiter: Delimiter, state: &UserRegisters, space: &Space) -> (DelimiterKind, Duty) {
    match delimiter {
        Delimiter::Syscall => (delimiter.into(), Duty::Syscall),
        Delimiter::Limit | Delimiter::DirtyLimit { .. } => (delimiter.into(), Duty::GoOn),
        Delimiter::PageFault { address, error } => (delimiter.into(), Duty::PageFault { address, error }),
        Delimiter::Exception { vector: number @ vector::GENERAL_PROTECTION, error: 0 } => {
            let code = code::at(space, state.rip);
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
                    (DelimiterKind::PortIo, Duty::Exception(Exception { vector: number, error: 0 }))
                }
                _ => (DelimiterKind::Exception, Duty::Exception(Exception { vector: number, error: 0 })),
            }
        }
        Delimiter::Exception { vector, error } => {
            (delimiter.into(), Duty::Exception(Exception { vector, error }))
        }
        Delimiter::Watchdog => unreachable!("the engine commits no run that the watchdog had to end"),
    }
}
