// SPDX-License-Identifier: MIT
//! What a campaign adds up to, by the kind of what was hit.

mod charts;
mod json;
mod page;
mod rows;
mod tables;

use std::collections::BTreeMap;

use anyhow::Error;
use pe_replay::Policy;
use wire::{Name, ThreadNumber};

use super::bound;
use super::campaign::Campaign;
use super::draw::Class;
use super::effect::{Effect, Reaction};
use super::flip::Flip;
use super::lab::Trial;

/// What became of the flips of a class without replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Off {
    wrong_output: u64,
    wrong_status: u64,
    ended: u64,
    hung: u64,
}

impl Off {
    fn effective(&self) -> u64 {
        self.wrong_output + self.wrong_status + self.ended + self.hung
    }
}

/// What became of flips under a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct On {
    /// Flips that hit something.
    pub hit: u64,
    /// Flips that are effective without replay.
    pub effective: u64,
    /// Flips that made a difference which was seen.
    pub detected: u64,
    /// Flips after which a restart made all go on as if nothing had happened.
    pub restarted: u64,
    /// Flips after which a vote made all go on as if nothing had happened.
    pub outvoted: u64,
    /// Flips after which a verdict ended the program, as it should.
    pub verdicts: u64,
    /// Flips after which anything else happened.
    pub wrong: u64,
    /// Effective flips after which all went on as if nothing had happened, or a verdict ended the program.
    pub covered: u64,
}

impl On {
    fn add(&mut self, other: &Self) {
        let Self { hit, effective, detected, restarted, outvoted, verdicts, wrong, covered } = other;
        self.hit += hit;
        self.effective += effective;
        self.detected += detected;
        self.restarted += restarted;
        self.outvoted += outvoted;
        self.verdicts += verdicts;
        self.wrong += wrong;
        self.covered += covered;
    }

    /// Its numbers in the order of [`COLUMNS`].
    fn numbers(&self) -> [u64; COLUMNS.len()] {
        let Self { hit, effective, detected, restarted, outvoted, verdicts, wrong, .. } = *self;
        [hit, effective, detected, restarted, outvoted, restarted + outvoted, verdicts, wrong]
    }
}

/// A class of targets.
#[derive(Clone, Debug)]
struct Row {
    class: Class,
    flips: u64,
    off: Off,
    on: Vec<On>,
}

/// A campaign's result.
#[derive(Clone, Debug)]
pub struct Report {
    seed: u64,
    policies: Vec<Policy>,
    rows: Vec<Row>,
    /// How many flips were aimed at each thread of each program.
    threads: BTreeMap<(String, ThreadNumber), u64>,
    failures: Vec<String>,
    /// Each flip by itself.
    pub flips: Vec<Flip>,
}

/// Names of the columns behind the flips.
const COLUMNS: [&str; 8] =
    ["hit", "effective", "detected", "restarted", "outvoted", "recovered", "ended", "WRONG"];

impl Report {
    /// Nothing so far.
    pub fn new(campaign: &Campaign, classes: &[Class]) -> Self {
        let Campaign { seed, policies, .. } = campaign.clone();
        let on = vec![On::default(); policies.len()];
        let row = |class: &Class| Row { class: *class, flips: 0, off: Off::default(), on: on.clone() };
        Self {
            seed,
            rows: classes.iter().map(row).collect(),
            policies,
            threads: BTreeMap::new(),
            failures: Vec::new(),
            flips: Vec::new(),
        }
    }

    /// Counts one more flip of a class.
    pub fn begin(&mut self, row: usize) {
        self.rows[row].flips += 1;
    }

    /// Counts one more flip that is aimed at a thread of a program.
    pub fn aimed(&mut self, program: &str, thread: ThreadNumber) {
        *self.threads.entry((program.to_owned(), thread)).or_default() += 1;
    }

    /// Each program with its flips, the threads they were aimed at, and the processes of these.
    fn programs(&self) -> BTreeMap<&str, (u64, usize, usize)> {
        let mut programs = BTreeMap::new();
        let mut last = None;
        for ((program, thread), flips) in &self.threads {
            let (all, threads, processes): &mut (u64, usize, usize) =
                programs.entry(program.as_str()).or_default();
            *all += flips;
            *threads += 1;
            *processes +=
                usize::from(last.replace((program, thread.process)) != Some((program, thread.process)));
        }
        programs
    }

    /// What it did without replay; whether that is anything.
    pub fn effect(&mut self, row: usize, effect: Effect) -> bool {
        let off = &mut self.rows[row].off;
        match effect {
            Effect::None => return false,
            Effect::WrongOutput => off.wrong_output += 1,
            Effect::WrongStatus => off.wrong_status += 1,
            Effect::Ended => off.ended += 1,
            Effect::Hung => off.hung += 1,
        }
        true
    }

