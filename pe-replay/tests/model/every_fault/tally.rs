// SPDX-License-Identifier: MIT
//! What a campaign hit and what came of it, counted and required.

use std::collections::BTreeMap;
use std::fmt;

use flips::{Copy, Injection, Saved, Target};
use pe_replay::Run;
use pe_replay::lifecycle::{Phase, Verdict};

use super::scene::Scene;
use crate::machine::Step;
use crate::session::Session;

/// What came of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// All runs agreed: it changed nothing that was committed.
    Unseen,
    /// The PE was started again.
    Restarted,
    /// The run that it hit was outvoted.
    Outvoted,
    /// A verdict: the state before the PE is lost.
    Damaged,
}

/// How often each kind of target has to be hit in each run, and each step taken.
const LEAST: u64 = 100;

const FIRST: Phase = Phase::Running(Run::First);
const SECOND: Phase = Phase::Running(Run::Second);
const THIRD: Phase = Phase::Running(Run::Third);
const VERIFY_2: Phase = Phase::Verifying(Run::Second);
const VERIFY_3: Phase = Phase::Verifying(Run::Third);
const TURN_2: Phase = Phase::Turning(Run::Second);
const TURN_3: Phase = Phase::Turning(Run::Third);
const COMMIT: Phase = Phase::Committing(None);
const PERSISTENT: Phase = Phase::GivingUp(Verdict::Persistent);
const DAMAGED: Phase = Phase::GivingUp(Verdict::Damaged);

/// All steps that a PE can take, but for those that no machine here brings
/// about; `lifecycle`'s own tests take these too:
/// - an overshot run goes on to the next phase only if all of it was single steps,
///   and a step is one instruction;
/// - the turn to run 3 finds no damage: what its copies are made of is judged with
///   its result.
const STEPS: [Step; 31] = [
    (SECOND, "ended", VERIFY_3),
    (Phase::Preparing, "done", Phase::RunningAll),
    (Phase::RunningAll, "ended", TURN_2),
    (Phase::RunningAll, "ended", TURN_3),
    (Phase::RunningAll, "ended", VERIFY_2),
    (Phase::RunningAll, "ended", VERIFY_3),
    (Phase::RunningAll, "ended", Phase::RollingBack),
    (Phase::Preparing, "done", FIRST),
    (FIRST, "ended", TURN_2),
    (FIRST, "ended", Phase::RollingBack),
    (TURN_2, "done", SECOND),
    (TURN_2, "damaged", DAMAGED),
    (SECOND, "overshot", TURN_2),
    (SECOND, "ended", VERIFY_2),
    (SECOND, "ended", TURN_3),
    (VERIFY_2, "agreed", COMMIT),
    (VERIFY_2, "differed", Phase::RollingBack),
    (VERIFY_2, "differed", TURN_3),
    (VERIFY_2, "damaged", DAMAGED),
    (TURN_3, "done", THIRD),
    (THIRD, "overshot", TURN_3),
    (THIRD, "ended", VERIFY_3),
    (VERIFY_3, "agreed", COMMIT),
    (VERIFY_3, "run 1 outvoted", Phase::Committing(Some(Run::First))),
    (VERIFY_3, "run 2 outvoted", Phase::Committing(Some(Run::Second))),
    (VERIFY_3, "run 3 outvoted", Phase::Committing(Some(Run::Third))),
    (VERIFY_3, "differed", Phase::RollingBack),
    (VERIFY_3, "damaged", DAMAGED),
    (Phase::RollingBack, "done", Phase::Preparing),
    (Phase::RollingBack, "done", PERSISTENT),
    (Phase::RollingBack, "damaged", DAMAGED),
];

/// Faults of a kind in a run.
#[derive(Default)]
struct Row {
    applied: u64,
    courses: [u64; 4],
}

#[derive(Default)]
pub struct Tally {
    cases: u64,
    targets: BTreeMap<(&'static str, Run), Row>,
    policies: BTreeMap<String, Row>,
    steps: BTreeMap<Step, u64>,
    pairs: u64,
    /// Programs that are others each time, and how many ended in a verdict.
    restless: (u64, u64),
}

/// The kinds of targets.
const KINDS: [&str; 11] = [
    "general",
    "rip",
    "rflags",
    "xmm",
    "memory",
    "checkpoint",
    "second",
    "spare",
    "start",
    "shadow",
    "result",
];

fn kind(target: Target) -> &'static str {
    match target {
        Target::Gpr(_) => "general",
        Target::Rip => "rip",
        Target::Rflags => "rflags",
        Target::Xmm(_) => "xmm",
        Target::Memory(_) => "memory",
        Target::Copy(Copy::Checkpoint, _) => "checkpoint",
        Target::Copy(Copy::Second, _) => "second",
        Target::Copy(Copy::Spare, _) => "spare",
        Target::Saved(Saved::Start, _) => "start",
        Target::Saved(Saved::Shadow, _) => "shadow",
        Target::Saved(Saved::Result, _) => "result",
    }
}

