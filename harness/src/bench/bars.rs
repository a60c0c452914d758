// SPDX-License-Identifier: MIT
//! The bars that the engine is held to, in instructions as QEMU counts them.
//!
//! What one page or one PE costs is the difference of runs that differ in nothing else: twice
//! the rounds take away what a program does once, more pages what it does anyway.

use pe_replay::{Mode, Policy, TimedPhase};
use serde_json::{Value, json};
use wire::Name;
use wire::end::Totals;
use wire::isolation::Isolate;

use super::case::Case;
use super::grid::frames_a_pe;
use super::runner::{Measured, Results};
use super::workload::{LIGHT, STEADY, Workload};
use crate::emulator::Processor;
use crate::outcome::table::{Align, Table, grouped, ratio};

const DUAL: Policy = Policy::DEFAULT;
const OFF: Policy = Policy { mode: Mode::Off, ..Policy::DEFAULT };

/// Getpid calls of the shorter and of the longer run.
const CALLS: [u64; 2] = [2_000, 6_000];
/// Rounds of the shorter and of the longer run.
const ROUNDS: [u64; 2] = [500, 1_500];
/// Pages written in each round, fewer and more.
const PAGES: [u64; 2] = [8, 16];

/// Something that has a bar, or stands beside one that has.
pub struct Bar {
    name: &'static str,
    most: Option<f64>,
    /// The figure, or why there is none.
    figure: Result<Figure, String>,
}

struct Figure {
    value: f64,
    about: String,
}

fn calls(policy: Policy, calls: u64) -> Case {
    Case::new("calls", &[&calls.to_string()], policy)
}

/// Getpid calls with the kernel in the user's page tables.
fn exposed(policy: Policy, count: u64) -> Case {
    Case { isolate: Isolate::Never, ..calls(policy, count) }
}

fn rounds(policy: Policy, pages: u64, rounds: u64, processor: Processor) -> Case {
    Case { processor, ..Case::new("bench-pages", &[&pages.to_string(), &rounds.to_string()], policy) }
}

/// What has to be run.
pub fn cases() -> Vec<Case> {
    let mut cases = vec![LIGHT.case(DUAL), STEADY.case(DUAL)];
    for count in CALLS {
        for policy in [OFF, DUAL] {
            cases.extend([calls(policy, count), exposed(policy, count)]);
        }
    }
    for count in ROUNDS {
        cases.extend([OFF, DUAL].map(|policy| rounds(policy, 0, count, Processor::Usual)));
        for pages in PAGES {
            cases.extend([Processor::Usual, Processor::Sse2].map(|one| rounds(DUAL, pages, count, one)));
        }
    }
    cases
}

/// All bars, with what was measured.
pub fn measure(results: &Results) -> Vec<Bar> {
    let bar =
        |name, most, figure: Result<Figure, &str>| Bar { name, most, figure: figure.map_err(str::to_owned) };
    vec![
        bar("getpid call in off", Some(300.0), call(results, OFF, calls)),
        bar("getpid call in dual", Some(2_200.0), call(results, DUAL, calls)),
        bar("getpid call in off, not isolated", None, call(results, OFF, exposed)),
        bar("getpid call in dual, not isolated", None, call(results, DUAL, exposed)),
        bar("isolation of a run in off", Some(60.0), isolation(results, OFF, 1.0)),
        bar("isolation of a run in dual", Some(60.0), isolation(results, DUAL, 2.0)),
        bar("PE without a write in dual, and its call", Some(1_000.0), empty(results)),
        bar("predicted page with AVX2", Some(700.0), page(results, Processor::Usual)),
        bar("predicted page with SSE2", None, page(results, Processor::Sse2)),
        bar("light: dual over off", Some(2.05), over(results, &LIGHT)),
        bar("steady: dual over off", Some(2.45), over(results, &STEADY)),
    ]
}

/// What some PEs cost, by phase, each on average.
#[derive(Clone, Copy)]
struct Cost([f64; TimedPhase::ALL.len()]);

impl Cost {
    /// The difference of two runs of one program, of which one does `count` more.
    fn between(less: &Totals, more: &Totals, count: u64) -> Self {
        let each = |at: usize| (more.phases.0[at] as f64 - less.phases.0[at] as f64) / count as f64;
        Self(std::array::from_fn(each))
    }

    fn minus(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] - other.0[at]))
    }

    fn divided(self, by: f64) -> Self {
        Self(self.0.map(|part| part / by))
    }

    fn total(self) -> f64 {
        self.0.iter().sum()
    }

    /// Without the program's own instructions.
    fn kernel(mut self) -> Self {
        for run in [TimedPhase::FirstRun, TimedPhase::SecondRun, TimedPhase::ThirdRun] {
            self.0[run as usize] = 0.0;
        }
        self
    }

    /// The parts that are not nothing.
    fn parts(self) -> String {
        let parts = TimedPhase::ALL.into_iter().zip(self.0).filter(|(_, part)| part.abs() >= 0.5);
        parts.map(|(phase, part)| format!("{} {part:.0}", phase.name())).collect::<Vec<_>>().join(", ")
    }
}

fn difference(results: &Results, case: impl Fn(u64) -> Case, counts: [u64; 2]) -> Result<Cost, &str> {
    let [less, more] = [results.get(&case(counts[0]))?, results.get(&case(counts[1]))?];
    Ok(Cost::between(&less.totals, &more.totals, counts[1] - counts[0]))
}

fn call(results: &Results, policy: Policy, case: fn(Policy, u64) -> Case) -> Result<Figure, &str> {
    let cost = difference(results, |count| case(policy, count), CALLS)?;
    Ok(Figure { value: cost.total(), about: cost.parts() })
}

