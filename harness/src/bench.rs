// SPDX-License-Identifier: MIT
//! `cargo reprise bench`: what replay costs, measured on whole programs.
//!
//! What is wanted is first collected as cases, each once; then they are run, two at a time;
//! everything after that is arithmetic over the results. A case whose output is not that of
//! the run without replay, or that diverged, makes the whole command fail.

mod bars;
mod case;
mod counters;
mod document;
mod grid;
mod latency;
pub mod loops;
mod origin;
mod plot;
mod runner;
mod sweep;
mod table;
mod workload;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};

use crate::artifacts::Guest;
use crate::cli::BenchArgs;
use crate::model::Model;
use crate::packages;

use case::Case;
use origin::Origin;
use runner::{Results, Runner};
use table::{Style, Table};
use workload::Workload;

/// The status when a run failed its checks.
const STATUS_FAILED: u8 = 1;

/// A part of the suite that is no workload.
const BARS: &str = "bars";
/// Likewise.
const SWEEP: &str = "sweep";
/// Likewise.
const COUNTERS: &str = "counters";

/// What one call is to measure.
struct Plan {
    workloads: Vec<&'static Workload>,
    variants: Vec<grid::Variant>,
    bars: bool,
    sweep: bool,
    counters: bool,
}

impl Plan {
    fn of(args: &BenchArgs) -> Result<Self> {
        if args.quick {
            let variants = grid::quick();
            let workloads = vec![&workload::QUICK];
            return Ok(Self { workloads, variants, bars: false, sweep: false, counters: false });
        }
        let wanted = |name: &str| args.suites.is_empty() || args.suites.iter().any(|suite| suite == name);
        for suite in &args.suites {
            if !names().any(|name| name == suite) {
                let known = names().collect::<Vec<_>>().join(", ");
                bail!("--suite {suite}: no such suite; there are {known}");
            }
        }
        Ok(Self {
            workloads: workload::ALL.iter().filter(|workload| wanted(workload.name)).collect(),
            variants: grid::all(),
            bars: wanted(BARS),
            sweep: wanted(SWEEP) || args.plot.is_some(),
            counters: wanted(COUNTERS),
        })
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = grid::cases(&self.workloads, &self.variants);
        if self.bars {
            cases.extend(bars::cases());
        }
        if self.sweep {
            cases.extend(sweep::cases());
        }
        if self.counters {
            cases.extend(counters::cases().into_iter().chain(loops::cases()));
        }
        cases
    }
}

/// The names that `--suite` takes.
fn names() -> impl Iterator<Item = &'static str> {
    workload::ALL.iter().map(|workload| workload.name).chain([BARS, SWEEP, COUNTERS])
}

/// Measures and prints; returns the exit status.
pub fn run(args: &BenchArgs) -> Result<u8> {
    let plan = Plan::of(args)?;
    if args.list {
        list();
        return Ok(0);
    }
    let model = match &args.model {
        Some(path) => Model::read(path)?,
        None => Model::built_in()?.clone(),
    };
    if let Some(path) = &args.into {
        document::check(path)?;
    }
    packages::ensure_present(&[packages::QEMU, packages::COMPILER])?;
    let kernel = Guest::KERNEL.build(Guest::KERNEL.package)?;
    let timeout = Duration::from_secs(args.timeout);
    let runner = Runner::new(kernel, &model, args.inject, timeout, args.clock.clock());
    let results = runner.run(plan.cases())?;
    let origin = Origin::find();
    let tables = tables(&plan, &results, &model);
    let markdown = || {
        let shown = tables.iter().map(|table| table.show(Style::Markdown));
        std::iter::once(format!("{origin}\n")).chain(shown).collect::<Vec<_>>().join("\n")
    };
    if args.markdown {
        print!("{}", markdown());
    } else {
        tables.iter().for_each(|table| println!("{}", table.show(Style::Text)));
    }
    if let Some(path) = &args.into {
        document::replace(path, &markdown())?;
    }
    if let Some(path) = &args.plot {
        plot::draw(path, &sweep::curves(&results))?;
    }
    if let Some(path) = &args.json {
        save(path, &value(&plan, &results, &model, &origin))?;
    }
    for failure in results.failures() {
        eprintln!("reprise: {failure}");
    }
    Ok(if results.failures().next().is_none() { 0 } else { STATUS_FAILED })
}

fn list() {
    for Workload { name, about, .. } in workload::ALL {
        println!("{name:<10}{about}");
    }
    println!("{BARS:<10}the bars that the engine is held to");
    println!("{SWEEP:<10}cost against latency over the instruction limit");
    println!("{COUNTERS:<10}counters whose interrupts are late, and tight loops under them");
    println!("\nEach workload is run under:");
    for variant in grid::all() {
        println!("{:<16}{}", variant.name, variant.about);
    }
}

fn tables(plan: &Plan, results: &Results, model: &Model) -> Vec<Table> {
    let mut tables = Vec::new();
    if !plan.workloads.is_empty() {
        tables.push(grid::table(&plan.workloads, &plan.variants, results, model));
    }
    if plan.bars {
        tables.push(bars::table(&bars::measure(results)));
    }
    if plan.sweep {
        tables.push(sweep::table(results));
    }
    if plan.counters {
        tables.extend([counters::table(results), loops::table(results)]);
    }
    tables
}

fn value(plan: &Plan, results: &Results, model: &Model, origin: &Origin) -> Value {
    json!({
        "origin": origin.value(),
        "model": model.processor,
        "workloads": grid::value(&plan.workloads, &plan.variants, results),
        "native": grid::native_value(&plan.workloads, results),
        "bars": plan.bars.then(|| bars::value(&bars::measure(results))),
        "sweep": plan.sweep.then(|| sweep::value(results)),
        "counters": plan.counters.then(|| counters::value(results)),
        "loops": plan.counters.then(|| loops::value(results)),
        "failures": results.failures().collect::<Vec<_>>(),
    })
}

fn save(path: &Path, value: &Value) -> Result<()> {
    std::fs::write(path, format!("{value:#}\n")).map_err(|error| anyhow!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts;

    fn args(suites: &[&str]) -> BenchArgs {
        let suites = suites.iter().map(|suite| (*suite).to_owned()).collect();
        BenchArgs { suites, ..BenchArgs::default() }
    }

    #[test]
    fn a_suite_is_selected_by_name_and_an_unknown_one_refused() {
        let plan = Plan::of(&args(&["light", "sweep"])).unwrap();
        assert_eq!(plan.workloads.iter().map(|one| one.name).collect::<Vec<_>>(), ["light"]);
        assert!(plan.sweep && !plan.bars);
        let all = Plan::of(&args(&[])).unwrap();
        assert_eq!(all.workloads.len(), workload::ALL.len());
        assert!(all.sweep && all.bars && all.counters);
        let error = Plan::of(&args(&["heavy"])).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("heavy") && error.contains("light") && error.contains("bars"), "{error}");
    }

    #[test]
    fn every_program_of_the_folder_is_used_and_named() {
        let cases = Plan::of(&args(&[])).unwrap().cases();
        let readme = std::fs::read_to_string(artifacts::root().join("user/README.md")).unwrap();
        for name in artifacts::bench_names().unwrap() {
            assert!(cases.iter().any(|case| case.program == name), "{name}");
            assert!(readme.contains(&format!("| `{name} ")), "{name} is not in user/README.md");
        }
    }
}
