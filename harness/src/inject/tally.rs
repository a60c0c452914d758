// SPDX-License-Identifier: MIT
//! What a campaign adds up to: a table for each policy, and the same as JSON.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Error;
use pe_replay::Policy;
use serde_json::{Value, json};
use wire::{Name, ThreadNumber};

use super::bound;
use super::campaign::Campaign;
use super::draw::Class;
use super::effect::{Effect, Reaction};
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
}

impl On {
    fn add(&mut self, other: &Self) {
        let Self { hit, effective, detected, restarted, outvoted, verdicts, wrong } = other;
        self.hit += hit;
        self.effective += effective;
        self.detected += detected;
        self.restarted += restarted;
        self.outvoted += outvoted;
        self.verdicts += verdicts;
        self.wrong += wrong;
    }

    fn numbers(&self) -> [u64; 7] {
        let Self { hit, effective, detected, restarted, outvoted, verdicts, wrong } = *self;
        [hit, effective, detected, restarted, outvoted, verdicts, wrong]
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
    threads: BTreeMap<(&'static str, ThreadNumber), u64>,
    failures: Vec<String>,
}

/// Names of the columns behind the flips.
const COLUMNS: [&str; 7] = ["hit", "effective", "detected", "restarted", "outvoted", "verdicts", "WRONG"];

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
        }
    }

    /// Counts one more flip of a class.
    pub fn begin(&mut self, row: usize) {
        self.rows[row].flips += 1;
    }

    /// Counts one more flip that is aimed at a thread of a program.
    pub fn aimed(&mut self, program: &'static str, thread: ThreadNumber) {
        *self.threads.entry((program, thread)).or_default() += 1;
    }

    /// Each program with its flips, the threads they were aimed at, and the processes of these.
    fn programs(&self) -> BTreeMap<&'static str, (u64, usize, usize)> {
        let mut programs = BTreeMap::new();
        let mut last = None;
        for ((program, thread), flips) in &self.threads {
            let (all, threads, processes): &mut (u64, usize, usize) = programs.entry(*program).or_default();
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
        let Reaction { hit, restarts, outvoted, verdict } = reaction;
        let one = |it: bool| u64::from(it);
        self.rows[row].on[policy].add(&On {
            hit: one(hit),
            effective: one(effective && hit),
            detected: one(detected),
            restarted: one(restarts > 0 && !verdict),
            outvoted: one(outvoted > 0 && restarts == 0 && !verdict),
            verdicts: one(verdict),
            wrong: 0,
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
    fn numbers(&self, row: usize, policy: usize) -> (u64, [u64; 7]) {
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

    /// The report as JSON.
    pub fn json(&self) -> Value {
        let rows = |policy: usize| -> Vec<Value> {
            let row = |row: &Row| {
                let mut value = json!({ "target": row.class.to_string(), "flips": row.flips });
                for (name, number) in COLUMNS.into_iter().zip(row.on[policy].numbers()) {
                    value[name.to_lowercase()] = number.into();
                }
                value
            };
            self.rows.iter().map(row).collect()
        };
        let policies = self.policies.iter().enumerate().map(|(index, policy)| {
            let (wrong, effective, upper) = self.bound(index);
            json!({
                "mode": policy.mode.name(), "recovery": policy.recovery.name(),
                "compare": policy.comparison.name(), "targets": rows(index),
                "paired": { "wrong": wrong, "effective": effective, "upper_bound": upper },
            })
        });
        let off = self.paired().map(|row| {
            let Off { wrong_output, wrong_status, ended, hung } = row.off;
            json!({
                "target": row.class.to_string(), "flips": row.flips, "effective": row.off.effective(),
                "wrong_output": wrong_output, "wrong_status": wrong_status, "ended": ended, "hung": hung,
            })
        });
        let threads = self.threads.iter().map(|((program, thread), flips)| {
            json!({
                "program": program, "process": thread.process, "thread": thread.thread, "flips": flips,
            })
        });
        json!({
            "seed": self.seed, "confidence": bound::CONFIDENCE, "bound": "one-sided", "off": off.collect::<Vec<_>>(),
            "policies": policies.collect::<Vec<_>>(), "threads": threads.collect::<Vec<_>>(), "failures": self.failures,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (flips, effective) = self.counts();
        writeln!(f, "seed {:#x}: {flips} flips, {effective} effective without replay", self.seed)?;
        for (program, (flips, threads, processes)) in self.programs() {
            let several = |count: usize, one: &str, more: &str| {
                format!("{count} {}", if count == 1 { one } else { more })
            };
            let (threads, processes) =
                (several(threads, "thread", "threads"), several(processes, "process", "processes"));
            writeln!(f, "  {program:<25}{flips:>7} in {threads} of {processes}")?;
        }
        writeln!(f, "\n{:<27}{:>7}{:>10}  of these", "off", "flips", "effective")?;
        for row in self.paired() {
            let Off { wrong_output, wrong_status, ended, hung } = row.off;
            writeln!(
                f,
                "{:<27}{:>7}{:>10}  {wrong_output} wrong output, {wrong_status} wrong status, {ended} ended, {hung} hung",
                row.class,
                row.flips,
                row.off.effective()
            )?;
        }
        for (index, policy) in self.policies.iter().enumerate() {
            let Policy { mode, recovery, comparison, .. } = policy;
            let name = format!("{}, {}, {}", mode.name(), recovery.name(), comparison.name());
            let line = |f: &mut fmt::Formatter<'_>, name: &dyn fmt::Display, flips: u64, on: &On| {
                write!(f, "{name:<27}{flips:>7}")?;
                on.numbers().iter().try_for_each(|number| write!(f, "{number:>10}"))?;
                writeln!(f)
            };
            write!(f, "\n{name:<27}{:>7}", "flips")?;
            COLUMNS.iter().try_for_each(|column| write!(f, "{column:>10}"))?;
            writeln!(f)?;
            for row in &self.rows {
                line(f, &row.class, row.flips, &row.on[index])?;
            }
            line(f, &"all", flips, &self.on(index))?;
            let (wrong, effective, upper) = self.bound(index);
            writeln!(
                f,
                "{wrong} wrong of {effective} effective: at most {:.3} % (one-sided bound, {:.0} % confidence)",
                100.0 * upper,
                100.0 * bound::CONFIDENCE
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inject::Scope;

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
        assert_eq!(report.numbers(1, 0), (1, [1, 1, 1, 1, 0, 0, 0]));
        assert_eq!(report.numbers(1, 1), (1, [1, 1, 1, 0, 1, 0, 0]));
        assert_eq!(report.counts(), (1, 1));
        let text = report.to_string();
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
    }
}
