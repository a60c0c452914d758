// SPDX-License-Identifier: MIT
//! Exact instruction counting: counters that have to prove themselves.
//!
//! A counter is *armed* with a budget of user instructions, stops user mode when
//! the budget is used up, and afterwards says how many instructions were
//! executed. What entering and leaving user mode adds to a count (the *bias*) is
//! measured at start-up on blocks of known length and must be constant; a
//! counter whose bias varies, or that does not stop where it was told to, is
//! refused ([`Fault`]). Decision 0002 states the contract.
//!
//! The crate reaches no hardware itself: who uses it executes the known blocks
//! ([`Workbench`]) and loads the armed value.

#![no_std]
#![forbid(unsafe_code)]

pub mod virtual_time;

pub use virtual_time::VirtualTime;

/// Why user mode was left, as far as it matters for the bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopKind {
    /// The counter's own interrupt.
    Counter,
    /// An exception that the processor takes on the current stack: page faults
    /// above all.
    Fault,
    /// An exception or interrupt with a stack of its own: #DB, NMI.
    Debug,
    /// A system call; the instruction itself counts.
    Syscall,
}

/// A block of user code of known length, for calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// An endless loop, which the counter has to stop.
    Loop {
        /// What the timer is armed with, raw.
        timer: u32,
    },
    /// So many instructions, then a write to a read-only page.
    Fault {
        /// Instructions before the faulting one.
        after: u8,
    },
    /// One instruction under TF.
    Step,
    /// So many instructions, then SYSCALL.
    Syscall {
        /// Instructions before the SYSCALL.
        after: u8,
    },
}

/// The largest `after` of a [`Block`].
pub const MAX_AFTER: u8 = 16;

/// What the execution of a block showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Ticks between the time stamps around user mode.
    pub elapsed: u64,
    /// User instructions executed, as the registers tell.
    pub executed: u64,
}

/// Executes known blocks.
pub trait Workbench {
    /// Executes a block; `None` if it did not end as it must.
    fn execute(&mut self, block: Block) -> Option<Sample>;
}

/// Why a counter is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not move, or its interrupt does not come.
    Dead,
    /// Known blocks do not show the same bias every time.
    Spread {
        /// Smallest bias seen.
        least: i64,
        /// Largest bias seen.
        most: i64,
    },
    /// It does not stop where it was told to.
    Inexact {
        /// Instructions asked for.
        asked: u64,
        /// Instructions executed.
        seen: u64,
    },
}
