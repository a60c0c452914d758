// SPDX-License-Identifier: MIT
//! The life cycle of a PE as a sans-I/O state machine.
//!
//! [`Lifecycle::step`] takes what happened and says what to do next; it does nothing
//! itself. [`crate::replay`] does it.
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
pub struct Approach {
    /// After so many instructions it ends, unless something else ends it before.
    pub limit: u64,
    /// How to stop exactly there, if another run was stopped there by its limit.
    pub exact: Option<Exact>,
}

/// A stop exactly where another run was stopped: the counter is armed earlier, and the rest is done with debug
/// exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact {
    /// The run that was stopped there.
    pub target: Run,
    /// How much earlier to arm; with a margin of 0 there is no rest.
    pub margin: Margin,
    /// Trust no interrupt any more: step the whole way.
    pub stepped: bool,
}

/// Where in its life a PE is, and thereby what is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The start state is saved, and nothing is written yet. Then [`Event::Done`].
    Preparing,
    /// A run is executed to its end, as [`Lifecycle::approach`] says, and its end noted; in run 1 first
    /// writes are treated. Then [`Event::Ended`], or [`Event::Overshot`] if it was to stop exactly.
    Running(Run),
    /// All runs are executed to their ends, each in its own frames, and what came of them noted. Then
    /// [`Event::Ended`].
    RunningAll,
    /// The start state and copies of PM0 are put in place for this run. Then [`Event::Done`] or
    /// [`Event::Damaged`].
    Turning(Run),
    /// The results up to this run's are compared. Then [`Event::Agreed`],
    /// [`Event::Outvoted`], [`Event::Differed`] or [`Event::Damaged`].
    Verifying(Run),
    /// The start state and PM0 are put back. Then [`Event::Done`] or [`Event::Damaged`].
    RollingBack,
    /// The result that was agreed on, which this run's is not, becomes the state. The PE is over.
    Committing(Option<Run>),
    /// The PE is given up, and over.
    GivingUp(Verdict),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// What cannot fail is done.
    Done,
    /// The run, or all of them, ended, as [`Lifecycle::ends`] says: what is in an event would have to be kept in memory.
    Ended,
    /// A run, which ended as [`Lifecycle::ends`] says, went past the place where it was to stop exactly, because the
    /// counter's interrupt came late.
    Overshot,
    /// All results agree.
    Agreed,
    /// Two of three agree, and this run's result is another one, as [`Lifecycle::difference`] says.
    Outvoted(Run),
    /// No two results agree, as [`Lifecycle::difference`] says.
    Differed,
    /// One of the engine's copies of the start state is damaged, and nothing tells
    /// which one; where they differ [`Lifecycle::difference`] says.
    Damaged,
}

/// Why a PE is given up: a detected unrecoverable error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It diverged [`MAX_DIVERGENCES`] times in a row.
    Persistent,
    /// Its start state is lost.
    Damaged,
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

/// How the runs of an attempt ended.
pub type Ends = [End; Run::ALL.len()];

/// A PE from Prepare to Commit or Verdict.
#[derive(Clone, Copy, Debug)]
pub struct Lifecycle {
    /// What decides its way.
    pub rules: Rules,
    /// Where it is.
    pub phase: Phase,
    /// Divergences so far.
    pub failed: u8,
    /// How much earlier than its target the counter is armed in this attempt.
    pub margin: Margin,
    /// Runs repeated because the counter overshot.
    pub misses: u16,
    /// How the runs ended.
    pub ends: Ends,
    /// Runs that went on at once with the first one, and have ended for good: where it did, if the limit stopped that.
    pub arrived: [bool; Run::ALL.len()],
    /// The last difference found, to be noted before its event is told.
    pub difference: Option<Difference>,
}

impl Lifecycle {
    /// A PE in its first phase.
    #[inline(always)]
    pub fn begin(rules: Rules) -> Self {
        Self {
            rules,
            phase: Phase::Preparing,
            failed: 0,
            margin: rules.margin,
            misses: 0,
            ends: [End { delimiter: Delimiter::Limit, count: 0 }; Run::ALL.len()],
            arrived: [false; Run::ALL.len()],
            difference: None,
        }
    }

    /// The run whose end, set by the counter, this run is to reach exactly, and that end.
    #[inline(always)]
    pub fn target(&self, run: Run) -> Option<(Run, End)> {
        let [first, second, _] = self.ends;
        match run {
            Run::Second | Run::Third if first.delimiter == Delimiter::Limit => Some((Run::First, first)),
            // Run 1 may have ended otherwise because of a fault.
            Run::Third if second.delimiter == Delimiter::Limit => Some((Run::Second, second)),
            Run::First | Run::Second | Run::Third => None,
        }
    }

