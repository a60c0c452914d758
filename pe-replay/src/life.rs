// SPDX-License-Identifier: MIT
//! The life of a PE as a sans-I/O state machine.
//!
//! [`Life::step`] takes what happened and says what to do next; it does nothing
//! itself. [`crate::drive`] carries the actions out.
//!
//! ```text
//! Prepare ─> Run 1 ─> Turn ─> Run 2 ─> Verify ─> Commit
//!    ^         │       ^        │        │  ^
//!    │         │       └────────┘        │  └──── Run 3 <─ Turn
//!    │         │      counter miss       │                  ^
//!    │         │                         ├──────────────────┘ vote
//!    └──────── RollBack <────────────────┴──> (third time) Verdict
//! ```
//! In triple mode run 3 follows run 2 in any case, and one verification all three.

use pmu::Margin;
use serde::{Deserialize, Serialize};

use crate::compare::{Difference, Field};
use crate::policy::{MAX_DIVERGENCES, Mode, Policy, Recovery};
use crate::stop::Delimiter;

/// Which execution of a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Run {
    /// The first, which defines the PE.
    First,
    /// The second, which must agree with it.
    Second,
    /// The third, of a vote or in triple mode.
    Third,
}

impl Run {
    /// All runs, in their order.
    pub const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];

    /// 1, 2 or 3, as people count.
    pub fn number(self) -> u8 {
        self as u8 + 1
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
    /// Stop exactly where [`Life::target`] did, `count` instructions away: arm the
    /// counter earlier and do the rest with debug exceptions.
    Exact {
        /// Where to stop.
        count: u64,
        /// How much earlier to arm; with a margin of 0 there is no rest.
        margin: Margin,
        /// Trust no interrupt any more: step the whole way.
        stepped: bool,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// What ended it.
    pub delimiter: Delimiter,
    /// Its instructions.
    pub count: u64,
}

impl RunEnd {
    const NONE: Self = Self { delimiter: Delimiter::Limit, count: 0 };
}

/// Where in its life a PE is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The start state is being saved.
    Preparing,
    /// A run is being executed.
    Running(Run),
    /// PM0 and UPRR0 are being put in place for run 2 or 3.
    Turning(Run),
    /// The results are being compared, after the run named.
    Verifying(Run),
    /// PM0 and UPRR0 are being put back.
    RollingBack,
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
    /// A run went past the place where it was to stop exactly, because the counter's
    /// interrupt came late.
    Overshot(RunEnd),
    /// All results agree.
    Agreed,
    /// Two of three agree, and this run's result is another one.
    Outvoted(Run, Difference),
    /// No two results agree.
    Differed(Difference),
    /// One of the engine's copies of the start state is damaged, and nothing tells
    /// which one.
    Damaged(Difference),
}

/// Why a PE is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// It diverged [`MAX_DIVERGENCES`] times in a row.
    Persistent,
    /// Its start state is lost.
    Damaged,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Save UPRR0; start with an empty written set. Then [`Event::Done`].
    Prepare,
    /// Execute a run to its end; in run 1 treat first writes. Then [`Event::Ended`],
    /// or [`Event::Overshot`] if it was to stop exactly where [`Life::target`] did.
    Execute(Run, Approach),
    /// Put UPRR0 and copies of PM0 in place for this run. Then [`Event::Done`] or
    /// [`Event::Damaged`].
    Turn(Run),
    /// Compare the results up to this run's. Then [`Event::Agreed`],
    /// [`Event::Outvoted`], [`Event::Differed`] or [`Event::Damaged`].
    Verify(Run),
    /// Make the result that was agreed on the state. The PE is over.
    Commit {
        /// The run whose result it is not.
        outvoted: Option<Run>,
    },
    /// Put UPRR0 and PM0 back. Then [`Event::Done`] or [`Event::Damaged`].
    RollBack,
    /// Give up. The PE is over.
    Verdict(Ground),
}

