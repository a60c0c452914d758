// SPDX-License-Identifier: MIT
//! The checks by name, and a row for each.

use core::fmt;

use displaydoc::Display;
use strum::{IntoStaticStr, VariantArray};

use crate::back_end::{Freezing, Unkept};
use crate::counter::Biases;
use crate::skid::{Margin, Skid};
use crate::workbench::Trapped;

/// What is checked, in this order; each check has its name in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
pub enum Check {
    /// The registers keep what is written to them. Emulators without counters
    /// swallow writes silently, so that the absence of #GP proves nothing.
    #[strum(serialize = "registers keep what is written")]
    Present,
    /// The counter counts.
    #[strum(serialize = "counter moves")]
    Moves,
    /// Known blocks of 10 to 10^6 instructions always count the same.
    #[strum(serialize = "known blocks count exactly")]
    Exact,
    /// The counter has the bits that it claims.
    #[strum(serialize = "counter is as wide as it says")]
    Width,
    /// An overflow brings exactly one interrupt, and so does the next one.
    #[strum(serialize = "one interrupt an overflow, twice")]
    OneInterrupt,
    /// After an overflow has been handled its status is clear.
    #[strum(serialize = "overflow status clears")]
    Clear,
    /// What each kind of stop adds to a count is a constant integer.
    #[strum(serialize = "bias of each stop is constant")]
    Bias,
    /// How late interrupts are is measured, and bounded.
    #[strum(serialize = "skid and margin")]
    Skid,
    /// A block counts the same with an interrupt inside as without.
    #[strum(serialize = "an interrupt inside changes no count")]
    Undisturbed,
    /// A locked instruction counts once: none is executed on speculation.
    #[strum(serialize = "locked instructions count once")]
    Locks,
    /// A single step takes one instruction, MOV SS and PAUSE apart, and the trap flag
    /// shows only where it is known to.
    #[strum(serialize = "a step takes one instruction")]
    Steps,
    /// Where a hypervisor lends the counter, further trials come to the same.
    #[strum(serialize = "repeated trials agree")]
    Trials,
    /// The counter stands still in System Management Mode; or, where it cannot be told
    /// to, the processor was not seen there meanwhile.
    #[strum(serialize = "System Management Mode does no harm")]
    Managed,
}

