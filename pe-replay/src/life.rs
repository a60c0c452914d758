// SPDX-License-Identifier: MIT
//! The life of a PE as a sans-I/O state machine.
//!
//! [`Life::step`] takes what happened and says what to do next; it does nothing
//! itself. [`crate::executor`] carries the actions out.
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
//!
//! Runs are handed out one after the other, as above, or at once: then all begin from the
//! same state, Turn is left out, and only a run that missed run 1's end is turned to and
//! repeated alone.

use pmu::Margin;

use crate::difference::{Difference, Field};
use crate::execution::Run;
use crate::policy::{MAX_DIVERGENCES, Recovery};
use crate::stop::{Delimiter, End};

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

/// Where in its life a PE is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The start state is being saved.
    Preparing,
    /// A run is being executed.
    Running(Run),
    /// All runs are being executed.
    RunningAll,
    /// PM0 and the start state are being put in place for run 2 or 3.
    Turning(Run),
    /// The results are being compared, after the run named.
    Verifying(Run),
    /// PM0 and the start state are being put back.
    RollingBack,
    /// The PE is over.
    Over,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The last action, which cannot fail, is done.
    Done,
    /// A run ended, as [`Life::ends`] says: what is in an event has to be kept in memory.
    Ended,
    /// All runs ended, as [`Life::end_all`] was told.
    AllEnded,
    /// A run, which ended as [`Life::ends`] says, went past the place where it was to stop exactly, because the
    /// counter's interrupt came late.
    Overshot,
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

/// Why a PE is given up: a detected unrecoverable error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It diverged [`MAX_DIVERGENCES`] times in a row.
    Persistent,
    /// Its start state is lost.
    Damaged,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Save the start state; begin with nothing written. Then [`Event::Done`].
    Prepare,
    /// Execute a run to its end; in run 1 treat first writes. Then [`Event::Ended`],
    /// or [`Event::Overshot`] if it was to stop exactly where [`Life::target`] did.
    Execute(Run, Approach),
    /// Execute all runs to their ends, each in its own frames. Then [`Event::AllEnded`].
    ExecuteAll {
        /// The bound of each, in instructions.
        limit: u64,
    },
    /// Put the start state and copies of PM0 in place for this run. Then [`Event::Done`] or
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
    /// Put the start state and PM0 back. Then [`Event::Done`] or [`Event::Damaged`].
    RollBack,
    /// Give up. The PE is over.
    GiveUp(Verdict),
}

/// What the state machine needs to know to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether each PE is executed three times, and not twice.
    pub triple: bool,
    /// What follows a difference.
    pub recovery: Recovery,
    /// The instruction limit.
    pub limit: u64,
    /// The counter's margin: how much earlier than its target it is armed, because
    /// its interrupt may come late.
    pub margin: Margin,
    /// Whether all runs go on at once.
    pub at_once: bool,
}

/// How the runs of an attempt ended. No array: what is indexed by the run has to be kept in
/// memory, and here is where each PE passes.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Run 1.
    pub first: End,
    /// Run 2.
    pub second: End,
    /// Run 3.
    pub third: End,
}

impl Ends {
    /// How a run ended.
    #[inline(always)]
    pub fn of(&self, run: Run) -> End {
        match run {
            Run::First => self.first,
            Run::Second => self.second,
            Run::Third => self.third,
        }
    }
}

/// A PE from Prepare to Commit or Verdict.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// What it is lived by.
    pub rules: Rules,
    /// Where it is.
    pub phase: Phase,
    /// Divergences so far.
    pub failed: u8,
    /// How much earlier than its target the counter is armed in this attempt.
    pub margin: Margin,
    /// The counter overshot in this attempt.
    pub missed: bool,
    /// Runs repeated because the counter overshot.
    pub misses: u16,
    /// How the runs ended.
    pub ends: Ends,
    /// Run 2 went on at once with the first one, and has ended for good.
    pub second_done: bool,
    /// Run 3 went on at once with the first one, and has ended for good.
    pub third_done: bool,
    /// The last difference found.
    pub difference: Option<Difference>,
}

impl Life {
    /// A PE before its first phase, and the first action.
    #[inline(always)]
    pub fn begin(rules: Rules) -> (Self, Action) {
        const NONE: End = End { delimiter: Delimiter::Limit, count: 0 };
        let life = Self {
            rules,
            phase: Phase::Preparing,
            failed: 0,
            margin: rules.margin,
            missed: false,
            misses: 0,
            ends: Ends { first: NONE, second: NONE, third: NONE },
            second_done: false,
            third_done: false,
            difference: None,
        };
        (life, Action::Prepare)
    }

