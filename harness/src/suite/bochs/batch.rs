// SPDX-License-Identifier: MIT
//! Many programs in one boot of either emulator: Bochs takes seconds to start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pe_replay::wire::config::Job;
use pe_replay::wire::end::End;
use pe_replay::wire::task::Task;
use pe_replay::{Injection, Policy};

use super::super::Context;
use crate::batch::{self, Ended};
use crate::machine::Machine;
use crate::request::{self, Request};

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
    /// Whether they are recorded.
    pub trace: bool,
    /// Flips.
    pub flips: Vec<Injection>,
}

impl Case {
    /// What a failure calls it.
    pub fn name(&self) -> String {
        let Self { words, policy, .. } = self;
        format!("{} with limit {}", words.join(" "), policy.limit)
    }

    /// The program.
    pub fn program(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

/// What all programs of a batch find.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// Standard input.
    pub stdin: Vec<u8>,
    /// Files.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Runs them one after the other.
pub fn run(context: &Context, machine: Machine, around: &Around, cases: &[Case]) -> Result<Vec<Ended>> {
    let mut request = Request { machine, timeout: TIMEOUT, ..Request::job(Job::Batch) };
    request.contents.stdin = Some(around.stdin.clone());
    request.contents.files.clone_from(&around.files);
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
    let outcome = context.boot(&request)?;
    let ended = batch::ended(&outcome.finished.streams)?;
    let expected = End::Batch { programs: cases.len() as u32 };
    let end = outcome.end().with_context(|| format!("{machine}, after {} programs", ended.len()))?;
    ensure!(*end == expected && ended.len() == cases.len(), "{machine}: {end:?} instead of {expected:?}");
    Ok(ended)
}
