// SPDX-License-Identifier: MIT
//! Runs cases, two at a time, and keeps what they measured; checks each against its baseline.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use flips::Injection;
use indicatif::ProgressBar;
use pe_replay::{Mode, TimedPhase};
use wire::clock::Clock;
use wire::end::Totals;

use super::case::{Case, SCALING};
use super::latency::Latency;
use super::loops::{self, Looped};
use super::scaling;
use crate::emulator::{self, Silent};
use crate::host::console;
use crate::native::{self, Counts, Purpose};
use crate::outcome::Outcome;
use crate::outcome::model::{Cycles, Model};
use crate::outcome::summary::DebugExceptions;
use crate::workload::catalogue;
use crate::workload::request::Request;

/// Emulators at a time.
const WORKERS: usize = 2;

/// What a run was.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The kernel's sums.
    pub totals: Totals,
    /// Modelled cycles.
    pub cycles: Cycles,
    /// How long interrupts were held back.
    pub latency: Latency,
    /// What Linux counted of the program on this machine as it is; of the run without replay only.
    pub native: Option<Counts>,
    /// Debug exceptions a PE.
    pub debug_exceptions: DebugExceptions,
    /// The endless loops of it, if it has some.
    pub loops: Vec<Looped>,
    /// What its marked calls cost, if it has some.
    pub marked: Vec<u64>,
    stdout: Vec<u8>,
    status: u8,
}

impl Measured {
    /// All instructions but those of the flush loop, which say nothing about a flush.
    pub fn instructions(&self) -> u64 {
        self.totals.total - self.totals.phases.get(TimedPhase::Flush)
    }

    /// Instructions over those of another run.
    pub fn over(&self, other: &Self) -> f64 {
        self.instructions() as f64 / other.instructions() as f64
    }

    /// Modelled cycles over those of another run.
    pub fn modelled_over(&self, other: &Self) -> f64 {
        self.cycles.total() / other.cycles.total()
    }

    /// Fails with what shows that replay changed or disturbed the program. Only interrupts that
    /// are late on purpose may be missed.
    fn check(&self, case: &Case, off: &Self) -> Result<()> {
        let Totals { divergences, restarts, counter_misses, pes, committed, lost_records, .. } = self.totals;
        let missed = if case.is_late() { 0 } else { counter_misses };
        ensure!(
            divergences + restarts + missed == 0,
            "{divergences} divergences, {restarts} restarts, {counter_misses} counter misses"
        );
        ensure!(self.status == off.status, "status {} instead of {}", self.status, off.status);
        ensure!(self.stdout == off.stdout, "the output is not that of the run without replay");
        ensure!(pes == committed, "{pes} PEs started, {committed} committed");
        ensure!(lost_records == 0, "{lost_records} trace records lost");
        let (own, others) = (self.totals.user_instructions, off.totals.user_instructions);
        let expected = case.takes_turns() || own == others;
        ensure!(expected, "{own} user instructions instead of {others}");
        self.loops.iter().try_for_each(Looped::check)
    }
}

/// Native runs by program and arguments.
type Natives = HashMap<(&'static str, Vec<String>), Result<native::Ended, String>>;

/// What is common to all runs.
pub struct Runner<'a> {
    /// The kernel, and the one that has counters in software.
    kernels: [PathBuf; 2],
    model: &'a Model,
    /// A flip in every replayed run.
    inject: Option<Injection>,
    timeout: Duration,
    clock: Clock,
}

impl<'a> Runner<'a> {
    /// Makes a runner for the kernel, and for the one that has counters in software, which are built.
    pub fn new(
        kernels: [PathBuf; 2],
        model: &'a Model,
        inject: Option<Injection>,
        timeout: Duration,
        clock: Clock,
    ) -> Self {
        Self { kernels, model, inject, timeout, clock }
    }

