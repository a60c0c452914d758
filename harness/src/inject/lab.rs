// SPDX-License-Identifier: MIT
//! Many short runs in one boot, each in its own way and with its own flips.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use flips::{Injection, MAX_INJECTIONS};
use pe_replay::Policy;
use wire::clock::Clock;
use wire::config::Mutation;
use wire::config::{Job, Recording};
use wire::end::End;
use wire::isolation::Isolate;
use wire::task::Task;

use super::subject::Subject;
use crate::emulator::ending::Ending;
use crate::emulator::{self, Silent};
use crate::outcome::batch::{self, Ended};
use crate::workload::archive::Contents;
use crate::workload::request::Request;

/// When a boot is given up. Every run in it is bounded: if it was the first one that did not end, the kernel hangs.
const PATIENCE: Duration = Duration::from_secs(900);

/// A run that is to be made.
#[derive(Clone)]
pub struct Trial<'a> {
    /// The program.
    pub subject: &'a Subject,
    /// How it is run, its bounds apart.
    pub policy: Policy,
    /// What hits it.
    pub flips: Vec<Injection>,
}

/// The end of a run; the reason if the kernel did not survive it.
pub type Outcome = Result<Ended, String>;

/// What runs are made in.
pub struct Lab {
    kernel: PathBuf,
    mutation: Option<Mutation>,
    clock: Clock,
    isolate: Isolate,
}

impl Lab {
    /// Makes a lab with this kernel.
    pub fn new(kernel: PathBuf) -> Self {
        Self { kernel, mutation: None, clock: Clock::default(), isolate: Isolate::default() }
    }

    /// Makes a lab with a kernel that leaves a part of the engine out.
    pub fn of_mutant(kernel: PathBuf, mutation: Mutation) -> Self {
        Self { mutation: Some(mutation), ..Self::new(kernel) }
    }

    /// Gives the lab another clock for its programs.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Has the kernel taken out of the user's page tables at other times.
    pub fn with_isolation(self, isolate: Isolate) -> Self {
        Self { isolate, ..self }
    }

    /// What programs take for the time in it.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The kernel.
    pub fn kernel(&self) -> &Path {
        &self.kernel
    }

    /// Makes the runs, as many as possible in one boot.
    pub fn run(&self, trials: &[Trial]) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(trials.len());
        while let Some(rest @ [_, ..]) = trials.get(outcomes.len()..) {
            self.boot(rest, &mut outcomes)?;
        }
        Ok(outcomes)
    }

    /// Boots once, which makes at least one run.
    fn boot(&self, trials: &[Trial], outcomes: &mut Vec<Outcome>) -> Result<()> {
        let memory_mib = trials.iter().map(|trial| trial.subject.memory_mib()).max().unwrap_or_default();
        let mut request = Request { memory_mib, timeout: PATIENCE, ..Request::job(Job::Batch) };
        (request.mutation, request.clock, request.isolate) = (self.mutation, self.clock, self.isolate);
        let mut programs = BTreeMap::new();
        if let Some(first) = trials.first() {
            // Whatever a program is given, all of the boot are: it is somebody's own, and alone, or given nothing.
            let Contents { envp, stdin, files, .. } = first.subject.contents().clone();
            request.contents = Contents { envp, stdin, files, ..request.contents };
        }
        for Trial { subject, policy, flips } in trials {
            programs.insert(subject.name(), subject.elf());
            request.contents.batch.push(subject.contents().argv.clone());
            let injections = flips.iter().copied().take(MAX_INJECTIONS).collect();
            let policy = subject.bounded(*policy);
            request.policy.limit = request.policy.limit.max(policy.limit);
            request.contents.tasks.push(Task {
                policy,
                max_instructions: subject.most(),
                trace: Recording::Nothing,
                injections,
            });
        }
        let programs = programs.into_iter().map(|(name, elf)| (name.to_owned(), elf.to_vec()));
        request.contents.programs = programs.collect();
        let finished = emulator::boot(&request.boot(self.kernel.clone())?, &mut Silent)?;
        let before = outcomes.len();
        for ended in batch::ended(&finished.streams)? {
            if let End::Refused(refusal) = ended.end() {
                bail!("the kernel refuses to run a program: {refusal:?}");
            }
            let full = matches!(ended.end(), End::OutputFull { .. });
            outcomes.push(Ok(ended));
            if full {
                // Those behind it had no room.
                return Ok(());
            }
        }
        match finished.ending {
            Ending::Normal(_) => Ok(()),
            // On a busy host many runs take longer together than one may: the one that was cut short begins the next boot.
            Ending::Timeout { .. } if outcomes.len() > before => Ok(()),
            ending @ (Ending::Panic(_) | Ending::TripleFault | Ending::Timeout { .. }) => {
                outcomes.push(Err(ending.to_string()));
                Ok(())
            }
            ending @ (Ending::EmulatorError(_) | Ending::EmulatorKilled(_) | Ending::NoEndRecord(_)) => {
                bail!("{ending}")
            }
        }
    }
}
