// SPDX-License-Identifier: MIT
//! Blocks of user code of known length, on which a counter has to prove itself.
//!
//! The crate has no user mode: whoever calibrates a counter executes the blocks.

use strum::VariantArray;

use crate::back_end::{Entry, StopKind};

/// The most instructions before a fault or a breakpoint.
pub const MAX_AFTER: u8 = 16;
/// Instructions of a [`Block::Trapped`] behind its first one, SYSCALL apart.
pub const TRAILING: u8 = 3;

/// An instruction to be executed under the trap flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Trapped {
    /// Nothing special.
    Plain,
    /// MOV SS, which holds #DB back by one instruction (Intel SDM vol. 3B, 19.3.1.4).
    /// In 64-bit mode there is no POP SS.
    Shadow,
    /// PAUSE, which under QEMU holds #DB back, too.
    Pause,
    /// PUSHF; the instruction behind it pops what it stored into a register.
    Flags,
}

impl Trapped {
    /// Whether a single step may take the next instruction along.
    pub fn may_swallow(self) -> bool {
        matches!(self, Self::Shadow | Self::Pause)
    }
}

/// A block of user code of known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// An endless loop, which only the counter can stop.
    Loop,
    /// So many instructions, then a write to a read-only page.
    Fault(u8),
    /// One instruction under TF.
    Step,
    /// So many instructions up to a breakpoint (DR0).
    Breakpoint(u8),
    /// Twice so many instructions, at least two, of a loop, then SYSCALL.
    Long(u32),
    /// So many times, at least once, round a loop of three instructions, the first of
    /// which is LOCK ADD to memory, then SYSCALL.
    Locked(u32),
    /// This instruction, [`TRAILING`] others, SYSCALL. Each stretch of it is a single
    /// step if [`Entry::step`] says so.
    Trapped(Trapped),
}

impl Block {
    /// What ends the block if nothing else does.
    pub fn end(self) -> StopKind {
        match self {
            Self::Loop => StopKind::Counter,
            Self::Fault(_) => StopKind::Fault,
            Self::Step | Self::Breakpoint(_) => StopKind::Debug,
            Self::Long(_) | Self::Locked(_) | Self::Trapped(_) => StopKind::Syscall,
        }
    }
}

/// What a stretch of a block showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What ended it: the block's own end, or the counter or a step before that.
    pub kind: StopKind,
    /// Ticks between the time stamps around user mode.
    pub elapsed: u64,
    /// User instructions executed in it, as the registers tell.
    pub executed: u64,
    /// The flags that the block's PUSHF has stored so far have TF.
    pub trap_shown: bool,
}

/// Executes known blocks.
pub trait Workbench {
    /// Executes a block from its start, entering user mode as the counter wants it;
    /// `None` if neither the block nor the counter ended it. A watchdog must see to
    /// it that the call returns also when the counter's interrupt never comes.
    fn execute(&mut self, block: Block, entry: Entry) -> Option<Sample>;
    /// Goes on with a block that the counter or a step stopped.
    fn resume(&mut self, entry: Entry) -> Option<Sample>;
}
