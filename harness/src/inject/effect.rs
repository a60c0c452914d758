// SPDX-License-Identifier: MIT
//! What a flip did: without replay anything may happen, with it nothing may show.

use anyhow::{Result, bail, ensure};
use flips::{Injection, Target};
use pe_replay::user::INTERRUPT_FLAG;
use pe_replay::{Comparison, Mode, Recovery};
use wire::end::End;

use super::draw::Class;
use super::lab::{Outcome, Trial};
use super::subject::Shown;
use crate::outcome::batch::Ended;

/// The signal that ends a program which goes on for too long.
const SIGXCPU: u8 = 24;

/// What a flip does to a program without replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The flip does nothing that shows.
    None,
    /// The program's output is not what it should be.
    WrongOutput,
    /// The program's exit status is not what it should be.
    WrongStatus,
    /// The program was ended: by a signal, or by a verdict because a PE had no end.
    Ended,
    /// The program goes on for ever, or waits for ever.
    Hung,
}

impl Effect {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::WrongOutput => "wrong output",
            Self::WrongStatus => "wrong status",
            Self::Ended => "ended",
            Self::Hung => "hung",
        }
    }
}

/// What a flip does in `off`; fails if the kernel does not go on.
pub fn effect(trial: &Trial, outcome: &Outcome) -> Result<Effect> {
    let ended = survived(outcome)?;
    Ok(match ended.end() {
        End::Exited { .. } => {
            let (shown, due) = (Shown::of(ended), trial.subject.shown());
            if shown.status != due.status {
                Effect::WrongStatus
            } else if shown != *due {
                Effect::WrongOutput
            } else {
                Effect::None
            }
        }
        End::Killed(death) if death.signal == SIGXCPU => Effect::Hung,
        End::Killed(_) | End::Persistent(_) | End::Damaged(_) => Effect::Ended,
        End::Deadlock | End::OutputFull { .. } => Effect::Hung,
        other => bail!("{other:?}"),
    })
}

/// What replay did about a flip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reaction {
    /// Whether there was something to be hit.
    pub hit: bool,
    /// PEs that were started again.
    pub restarts: u64,
    /// PEs in which one run of three was outvoted.
    pub outvoted: u64,
    /// The program was ended by a verdict.
    pub verdict: bool,
}

impl Reaction {
    /// Whether a restart alone followed, after which all went on as if nothing had happened.
    pub fn is_restarted(&self) -> bool {
        self.restarts > 0 && !self.verdict
    }

    /// Whether a vote alone followed, after which all went on as if nothing had happened.
    pub fn is_outvoted(&self) -> bool {
        self.outvoted > 0 && self.restarts == 0 && !self.verdict
    }

    /// Whether a difference was seen.
    pub fn is_detection(&self) -> bool {
        self.restarts + self.outvoted > 0 || self.verdict
    }
}

/// What replay did, if that was right; the reason if not. `effective` says that the flip
/// shows without replay: then the difference must have been seen.
pub fn reaction(trial: &Trial, class: Class, outcome: &Outcome, effective: bool) -> Result<Reaction> {
    let reaction = harmless(trial, class, outcome)?;
    ensure!(!effective || !reaction.hit || reaction.is_detection(), "no difference was seen");
    Ok(reaction)
}

fn harmless(trial: &Trial, class: Class, outcome: &Outcome) -> Result<Reaction> {
    let ended = survived(outcome)?;
    let (shown, due, totals) = (Shown::of(ended), trial.subject.shown(), &ended.record.totals);
    let hit = totals.flips > 0;
    match ended.end() {
        End::Exited { .. } => {}
        End::Damaged(damage) => {
            ensure!(class.may_lose_the_start(trial.policy.comparison), "a false verdict: {damage:?}");
            ensure!(hit, "a verdict without a flip: {damage:?}");
            ensure!(shown.begins(due), "wrong output before the verdict: {}", shown.stdout.escape_ascii());
            return Ok(Reaction { hit, restarts: totals.restarts, outvoted: totals.outvoted, verdict: true });
        }
        other => bail!("{other:?}"),
    }
    ensure!(shown.status == due.status, "status {}", shown.status);
    ensure!(shown == *due, "wrong output: {}", shown.stdout.escape_ascii());
    let (pes, instructions) = trial.subject.counts();
    // Where run 1 is outvoted, the PE may end elsewhere than at the place that it set: at a write to
    // a page that run 1 did not come to, or behind the limit where run 1 was not stopped. Threads
    // take other turns then, and those that spin or meet do so for longer or shorter.
    let other_turns = totals.outvoted > 0 && trial.subject.has_threads();
    ensure!(
        totals.user_instructions == instructions || other_turns,
        "{} instructions",
        totals.user_instructions
    );
    ensure!(totals.committed == pes || totals.outvoted > 0, "{} PEs instead of {pes}", totals.committed);
    ensure!(totals.flips <= trial.flips.len() as u64, "{} flips", totals.flips);
    ensure!(totals.divergences <= totals.flips, "{} divergences", totals.divergences);
    ensure!(
        totals.restarts + totals.outvoted == totals.divergences,
        "{} restarts and {} votes for {} divergences",
        totals.restarts,
        totals.outvoted,
        totals.divergences
    );
    let votes = trial.policy.mode == Mode::Triple || trial.policy.recovery == Recovery::Vote;
    ensure!(votes || totals.outvoted == 0, "{} votes without a third run", totals.outvoted);
    ensure!(
        !votes || totals.restarts == 0 || may_be_undecided(trial, class),
        "{} restarts although two runs of three were right",
        totals.restarts
    );
    Ok(Reaction { hit, restarts: totals.restarts, outvoted: totals.outvoted, verdict: false })
}

/// Whether a flip may leave a vote undecided: with a second one; where interrupts were
/// off and a run had no end; or where the result that two agree on is not in memory any more.
fn may_be_undecided(trial: &Trial, class: Class) -> bool {
    let endless = |flip: &Injection| flip.target == Target::Rflags && 1 << flip.bit == INTERRUPT_FLAG;
    class == Class::Vote || trial.policy.comparison == Comparison::Hash || trial.flips.iter().any(endless)
}

fn survived(outcome: &Outcome) -> Result<&Ended> {
    match outcome {
        Ok(ended) => Ok(ended),
        Err(reason) => bail!("{reason}"),
    }
}