    /// The run whose end, set by the counter, this run is to reach exactly, and that end.
    #[inline(always)]
    pub fn target(&self, run: Run) -> Option<(Run, End)> {
        let Ends { first, second, .. } = self.ends;
        match run {
            Run::Second | Run::Third if first.delimiter == Delimiter::Limit => Some((Run::First, first)),
            // Run 1 may have ended otherwise because of a fault.
            Run::Third if second.delimiter == Delimiter::Limit => Some((Run::Second, second)),
            Run::First | Run::Second | Run::Third => None,
        }
    }

    /// Whether `run` is stepped all the way: the counter has overshot, and the margin
    /// is as long as the way by now.
    #[inline(always)]
    fn is_stepped(&self, run: Run) -> bool {
        // Where nothing is to be reached, the way is none.
        self.missed && self.margin.near >= self.target(run).map_or(0, |(_, goal)| goal.count)
    }

    /// Goes on after `event`.
    ///
    /// # Panics
    /// If `event` is not the answer to the action asked for last.
    #[must_use]
    #[inline(always)]
    pub fn step(&mut self, event: Event) -> Action {
        match (self.phase, event) {
            (Phase::Preparing, Event::Done) if self.rules.at_once => {
                self.phase = Phase::RunningAll;
                Action::ExecuteAll { limit: self.rules.limit }
            }
            (Phase::Preparing, Event::Done) => {
                self.execute(Run::First, Approach::Free { limit: self.rules.limit })
            }
            (Phase::RunningAll, Event::AllEnded) => match self.ends.first.delimiter {
                Delimiter::Watchdog => self.fail(endless(self.ends.first)),
                _ if !self.second_done => self.miss(Run::Second),
                _ => self.go_on(),
            },
            (Phase::Running(Run::First), Event::Ended) => match self.ends.first.delimiter {
                Delimiter::Watchdog => self.fail(endless(self.ends.first)),
                _ => self.turn(Run::Second),
            },
            (Phase::Turning(run), Event::Done) => {
                let approach = self.approach(run);
                self.execute(run, approach)
            }
            (Phase::Running(run), Event::Overshot) if run != Run::First && !self.is_stepped(run) => {
                self.miss(run)
            }
            (Phase::Running(Run::Second), Event::Ended | Event::Overshot) => self.go_on(),
            (Phase::Running(Run::Third), Event::Ended | Event::Overshot) => self.verify(Run::Third),
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
                    (self.second_done, self.third_done) = (false, false);
                    self.phase = Phase::Preparing;
                    Action::Prepare
                } else {
                    self.give_up(Verdict::Persistent)
                }
            }
            (Phase::Turning(_) | Phase::Verifying(_) | Phase::RollingBack, Event::Damaged(difference)) => {
                self.difference = Some(difference);
                self.give_up(Verdict::Damaged)
            }
            (phase, event) => no_answer(phase, event),
        }
    }

    /// Tells how all runs ended that went on at once, and which of runs 2 and 3 missed the end of
    /// run 1, since the counter's interrupt did not come where it did in run 1.
    pub fn end_all(&mut self, ends: Ends, missed: [bool; 2]) {
        self.ends = ends;
        [self.second_done, self.third_done] = missed.map(|missed| !missed);
    }

    /// Goes on after run 2 has ended for good: in triple mode with run 3, unless that has ended for good, too.
    #[inline(always)]
    fn go_on(&mut self) -> Action {
        match (self.rules.triple, self.rules.at_once) {
            (false, _) => self.verify(Run::Second),
            (true, false) => self.turn(Run::Third),
            (true, true) if self.third_done => self.verify(Run::Third),
            (true, true) => self.miss(Run::Third),
        }
    }

    #[inline(always)]
    fn verify(&mut self, run: Run) -> Action {
        self.phase = Phase::Verifying(run);
        Action::Verify(run)
    }

    /// Repeats a run, with the counter armed earlier.
    #[inline(always)]
    fn miss(&mut self, run: Run) -> Action {
        self.misses = self.misses.saturating_add(1);
        self.missed = true;
        self.margin = self.margin.doubled();
        self.turn(run)
    }

    #[inline(always)]
    fn execute(&mut self, run: Run, approach: Approach) -> Action {
        self.phase = Phase::Running(run);
        Action::Execute(run, approach)
    }

    #[inline(always)]
    fn approach(&self, run: Run) -> Approach {
        match self.target(run) {
            Some((_, goal)) => {
                Approach::Exact { count: goal.count, margin: self.margin, stepped: self.is_stepped(run) }
            }
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
    fn give_up(&mut self, verdict: Verdict) -> Action {
        self.phase = Phase::Over;
        Action::GiveUp(verdict)
    }
}

/// Apart, so that nobody needs a life in memory to print it.
#[cold]
#[inline(never)]
fn no_answer(phase: Phase, event: Event) -> ! {
    panic!("{event:?} is no answer in {phase:?}")
}

/// The difference to report for a run 1 that only the watchdog could end.
pub(crate) fn endless(end: End) -> Difference {
    Difference { field: Field::Delimiter, first: end.count, second: 0, address: 0 }
}

#[cfg(test)]
mod tests;