/// What it costs a run that the kernel is out of the user's page tables, where it has to be.
fn isolation(results: &Results, policy: Policy, runs: f64) -> Result<Figure, &str> {
    let each = |case: fn(Policy, u64) -> Case, what: fn(&Measured) -> f64| -> Result<f64, &str> {
        let [less, more] = [results.get(&case(policy, CALLS[0]))?, results.get(&case(policy, CALLS[1]))?];
        Ok((what(more) - what(less)) / (CALLS[1] - CALLS[0]) as f64 / runs)
    };
    let beyond = |what| -> Result<f64, &str> { Ok(each(calls, what)? - each(exposed, what)?) };
    let cycles = beyond(|measured| measured.cycles.total())?;
    let value = beyond(|measured| measured.totals.total as f64)?;
    Ok(Figure { value, about: format!("{cycles:.0} modelled cycles") })
}

fn empty(results: &Results) -> Result<Figure, &str> {
    let of = |policy| difference(results, |count| rounds(policy, 0, count, Processor::Usual), ROUNDS);
    let (off, dual) = (of(OFF)?, of(DUAL)?);
    let cost = dual.kernel();
    // The call cannot be told from what surrounds it; off has both, too.
    let about = format!("{}; beyond off {:.0}", cost.parts(), cost.minus(off.kernel()).total());
    Ok(Figure { value: cost.total(), about })
}

fn page(results: &Results, processor: Processor) -> Result<Figure, &str> {
    let of = |pages| difference(results, |count| rounds(DUAL, pages, count, processor), ROUNDS);
    let cost = of(PAGES[1])?.minus(of(PAGES[0])?).kernel().divided((PAGES[1] - PAGES[0]) as f64);
    Ok(Figure { value: cost.total(), about: cost.parts() })
}

fn over<'a>(results: &'a Results, workload: &Workload) -> Result<Figure, &'a str> {
    let case = workload.case(DUAL);
    let (dual, off) = (results.get(&case)?, results.get(&case.baseline())?);
    let totals = &dual.totals;
    let about = format!(
        "{:.1} pages and {} instructions a PE",
        frames_a_pe(totals),
        grouped(totals.user_instructions / totals.committed.max(1))
    );
    Ok(Figure { value: dual.over(off), about })
}

const COLUMNS: [(&str, Align); 5] = [
    ("bar", Align::Left),
    ("at most", Align::Right),
    ("measured", Align::Right),
    ("verdict", Align::Left),
    ("of which", Align::Left),
];

/// The table of bars.
pub fn table(bars: &[Bar]) -> Table {
    let mut table = Table::new("Bars, in instructions as QEMU counts them.", &COLUMNS);
    for bar in bars {
        let most = bar.most.map_or_else(|| "-".to_owned(), number);
        let cells = match &bar.figure {
            Ok(figure) => vec![number(figure.value), bar.verdict().into(), figure.about.clone()],
            Err(reason) => vec!["-".into(), bar.verdict().into(), reason.clone()],
        };
        table.row([vec![bar.name.to_owned(), most], cells].concat());
    }
    table
}

impl Bar {
    fn verdict(&self) -> &'static str {
        match (&self.figure, self.most) {
            (Err(_), _) => "FAILED",
            (Ok(_), None) => "",
            (Ok(figure), Some(most)) if figure.value <= most => "met",
            (Ok(_), Some(_)) => "NOT MET",
        }
    }
}

/// Ratios to three places, instructions to one, unless they are whole.
fn number(value: f64) -> String {
    if value < 10.0 {
        return ratio(value);
    }
    let tenths = (value * 10.0).round() as u64;
    match tenths % 10 {
        0 => grouped(tenths / 10),
        tenth => format!("{}.{tenth}", grouped(tenths / 10)),
    }
}

/// The bars as JSON.
pub fn value(bars: &[Bar]) -> Value {
    bars.iter()
        .map(|bar| {
            let figure = bar.figure.as_ref().ok();
            json!({
                "bar": bar.name,
                "most": bar.most,
                "figure": figure.map(|figure| figure.value),
                "verdict": bar.verdict(),
                "about": figure.map(|figure| figure.about.as_str()),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use pe_replay::Phases;

    use super::*;

    #[test]
    fn a_cost_is_what_one_more_adds() {
        let run = |phases| Totals { phases: Phases(phases), ..Totals::default() };
        let (less, more) = (run([10, 1, 2, 0, 10, 0, 3, 50]), run([30, 1, 12, 0, 30, 0, 3, 90]));
        let cost = Cost::between(&less, &more, 10);
        assert!((cost.total() - 9.0).abs() < 1e-9);
        assert!((cost.kernel().total() - 5.0).abs() < 1e-9);
        assert_eq!(cost.kernel().parts(), "restart 1, other 4");
        assert!((cost.minus(cost).total()).abs() < 1e-9);
    }

    #[test]
    fn figures_are_exact_enough_for_their_bars() {
        assert_eq!([2.05, 700.04, 700.06, 2437.1].map(number), ["2.050", "700", "700.1", "2,437.1"]);
    }

    #[test]
    fn a_bar_is_met_up_to_its_figure() {
        let bar = |value, most| Bar { name: "x", most, figure: Ok(Figure { value, about: String::new() }) };
        assert_eq!(bar(2.05, Some(2.05)).verdict(), "met");
        assert_eq!(bar(2.06, Some(2.05)).verdict(), "NOT MET");
        assert_eq!(bar(2.06, None).verdict(), "");
        assert_eq!(Bar { name: "x", most: None, figure: Err("y".into()) }.verdict(), "FAILED");
    }
}