impl Row {
    fn add(&mut self, applied: bool, course: Course) {
        self.applied += u64::from(applied);
        self.courses[course as usize] += u64::from(applied);
    }

    fn add_all(&mut self, other: &Self) {
        self.applied += other.applied;
        self.courses.iter_mut().zip(other.courses).for_each(|(sum, part)| *sum += part);
    }
}

impl Tally {
    pub fn add(&mut self, scene: &Scene, flip: Injection, applied: bool, course: Course, session: &Session) {
        self.cases += 1;
        self.targets.entry((kind(flip.target), flip.run)).or_default().add(applied, course);
        let policy = scene.policy;
        let late = if scene.skid > 0 { "late" } else { "exact" };
        let placed = if scene.private { "Private".to_owned() } else { format!("{:?}", policy.comparison) };
        let name = format!("{:?} {:?} {placed} {late}", policy.mode, policy.recovery).to_lowercase();
        self.policies.entry(name).or_default().add(applied, course);
        self.add_steps(session);
    }

    pub fn add_pair(&mut self, session: &Session) {
        self.pairs += 1;
        self.add_steps(session);
    }

    pub fn add_restless(&mut self, session: &Session, ended_so: bool) {
        self.restless.0 += 1;
        self.restless.1 += u64::from(ended_so);
        self.add_steps(session);
    }

    pub fn add_steps(&mut self, session: &Session) {
        for (step, count) in &session.machine.steps_of_life {
            *self.steps.entry(*step).or_default() += count;
        }
    }

    pub fn add_all(&mut self, other: Self) {
        self.cases += other.cases;
        self.pairs += other.pairs;
        self.restless.0 += other.restless.0;
        self.restless.1 += other.restless.1;
        other.targets.iter().for_each(|(key, row)| self.targets.entry(*key).or_default().add_all(row));
        for (key, row) in &other.policies {
            self.policies.entry(key.clone()).or_default().add_all(row);
        }
        other.steps.iter().for_each(|(step, count)| *self.steps.entry(*step).or_default() += count);
    }

    /// Each kind of target in each run, and each step of a PE's life, is hit often
    /// enough.
    pub fn check(&self) {
        for (kind, run) in KINDS.into_iter().flat_map(|kind| Run::ALL.map(|run| (kind, run))) {
            let applied = self.targets.get(&(kind, run)).map_or(0, |row| row.applied);
            assert!(applied >= LEAST, "only {applied} faults in {kind} in run {}", run.number());
        }
        for step in STEPS {
            let taken = self.steps.get(&step).copied().unwrap_or_default();
            // A sixth of the scenes has runs at once, and few of these a late counter as well.
            let is_at_once = step.0 == Phase::RunningAll || step == (SECOND, "ended", VERIFY_3);
            let least = if is_at_once { LEAST / 20 } else { LEAST };
            assert!(taken >= least, "{step:?} was taken {taken} times only");
        }
        let unknown = self.steps.keys().find(|step| !STEPS.contains(step));
        assert_eq!(unknown, None, "a step that is not known to be possible");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Row::default();
        self.targets.values().for_each(|row| all.add_all(row));
        let [unseen, _, _, damaged] = all.courses;
        let (applied, effective) = (all.applied, all.applied - unseen);
        writeln!(f, "{} cases, {applied} faults, {effective} effective, {damaged} verdicts", self.cases)?;
        let (restless, ended_so) = self.restless;
        writeln!(f, "{} pairs of faults; {restless} restless programs, {ended_so} verdicts", self.pairs)?;
        let heads = ["faults", "unseen", "restarted", "outvoted", "damaged"];
        let [a, b, c, d, e] = heads;
        writeln!(f, "{:<28} {a:>9} {b:>9} {c:>9} {d:>9} {e:>9}", "")?;
        let mut line = |name: &str, row: &Row| {
            let [unseen, restarted, outvoted, damaged] = row.courses;
            let applied = row.applied;
            writeln!(f, "{name:<28} {applied:>9} {unseen:>9} {restarted:>9} {outvoted:>9} {damaged:>9}")
        };
        let rows =
            self.targets.iter().map(|((kind, run), row)| (format!("{kind} in run {}", run.number()), row));
        for (name, row) in rows.collect::<Vec<_>>() {
            line(&name, row)?;
        }
        for (name, row) in &self.policies {
            line(name, row)?;
        }
        for ((from, event, to), count) in &self.steps {
            writeln!(f, "{:<28} {event:<16} {:<20} {count:>9}", format!("{from:?}"), format!("{to:?}"))?;
        }
        Ok(())
    }
}
