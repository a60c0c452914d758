// SPDX-License-Identifier: MIT
//! Why user code stopped, and which stops end a processing element.

use serde::{Deserialize, Serialize};

/// Exception vectors that the engine tells apart (Intel SDM vol. 3A, table 6-1).
pub mod vector {
    /// #DB, debug exception.
    pub const DEBUG: u8 = 1;
    /// #GP, general protection.
    pub const GENERAL_PROTECTION: u8 = 13;
    /// #PF, page fault.
    pub const PAGE_FAULT: u8 = 14;
}

/// What stands for #DB's error code, a bit of DR6 (BS): the trap flag was the cause,
/// not an ICEBP.
pub const DEBUG_STEP: u32 = 1 << 14;

/// #PF error code bit: the page was present, the access was not allowed.
pub const FAULT_PRESENT: u32 = 1 << 0;
/// #PF error code bit: the access was a write.
pub const FAULT_WRITE: u32 = 1 << 1;
/// #PF error code bit: the access came from user mode.
pub const FAULT_USER: u32 = 1 << 2;
/// #PF error code bit: the access was an instruction fetch.
pub const FAULT_FETCH: u32 = 1 << 4;

/// The event that brought the processor back from user mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The SYSCALL instruction.
    Syscall,
    /// An exception; `error` is zero for the vectors that define no error code, but
    /// for #DB, which has [`DEBUG_STEP`] there or zero.
    Exception {
        /// The exception's vector, below 32.
        vector: u8,
        /// Its error code.
        error: u32,
        /// CR2 for page faults, else zero.
        address: u64,
    },
    /// The instruction counter reached what it was armed for.
    Counter,
    /// The engine's breakpoint, before the instruction there.
    Breakpoint,
    /// The non-maskable watchdog: nothing else had ended the run.
    Watchdog,
}

impl Cause {
    /// The address of a write to a present page that was not allowed, which is
    /// how the first write to a tracked page shows.
    pub fn write_fault(self) -> Option<u64> {
        const WRITE: u32 = FAULT_PRESENT | FAULT_WRITE | FAULT_USER;
        match self {
            Cause::Exception { vector: vector::PAGE_FAULT, error: WRITE, address } => Some(address),
            _ => None,
        }
    }

    /// Whether it is a debug exception that is not the engine's breakpoint.
    pub fn is_debug(self) -> bool {
        matches!(self, Cause::Exception { vector: vector::DEBUG, .. })
    }
}

/// A stretch of user code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its instructions, bias removed.
    pub instructions: u64,
    /// When user mode was entered, in the counter's unit.
    pub entered: u64,
    /// How long user mode lasted in the counter's unit, bias removed.
    pub ticks: u64,
}

/// One return from user mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Why user code stopped.
    pub cause: Cause,
    /// What it had done since the entry.
    pub span: Span,
    /// Debug exceptions that the counter itself took for this, beside the last stop.
    pub debug_exceptions: u32,
    /// Counter interrupts that came when user mode had been left already.
    pub strays: u16,
}

impl Exit {
    /// An exit of which there is no more to tell.
    pub fn plain(cause: Cause, span: Span) -> Self {
        Self { cause, span, debug_exceptions: 0, strays: 0 }
    }

    /// What a run ends with by this exit, if it is the first one and no write fault, whatever the tracker knows.
    pub(crate) fn delimits(&self) -> Option<Delimiter> {
        let is_whole = self.cause != Cause::Counter && (self.debug_exceptions, self.strays) == (0, 0);
        (is_whole && self.cause.write_fault().is_none()).then(|| Delimiter::of(self.cause))
    }
}

/// The exit that ended the first stretch of a run: for the commonest causes there is
/// nothing more to tell than when. A tag of its own makes it one test less to tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FirstExit {
    /// A plain exit by [`Cause::Syscall`].
    Syscall(Span),
    /// A plain exit by [`Cause::Counter`].
    Counter(Span),
    /// Any exit.
    Other(Exit),
}

/// What ended a processing element, with the details both runs must agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delimiter {
    /// The SYSCALL instruction.
    Syscall,
    /// A page fault that is not the tracker's own.
    PageFault {
        /// The faulting address (CR2).
        address: u64,
        /// The error code.
        error: u32,
    },
    /// Any other exception.
    Exception {
        /// Its vector.
        vector: u8,
        /// Its error code; zero where the vector defines none, but for #DB
        /// [`DEBUG_STEP`] or zero.
        error: u32,
    },
    /// The instruction limit.
    Limit,
    /// The next write would exceed the dirty-frame limit.
    DirtyLimit {
        /// The address that was about to be written.
        address: u64,
    },
    /// The watchdog had to end the run. Never committed.
    Watchdog,
}

impl Delimiter {
    /// The delimiter that a stop stands for, the tracker's own faults apart.
    pub fn of(cause: Cause) -> Self {
        match cause {
            Cause::Syscall => Self::Syscall,
            Cause::Exception { vector: vector::PAGE_FAULT, error, address } => {
                Self::PageFault { address, error }
            }
            Cause::Exception { vector, error, address: _ } => Self::Exception { vector, error },
            Cause::Counter => Self::Limit,
            // The engine goes on from its own breakpoints; one that it knows nothing of
            // is a debug exception like any other.
            Cause::Breakpoint => Self::Exception { vector: vector::DEBUG, error: 0 },
            Cause::Watchdog => Self::Watchdog,
        }
    }

    /// Discriminant, error code and address, zero where there are none.
    pub fn words(self) -> [u64; 3] {
        match self {
            Self::Syscall => [0x100, 0, 0],
            Self::Limit => [0x101, 0, 0],
            Self::Watchdog => [0x102, 0, 0],
            Self::DirtyLimit { address } => [0x103, 0, address],
            Self::PageFault { address, error } => [vector::PAGE_FAULT.into(), error.into(), address],
            Self::Exception { vector, error } => [vector.into(), error.into(), 0],
        }
    }
}

/// How a run ended, which both runs must agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// What ended it.
    pub delimiter: Delimiter,
    /// Its instructions.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_are_the_processor_s() {
        let bits = [DEBUG_STEP, FAULT_PRESENT, FAULT_WRITE, FAULT_USER, FAULT_FETCH];
        assert_eq!(bits, [0x4000, 1, 2, 4, 0x10]);
    }

    #[test]
    fn only_a_user_s_write_to_a_present_page_is_a_write_fault() {
        let fault = |vector, error| Cause::Exception { vector, error, address: 0x5008 }.write_fault();
        for error in 0..=0x1f {
            assert_eq!(fault(vector::PAGE_FAULT, error), (error == 0b111).then_some(0x5008), "{error:#x}");
        }
        assert_eq!(fault(vector::GENERAL_PROTECTION, 0b111), None);
        assert_eq!(Cause::Syscall.write_fault(), None);
    }

    #[test]
    fn only_the_exception_is_a_debug_exception() {
        let exception = |vector| Cause::Exception { vector, error: 0, address: 0 }.is_debug();
        assert!(exception(vector::DEBUG) && !exception(vector::PAGE_FAULT));
        assert!(!Cause::Breakpoint.is_debug() && !Cause::Watchdog.is_debug());
    }
}
