// SPDX-License-Identifier: MIT
//! Many programs in one boot of either emulator: Bochs takes seconds to start.

use std::collections::BTreeMap;
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use flips::Injection;
use pe_replay::Policy;
use wire::config::Mutation;
use wire::config::{Job, Recording};
use wire::counter::{CounterChoice, CounterFaults};
use wire::end::{End, Totals};
use wire::isolation::Isolate;
use wire::task::Task;

use super::Context;
use super::programs::Shown;
use crate::emulator::Emulator;
use crate::outcome::batch;
pub use crate::outcome::batch::Ended;
use crate::outcome::told;
use crate::workload::archive::Contents;
use crate::workload::request::{self, Request};

/// Minutes on Bochs, if the machine is busy.
const TIMEOUT: Duration = Duration::from_secs(900);

/// A program that is run, and how.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file.
    pub path: PathBuf,
    /// The arguments, from the name.
    pub words: Vec<String>,
    /// How its PEs are run.
    pub policy: Policy,
    /// What of them is recorded.
    pub trace: Recording,
    /// Flips.
    pub flips: Vec<Injection>,
    /// When the kernel is taken out of the user's page tables.
    pub isolate: Isolate,
}

impl Case {
    /// One of the project's programs, undisturbed.
    pub fn new(context: &Context, name: &str, arguments: &[&str], policy: Policy) -> Result<Self> {
        let path = context.executable(name)?;
        let words = [name].iter().chain(arguments).map(|word| (*word).to_owned()).collect();
        let (trace, isolate) = (Recording::Nothing, Isolate::default());
        Ok(Self { path, words, policy, trace, flips: Vec::new(), isolate })
    }

    /// What a failure calls it.
    pub fn name(&self) -> String {
        let Self { words, policy, .. } = self;
        format!("{} with limit {}", words.join(" "), policy.limit)
    }

    /// What it is given without a machine of ours.
    pub fn contents(&self, setting: &Setting) -> Contents {
        let Setting { stdin, files, .. } = setting;
        Contents {
            argv: self.words.iter().map(|word| word.as_bytes().to_vec()).collect(),
            stdin: Some(stdin.clone()),
            files: files.clone(),
            ..Contents::default()
        }
    }

    /// The program.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

/// Where programs are run, and what all of them find.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The emulator.
    pub machine: Emulator,
    /// The processor, if not the emulator's usual one.
    pub cpu: Option<String>,
    /// What keeps the instruction limit.
    pub counter: CounterChoice,
    /// What an emulated counter does wrong.
    pub counter_faults: CounterFaults,
    /// What the kernel leaves out; `None` is the kernel as it is.
    pub mutation: Option<Mutation>,
    /// Standard input.
    pub stdin: Vec<u8>,
    /// Files.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Setting {
    /// An emulator, as it is.
    pub fn on(machine: Emulator) -> Self {
        Self {
            machine,
            cpu: None,
            counter: CounterChoice::default(),
            counter_faults: CounterFaults::default(),
            mutation: None,
            stdin: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// What a program showed.
pub fn shown(ended: &Ended) -> Shown {
    let Ended { stdout, stderr, .. } = ended.clone();
    Shown { status: told::exit_status(&ended.end()), stdout, stderr }
}

/// Every PE was committed at once, and has its record if it was to have one.
pub fn undisturbed(ended: &Ended) -> Result<()> {
    let Totals { divergences, restarts, outvoted, counter_misses, lost_records, .. } = ended.record.totals;
    let disturbed = [divergences, restarts, outvoted, counter_misses, lost_records];
    ensure!(disturbed == [0; 5], "divergences, restarts, outvoted, counter misses, lost: {disturbed:?}");
    let Totals { pes, committed, .. } = ended.record.totals;
    ensure!(pes == committed, "{pes} PEs, of which {committed} were committed");
    let records = ended.pes.len() as u64;
    ensure!(records == 0 || records == committed, "{records} records of {committed} PEs");
    Ok(())
}

/// Runs them one after the other, those that are isolated alike in one boot.
pub fn run(context: &Context, setting: &Setting, cases: &[Case]) -> Result<Vec<Ended>> {
    let mut ended = Vec::with_capacity(cases.len());
    for isolate in [Isolate::Auto, Isolate::Always, Isolate::Never] {
        let alike = cases.iter().enumerate().filter(|(_, case)| case.isolate == isolate);
        let (places, cases): (Vec<usize>, Vec<&Case>) = alike.unzip();
        if !cases.is_empty() {
            ended.extend(places.into_iter().zip(boot(context, setting, isolate, &cases)?));
        }
    }
    ended.sort_unstable_by_key(|(place, _)| *place);
    Ok(ended.into_iter().map(|(_, ended)| ended).collect())
}

fn boot(context: &Context, setting: &Setting, isolate: Isolate, cases: &[&Case]) -> Result<Vec<Ended>> {
    let Setting { machine, counter, counter_faults, mutation, .. } = *setting;
    let mut request = Request {
        machine,
        counter,
        counter_faults,
        isolate,
        mutation,
        timeout: TIMEOUT,
        ..Request::job(Job::Batch)
    };
    request.cpu.clone_from(&setting.cpu);
    request.contents.stdin = Some(setting.stdin.clone());
    request.contents.files.clone_from(&setting.files);
    request.policy.limit = cases.iter().map(|case| case.policy.limit).max().unwrap_or(request.policy.limit);
    let mut programs = BTreeMap::new();
    for case in cases {
        programs.insert(case.program(), &case.path);
        request.contents.batch.push(case.words.iter().map(|word| word.as_bytes().to_vec()).collect());
        request.contents.tasks.push(Task {
            policy: case.policy,
            max_instructions: u64::MAX,
            trace: case.trace,
            injections: case.flips.iter().copied().collect(),
        });
    }
    for (name, path) in programs {
        request.contents.programs.push((name.to_owned(), request::read_program(path)?));
    }
    all(context, &request)
}

/// Runs the program of one request under each of the policies, one after the other; records nothing of their PEs.
pub fn under(context: &Context, request: &Request, policies: &[Policy]) -> Result<Vec<Ended>> {
    let mut request = Request { job: Job::Batch, timeout: TIMEOUT, ..request.clone() };
    let contents = &mut request.contents;
    let program = contents.program.take().context("no program")?;
    let words = mem::take(&mut contents.argv);
    let name = words.first().cloned().context("no name")?;
    contents.programs.push((String::from_utf8(name)?, program));
    for policy in policies {
        contents.batch.push(words.clone());
        contents.tasks.push(Task {
            policy: *policy,
            max_instructions: request.max_instructions,
            trace: Recording::Nothing,
            injections: request.injections.iter().copied().collect(),
        });
        request.policy.limit = request.policy.limit.max(policy.limit);
    }
    all(context, &request)
}

/// Boots, and has each program of a batch come to an end.
fn all(context: &Context, request: &Request) -> Result<Vec<Ended>> {
    let Request { machine, mutation, .. } = request;
    let outcome = if mutation.is_some() { context.boot_for_tests(request) } else { context.boot(request) }?;
    let ended = batch::ended(&outcome.finished.streams)?;
    let programs = request.contents.batch.len();
    let expected = End::Batch { programs: programs as u32 };
    let end = outcome.end().with_context(|| format!("{machine}, after {} programs", ended.len()))?;
    ensure!(*end == expected && ended.len() == programs, "{machine}: {end:?} instead of {expected:?}");
    Ok(ended)
}
