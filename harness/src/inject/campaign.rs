// SPDX-License-Identifier: MIT
//! Many flips, each in a run of its own: without replay, and under each policy.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use flips::Injection;
use pe_replay::{Mode, Policy};

use super::draw::Class;
use super::effect;
use super::flip::Flip;
use super::lab::{Lab, Outcome, Trial};
use super::own::Own;
use super::random::Random;
use super::subject::Subject;
use super::tally::Report;
use crate::host::meter;
use crate::workload::symbols::Symbols;

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Flips that there are without replay, too; half as many again are not.
    pub count: u64,
    /// Seed of all of them.
    pub seed: u64,
    /// The policies that each is tried under, all of the same mode and comparison.
    pub policies: Vec<Policy>,
    /// What is hit.
    pub scope: Scope,
    /// Boots at a time.
    pub jobs: usize,
}

/// What a campaign hits.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Everything, in programs of one thread.
    All,
    /// Memory that two processes share, while one writes it and the other one looks.
    Shared,
    /// Everything, in programs that have several threads.
    Threads,
    /// Everything, in programs that make system calls of many kinds.
    Calls,
    /// Everything, in a program of somebody's own.
    Own(Box<Own>),
}

/// What is hit, as a title names it.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("programs of one thread"),
            Self::Shared => f.write_str("memory that two processes share"),
            Self::Threads => f.write_str("programs of several threads"),
            Self::Calls => f.write_str("programs that make system calls of many kinds"),
            Self::Own(own) => f.write_str(&own.name),
        }
    }
}

/// Flips in one boot.
const BATCH: usize = 60;

/// A flip, and all that it takes to make it.
struct Shot<'a> {
    number: usize,
    row: usize,
    class: Class,
    subject: &'a Subject,
    flips: Vec<Injection>,
}

impl Campaign {
    /// The rows of the table: those with a counterpart without replay, and those without.
    fn classes(&self) -> (Vec<Class>, Vec<Class>) {
        let recoveries: Vec<_> = self.policies.iter().map(|policy| policy.recovery).collect();
        match (&self.scope, self.policies.first()) {
            (Scope::Shared, _) | (_, None) => Class::memory(),
            (Scope::All | Scope::Threads | Scope::Calls | Scope::Own(_), Some(policy)) => {
                let unpaired = Class::unpaired(policy.mode, &recoveries, policy.comparison);
                (Class::PAIRED.to_vec(), unpaired)
            }
        }
    }

    /// All flips, evenly over the classes with a counterpart, and over those without.
    fn shots<'a>(&self, classes: &[Class], paired: usize, subjects: &'a [Subject]) -> Vec<Shot<'a>> {
        let vectors: Vec<_> = subjects.iter().filter(|subject| subject.has_vectors()).collect();
        let all: Vec<_> = subjects.iter().collect();
        let mode = self.policies.first().map_or(Mode::Dual, |policy| policy.mode);
        let mut random = Random::new(self.seed);
        let mut number = 0;
        let mut shot = |row: usize| {
            let class = classes[row];
            let subject = *random.one(if class.is_vector() { &vectors } else { &all });
            number += 1;
            Shot { number, row, class, subject, flips: class.flips(&mut random, subject, mode) }
        };
        let (paired, unpaired) = (paired as u64, (classes.len() - paired) as u64);
        let mut shots: Vec<_> = (0..self.count).map(|index| shot((index % paired) as usize)).collect();
        shots.extend((0..self.count / 2).map(|index| shot((paired + index % unpaired) as usize)));
        shots
    }

    /// Runs the campaign; `done` hears of each so many flips.
    pub fn run(&self, lab: &Lab, done: &(dyn Fn(usize, usize) + Sync)) -> Result<Report> {
        let subjects = Subject::all(lab, &self.scope, &self.policies)?;
        let (paired, unpaired) = self.classes();
        let classes = [&paired[..], &unpaired].concat();
        let shots = self.shots(&classes, paired.len(), &subjects);
        let report = Mutex::new(Report::new(self, &classes));
        let batches = Mutex::new(shots.chunks(BATCH));
        let work = || -> Result<()> {
            loop {
                let Some(batch) = batches.lock().unwrap_or_else(PoisonError::into_inner).next() else {
                    return Ok(());
                };
                let trials: Vec<_> = batch.iter().flat_map(|shot| self.trials(shot)).collect();
                let outcomes = lab.run(&trials)?;
                let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                let mut pairs = trials.iter().zip(&outcomes);
                batch.iter().for_each(|shot| self.count(&mut report, shot, &mut pairs));
                done(batch.len(), shots.len());
            }
        };
        thread::scope(|scope| {
            let worker = || (work(), meter::take());
            let workers: Vec<_> = (0..self.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok((result, spent)) => {
                    meter::add(spent);
                    result
                }
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.flips.sort_by_key(|flip| flip.number);
        for subject in &subjects {
            let symbols = Symbols::of(subject.elf());
            let own = report.flips.iter_mut().filter(|flip| flip.program == subject.name());
            own.for_each(|flip| flip.name(&symbols));
        }
        Ok(report)
    }

    /// The runs for one flip: without replay, if it has that counterpart, then under each policy.
    fn trials<'a>(&self, shot: &Shot<'a>) -> Vec<Trial<'a>> {
        let off = shot.class.is_paired().then_some(Policy { mode: Mode::Off, ..Policy::DEFAULT });
        let policies = off.into_iter().chain(self.policies.iter().copied());
        policies.map(|policy| Trial { subject: shot.subject, policy, flips: shot.flips.clone() }).collect()
    }

    fn count<'a>(
        &self,
        report: &mut Report,
        shot: &Shot,
        pairs: &mut impl Iterator<Item = (&'a Trial<'a>, &'a Outcome)>,
    ) {
        report.begin(shot.row);
        let thread = shot.flips.first().and_then(|flip| shot.subject.thread(flip.pe));
        if let Some(thread) = thread {
            report.aimed(shot.subject.name(), thread);
        }
        let mut row = Flip::new(shot.number, shot.class, shot.subject, &shot.flips);
        let mut effective = false;
        if shot.class.is_paired()
            && let Some((trial, outcome)) = pairs.next()
        {
            row.locate(outcome);
            match effect::effect(trial, outcome) {
                Ok(effect) => {
                    effective = report.effect(shot.row, effect);
                    row.off = Some(effect);
                }
                Err(reason) => report.failure(shot.row, None, trial, &reason),
            }
        }
        for policy in 0..self.policies.len() {
            let Some((trial, outcome)) = pairs.next() else { break };
            row.locate(outcome);
            let reaction = effect::reaction(trial, shot.class, outcome, effective);
            row.answer(outcome, reaction.as_ref().ok().copied());
            match reaction {
                Ok(reaction) => report.reaction(shot.row, policy, reaction, effective),
                Err(reason) => report.failure(shot.row, Some((policy, effective)), trial, &reason),
            }
        }
        report.flips.push(row);
    }
}
