// SPDX-License-Identifier: MIT
//! A profile as tables and as JSON.

use std::collections::BTreeMap;

use pe_replay::TimedPhase;
use serde_json::{Map, Value, json};
use wire::end::Totals;
use wire::{DelimiterKind, Name};

use super::Profile;
use super::counts::{AFTERWARDS, BOOT, ByPhase, PHASES, add, of_the_run};
use super::kinds::Kinds;
use crate::outcome::table::{Align, Style, Table, grouped};

/// A figure of the profile beside the kernel's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Of what.
    pub name: &'static str,
    /// Executed instructions, by the plugin.
    pub executed: u64,
    /// What the kernel says.
    pub reported: u64,
    /// Instructions that were begun and not finished, since they faulted; the plugin sees each beginning.
    pub faulted: u64,
}

impl Beside {
    /// What nothing explains.
    pub fn difference(&self) -> i64 {
        self.executed as i64 - (self.reported + self.faulted) as i64
    }
}

/// The name of a phase, or of what lies before and behind.
fn phase_name(at: usize) -> &'static str {
    match at {
        BOOT => "boot",
        AFTERWARDS => "afterwards",
        at => TimedPhase::ALL[at].name(),
    }
}

/// User instructions that faulted in a run, by phase: run 1 takes the tracker's write faults, and every run the page
/// faults that end PEs.
fn faulted(totals: &Totals, runs: usize) -> ByPhase {
    let mut faulted = [0; PHASES];
    let ended = totals.ends[DelimiterKind::PageFault as usize];
    for phase in [TimedPhase::FirstRun, TimedPhase::SecondRun].into_iter().take(runs) {
        faulted[phase as usize] = ended;
    }
    if totals.phases.get(TimedPhase::ThirdRun) > 0 {
        faulted[TimedPhase::ThirdRun as usize] = ended;
    }
    faulted[TimedPhase::FirstRun as usize] += totals.write_faults;
    faulted
}

impl Profile {
    /// Each phase of the run beside what the kernel's stopwatch says, and the boot.
    pub fn phases(&self) -> Vec<Beside> {
        let totals = &self.record.totals;
        let executed = self.counts.total();
        let runs = if totals.phases.get(TimedPhase::SecondRun) > 0 { 2 } else { 1 };
        let faulted = faulted(totals, runs);
        let of = |at: usize| Beside {
            name: phase_name(at),
            executed: executed[at],
            reported: if at == BOOT { totals.boot } else { totals.phases.0[at] },
            faulted: faulted[at],
        };
        (0..=BOOT).map(of).collect()
    }

    /// Each kind of instruction with a weight of its own beside what the kernel reports.
    pub fn kinds(&self) -> Vec<Beside> {
        let reported = Kinds::reported(&self.record.totals.events);
        let both = self.kinds.0.iter().zip(reported);
        both.map(|(&(name, executed), (_, reported))| Beside { name, executed, reported, faulted: 0 })
            .collect()
    }

    /// Executions by function.
    fn functions(&self) -> Vec<(String, ByPhase)> {
        let mut functions: BTreeMap<String, ByPhase> = BTreeMap::new();
        let mut book = |name: String, phases: &ByPhase| {
            if phases.iter().any(|count| *count > 0) {
                let sum = functions.entry(name).or_insert([0; PHASES]);
                *sum = add(*sum, phases);
            }
        };
        for (address, phases) in &self.counts.0 {
            let (mut boot, mut rest) = ([0; PHASES], *phases);
            std::mem::swap(&mut boot[BOOT], &mut rest[BOOT]);
            book(self.names.function(*address), &rest);
            if boot[BOOT] > 0 {
                book(self.names.function_of_boot(*address), &boot);
            }
        }
        functions.into_iter().collect()
    }

    /// The functions with the most instructions in some phases first.
    fn sorted(&self, count: impl Fn(&ByPhase) -> u64) -> Vec<(String, ByPhase)> {
        let mut functions = self.functions();
        functions.retain(|(_, phases)| count(phases) > 0);
        functions.sort_by_key(|(_, phases)| std::cmp::Reverse(count(phases)));
        functions
    }

    /// The tables, with at most `top` functions each.
    pub fn text(&self, top: usize) -> String {
        let tables = [self.phase_table(), self.function_table(top), self.boot_table(top), self.kind_table()];
        tables.map(|table| table.show(Style::Text)).join("\n")
    }

    fn phase_table(&self) -> Table {
        let columns = [
            ("phase", Align::Left),
            ("executed", Align::Right),
            ("share", Align::Right),
            ("the kernel's own figure", Align::Right),
            ("faulted", Align::Right),
            ("difference", Align::Right),
        ];
        let mut table = Table::new("Instructions by phase.", &columns);
        let phases = self.phases();
        let run: u64 = phases[..BOOT].iter().map(|one| one.executed).sum();
        for (at, one) in phases.iter().enumerate().filter(|(_, one)| one.executed + one.reported > 0) {
            let share = if at == BOOT { "-".into() } else { percent(one.executed, run) };
            table.row(row(one, one.name, share));
        }
        let total = sum(&phases, "boot and run");
        table.row(row(&total, total.name, "-".into()));
        table.note(
            "faulted: user instructions that a page fault interrupted and that were begun again; the kernel counts them \
             once. Other exceptions interrupt some as well: in such a program they are the difference"
                .into(),
        );
        table
    }

