// SPDX-License-Identifier: MIT
//! A campaign's result as tables, for a terminal, a document or a paper.

use std::fmt::Write;

use super::{COLUMNS, Off, On, Report};
use crate::inject::bound;
use crate::outcome::table::{Align, Style, Table};

/// How many of the effective flips were covered.
pub struct Coverage {
    /// Those after which all went on as if nothing had happened, or a verdict ended the program.
    pub covered: u64,
    /// All that hit something.
    pub effective: u64,
}

impl Coverage {
    /// The one-sided lower bound on their share.
    pub fn least(&self) -> f64 {
        1.0 - bound::upper(self.effective - self.covered, self.effective)
    }
}

impl Report {
    /// How many of the effective flips were covered under a policy.
    pub fn coverage(&self, policy: usize) -> Coverage {
        let on = self.paired().map(|row| row.on[policy]);
        let (covered, effective) =
            on.fold((0, 0), |(covered, all), on| (covered + on.covered, all + on.effective));
        Coverage { covered, effective }
    }

    /// All tables, with what was hit above them and the bounds below.
    pub fn text(&self, style: Style) -> String {
        let (flips, effective) = self.counts();
        let mut text =
            format!("seed {:#x}: {flips} flips, {effective} effective without replay\n", self.seed);
        for (program, (flips, threads, processes)) in self.programs() {
            let several = |count: usize, one: &str, more: &str| {
                format!("{count} {}", if count == 1 { one } else { more })
            };
            let (threads, processes) =
                (several(threads, "thread", "threads"), several(processes, "process", "processes"));
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {program:<25}{flips:>7} in {threads} of {processes}");
        }
        let policies = (0..self.policies.len()).map(|policy| self.policy(policy));
        for table in [self.off()].into_iter().chain(policies) {
            // What would be the title stands in the head of the first column.
            let _ = write!(text, "\n{}", table.show(style).trim_start_matches('\n'));
        }
        text
    }

    /// What flips did without replay.
    pub fn off(&self) -> Table {
        let names = [
            "flips",
            "effective",
            "wrong output",
            "wrong status",
            "ended",
            "hung",
            "effective, 95 % interval",
        ];
        let mut table = Table::new("", &columns("off", &names));
        for row in self.paired() {
            let Off { wrong_output, wrong_status, ended, hung } = row.off;
            let numbers = [row.flips, row.off.effective(), wrong_output, wrong_status, ended, hung];
            let interval = interval(row.off.effective(), row.flips);
            table.row(cells(row.class.to_string(), &numbers, interval));
        }
        table
    }

    /// What was done about flips under a policy.
    pub fn policy(&self, policy: usize) -> Table {
        let name = self.policy_name(policy);
        let names =
            ["flips"].into_iter().chain(COLUMNS).chain(["covered, 95 % interval"]).collect::<Vec<_>>();
        let mut table = Table::new("", &columns(&name, &names));
        let mut add = |name: String, flips: u64, on: &On, is_paired: bool| {
            let numbers: Vec<u64> = [flips].into_iter().chain(on.numbers()).collect();
            let covered = if is_paired { interval(on.covered, on.effective) } else { "-".into() };
            table.row(cells(name, &numbers, covered));
        };
        for row in &self.rows {
            add(row.class.to_string(), row.flips, &row.on[policy], row.class.is_paired());
        }
        add("all".into(), self.counts().0, &self.on(policy), true);
        let (wrong, effective, upper) = self.bound(policy);
        let confidence = format!("{:.0} % confidence", 100.0 * bound::CONFIDENCE);
        table.note(format!(
            "{wrong} wrong of {effective} effective: at most {:.3} % (one-sided bound, {confidence})",
            100.0 * upper,
        ));
        let coverage = self.coverage(policy);
        table.note(format!(
            "diagnostic coverage: {} of {} effective flips recovered or ended by a verdict, at least {:.3} % (one-sided bound, {confidence})",
            coverage.covered,
            coverage.effective,
            100.0 * coverage.least(),
        ));
        if let Some(handling) = self.handling(policy) {
            table.note(format!(
                "fault detection: a difference was seen {} instructions after the flip, the median of {} flips, {} at most; fault handling: {} instructions for the longest PE that was hit; all of the emulator, the kernel's included",
                handling.median, handling.seen, handling.longest, handling.hold,
            ));
        }
        table
    }
}

fn columns<'a>(first: &'a str, others: &[&'a str]) -> Vec<(&'a str, Align)> {
    [(first, Align::Left)].into_iter().chain(others.iter().map(|name| (*name, Align::Right))).collect()
}

fn cells(name: String, numbers: &[u64], last: String) -> Vec<String> {
    let numbers = numbers.iter().map(u64::to_string);
    [name].into_iter().chain(numbers).chain([last]).collect()
}

/// The two-sided interval of a share, in percent; none of nothing.
fn interval(seen: u64, tries: u64) -> String {
    if tries == 0 {
        return "-".into();
    }
    let (least, most) = bound::interval(seen, tries);
    format!("{:.1} to {:.1} %", 100.0 * least, 100.0 * most)
}
