// SPDX-License-Identifier: MIT
//! The summary as aligned text.

use std::fmt;

use pe_replay::wire::record::Unit;
use pe_replay::{DelimiterKind, TimedPhase};

use super::Summary;

/// Width of the column of names.
const NAME: usize = 26;
/// Width of a column of numbers.
const NUMBER: usize = 16;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = self.totals();
        let policy = self.header.policy;
        writeln!(
            f,
            "mode {}, recovery {}, compare {}, flush {}, limit {} instructions, {} dirty pages, counter {}, unit {}",
            policy.mode.name(),
            policy.recovery.name(),
            policy.comparison.name(),
            policy.flush.name(),
            policy.limit,
            policy.max_dirty,
            self.header.counter.name(),
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

        writeln!(f, "\n{:<NAME$}{:>NUMBER$}{:>10}{:>NUMBER$}", "phase", "total", "share", "median per PE")?;
        for phase in TimedPhase::ALL {
            let ticks = totals.phases.get(phase);
            let share = if totals.total == 0 { 0.0 } else { 100.0 * ticks as f64 / totals.total as f64 };
            let (name, median) = (phase_title(phase), self.medians.get(phase));
            writeln!(f, "{name:<NAME$}{ticks:>NUMBER$}{share:>8.2} %{median:>NUMBER$}")?;
        }
        writeln!(f, "{:<NAME$}{:>NUMBER$}", "total", totals.total)?;
        match self.total_over_second_run() {
            Some(ratio) => writeln!(f, "{:<NAME$}{ratio:>NUMBER$.3}\n", "total over second run")?,
            None => writeln!(f, "{:<NAME$}{:>NUMBER$}\n", "total over second run", "-")?,
        }

        let mut line = |name: &str, value: u64| writeln!(f, "{name:<NAME$}{value:>NUMBER$}");
        line("divergences", totals.divergences)?;
        line("restarts", totals.restarts)?;
        line("third runs", totals.third_runs)?;
        line("outvoted runs", totals.outvoted)?;
        line("counter misses", totals.counter_misses)?;
        line("drained overflows", totals.drained_overflows)?;
        line("flips", totals.flips)?;
        line("lost records", totals.lost_records)?;
        line("longest hold", totals.longest_hold)?;
        for (pe, difference) in &self.differences {
            writeln!(f, "  PE {pe} diverged: {difference}")?;
        }
        let shown = self.differences.len() as u64;
        if totals.divergences > shown && shown > 0 {
            writeln!(f, "  and {} more", totals.divergences - shown)?;
        }
        Ok(())
    }
}

/// The name of a unit in summaries and in JSON.
pub fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Instructions => "instructions",
        Unit::Cycles => "cycles",
    }
}

fn phase_title(phase: TimedPhase) -> &'static str {
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
