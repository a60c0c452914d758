// SPDX-License-Identifier: MIT
//! What was hit in which phase and what came of it, counted and required.

use std::collections::BTreeMap;
use std::fmt;

use pe_replay::Run;
use pe_replay::lifecycle::Phase;

use super::Spot;
use super::aim::Pair;
use super::window::Window;
use crate::machine::moments::{OVER, Stored, Strike};

/// What came of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// All runs agreed, on what is right.
    Unseen,
    /// The PE was started again, or a run outvoted.
    Recovered,
    /// A verdict.
    Verdict,
    /// Something wrong was committed, as can be in this window.
    Lost(Window),
}

/// How often each spot has to be hit in each phase.
const LEAST: u64 = 100;
/// Cases of a long run, in which each window is shown; one of them is rarely hit.
const LONG: u64 = 200_000;

/// The phases, as people name them.
pub const PHASES: [(Phase, &str); 11] = [
    (Phase::Preparing, "prepare"),
    (Phase::RunningAll, "all runs"),
    (Phase::Running(Run::First), "run 1"),
    (Phase::Turning(Run::Second), "turn to 2"),
    (Phase::Running(Run::Second), "run 2"),
    (Phase::Verifying(Run::Second), "verify 2"),
    (Phase::Turning(Run::Third), "turn to 3"),
    (Phase::Running(Run::Third), "run 3"),
    (Phase::Verifying(Run::Third), "verify 3"),
    (Phase::RollingBack, "roll back"),
    (OVER, "commit"),
];

/// What can be hit.
pub const SPOTS: [(Spot, &str); 13] = [
    (Spot::Home, "home"),
    (Spot::Checkpoint, "checkpoint"),
    (Spot::Second, "second"),
    (Spot::Spare, "spare"),
    (Spot::Memory, "untracked"),
    (Spot::Written, "written bit"),
    (Spot::Hash, "hash"),
    (Spot::Comparison, "comparison"),
    (Spot::Stored(Stored::Start), "start"),
    (Spot::Stored(Stored::Shadow), "shadow"),
    (Spot::Stored(Stored::Result(Run::First)), "result 1"),
    (Spot::Stored(Stored::Result(Run::Second)), "result 2"),
    (Spot::Stored(Stored::Result(Run::Third)), "result 3"),
];

/// Whether there is such a thing in that phase; general registers of the processor
/// exist in runs only, where faults hit them between instructions.
pub fn exists(spot: Spot, phase: Phase) -> bool {
    match spot {
        // Taken of what a run left, of PM0 where it is saved, and of a checkpoint.
        Spot::Hash => {
            let is_run = matches!(phase, Phase::Running(Run::Second | Run::Third) | Phase::RunningAll);
            !is_run && phase != OVER
        }
        // Of results, and of two copies of PM0 before run 2 is repeated.
        Spot::Comparison => matches!(phase, Phase::Verifying(_) | Phase::Turning(Run::Second)),
        _ => true,
    }
}

fn all_pairs() -> impl Iterator<Item = Pair> {
    SPOTS.iter().flat_map(|(spot, _)| PHASES.iter().map(move |(phase, _)| (*spot, *phase)))
}

#[derive(Clone, Copy, Default)]
struct Row {
    applied: u64,
    /// Of these, after a fault that was provoked.
    second: u64,
    unseen: u64,
    recovered: u64,
    verdicts: u64,
    lost: u64,
}

impl Row {
    fn cells(&self) -> [u64; 6] {
        [self.applied, self.second, self.unseen, self.recovered, self.verdicts, self.lost]
    }
}

impl From<[u64; 6]> for Row {
    fn from([applied, second, unseen, recovered, verdicts, lost]: [u64; 6]) -> Self {
        Self { applied, second, unseen, recovered, verdicts, lost }
    }
}

