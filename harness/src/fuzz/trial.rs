// SPDX-License-Identifier: MIT
//! Runs of the fuzzer, each under a policy, held against the first of them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use flips::Injection;
use pe_replay::Policy;
use wire::config::Recording;
use wire::end::{End, Totals};

use super::finding::{Finding, What};
use super::told;
use crate::emulator::ending::Ending;
use crate::emulator::{self, Emulator, Silent};
use crate::outcome::{self, Outcome};
use crate::workload::request::Request;

/// The program's name.
const NAME: &str = "fuzz";

/// What the fuzzer is run in.
pub struct Bench {
    kernel: PathBuf,
    request: Request,
}

/// What the last line of a run says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Calls that were made, accesses and odd instructions included.
    pub calls: u64,
    /// The digest of all that came of them.
    pub digest: String,
}

/// One run.
struct Run {
    lines: Vec<String>,
    /// The calls, if they were told.
    told: Vec<String>,
    /// Why it is no good run, if it is none.
    failure: Option<String>,
}

impl Bench {
    /// Makes a bench of a kernel and the fuzzer.
    pub fn new(kernel: PathBuf, fuzzer: &Path, machine: Emulator, timeout: Duration) -> Result<Self> {
        let request = Request::program(fuzzer, NAME, &[])?;
        Ok(Self { kernel, request: Request { machine, timeout, trace: Recording::Nothing, ..request } })
    }

    /// Flips bits in every run.
    pub fn with_flips(mut self, flips: &[Injection]) -> Self {
        self.request.injections = flips.to_vec();
        self
    }

    /// Runs a seed under each of the policies, and holds what each shows against what the first one does.
    pub fn compare(&self, seed: u64, calls: u64, policies: &[Policy]) -> Result<Result<Found, Finding>> {
        let mut reference: Option<(Policy, Run)> = None;
        for policy in policies {
            let run = self.run(seed, calls, policy, None)?;
            if let Some(failure) = run.failure {
                let what = What::Failed { failure, last: self.last_calls(seed, calls, policy, &run.lines)? };
                return Ok(Err(Finding { seed, policy: *policy, what }));
            }
            match &reference {
                None => reference = Some((*policy, run)),
                Some((other, expected)) if expected.lines != run.lines => {
                    let same = told::common(&expected.lines, &run.lines);
                    let from = told::round(&run.lines[..same]);
                    let [one, two] = [other, policy].map(|policy| self.run(seed, calls, policy, from));
                    let what = What::Differs { first: told::first_difference(&one?.told, &two?.told) };
                    return Ok(Err(Finding { seed, policy: *policy, what }));
                }
                Some(_) => {}
            }
        }
        let (_, run) = reference.context("nothing was to be run")?;
        Ok(Ok(told::found(run.lines.last().context("the fuzzer says nothing")?)?))
    }

    /// The last calls before a run ends, from another run of the same that tells them; none if that one comes through.
    fn last_calls(&self, seed: u64, calls: u64, policy: &Policy, lines: &[String]) -> Result<Vec<String>> {
        let again = self.run(seed, calls, policy, told::round(lines))?;
        Ok(if again.failure.is_some() { told::last(&again.told) } else { Vec::new() })
    }

    /// Runs a seed; tells each call from a round on.
    fn run(&self, seed: u64, calls: u64, policy: &Policy, telling: Option<u64>) -> Result<Run> {
        let mut request = Request { policy: *policy, ..self.request.clone() };
        let words = [seed, calls].into_iter().chain(telling);
        request.contents.argv.extend(words.map(|word| format!("{word:x}").into_bytes()));
        let finished = emulator::boot(&request.boot(self.kernel.clone())?, &mut Silent)?;
        let outcome = Outcome::new(self.kernel.clone(), finished);
        let lines = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect();
        let lines: Vec<String> = lines(outcome.stdout());
        let told = String::from_utf8_lossy(&outcome.stderr()).lines().map(str::to_owned).collect();
        let failure = failure(outcome.ending()).or_else(|| {
            let is_done = lines.last().is_some_and(|line| line.starts_with(told::DONE));
            (!is_done).then(|| "the fuzzer did not come to its end".to_owned())
        });
        Ok(Run { lines, told, failure })
    }
}

/// Why an end is none that the fuzzer may come to.
fn failure(ending: &Ending) -> Option<String> {
    let Ending::Normal(record) = ending else { return Some(ending.to_string()) };
    let Totals { divergences, restarts, outvoted, counter_misses, .. } = record.totals;
    match record.end {
        End::Exited { status: 0 } if [divergences, restarts, outvoted, counter_misses] == [0; 4] => None,
        End::Exited { status: 0 } => Some(format!(
            "{divergences} divergences, {restarts} restarts, {outvoted} outvoted runs, {counter_misses} counter misses"
        )),
        end => Some(outcome::told::told(&end).unwrap_or_else(|| format!("{end:?}"))),
    }
}
