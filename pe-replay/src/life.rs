// SPDX-License-Identifier: MIT
//! The life of a PE as a sans-I/O state machine.
//!
//! [`Phase::step`] takes what happened and says what to do next; it does nothing
//! itself. [`crate::drive`] carries the actions out.
//!
//! ```text
//! Prepare ─> First ─> Turn ─> Second ─> Verify ─> Commit
//!    ^        │  ^      ^       │          │
//!    │        └──┘      └───────┘          │
//!    │    treatment   counter miss         │
//!    └──────────── RollBack <──────────────┴──> (third time) Verdict
//! ```

use serde::{Deserialize, Serialize};

use crate::compare::{Difference, Field};
use crate::policy::{MAX_DIVERGENCES, Mode};
use crate::stop::Delimiter;

/// Which execution of a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Run {
    /// The first, which defines the PE.
    First,
    /// The second, which must agree with it.
    Second,
}

impl Run {
    /// 1 or 2, as people count.
    pub fn number(self) -> u8 {
        match self {
            Self::First => 1,
            Self::Second => 2,
        }
    }
}

/// How a run is to be brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approach {
    /// Run until something happens, at most so many instructions.
    Free {
        /// The bound.
        limit: u64,
    },
    /// Stop at exactly `count` instructions: arm the counter `margin` earlier
    /// and single-step the rest.
    Exact {
        /// Where to stop.
        count: u64,
        /// How much earlier to arm.
        margin: u64,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// What ended it.
    pub delimiter: Delimiter,
    /// Its instructions.
    pub count: u64,
    /// For run 2: whether it went past run 1's end, which the counter had set,
    /// because the counter's interrupt came late.
    pub overshot: bool,
}

/// Where in its life a PE is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The start state is being saved.
    Preparing {
        /// Divergences so far.
        failed: u8,
    },
    /// Run 1 is being executed.
    First {
        /// Divergences so far.
        failed: u8,
    },
    /// PM0 and UPRR0 are being put in place for run 2.
    Turning {
        /// Divergences so far.
        failed: u8,
        /// How run 1 ended.
        first: RunEnd,
        /// How much earlier than run 1's end the counter is armed.
        margin: u64,
    },
    /// Run 2 is being executed.
    Second {
        /// Divergences so far.
        failed: u8,
        /// How run 1 ended.
        first: RunEnd,
        /// How much earlier than run 1's end the counter is armed.
        margin: u64,
    },
    /// The results are being compared.
    Verifying {
        /// Divergences so far.
        failed: u8,
    },
    /// PM0 and UPRR0 are being put back.
    RollingBack {
        /// Divergences so far, the last one included.
        failed: u8,
        /// The last one.
        difference: Difference,
    },
    /// The PE is over.
    Over,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The last action, which cannot fail, is done.
    Done,
    /// A run ended.
    Ended(RunEnd),
    /// The results were compared.
    Verified(Option<Difference>),
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Save UPRR0; start with an empty written set. Then [`Event::Done`].
    Prepare,
    /// Execute a run to its end; in run 1 treat first writes. Then [`Event::Ended`].
    Execute(Run, Approach),
    /// Put UPRR0 and copies of PM0 in place for run 2. Then [`Event::Done`].
    Turn,
    /// Compare. Then [`Event::Verified`].
    Verify,
    /// Make run 1's result the state. The PE is over.
    Commit,
    /// Put UPRR0 and PM0 back. Then [`Event::Done`].
    RollBack,
    /// Give up: the PE diverges persistently. Its start state is in place. The PE is over.
    Verdict(Difference),
}

/// What the state machine needs to know to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How often each PE is executed.
    pub mode: Mode,
    /// The instruction limit.
    pub limit: u64,
    /// The counter's margin: how much earlier than its target it is armed, because
    /// its interrupt may come late.
    pub margin: u64,
}

impl Phase {
    /// The first phase and the first action.
    #[inline]
    pub fn begin() -> (Self, Action) {
        (Self::Preparing { failed: 0 }, Action::Prepare)
    }

    /// Goes on after `event`.
    ///
    /// # Panics
    /// If `event` is not the answer to the action asked for last.
    #[must_use]
    #[inline]
    pub fn step(self, event: Event, rules: &Rules) -> (Self, Action) {
        match (self, event) {
            (Self::Preparing { failed }, Event::Done) => {
                (Self::First { failed }, Action::Execute(Run::First, Approach::Free { limit: rules.limit }))
            }
            (Self::First { failed }, Event::Ended(end)) => match (end.delimiter, rules.mode) {
                (Delimiter::Watchdog, Mode::Dual | Mode::Triple) => {
                    roll_back(failed, endless(Run::First, end))
                }
                // Without checkpoints there is nothing to start again from.
                (Delimiter::Watchdog, Mode::Off) => roll_back(MAX_DIVERGENCES - 1, endless(Run::First, end)),
                (_, Mode::Off) => (Self::Over, Action::Commit),
                (_, Mode::Dual | Mode::Triple) => {
                    (Self::Turning { failed, first: end, margin: rules.margin }, Action::Turn)
                }
            },
            (Self::Turning { failed, first, margin }, Event::Done) => {
                let approach = match first.delimiter {
                    Delimiter::Limit => Approach::Exact { count: first.count, margin },
                    Delimiter::Syscall
                    | Delimiter::PageFault { .. }
                    | Delimiter::Exception { .. }
                    | Delimiter::DirtyLimit { .. }
                    | Delimiter::Watchdog => Approach::Free { limit: rules.limit.max(first.count + 1) },
                };
                (Self::Second { failed, first, margin }, Action::Execute(Run::Second, approach))
            }
            (Self::Second { failed, first, margin }, Event::Ended(end)) => {
                if end.delimiter == Delimiter::Watchdog {
                    roll_back(failed, endless(Run::Second, end))
                } else if end.overshot && margin < first.count {
                    // The interrupt came later than the margin allows for.
                    let margin = (margin.max(1) * 2).min(first.count);
                    (Self::Turning { failed, first, margin }, Action::Turn)
                } else {
                    (Self::Verifying { failed }, Action::Verify)
                }
            }
            (Self::Verifying { failed: _ }, Event::Verified(None)) => (Self::Over, Action::Commit),
            (Self::Verifying { failed }, Event::Verified(Some(difference))) => roll_back(failed, difference),
            (Self::RollingBack { failed, difference }, Event::Done) => {
                if failed < MAX_DIVERGENCES {
                    (Self::Preparing { failed }, Action::Prepare)
                } else {
                    (Self::Over, Action::Verdict(difference))
                }
            }
            (
                phase @ (Self::Preparing { .. }
                | Self::First { .. }
                | Self::Turning { .. }
                | Self::Second { .. }
                | Self::Verifying { .. }
                | Self::RollingBack { .. }
                | Self::Over),
                event,
            ) => panic!("{event:?} is no answer in {phase:?}"),
        }
    }
}

fn roll_back(failed: u8, difference: Difference) -> (Phase, Action) {
    (Phase::RollingBack { failed: failed + 1, difference }, Action::RollBack)
}

/// The difference to report for a run that only the watchdog could end.
fn endless(run: Run, end: RunEnd) -> Difference {
    let (first, second) = match run {
        Run::First => (end.count, 0),
        Run::Second => (0, end.count),
    };
    Difference { field: Field::Delimiter, first, second, address: 0 }
}

#[cfg(test)]
mod tests;