    fn function_table(&self, top: usize) -> Table {
        let pes = self.record.totals.pes.max(1) as f64;
        let total = of_the_run(&self.counts.total());
        let executed = self.counts.total();
        let shown: Vec<usize> = (0..BOOT).filter(|at| executed[*at] > 0).collect();
        let mut columns = vec![
            ("function", Align::Left),
            ("instructions", Align::Right),
            ("share", Align::Right),
            ("a PE", Align::Right),
        ];
        columns.extend(shown.iter().map(|at| (phase_name(*at), Align::Right)));
        let mut table = Table::new(
            "Instructions of the run by function; from the fourth column on those of the mean PE, in all and by phase.",
            &columns,
        );
        let cells = |name: &str, phases: &ByPhase| {
            let count = of_the_run(phases);
            let mut cells = vec![name.to_owned(), grouped(count), percent(count, total), a_pe(count, pes)];
            cells.extend(shown.iter().map(|at| a_pe(phases[*at], pes)));
            cells
        };
        let functions = self.sorted(of_the_run);
        let (listed, rest) = functions.split_at(top.min(functions.len()));
        for (name, phases) in listed {
            table.row(cells(name, phases));
        }
        if !rest.is_empty() {
            let sum = rest.iter().fold([0; PHASES], |sum, (_, phases)| add(sum, phases));
            table.row(cells(&format!("{} more", rest.len()), &sum));
        }
        table.row(cells("all", &executed));
        table.note(format!("the mean of {} PEs", grouped(self.record.totals.pes)));
        table
    }

    fn boot_table(&self, top: usize) -> Table {
        let columns = [("function", Align::Left), ("instructions", Align::Right), ("share", Align::Right)];
        let mut table = Table::new("Instructions of the boot by function.", &columns);
        let total = self.counts.total()[BOOT];
        let functions = self.sorted(|phases| phases[BOOT]);
        for (name, phases) in functions.iter().take(top.min(10)) {
            table.row(vec![name.clone(), grouped(phases[BOOT]), percent(phases[BOOT], total)]);
        }
        table
    }

    fn kind_table(&self) -> Table {
        let columns = [
            ("kind", Align::Left),
            ("executed", Align::Right),
            ("the kernel's own figure", Align::Right),
            ("difference", Align::Right),
        ];
        let mut table = Table::new(
            "Instructions of the kernel that the cost model gives a weight of their own.",
            &columns,
        );
        table.note(
            "the kernel's figures are without the first entry, up to the time stamp that begins the run, and the one \
             that ends it"
                .into(),
        );
        for one in self.kinds() {
            let difference = one.difference().to_string();
            table.row(vec![one.name.into(), grouped(one.executed), grouped(one.reported), difference]);
        }
        table
    }

    /// The profile as JSON, with every function.
    pub fn value(&self) -> Value {
        let by_phase = |phases: &ByPhase| -> Map<String, Value> {
            (0..PHASES).map(|at| (phase_name(at).to_owned(), phases[at].into())).collect()
        };
        let functions: Vec<Value> = self
            .sorted(|phases| phases.iter().sum())
            .iter()
            .map(|(name, phases)| json!({ "function": name, "phases": by_phase(phases) }))
            .collect();
        let beside = |all: Vec<Beside>| -> Map<String, Value> {
            let one = |one: Beside| {
                let difference = one.difference();
                let value = json!({
                    "executed": one.executed,
                    "reported": one.reported,
                    "faulted": one.faulted,
                    "difference": difference,
                });
                (one.name.to_owned(), value)
            };
            all.into_iter().map(one).collect()
        };
        json!({
            "pes": self.record.totals.pes,
            "total_instructions": self.record.totals.total,
            "boot_instructions": self.record.totals.boot,
            "executed": by_phase(&self.counts.total()),
            "phases": beside(self.phases()),
            "kinds": beside(self.kinds()),
            "functions": functions,
        })
    }
}

fn row(one: &Beside, name: &str, share: String) -> Vec<String> {
    let figures = [one.reported, one.faulted].map(grouped);
    let [reported, faulted] = figures;
    vec![name.to_owned(), grouped(one.executed), share, reported, faulted, one.difference().to_string()]
}

fn sum(all: &[Beside], name: &'static str) -> Beside {
    let of = |part: fn(&Beside) -> u64| all.iter().map(part).sum();
    Beside {
        name,
        executed: of(|one| one.executed),
        reported: of(|one| one.reported),
        faulted: of(|one| one.faulted),
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2} %", 100.0 * part as f64 / whole.max(1) as f64)
}

fn a_pe(count: u64, pes: f64) -> String {
    format!("{:.1}", count as f64 / pes)
}
