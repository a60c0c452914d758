// SPDX-License-Identifier: MIT
//! The checks by name, and a row for each.

use core::fmt;

use crate::back_end::Unkept;
use crate::counter::Biases;
use crate::skid::{Margin, Skid};
use crate::workbench::Trapped;

/// What is checked, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// After that the overflow status is clear.
    Clear,
    /// What each kind of stop adds to a count is a constant integer.
    Bias,
    /// How late interrupts are.
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

impl Check {
    /// How many there are.
    pub const COUNT: usize = 13;
    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Present,
        Self::Moves,
        Self::Exact,
        Self::Width,
        Self::OneInterrupt,
        Self::Clear,
        Self::Bias,
        Self::Skid,
        Self::Undisturbed,
        Self::Locks,
        Self::Steps,
        Self::Trials,
        Self::Managed,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Present => "registers keep what is written",
            Self::Moves => "counter moves",
            Self::Exact => "known blocks count exactly",
            Self::Width => "counter is as wide as it says",
            Self::OneInterrupt => "one interrupt an overflow, twice",
            Self::Clear => "overflow status clears",
            Self::Bias => "bias of each stop is constant",
            Self::Skid => "skid and margin",
            Self::Undisturbed => "an interrupt inside changes no count",
            Self::Locks => "locked instructions count once",
            Self::Steps => "a step takes one instruction",
            Self::Trials => "repeated trials agree",
            Self::Managed => "System Management Mode does no harm",
        }
    }
}