/// What the state machine needs to know to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How often each PE is executed.
    pub mode: Mode,
    /// What follows a difference.
    pub recovery: Recovery,
    /// The instruction limit.
    pub limit: u64,
    /// The counter's margin: how much earlier than its target it is armed, because
    /// its interrupt may come late.
    pub margin: Margin,
}

impl Rules {
    /// What `policy` asks for, with a counter that needs `margin`.
    pub fn new(policy: &Policy, margin: Margin) -> Self {
        Self { mode: policy.mode, recovery: policy.recovery, limit: policy.limit, margin }
    }
}

/// How the runs of an attempt ended. No array: what is indexed by the run has to be kept in
/// memory, and here is where each PE passes.
#[derive(Clone, Copy, Debug)]
struct Ends {
    first: RunEnd,
    second: RunEnd,
    third: RunEnd,
}

/// A PE from Prepare to Commit or Verdict.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    rules: Rules,
    phase: Phase,
    /// Divergences so far.
    failed: u8,
    /// How much earlier than its target the counter is armed in this attempt.
    margin: Margin,
    /// The counter overshot in this attempt.
    missed: bool,
    /// Runs repeated because the counter overshot.
    misses: u16,
    ends: Ends,
    difference: Option<Difference>,
}

impl Life {
    /// A PE before its first phase, and the first action.
    #[inline]
    pub fn begin(rules: Rules) -> (Self, Action) {
        let life = Self {
            rules,
            phase: Phase::Preparing,
            failed: 0,
            margin: rules.margin,
            missed: false,
            misses: 0,
            ends: Ends { first: RunEnd::NONE, second: RunEnd::NONE, third: RunEnd::NONE },
            difference: None,
        };
        (life, Action::Prepare)
    }

    /// Where the PE is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How a run of this attempt ended.
    #[inline(always)]
    pub fn end(&self, run: Run) -> RunEnd {
        match run {
            Run::First => self.ends.first,
            Run::Second => self.ends.second,
            Run::Third => self.ends.third,
        }
    }

    /// The run whose end, set by the counter, this run is to reach exactly.
    #[inline(always)]
    pub fn target(&self, run: Run) -> Option<Run> {
        let at_limit = |run: Run| matches!(self.end(run).delimiter, Delimiter::Limit).then_some(run);
        match run {
            Run::First => None,
            Run::Second => at_limit(Run::First),
            // Run 1 may have ended otherwise because of a fault.
            Run::Third => at_limit(Run::First).or_else(|| at_limit(Run::Second)),
        }
    }

    /// Where `run` is to stop exactly, in instructions; 0 if nowhere.
    #[inline(always)]
    fn goal(&self, run: Run) -> u64 {
        self.target(run).map_or(0, |target| self.end(target).count)
    }

    /// Whether `run` is stepped all the way: the counter has overshot, and the margin
    /// is as long as the way by now.
    #[inline(always)]
    fn is_stepped(&self, run: Run) -> bool {
        self.missed && self.margin.near >= self.goal(run)
    }

    /// Runs repeated because the counter overshot, in all attempts.
    pub fn misses(&self) -> u16 {
        self.misses
    }

    /// The last difference found.
    pub fn difference(&self) -> Option<Difference> {
        self.difference
    }

