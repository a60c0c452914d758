// SPDX-License-Identifier: MIT
//! What a committed delimiter means for the process.

use iced_x86::{Decoder, DecoderOptions, Mnemonic};
use pe_replay::stop::vector;
use pe_replay::{Delimiter, UserRegisters};
use wire::DelimiterKind;

use crate::linux::signal::exception::Exception;
use crate::mem::space::{PAGE_LEN, Space};

/// The longest x86 instruction, in bytes.
pub const MAX_INSTRUCTION_LEN: usize = 15;

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

/// The instruction bytes at `address`, as far as they are mapped; the rest is zero.
pub fn code_at(space: &Space, address: u64) -> [u8; MAX_INSTRUCTION_LEN] {
    let mut code = [0; MAX_INSTRUCTION_LEN];
    let in_page = MAX_INSTRUCTION_LEN.min((PAGE_LEN - address % PAGE_LEN) as usize);
    let (here, beyond) = code.split_at_mut(in_page);
    let begins = space.peek(address, here).is_ok();
    if begins && !beyond.is_empty() {
        // What is not mapped stays zero.
        let _ = space.peek(address.wrapping_add(in_page as u64), beyond);
    }
    code
}

/// Classifies a committed delimiter; general-protection exceptions are told apart
/// by the instruction that caused them.
pub fn duty(delimiter: Delimiter, state: &UserRegisters, space: &Space) -> (DelimiterKind, Duty) {
    match delimiter {
        Delimiter::Syscall => (delimiter.into(), Duty::Syscall),
        Delimiter::Limit | Delimiter::DirtyLimit { .. } => (delimiter.into(), Duty::GoOn),
        Delimiter::PageFault { address, error } => (delimiter.into(), Duty::PageFault { address, error }),
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