    /// How the run that is next is to be brought to its end.
    #[inline(always)]
    pub fn approach(&self, run: Run) -> Approach {
        let Some((target, End { count, .. })) = self.target(run) else {
            let furthest = match run {
                Run::First => 0,
                Run::Second => self.ends[0].count + 1,
                Run::Third => self.ends[0].count.max(self.ends[1].count) + 1,
            };
            return Approach { limit: self.rules.limit.max(furthest), exact: None };
        };
        let exact = Exact { target, margin: self.margin, stepped: self.is_stepped(count) };
        Approach { limit: count, exact: Some(exact) }
    }

    /// Whether a way of `count` instructions is stepped: the counter has overshot, and the margin
    /// is as long as the way by now.
    #[inline(always)]
    fn is_stepped(&self, count: u64) -> bool {
        self.margin != self.rules.margin && self.margin.near >= count
    }

    /// Goes on after `event`; returns the phase that begins.
    ///
    /// # Panics
    /// If `event` does not end the phase.
    #[inline(always)]
    pub fn step(&mut self, event: Event) -> Phase {
        let first = self.ends[0];
        self.phase = match (self.phase, event) {
            (Phase::Preparing, Event::Done) if self.rules.at_once => Phase::RunningAll,
            (Phase::Preparing, Event::Done) => Phase::Running(Run::First),
            (Phase::RunningAll | Phase::Running(Run::First), Event::Ended)
                if first.delimiter == Delimiter::Watchdog =>
            {
                self.difference = Some(endless(first));
                self.fail()
            }
            (Phase::RunningAll, Event::Ended) if !self.arrived[1] => self.miss(Run::Second),
            (Phase::Running(Run::First), Event::Ended) => Phase::Turning(Run::Second),
            (Phase::Turning(run), Event::Done) => Phase::Running(run),
            (Phase::Running(run @ (Run::Second | Run::Third)), Event::Overshot)
                if !self.is_stepped(self.target(run).map_or(0, |(_, goal)| goal.count)) =>
            {
                self.miss(run)
            }
            (Phase::Running(Run::Second), Event::Ended | Event::Overshot)
            | (Phase::RunningAll, Event::Ended) => match (self.rules.triple, self.rules.at_once) {
                (false, _) => Phase::Verifying(Run::Second),
                (true, false) => Phase::Turning(Run::Third),
                (true, true) if self.arrived[2] => Phase::Verifying(Run::Third),
                (true, true) => self.miss(Run::Third),
            },
            (Phase::Running(Run::Third), Event::Ended | Event::Overshot) => Phase::Verifying(Run::Third),
            (Phase::Verifying(_), Event::Agreed) => Phase::Committing(None),
            (Phase::Verifying(Run::Third), Event::Outvoted(run)) => Phase::Committing(Some(run)),
            (Phase::Verifying(Run::Second), Event::Differed) if self.rules.recovery == Recovery::Vote => {
                Phase::Turning(Run::Third)
            }
            (Phase::Verifying(_), Event::Differed) => self.fail(),
            (Phase::RollingBack, Event::Done) if self.failed >= MAX_DIVERGENCES => {
                Phase::GivingUp(Verdict::Persistent)
            }
            (Phase::RollingBack, Event::Done) => {
                self.margin = self.rules.margin;
                self.arrived = [false; Run::ALL.len()];
                Phase::Preparing
            }
            (Phase::Turning(_) | Phase::Verifying(_) | Phase::RollingBack, Event::Damaged) => {
                Phase::GivingUp(Verdict::Damaged)
            }
            (phase, event) => no_answer(phase, event),
        };
        self.phase
    }

    /// Repeats a run, with the counter armed earlier.
    #[inline(always)]
    fn miss(&mut self, run: Run) -> Phase {
        self.misses = self.misses.saturating_add(1);
        self.margin = self.margin.doubled();
        Phase::Turning(run)
    }

    #[inline(always)]
    fn fail(&mut self) -> Phase {
        self.failed += 1;
        Phase::RollingBack
    }

    /// Notes the difference that goes with an event: whoever found it has no life cycle at hand, so that it need not be
    /// in memory.
    #[inline(always)]
    pub(crate) fn noted(&mut self, (event, difference): (Event, Option<Difference>)) -> Event {
        self.difference = difference.or(self.difference);
        event
    }
}

/// Apart, so that nobody needs a life cycle in memory to print it.
#[cold]
fn no_answer(phase: Phase, event: Event) -> ! {
    panic!("{event:?} does not end {phase:?}")
}

/// The difference to report for a run 1 that only the watchdog could end.
pub(crate) fn endless(end: End) -> Difference {
    Difference { field: Field::Delimiter, first: end.count, second: 0, address: 0 }
}

#[cfg(test)]
mod tests;