    /// Runs all cases and their baselines, each once.
    pub fn run(&self, wanted: Vec<Case>) -> Result<Results> {
        let mut cases: Vec<Case> = Vec::new();
        for case in wanted.into_iter().flat_map(|case| [case.baseline(), case]) {
            if !cases.contains(&case) {
                cases.push(case);
            }
        }
        let mut programs = HashMap::new();
        for case in &cases {
            if !programs.contains_key(case.program) {
                programs.insert(case.program, catalogue::program(case.program)?);
            }
        }
        let natives = natives(&cases, &programs)?;
        let bar = progress_bar(cases.len());
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(Case, Result<Measured, String>)>> = Mutex::default();
        let worker = || {
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                bar.set_message(case.to_string());
                let measured = self.measure(case, &programs, &natives).map_err(|error| format!("{error:#}"));
                done.lock().unwrap_or_else(PoisonError::into_inner).push((case.clone(), measured));
                bar.inc(1);
            }
        };
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(worker);
            }
        });
        bar.finish_and_clear();
        let mut results = Results { done: done.into_inner().unwrap_or_else(PoisonError::into_inner) };
        results.compare();
        Ok(results)
    }

    fn measure(&self, case: &Case, programs: &HashMap<&str, PathBuf>, natives: &Natives) -> Result<Measured> {
        let path = programs.get(case.program).context("not built")?;
        let arguments: Vec<&str> = case.arguments.iter().map(String::as_str).collect();
        let mut request = Request::program(path, case.program, &arguments)?;
        request.policy = case.policy;
        request.processor = case.processor;
        (request.counter, request.counter_faults) = (case.counter, case.faults);
        request.timeout = self.timeout;
        request.clock = self.clock;
        request.isolate = case.isolate;
        let replayed = case.policy.mode != Mode::Off;
        request.injections.extend(self.inject.filter(|_| replayed));
        let [production, for_tests] = &self.kernels;
        let kernel = if request.counter.is_emulated() { for_tests } else { production };
        let finished = emulator::boot(&request.boot(kernel.clone())?, &mut Silent)?;
        let outcome = Outcome::new(kernel.clone(), finished);
        // Its sums have to agree.
        let summary = outcome.summary()?;
        let (counter, expected) = (summary.header.counter, case.counter_kind());
        ensure!(counter == expected, "{} counted in place of {}", counter.name(), expected.name());
        let totals = *summary.totals();
        let records = outcome.records()?;
        let mut measured = Measured {
            totals,
            cycles: self.model.cycles(&case.policy, &totals),
            latency: Latency::of(&records, totals.longest_hold),
            debug_exceptions: summary.debug_exceptions,
            loops: if case.takes_turns() { loops::of(&summary.header, &records) } else { Vec::new() },
            marked: if case.program == SCALING { scaling::marked(path, &records)? } else { Vec::new() },
            native: None,
            stdout: outcome.stdout(),
            status: outcome.status()?,
        };
        ensure!(measured.status == 0, "status {}: {}", measured.status, outcome.stderr().escape_ascii());
        if *case == case.baseline() {
            let native = natives.get(&(case.program, case.arguments.clone())).context("no native run")?;
            let native = native.as_ref().map_err(|error| anyhow!("natively: {error}"))?;
            let same = (native.status, &native.stdout) == (measured.status, &measured.stdout);
            ensure!(same, "status or output are not those of a native run");
            measured.native = Some(native.counts.clone());
        }
        Ok(measured)
    }
}

/// Runs every program natively, once and one at a time, before an emulator takes the processors.
fn natives(cases: &[Case], programs: &HashMap<&str, PathBuf>) -> Result<Natives> {
    let mut natives = Natives::new();
    for Case { program, arguments, .. } in cases {
        let path = programs.get(program).context("not built")?;
        let run = || {
            let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let request = Request::program(path, program, &words)?;
            native::start(path, &request.contents, Purpose::Measure)
        };
        natives
            .entry((program, arguments.clone()))
            .or_insert_with(|| run().map_err(|error| format!("{error:#}")));
    }
    Ok(natives)
}

fn progress_bar(length: usize) -> ProgressBar {
    console::progress_bar(Some(length as u64), "{pos}/{len} {elapsed} {wide_msg}")
}

/// What was measured, or what went wrong, by case.
pub struct Results {
    done: Vec<(Case, Result<Measured, String>)>,
}

impl Results {
    /// Turns what was measured into a failure where it does not stand up to its baseline.
    fn compare(&mut self) {
        let verdicts: Vec<Option<String>> = self
            .done
            .iter()
            .map(|(case, measured)| {
                let measured = measured.as_ref().ok()?;
                match self.get(&case.baseline()) {
                    Ok(off) => measured.check(case, off).err().map(|error| format!("{error:#}")),
                    Err(_) => Some("the run without replay failed".into()),
                }
            })
            .collect();
        for ((_, measured), verdict) in self.done.iter_mut().zip(verdicts) {
            if let Some(reason) = verdict {
                *measured = Err(reason);
            }
        }
    }