    /// What came of it under a policy.
    pub fn reaction(&mut self, row: usize, policy: usize, reaction: Reaction, effective: bool) {
        let detected = reaction.is_detection();
        let Reaction { hit, verdict, .. } = reaction;
        let one = |it: bool| u64::from(it);
        self.rows[row].on[policy].add(&On {
            hit: one(hit),
            effective: one(effective && hit),
            detected: one(detected),
            restarted: one(reaction.is_restarted()),
            outvoted: one(reaction.is_outvoted()),
            verdicts: one(verdict),
            wrong: 0,
            covered: one(effective && hit && detected),
        });
    }

    /// What must not be; under a policy, or, if `on` is none, in the kernel without replay.
    pub fn failure(&mut self, row: usize, on: Option<(usize, bool)>, trial: &Trial, reason: &Error) {
        if let Some((policy, effective)) = on {
            let on = &mut self.rows[row].on[policy];
            on.add(&On { hit: 1, effective: u64::from(effective), wrong: 1, ..On::default() });
        }
        let thread = trial.flips.first().and_then(|flip| trial.subject.thread(flip.pe));
        let thread = thread.map_or_else(String::new, |thread| format!(" in {thread}"));
        self.failures.push(format!("{}{thread}: {reason:#}: {trial}", self.rows[row].class));
    }

    /// All that went wrong, each with the command that shows it.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Flips, and how many of them were effective without replay.
    pub fn counts(&self) -> (u64, u64) {
        let flips = self.rows.iter().map(|row| row.flips).sum();
        (flips, self.rows.iter().map(|row| row.off.effective()).sum())
    }

    /// What a row of a class adds up to, without and with replay.
    #[cfg(test)]
    fn numbers(&self, row: usize, policy: usize) -> (u64, [u64; COLUMNS.len()]) {
        (self.rows[row].off.effective(), self.rows[row].on[policy].numbers())
    }

    fn paired(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.class.is_paired())
    }

    fn on(&self, policy: usize) -> On {
        let mut sum = On::default();
        self.rows.iter().for_each(|row| sum.add(&row.on[policy]));
        sum
    }

    /// Wrong among the effective, and the bound on that rate.
    fn bound(&self, policy: usize) -> (u64, u64, f64) {
        let paired = self.paired().map(|row| row.on[policy]);
        let (wrong, effective) =
            paired.fold((0, 0), |(wrong, all), on| (wrong + on.wrong, all + on.effective));
        (wrong, effective, bound::upper(wrong.min(effective), effective))
    }

    /// The name of a policy in tables.
    fn policy_name(&self, policy: usize) -> String {
        let Policy { mode, recovery, comparison, .. } = self.policies[policy];
        format!("{}, {}, {}", mode.name(), recovery.name(), comparison.name())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inject::Scope;
    use crate::outcome::table::Style;

    #[test]
    fn what_happened_is_counted_once_and_said() {
        let campaign =
            Campaign { count: 1, seed: 7, policies: vec![Policy::DEFAULT; 2], scope: Scope::All, jobs: 1 };
        let mut report = Report::new(&campaign, &Class::PAIRED);
        report.begin(1);
        for (process, thread) in [(1, 1), (1, 2), (2, 1), (2, 1)] {
            report.aimed("spawning", ThreadNumber { process, thread });
        }
        report.aimed("tiny", ThreadNumber { process: 1, thread: 1 });
        assert!(report.effect(1, Effect::Hung) && !report.effect(1, Effect::None));
        report.reaction(1, 0, Reaction { hit: true, restarts: 1, outvoted: 0, verdict: false }, true);
        report.reaction(1, 1, Reaction { hit: true, restarts: 0, outvoted: 1, verdict: false }, true);
        assert_eq!(report.numbers(1, 0), (1, [1, 1, 1, 1, 0, 1, 0, 0]));
        assert_eq!(report.numbers(1, 1), (1, [1, 1, 1, 0, 1, 1, 0, 0]));
        assert_eq!(report.counts(), (1, 1));
        let text = report.text(Style::Text);
        assert!(
            text.contains("0 wrong of 1 effective: at most 95.000 % (one-sided bound, 95 % confidence)"),
            "{text}"
        );
        assert!(text.contains("  spawning                       4 in 3 threads of 2 processes\n"), "{text}");
        assert!(text.contains("  tiny                           1 in 1 thread of 1 process\n"), "{text}");
        let json = report.json();
        let last = &json["threads"][2];
        assert_eq!((&last["process"], &last["thread"], &last["flips"]), (&json!(2), &json!(1), &json!(2)));
        assert_eq!(json["policies"][0]["targets"][1]["restarted"], 1);
        assert_eq!(json["off"][1]["hung"], 1);
        assert_eq!(json["policies"][0]["coverage"]["covered"], 1);
        assert!(
            text.contains("1 of 1 effective flips recovered or ended by a verdict, at least 5.000 %"),
            "{text}"
        );
        let latex = report.text(Style::Latex);
        assert!(latex.contains("\\begin{tabular}") && latex.contains("2.5 to 100.0 \\%"), "{latex}");
    }
}