    /// Goes on after `event`.
    ///
    /// # Panics
    /// If `event` is not the answer to the action asked for last.
    #[must_use]
    #[inline(always)]
    pub fn step(&mut self, event: Event) -> Action {
        match (self.phase, event) {
            (Phase::Preparing, Event::Done) => {
                self.execute(Run::First, Approach::Free { limit: self.rules.limit })
            }
            (Phase::Running(Run::First), Event::Ended(end)) => {
                self.ends.first = end;
                match (end.delimiter, self.rules.mode) {
                    (Delimiter::Watchdog, Mode::Dual | Mode::Triple) => self.fail(endless(end)),
                    // Without checkpoints there is nothing to start again from.
                    (Delimiter::Watchdog, Mode::Off) => {
                        self.failed = MAX_DIVERGENCES - 1;
                        self.fail(endless(end))
                    }
                    (_, Mode::Off) => self.commit(None),
                    (_, Mode::Dual | Mode::Triple) => self.turn(Run::Second),
                }
            }
            (Phase::Turning(run), Event::Done) => {
                let approach = self.approach(run);
                self.execute(run, approach)
            }
            (Phase::Running(run), Event::Overshot(_)) if run != Run::First && !self.is_stepped(run) => {
                self.misses = self.misses.saturating_add(1);
                self.missed = true;
                self.margin = self.margin.doubled();
                self.turn(run)
            }
            (Phase::Running(Run::Second), Event::Ended(end) | Event::Overshot(end)) => {
                self.ends.second = end;
                match self.rules.mode {
                    Mode::Triple => self.turn(Run::Third),
                    Mode::Off | Mode::Dual => self.verify(Run::Second),
                }
            }
            (Phase::Running(Run::Third), Event::Ended(end) | Event::Overshot(end)) => {
                self.ends.third = end;
                self.verify(Run::Third)
            }
            (Phase::Verifying(_), Event::Agreed) => self.commit(None),
            (Phase::Verifying(Run::Third), Event::Outvoted(run, difference)) => {
                self.difference = Some(difference);
                self.commit(Some(run))
            }
            (Phase::Verifying(run), Event::Differed(difference)) => {
                if run == Run::Second && self.rules.recovery == Recovery::Vote {
                    self.difference = Some(difference);
                    self.turn(Run::Third)
                } else {
                    self.fail(difference)
                }
            }
            (Phase::RollingBack, Event::Done) => {
                if self.failed < MAX_DIVERGENCES {
                    self.margin = self.rules.margin;
                    self.missed = false;
                    self.phase = Phase::Preparing;
                    Action::Prepare
                } else {
                    self.give_up(Ground::Persistent)
                }
            }
            (Phase::Turning(_) | Phase::Verifying(_) | Phase::RollingBack, Event::Damaged(difference)) => {
                self.difference = Some(difference);
                self.give_up(Ground::Damaged)
            }
            (phase, event) => panic!("{event:?} is no answer in {phase:?}"),
        }
    }

    #[inline(always)]
    fn execute(&mut self, run: Run, approach: Approach) -> Action {
        self.phase = Phase::Running(run);
        Action::Execute(run, approach)
    }

    #[inline(always)]
    fn approach(&self, run: Run) -> Approach {
        match self.target(run) {
            Some(target) => Approach::Exact {
                count: self.end(target).count,
                margin: self.margin,
                stepped: self.is_stepped(run),
            },
            None => {
                let furthest = match run {
                    Run::First => 0,
                    Run::Second => self.ends.first.count + 1,
                    Run::Third => self.ends.first.count.max(self.ends.second.count) + 1,
                };
                Approach::Free { limit: self.rules.limit.max(furthest) }
            }
        }
    }

    #[inline(always)]
    fn turn(&mut self, run: Run) -> Action {
        self.phase = Phase::Turning(run);
        Action::Turn(run)
    }

    #[inline(always)]
    fn verify(&mut self, run: Run) -> Action {
        self.phase = Phase::Verifying(run);
        Action::Verify(run)
    }

    #[inline(always)]
    fn commit(&mut self, outvoted: Option<Run>) -> Action {
        self.phase = Phase::Over;
        Action::Commit { outvoted }
    }

    #[inline(always)]
    fn fail(&mut self, difference: Difference) -> Action {
        self.failed += 1;
        self.difference = Some(difference);
        self.phase = Phase::RollingBack;
        Action::RollBack
    }

    #[inline(always)]
    fn give_up(&mut self, ground: Ground) -> Action {
        self.phase = Phase::Over;
        Action::Verdict(ground)
    }
}

/// The difference to report for a run 1 that only the watchdog could end.
fn endless(end: RunEnd) -> Difference {
    Difference { field: Field::Delimiter, first: end.count, second: 0, address: 0 }
}

#[cfg(test)]
mod tests;
