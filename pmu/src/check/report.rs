// SPDX-License-Identifier: MIT
//! The checks, and what each of them found. What is said of it to people is up to who
//! prints it.

use strum::VariantArray;

use crate::back_end::{Smm, Unkept};
use crate::counter::Biases;
use crate::skid::{Margin, Skid};
use crate::workbench::Trapped;

/// What is checked, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Check {
    /// The registers keep what is written to them. Emulators without counters
    /// swallow writes silently, so that the absence of #GP proves nothing.
    Present,
    /// The counter counts.
    Moves,
    /// Known blocks of 10 to 10^6 instructions always count the same.
    Exact,
    /// The counter has the bits that it claims.
    Width,
    /// An overflow brings exactly one interrupt, and so does the next one.
    OneInterrupt,
    /// After an overflow has been handled its status is clear.
    Clear,
    /// What each kind of stop adds to a count is a constant integer.
    Bias,
    /// How late interrupts are is measured, and bounded.
    Skid,
    /// A block counts the same with an interrupt inside as without.
    Undisturbed,
    /// A locked instruction counts once: none is executed on speculation.
    Locks,
    /// A single step takes one instruction, MOV SS and PAUSE apart, and the trap flag
    /// shows only where it is known to.
    Steps,
    /// Where a hypervisor lends the counter, further trials come to the same.
    Trials,
    /// The counter stands still in System Management Mode; or, where it cannot be told
    /// to, the processor was not seen there meanwhile.
    Managed,
}

/// What a check measured, or what was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Nothing has a figure: it is as the check wants it.
    AsAsked,
    /// A register does not keep what is written to it.
    Unkept(Unkept),
    /// A count, beside what it should be.
    Counted {
        /// Instructions executed.
        executed: u64,
        /// Instructions counted.
        counted: u64,
    },
    /// Known blocks always counted the same.
    Exact {
        /// Blocks executed.
        blocks: u32,
        /// Instructions in all of them.
        instructions: u64,
        /// The one bias of all.
        bias: i64,
    },
    /// A bias is none: it varies, or is too large.
    Spread {
        /// Smallest bias seen.
        least: i64,
        /// Largest bias seen.
        most: i64,
    },
    /// The largest budget that fits the counter, or the one that does not.
    Budget(u64),
    /// Nothing came of this overflow, the first or a later one, nor did anything else
    /// end user mode.
    NoInterrupt(u32),
    /// An overflow came before its time.
    Premature,
    /// An interrupt came without an overflow.
    Uncalled,
    /// An interrupt came in the kernel, without cause.
    Late,
    /// The overflow status stays set when cleared.
    StillSet,
    /// These are the biases.
    Biases(Biases),
    /// So late interrupts are, and so early the counter is armed.
    Skid(Skid, Margin),
    /// User code was stopped too early, or later than is of use.
    Stop {
        /// Instructions asked for.
        asked: u64,
        /// Instructions executed.
        seen: u64,
    },
    /// So many blocks counted right.
    Blocks(u32),
    /// So many locked instructions were executed on speculation, beside
    /// [`super::LOCK_BLOCKS`] that counted right.
    Speculative(u64),
    /// Single steps took what they are known to.
    Steps {
        /// How many.
        steps: u32,
        /// Instructions that a step over MOV SS takes, at most.
        shadow: u64,
        /// Instructions that a step over PAUSE takes, at most.
        pause: u64,
        /// Whether PUSHF has stored the trap flag under which it was stepped.
        shown: bool,
    },
    /// A single step over this took so many instructions.
    Step(Trapped, u64),
    /// A single step did not end, in the block that begins with this.
    Untrapped(Trapped),
    /// PUSHF shows a trap flag that is not set.
    TrapShown,
    /// So many trials under a hypervisor came to the same.
    Trials(u32),
    /// The biases of the first trial, and others of a later one.
    Moving(Biases, Biases),
    /// What the counter does in System Management Mode, and how often the processor
    /// went there during the checks.
    Managed(Smm),
    /// User code neither ended nor was stopped.
    NoEnd,
}

/// A check and its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The check.
    pub check: Check,
    /// What it measured, or what was wrong: then the counter is not to be used.
    pub outcome: Result<Measured, Measured>,
}

/// All results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub(super) rows: [Option<Row>; Check::VARIANTS.len()],
}

impl Report {
    /// The checks that were made.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().flatten()
    }

    /// The first check that was not passed.
    pub fn refusal(&self) -> Option<&Row> {
        self.rows().find(|row| row.outcome.is_err())
    }

    /// Whether all checks were made and passed.
    pub fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.is_some_and(|row| row.outcome.is_ok()))
    }
}
