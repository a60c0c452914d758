// SPDX-License-Identifier: MIT
//! The summary as aligned text.
//!
//! An emulator's instructions say nothing about a cache flush. So where they are the unit,
//! that row shows modelled cycles only, and its few instructions stand under `other`.

use std::fmt;

use pe_replay::TimedPhase;
use wire::difference::InWords;
use wire::end::{LongestCall, Service, Watchdog};
use wire::record::{Label, Unit};
use wire::{DelimiterKind, Name};

use super::{Diverged, Hit, Summary};
use crate::outcome::model::Model;
use crate::outcome::told::{call_name, hypercall_name};

/// Width of the column of names.
const NAME: usize = 26;
/// Width of a column of numbers.
const NUMBER: usize = 16;
/// Width of the column of modelled cycles.
const CYCLES: usize = 20;
/// Its title.
const MODELLED: &str = "modelled cycles";

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = self.totals();
        let policy = self.header.policy;
        writeln!(
            f,
            "mode {}, recovery {}, compare {}, flush {}, limit {} instructions, {} dirty pages, counter {}, clock {}, {}, unit {}",
            policy.mode.name(),
            policy.recovery.name(),
            policy.comparison.name(),
            policy.flush.name(),
            policy.limit,
            policy.max_dirty,
            self.header.counter.name(),
            self.header.clock.name(),
            if self.header.is_isolated { "isolated" } else { "not isolated" },
            unit_name(self.header.unit),
        )?;
        let mut line = |name: &str, value: u64| writeln!(f, "{name:<NAME$}{value:>NUMBER$}");
        line("processing elements", totals.pes)?;
        for (kind, count) in DelimiterKind::ALL.into_iter().zip(totals.ends) {
            line(&format!("  ended by {}", kind.name().replace('_', " ")), count)?;
        }
        line("committed", totals.committed)?;
        line("user instructions", totals.user_instructions)?;
        line("written frames", totals.frames_written)?;
        line("write faults", totals.write_faults)?;
        line("boot", totals.boot)?;

        self.breakdown(f)?;

        let mut line = |name: &str, value: u64| writeln!(f, "{name:<NAME$}{value:>NUMBER$}");
        line("divergences", totals.divergences)?;
        line("restarts", totals.restarts)?;
        line("third runs", totals.third_runs)?;
        line("outvoted runs", totals.outvoted)?;
        line("counter misses", totals.counter_misses)?;
        line("debug exceptions", totals.debug_exceptions)?;
        if totals.debug_exceptions > 0 {
            line("  median per PE", self.debug_exceptions.median)?;
            line("  p99.9 per PE", self.debug_exceptions.most)?;
        }
        line("drained overflows", totals.drained_overflows)?;
        line("flips", totals.flips)?;
        line("lost records", totals.lost_records)?;
        line("longest hold", totals.longest_hold)?;
        if let Some(LongestCall { ticks, service }) = totals.longest_call {
            writeln!(f, "{:<NAME$}{ticks:>NUMBER$}  {}", "longest call", service_name(service))?;
        }
        let mut line = |name: &str, value: u64| writeln!(f, "{name:<NAME$}{value:>NUMBER$}");
        if totals.idle > 0 {
            line("idle", totals.idle)?;
        }
        if totals.longest_interrupt > 0 {
            line("longest interrupt", totals.longest_interrupt)?;
        }
        match totals.watchdog {
            Watchdog::Pit => {}
            Watchdog::EventTimer => writeln!(f, "{:<NAME$}event timer", "watchdog")?,
            Watchdog::Off => writeln!(f, "{:<NAME$}off: programs have all that it could use", "watchdog")?,
        }
        let mut line = |name: &str, value: u64| writeln!(f, "{name:<NAME$}{value:>NUMBER$}");
        line("cache lines flushed", totals.events.lines_flushed)?;
        line("caches flushed", totals.events.cache_flushes)?;
        for Label { process, text } in &self.labels {
            writeln!(f, "  process {process} is {text}")?;
        }
        for Hit { pe, thread, flips } in &self.hits {
            let flips = if *flips == 1 { "a flip".to_owned() } else { format!("{flips} flips") };
            writeln!(f, "  PE {pe} ({thread}) was hit by {flips}")?;
        }
        for Diverged { pe, thread, difference } in &self.differences {
            writeln!(f, "  PE {pe} ({thread}) diverged: {}", InWords(*difference))?;
        }
        let shown = self.differences.len() as u64;
        if totals.divergences > shown && shown > 0 {
            writeln!(f, "  and {} more", totals.divergences - shown)?;
        }
        if !self.labels.is_empty() {
            write!(f, "\n{}", self.breakdown)?;
        }
        Ok(())
    }
}

