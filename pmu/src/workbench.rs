// SPDX-License-Identifier: MIT
//! Blocks of user code of known length, on which a counter has to prove itself.
//!
//! The crate has no user mode: whoever calibrates a counter executes the blocks.

use crate::counter::{Entry, StopKind};

/// The largest `after` of a [`Block`].
pub const MAX_AFTER: u8 = 16;

/// A block of user code of known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// An endless loop, which only the counter can stop.
    Loop,
    /// So many instructions, then a write to a read-only page.
    Fault {
        /// Instructions before the faulting one.
        after: u8,
    },
    /// One instruction under TF.
    Step,
    /// So many instructions up to a breakpoint (DR0).
    Breakpoint {
        /// Instructions before the breakpoint.
        after: u8,
    },
    /// So many instructions, then SYSCALL.
    Syscall {
        /// Instructions before the SYSCALL.
        after: u8,
    },
    /// So many times round a loop of two instructions, then SYSCALL.
    Long {
        /// Iterations; at least one.
        loops: u32,
    },
}

impl Block {
    /// What ends the block if nothing else does.
    pub fn end(self) -> StopKind {
        match self {
            Self::Loop => StopKind::Counter,
            Self::Fault { .. } => StopKind::Fault,
            Self::Step | Self::Breakpoint { .. } => StopKind::Debug,
            Self::Syscall { .. } | Self::Long { .. } => StopKind::Syscall,
        }
    }
}

/// What a stretch of a block showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What ended it: the block's own end, or the counter before that.
    pub kind: StopKind,
    /// Ticks between the time stamps around user mode.
    pub elapsed: u64,
    /// User instructions executed in it, as the registers tell.
    pub executed: u64,
}

/// Executes known blocks.
pub trait Workbench {
    /// Executes a block from its start, entering user mode as the counter wants it;
    /// `None` if neither the block nor the counter ended it. A watchdog must see to
    /// it that the call returns also when the counter's interrupt never comes.
    fn execute(&mut self, block: Block, entry: Entry) -> Option<Sample>;
    /// Goes on with a block that the counter stopped.
    fn resume(&mut self, entry: Entry) -> Option<Sample>;
}