    /// What a case measured.
    pub fn get(&self, case: &Case) -> Result<&Measured, &str> {
        let found = self.done.iter().find(|(done, _)| done == case);
        match found {
            Some((_, measured)) => measured.as_ref().map_err(String::as_str),
            None => Err("not run"),
        }
    }

    /// What went wrong, a line each.
    pub fn failures(&self) -> impl Iterator<Item = String> {
        self.done.iter().filter_map(|(case, measured)| {
            let reason = measured.as_ref().err()?;
            Some(format!("{case}: {}", reason.lines().collect::<Vec<_>>().join(" | ")))
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use pe_replay::Policy;
    use wire::counter::{CounterChoice, CounterFaults, Lateness};

    use super::super::case::LOOPS;
    use super::*;

    /// Results as if these runs had been made.
    pub(crate) fn results(done: Vec<(Case, Measured)>) -> Results {
        Results { done: done.into_iter().map(|(case, measured)| (case, Ok(measured))).collect() }
    }

    pub(crate) fn measured(change: impl FnOnce(&mut Measured)) -> Measured {
        let totals =
            Totals { pes: 9, committed: 9, total: 1000, user_instructions: 400, ..Totals::default() };
        let mut measured = Measured {
            totals,
            cycles: Cycles::default(),
            latency: Latency::default(),
            debug_exceptions: DebugExceptions::default(),
            loops: Vec::new(),
            marked: Vec::new(),
            native: None,
            stdout: b"42\n".to_vec(),
            status: 0,
        };
        change(&mut measured);
        measured
    }

    fn verdict(change: impl FnOnce(&mut Measured)) -> Option<String> {
        verdict_of(Case::new("bench-light", &[], Policy::DEFAULT), change)
    }

    fn verdict_of(case: Case, change: impl FnOnce(&mut Measured)) -> Option<String> {
        let done = vec![(case.baseline(), Ok(measured(|_| ()))), (case.clone(), Ok(measured(change)))];
        let mut results = Results { done };
        results.compare();
        results.get(&case).err().map(str::to_owned)
    }

    #[test]
    fn a_run_that_replay_disturbed_or_changed_fails() {
        assert_eq!(verdict(|_| ()), None);
        assert_eq!(verdict(|one| one.totals.total = 2000), None);
        let failed = |change: fn(&mut Measured)| verdict(change).unwrap();
        assert!(failed(|one| one.totals.divergences = 1).starts_with("1 divergences"));
        assert!(failed(|one| one.totals.restarts = 1).contains("1 restarts"));
        assert!(failed(|one| one.totals.counter_misses = 1).contains("1 counter misses"));
        assert!(failed(|one| one.stdout.push(b'!')).contains("output"));
        assert!(failed(|one| one.status = 1).contains("status"));
        assert!(failed(|one| one.totals.pes = 10).contains("committed"));
        assert!(failed(|one| one.totals.user_instructions = 401).contains("401 user instructions"));
    }

    #[test]
    fn misses_are_allowed_where_interrupts_are_late_and_other_lengths_where_turns_decide() {
        let faults = CounterFaults { skid: Lateness::Random(100), ..CounterFaults::default() };
        let late =
            |program| Case::new(program, &[], Policy::DEFAULT).counted(CounterChoice::IntelEmulated, faults);
        let missed = |one: &mut Measured| one.totals.counter_misses = 1;
        assert_eq!(verdict_of(late("bench-light"), missed), None);
        let longer = |one: &mut Measured| one.totals.user_instructions += 1;
        assert!(verdict_of(late("bench-light"), longer).is_some());
        assert_eq!(verdict_of(late(LOOPS), longer), None);
    }

    #[test]
    fn without_a_baseline_nothing_can_be_said() {
        let case = Case::new("bench-light", &[], Policy::DEFAULT);
        let broken = (case.baseline(), Err("no emulator".into()));
        let mut results = Results { done: vec![broken, (case.clone(), Ok(measured(|_| ())))] };
        results.compare();
        assert!(results.get(&case).is_err());
        assert_eq!(results.failures().count(), 2);
    }
}