impl Summary {
    /// The table of phases, and below it the ratio.
    fn breakdown(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = self.totals();
        let modelled = self.modelled.unwrap_or_default();
        write!(f, "\n{:<NAME$}{:>NUMBER$}{:>10}{:>NUMBER$}", "phase", "total", "share", "median per PE")?;
        match self.modelled {
            Some(_) => writeln!(f, "{MODELLED:>CYCLES$}{:>10}", "share")?,
            None => writeln!(f)?,
        }
        for phase in TimedPhase::ALL {
            let name = phase_title(phase);
            match self.ticks(phase) {
                Some((ticks, median)) => {
                    let share = percent(ticks as f64, totals.total as f64);
                    write!(f, "{name:<NAME$}{ticks:>NUMBER$}{share:>8.2} %{median:>NUMBER$}")?;
                }
                None => write!(f, "{name:<NAME$}{:>NUMBER$}{:>10}{:>NUMBER$}", "-", "-", "-")?,
            }
            match self.modelled {
                Some(_) => {
                    let (cycles, share) =
                        (modelled.get(phase), percent(modelled.get(phase), modelled.total()));
                    writeln!(f, "{cycles:>CYCLES$.0}{share:>8.2} %")?;
                }
                None => writeln!(f)?,
            }
        }
        write!(f, "{:<NAME$}{:>NUMBER$}", "total", totals.total)?;
        match self.modelled {
            Some(cycles) => writeln!(f, "{:>width$.0}", cycles.total(), width = 10 + NUMBER + CYCLES)?,
            None => writeln!(f)?,
        }
        write!(f, "{:<NAME$}{:>NUMBER$}", "total over second run", ratio(self.total_over_second_run()))?;
        match self.modelled {
            Some(_) => {
                let modelled = ratio(self.modelled_over_second_run());
                writeln!(f, "{modelled:>width$}", width = 10 + NUMBER + CYCLES)?;
            }
            None => writeln!(f)?,
        }
        if let (Some(_), Ok(model)) = (self.modelled, Model::built_in()) {
            writeln!(f, "modelled, not measured: {}", model.processor)?;
        }
        writeln!(f)
    }

    /// Duration and median of a phase, where they mean something.
    fn ticks(&self, phase: TimedPhase) -> Option<(u64, u64)> {
        let of = |phase| (self.totals().phases.get(phase), self.medians.get(phase));
        match (self.header.unit, phase) {
            (Unit::Instructions, TimedPhase::Flush) => None,
            (Unit::Instructions, TimedPhase::Other) => {
                let ((other, median), (flush, _)) = (of(phase), of(TimedPhase::Flush));
                Some((other + flush, median))
            }
            (Unit::Instructions | Unit::Cycles, _) => Some(of(phase)),
        }
    }
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"))
}

fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 100.0 * part / whole } else { 0.0 }
}

/// The name of what a program has made the kernel do, in summaries and in JSON.
pub fn service_name(service: Service) -> String {
    match service {
        Service::Syscall(number) => {
            call_name(number).map_or_else(|| format!("system call {number}"), str::to_owned)
        }
        Service::PageFault => "page fault".into(),
        Service::Exception(vector) => format!("exception {vector}"),
        Service::Switch => "process switch".into(),
        Service::Hypercall(number) => hypercall_name(number).into(),
    }
}

/// The name of a unit in summaries and in JSON.
pub fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Instructions => "instructions",
        Unit::Cycles => "cycles",
    }
}

/// The name of a phase in tables.
pub fn phase_title(phase: TimedPhase) -> &'static str {
    match phase {
        TimedPhase::FirstRun => "first run",
        TimedPhase::Treatment => "first-run treatment",
        TimedPhase::Restart => "restart",
        TimedPhase::Flush => "cache flush",
        TimedPhase::SecondRun => "second run",
        TimedPhase::ThirdRun => "third run",
        TimedPhase::VerifyCommit => "verify and commit",
        TimedPhase::Other => "other",
    }
}