/// What a check found: on success what it measured, else what was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// All registers keep what is written to them.
    Kept,
    /// One does not.
    Unkept(Unkept),
    /// How far it counted in two blocks, whose lengths differ by so much.
    Moved {
        /// Difference in instructions.
        by: u64,
        /// Difference counted.
        counted: i64,
    },
    /// Blocks, instructions in them, and the one bias of all.
    Exact {
        /// Blocks executed.
        blocks: u32,
        /// Instructions in all of them.
        instructions: u64,
        /// The bias.
        bias: i64,
    },
    /// Known blocks do not show the same bias every time.
    Spread {
        /// Smallest bias seen.
        least: i64,
        /// Largest bias seen.
        most: i64,
    },
    /// The largest budget counted from.
    Width {
        /// The budget.
        longest: u64,
    },
    /// Counting from minus this budget does not work.
    Narrow {
        /// The budget.
        budget: u64,
    },
    /// So many overflows, as many interrupts.
    Interrupts(u32),
    /// No interrupt after this overflow, nor anything else that ended user mode.
    NoInterrupt {
        /// The first, or a later one.
        overflow: u32,
    },
    /// An interrupt that was not called for.
    Uncalled {
        /// The status says overflow.
        own: bool,
    },
    /// An interrupt that came when user mode had been left.
    Late,
    /// Whether the status was clear after an overflow had been handled.
    Status {
        /// It was.
        clear: bool,
    },
    /// What the stops add.
    Biases(Biases),
    /// How late interrupts are, and the margin that follows.
    Skid(Skid, Margin),
    /// The interrupt came before its time.
    Early {
        /// Instructions asked for.
        asked: u64,
        /// Instructions executed.
        seen: u64,
    },
    /// A counter that is never late was.
    Inexact {
        /// By so much.
        late: u64,
    },
    /// An interrupt was too late for any use.
    TooLate {
        /// By so much.
        late: u64,
    },
    /// Blocks with an interrupt inside, all counted alike.
    Undisturbed {
        /// How many.
        blocks: u32,
    },
    /// A block with an interrupt inside counts differently.
    Disturbed {
        /// Its instructions.
        executed: u64,
        /// What was counted.
        counted: u64,
    },
    /// Blocks with locked instructions, all counted right.
    Locks {
        /// How many.
        blocks: u32,
        /// Speculative ones were looked for, too, and there were none.
        watched: bool,
    },
    /// A block with locked instructions, or a single step, is counted wrong.
    Miscounted {
        /// Its instructions.
        executed: u64,
        /// What was counted.
        counted: u64,
    },
    /// Locked instructions are executed on speculation.
    Speculative {
        /// How many.
        locks: u64,
    },
    /// Single steps took what they are expected to.
    Steps {
        /// How many.
        steps: u32,
        /// Instructions that a step over MOV SS takes, at most.
        shadow: u64,
        /// Likewise over PAUSE.
        pause: u64,
        /// PUSHF has stored the trap flag under which it was stepped.
        shown: bool,
    },
    /// A single step did not.
    Step {
        /// Over what.
        trapped: Trapped,
        /// Instructions.
        took: u64,
    },
    /// A single step did not end.
    Untrapped {
        /// In the block that begins with this.
        trapped: Trapped,
    },
    /// PUSHF has stored a trap flag that was not set.
    TrapShown,
    /// No hypervisor.
    OneTrial,
    /// So many trials came to the same.
    Trials(u32),
    /// Further trials have other biases.
    Moving {
        /// Those of the first.
        first: Biases,
        /// Those of a later one.
        then: Biases,
    },
    /// System Management Mode.
    Managed {
        /// Whether the counter stands still in it; none if it cannot be told to.
        frozen: Option<bool>,
        /// How often the processor went there during the checks; none if it does not
        /// say.
        seen: Option<u32>,
    },
    /// A block of user code neither ended nor was stopped.
    NoEnd,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => write!(f, "all kept"),
            Self::Unkept(Unkept { register, wrote, read }) => {
                write!(f, "{register}: wrote {wrote:#x}, read {read:#x}")
            }
            Self::Moved { by, counted } => write!(f, "{by} more instructions, {counted} more counted"),
            Self::Exact { blocks, instructions, bias } => {
                write!(f, "{blocks} blocks, {instructions} instructions, bias {bias:+}")
            }
            Self::Spread { least, most } => write!(f, "bias between {least:+} and {most:+}"),
            Self::Width { longest } => write!(f, "budgets up to {longest}"),
            Self::Narrow { budget } => write!(f, "a budget of {budget} does not fit"),
            Self::Interrupts(count) => write!(f, "{count} overflows, {count} interrupts"),
            Self::NoInterrupt { overflow } => write!(f, "no interrupt for overflow {overflow}"),
            Self::Uncalled { own: true } => write!(f, "an overflow before its time"),
            Self::Uncalled { own: false } => write!(f, "an interrupt without an overflow"),
            Self::Late => write!(f, "an interrupt in the kernel, without cause"),
            Self::Status { clear: true } => write!(f, "clear after an overflow"),
            Self::Status { clear: false } => write!(f, "still set when cleared"),
            Self::Biases(biases) => write!(f, "{biases}"),
            Self::Skid(skid, margin) => {
                write!(f, "{skid}; margin {}, {} in tight loops", margin.far, margin.near)
            }
            Self::Early { asked, seen } => write!(f, "stopped after {seen} instructions instead of {asked}"),
            Self::Inexact { late } => write!(f, "{late} instructions late"),
            Self::TooLate { late } => write!(f, "{late} instructions late, which is too much"),
            Self::Undisturbed { blocks } => write!(f, "{blocks} blocks interrupted, none counts differently"),
            Self::Disturbed { executed, counted } => {
                write!(f, "{counted} counted for {executed} instructions with an interrupt inside")
            }
            Self::Locks { blocks, watched: false } => write!(f, "{blocks} blocks with LOCK, all exact"),
            Self::Locks { blocks, watched: true } => {
                write!(f, "{blocks} blocks with LOCK, all exact, none on speculation")
            }
            Self::Miscounted { executed, counted } => {
                write!(f, "{counted} counted for {executed} instructions")
            }
            Self::Speculative { locks } => write!(f, "{locks} locked instructions on speculation"),
            Self::Steps { steps, shadow, pause, shown } => {
                let shows = if *shown { "shows" } else { "hides" };
                write!(f, "{steps} steps; MOV SS takes {shadow}, PAUSE {pause}; PUSHF {shows} the trap flag")
            }
            Self::Step { trapped, took } => {
                write!(f, "a step took {took} instructions, {}", trapped.name())
            }
            Self::Untrapped { trapped } => write!(f, "a step did not end, {}", trapped.name()),
            Self::TrapShown => write!(f, "PUSHF shows a trap flag that is not set"),
            Self::OneTrial => write!(f, "one is enough without a hypervisor"),
            Self::Trials(count) => write!(f, "{count} trials under a hypervisor, all alike"),
            Self::Moving { first, then } => write!(f, "first {first}; then {then}"),
            Self::Managed { frozen, seen } => {
                match frozen {
                    Some(true) => write!(f, "the counter stands still in it")?,
                    Some(false) => write!(f, "the counter was told to stand still in it, and does not")?,
                    None => write!(f, "the counter cannot be told to stand still in it")?,
                }
                match seen {
                    Some(count) => write!(f, "; {count} interrupts meanwhile"),
                    None => write!(f, "; its interrupts are not told"),
                }
            }
            Self::NoEnd => write!(f, "user code neither ended nor was stopped"),
        }
    }
}

/// Whether a check was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was.
    Passed,
    /// It was not: the counter is not to be used.
    Refused,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Passed => "passed",
            Self::Refused => "REFUSED",
        })
    }
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
        write!(f, "{verdict:<8} {:<37} {measured}", check.name())
    }
}

/// All results. As text: a row a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    rows: [Option<Row>; Check::COUNT],
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
