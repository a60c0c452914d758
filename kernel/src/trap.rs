// SPDX-License-Identifier: MIT
//! From "user code stopped" to what it asks for.
//!
//! A trap is made once, from a delimiter that was committed and from committed registers and
//! memory; the personality serves it. Nothing is looked at again later.
//!
//! What accesses a device ends a PE before it does. Behind the commit, and if the personality allows it, it is
//! performed once: IN and OUT by [`port`], everything else by [`perform`] (decision 0023).

pub mod arithmetic;
pub mod environment;
pub mod integer;
pub mod operand;
pub mod perform;
pub mod port;
pub mod progress;
pub mod string;
pub mod time;
pub mod vector;

use iced_x86::Mnemonic;
use pe_replay::stop::vector as number;
use pe_replay::{Delimiter, UserRegisters};
use wire::DelimiterKind;

use self::port::{Access, Ports};
use self::time::Reading;
use crate::arch::decode;
use crate::mem::code;
use crate::mem::space::Space;

/// What a thread asks for at the end of a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// A system call.
    Syscall,
    /// A page, by an access that the page tables did not permit.
    PageFault {
        /// The address.
        address: u64,
        /// The error code.
        error: u32,
    },
    /// An answer to an exception that is its own.
    Exception {
        /// The vector.
        vector: u8,
        /// The error code; for #DB what DR6 said.
        error: u32,
    },
    /// The time, by RDTSC or RDTSCP.
    Time(Reading),
    /// One access to a port, by IN or OUT.
    Port(Access),
    /// Accesses to ports by a string instruction, INS or OUTS.
    PortString(Ports),
    /// Nothing: it has used up the instructions of a PE.
    Limit,
    /// Nothing: it has written as many pages as a PE may.
    DirtyLimit,
}

impl Trap {
    /// What a committed delimiter means; general-protection exceptions are told apart by the
    /// instruction that caused them.
    #[inline]
    pub fn new(delimiter: Delimiter, registers: &UserRegisters, space: &Space) -> Self {
        match delimiter {
            Delimiter::Syscall => Self::Syscall,
            Delimiter::Limit => Self::Limit,
            Delimiter::DirtyLimit { .. } => Self::DirtyLimit,
            Delimiter::PageFault { address, error } => Self::PageFault { address, error },
            Delimiter::Exception { vector: number::GENERAL_PROTECTION, error: 0 } => {
                Self::protection(registers, space)
            }
            Delimiter::Exception { vector, error } => Self::Exception { vector, error },
            Delimiter::Watchdog => unreachable!("the engine commits no run that the watchdog had to end"),
        }
    }

    /// A general-protection exception without an error code.
    #[inline(never)]
    fn protection(registers: &UserRegisters, space: &Space) -> Self {
        let instruction = decode::whole(&code::at(space, registers.rip), registers.rip);
        let length = instruction.len() as u64;
        match instruction.mnemonic() {
            Mnemonic::Rdtsc => Self::Time(Reading { with_processor: false, length }),
            Mnemonic::Rdtscp => Self::Time(Reading { with_processor: true, length }),
            // Nobody has been given a port by a bitmap, so the permission check ends here.
            Mnemonic::In | Mnemonic::Out => match Access::new(&instruction, registers) {
                Some(access) => Self::Port(access),
                None => Self::PROTECTION,
            },
            _ => Ports::of_string(&instruction, registers).map_or(Self::PROTECTION, Self::PortString),
        }
    }

    /// A general-protection exception without an error code: what an access to a port comes to
    /// that is not permitted.
    pub const PROTECTION: Self = Self::Exception { vector: number::GENERAL_PROTECTION, error: 0 };

    /// How it is counted and printed.
    #[inline]
    pub fn kind(self) -> DelimiterKind {
        match self {
            Self::Syscall => DelimiterKind::Syscall,
            Self::PageFault { .. } => DelimiterKind::PageFault,
            Self::Exception { .. } => DelimiterKind::Exception,
            Self::Time(_) => DelimiterKind::Rdtsc,
            Self::Port(_) | Self::PortString(_) => DelimiterKind::PortIo,
            Self::Limit => DelimiterKind::Limit,
            Self::DirtyLimit => DelimiterKind::DirtyLimit,
        }
    }
}
