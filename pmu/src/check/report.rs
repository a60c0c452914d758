// SPDX-License-Identifier: MIT
//! The checks by name, and a row for each.

use core::fmt;

use crate::counter::{Biases, Unkept};
use crate::skid::{Margin, Skid};

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
}

impl Check {
    /// How many there are.
    pub const COUNT: usize = 9;
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