impl Check {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What a check found: on success what it measured, else what was wrong. As text: the first line of each
/// description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
#[ignore_extra_doc_attributes]
pub enum Measured {
    /// all kept
    Kept,
    /// {0}
    Unkept(Unkept),
    /// {by} more instructions, {counted} more counted
    Moved {
        /// Difference in instructions between two blocks.
        by: u64,
        /// Difference counted.
        counted: i64,
    },
    /// {blocks} blocks, {instructions} instructions, bias {bias:+}
    Exact {
        /// Blocks executed.
        blocks: u32,
        /// Instructions in all of them.
        instructions: u64,
        /// The one bias of all.
        bias: i64,
    },
    /// bias between {least:+} and {most:+}
    Spread {
        /// Smallest bias seen.
        least: i64,
        /// Largest bias seen.
        most: i64,
    },
    /// budgets up to {longest}
    Width {
        /// The largest budget counted from.
        longest: u64,
    },
    /// a budget of {budget} does not fit
    Narrow {
        /// The budget.
        budget: u64,
    },
    /// {0} overflows, {0} interrupts
    Interrupts(u32),
    /// no interrupt for overflow {overflow}
    ///
    /// Nor did anything else end user mode.
    NoInterrupt {
        /// The first, or a later one.
        overflow: u32,
    },
    /// an overflow before its time
    Premature,
    /// an interrupt without an overflow
    Uncalled,
    /// an interrupt in the kernel, without cause
    Late,
    /// clear after an overflow
    Clear,
    /// still set when cleared
    StillSet,
    /// {0}
    Biases(Biases),
    /// {0}; margin {1}
    Skid(Skid, Margin),
    /// stopped after {seen} instructions instead of {asked}
    Early {
        /// Instructions asked for.
        asked: u64,
        /// Instructions executed.
        seen: u64,
    },
    /// {late} instructions late
    ///
    /// The counter is one that is never late.
    Inexact {
        /// By so much.
        late: u64,
    },
    /// {late} instructions late, which is too much
    TooLate {
        /// By so much.
        late: u64,
    },
    /// {blocks} blocks interrupted, none counts differently
    Undisturbed {
        /// How many.
        blocks: u32,
    },
    /// {counted} counted for {executed} instructions with an interrupt inside
    Disturbed {
        /// The block's instructions.
        executed: u64,
        /// What was counted.
        counted: u64,
    },
    /// {blocks} blocks with LOCK, all exact
    Locks {
        /// How many.
        blocks: u32,
    },
    /// {blocks} blocks with LOCK, all exact, none on speculation
    LocksWatched {
        /// How many.
        blocks: u32,
    },
    /// {counted} counted for {executed} instructions
    ///
    /// It was a block with locked instructions, or a single step.
    Miscounted {
        /// The instructions executed.
        executed: u64,
        /// What was counted.
        counted: u64,
    },
    /// {locks} locked instructions on speculation
    Speculative {
        /// How many.
        locks: u64,
    },
    /// {steps} steps; MOV SS takes {shadow}, PAUSE {pause}; PUSHF {pushf} the trap flag
    Steps {
        /// How many.
        steps: u32,
        /// Instructions that a step over MOV SS takes, at most.
        shadow: u64,
        /// Instructions that a step over PAUSE takes, at most.
        pause: u64,
        /// Whether PUSHF has stored the trap flag under which it was stepped: shows or
        /// hides.
        pushf: &'static str,
    },
    /// a step took {took} instructions, {trapped}
    Step {
        /// What was stepped over.
        trapped: Trapped,
        /// Instructions.
        took: u64,
    },
    /// a step did not end, {trapped}
    Untrapped {
        /// What the block begins with.
        trapped: Trapped,
    },
    /// PUSHF shows a trap flag that is not set
    TrapShown,
    /// one is enough without a hypervisor
    OneTrial,
    /// {0} trials under a hypervisor, all alike
    Trials(u32),
    /// first {first}; then {then}
    Moving {
        /// Biases of the first trial.
        first: Biases,
        /// Biases of a later one.
        then: Biases,
    },
    /// {freezing}; {seen}
    Managed {
        /// What the counter does in System Management Mode.
        freezing: Freezing,
        /// How often the processor went there during the checks.
        seen: Seen,
    },
    /// user code neither ended nor was stopped
    NoEnd,
}

/// How often the processor went to System Management Mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
pub enum Seen {
    /// its interrupts are not told
    Untold,
    /// {0} interrupts meanwhile
    Times(u32),
}

/// Whether a check was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
pub enum Verdict {
    /// The check was passed.
    #[strum(serialize = "passed")]
    Passed,
    /// The check was not passed: the counter is not to be used.
    #[strum(serialize = "REFUSED")]
    Refused,
}

/// A check and its result. As text: verdict, name, what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub check: Check,
    /// What was found.
    pub measured: Measured,
    /// Whether that will do.
    pub verdict: Verdict,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, measured, verdict } = self;
        write!(f, "{:<8} {:<37} {measured}", <&str>::from(verdict), check.name())
    }
}

/// All results. As text: a row a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    rows: [Option<Row>; Check::VARIANTS.len()],
}

impl Report {
    pub(super) fn add(&mut self, check: Check, outcome: Result<Measured, Measured>) {
        let (measured, verdict) = match outcome {
            Ok(measured) => (measured, Verdict::Passed),
            Err(measured) => (measured, Verdict::Refused),
        };
        self.rows[check as usize] = Some(Row { check, measured, verdict });
    }

    /// The checks that were made.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().flatten()
    }

    /// The result of one, if it was made.
    pub fn row(&self, check: Check) -> Option<&Row> {
        self.rows[check as usize].as_ref()
    }

    /// The first check that was not passed.
    pub fn refusal(&self) -> Option<&Row> {
        self.rows().find(|row| row.verdict == Verdict::Refused)
    }

    /// Whether all checks were made and passed.
    pub fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.is_some_and(|row| row.verdict == Verdict::Passed))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rows().try_for_each(|row| writeln!(f, "{row}"))
    }
}