#[derive(Default)]
pub struct Tally {
    cases: u64,
    rows: BTreeMap<(Spot, Phase), Row>,
    windows: BTreeMap<Window, u64>,
}

impl Tally {
    /// A fault that struck, or was aimed at what was not there.
    pub fn add(&mut self, spot: Spot, struck: Option<Strike>, second: bool, course: Course) {
        self.cases += 1;
        let Some(Strike { phase, .. }) = struck else { return };
        let row = self.rows.entry((spot, phase)).or_default();
        row.applied += 1;
        row.second += u64::from(second);
        match course {
            Course::Unseen => row.unseen += 1,
            Course::Recovered => row.recovered += 1,
            Course::Verdict => row.verdicts += 1,
            Course::Lost(window) => {
                row.lost += 1;
                *self.windows.entry(window).or_default() += 1;
            }
        }
    }

    pub fn add_all(&mut self, other: Self) {
        self.cases += other.cases;
        other.rows.iter().for_each(|(key, row)| self.add_row(*key, row));
        other.windows.iter().for_each(|(window, lost)| *self.windows.entry(*window).or_default() += lost);
    }

    fn add_row(&mut self, key: (Spot, Phase), row: &Row) {
        let sum = self.rows.entry(key).or_default();
        let (mut cells, others) = (sum.cells(), row.cells());
        cells.iter_mut().zip(others).for_each(|(cell, other)| *cell += other);
        *sum = cells.into();
    }

    fn row(&self, spot: Spot, phase: Phase) -> Row {
        self.rows.get(&(spot, phase)).copied().unwrap_or_default()
    }

    /// What was not hit often enough so far.
    pub fn lacking(&self) -> Vec<Pair> {
        let there = all_pairs().filter(|(spot, phase)| exists(*spot, *phase));
        there.filter(|(spot, phase)| self.row(*spot, *phase).applied < LEAST).collect()
    }

    /// Each spot is hit in each phase often enough, and each window is there.
    pub fn check(&self) {
        for (spot, name) in SPOTS {
            for (phase, when) in PHASES {
                let applied = self.row(spot, phase).applied;
                let needed = if exists(spot, phase) { LEAST } else { 0 };
                assert!(applied >= needed, "{name} was hit {applied} times only in {when}");
                assert!(needed > 0 || applied == 0, "{name} was hit in {when}, where it is not");
            }
        }
        let long = self.cases >= LONG;
        for window in Window::ALL.iter().filter(|window| long || **window != Window::Tables) {
            assert!(self.windows.contains_key(window), "nothing was lost in {window}");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |pick: fn(&Row) -> u64| self.rows.values().map(pick).sum::<u64>();
        let (applied, lost) = (sum(|row| row.applied), sum(|row| row.lost));
        writeln!(f, "{} cases, {applied} faults between two operations, {lost} lost in windows", self.cases)?;
        let heads = ["faults", "second", "unseen", "recovered", "verdicts", "lost"];
        write!(f, "{:<12}{:<10}", "", "")?;
        heads.iter().try_for_each(|head| write!(f, " {head:>9}"))?;
        writeln!(f)?;
        for (spot, name) in SPOTS {
            for (phase, when) in PHASES {
                write!(f, "{name:<12}{when:<10}")?;
                if exists(spot, phase) {
                    self.row(spot, phase).cells().iter().try_for_each(|cell| write!(f, " {cell:>9}"))?;
                } else {
                    write!(f, " not there")?;
                }
                writeln!(f)?;
            }
        }
        let all = SPOTS.len() * PHASES.len();
        let there = all_pairs().filter(|(spot, phase)| exists(*spot, *phase)).count();
        writeln!(
            f,
            "{there} of {all} pairs are there; the processor's registers are in runs only: every_fault"
        )?;
        Window::ALL.iter().try_for_each(|window| {
            let lost = self.windows.get(window).copied().unwrap_or_default();
            writeln!(f, "lost: {window:<34} {lost:>9}")
        })
    }
}
