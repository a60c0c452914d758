// SPDX-License-Identifier: MIT
//! `cargo reprise bench`: what replay costs, measured on whole programs.
//!
//! What is wanted is first collected as cases, each once; then they are run, two at a time;
//! everything after that is arithmetic over the results. A case whose output is not that of
//! the run without replay, or that diverged, makes the whole command fail.

mod bars;
mod boot;
mod case;
mod counters;
mod document;
mod glance;
mod grid;
mod ipc;
mod latency;
pub mod loops;
mod original;
mod plot;
mod runner;
mod scaling;
mod sweep;
mod workload;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use flips::Injection;
use serde_json::{Value, json};
use wire::clock::Clock;
use wire::counter::CounterChoice;

use crate::emulator::Emulator;
use crate::host::destination::Files;
use crate::host::packages;
use crate::outcome::model::Model;
use crate::outcome::origin::Origin;
use crate::outcome::table::{Style, Table};
use crate::workload::artifacts::Guest;

use boot::Boots;
use case::Case;
use document::Part;
use ipc::Calls;
use runner::{Results, Runner};
use workload::Workload;

/// The status when a run failed its checks.
const STATUS_FAILED: u8 = 1;

/// What is written: a short table into a document, all tables into another one, their pictures beside them.
const GLANCE: &str = "--into, for what replay costs at a glance,";
const TABLES: &str = "--into, for all tables,";
const GLANCE_PLOT: &str = "--into, for the picture of the costs,";
const SWEEP_PLOT: &str = "--into, for the picture of the limit,";
/// The picture.
const PLOT: &str = "--plot";
/// All figures.
const JSON: &str = "--json";

/// A part of the suite that is no workload.
const BARS: &str = "bars";
/// The rows that stand beside the original's figures.
const ORIGINAL: &str = "original";
/// The sweep of the instruction limit.
const SWEEP: &str = "sweep";
/// Counters whose interrupts are late.
const COUNTERS: &str = "counters";
/// Single calls on what doubles.
const SCALING: &str = "scaling";

/// The calls of the NOVA interface; only if it is named, since a root task measures itself.
const IPC: &str = "ipc";
/// What a boot costs; only if it is named, since it measures CPU time.
const BOOT: &str = "boot";

/// What is asked of the command.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The parts that are measured; all but `boot` if empty.
    pub suites: Vec<String>,
    /// Whether it is said what there is to measure, and nothing is measured.
    pub list: bool,
    /// Whether only a short part is measured.
    pub quick: bool,
    /// Whether the tables are printed as Markdown, with their origin.
    pub markdown: bool,
    /// The folder with the documents that the tables are put into, and the pictures.
    pub into: Option<PathBuf>,
    /// Where all figures are written as JSON.
    pub json: Option<PathBuf>,
    /// Where the sweep of the limit is drawn.
    pub plot: Option<PathBuf>,
    /// Weights of modelled cycles in place of the built-in ones.
    pub model: Option<PathBuf>,
    /// What the programs take for the time.
    pub clock: Clock,
    /// A flip in every replayed run.
    pub inject: Option<Injection>,
    /// When a run is given up.
    pub timeout: Duration,
}

/// What one call is to measure.
struct Plan {
    workloads: Vec<&'static Workload>,
    variants: Vec<grid::Variant>,
    bars: bool,
    original: bool,
    sweep: bool,
    counters: bool,
    boot: bool,
    ipc: bool,
    scaling: bool,
    /// Only the part of it that takes seconds.
    quick: bool,
}

impl Plan {
    fn of(options: &Options) -> Result<Self> {
        let wanted =
            |name: &str| options.suites.is_empty() || options.suites.iter().any(|suite| suite == name);
        for suite in &options.suites {
            if !names().any(|name| name == suite) {
                let known = names().collect::<Vec<_>>().join(", ");
                bail!("--suite {suite}: no such suite; there are {known}");
            }
        }
        if options.quick {
            let scaling = options.suites == [SCALING];
            ensure!(
                scaling || options.suites.is_empty(),
                "--quick: of the suites, there is a short {SCALING} only"
            );
            let (workloads, variants) = (vec![&workload::QUICK], grid::quick());
            let workloads = if scaling { Vec::new() } else { workloads };
            return Ok(Self {
                workloads,
                variants,
                bars: false,
                original: false,
                sweep: false,
                counters: false,
                boot: false,
                ipc: false,
                scaling,
                quick: true,
            });
        }
        Ok(Self {
            workloads: workload::ALL.iter().filter(|workload| wanted(workload.name)).collect(),
            variants: grid::all(),
            bars: wanted(BARS),
            original: wanted(ORIGINAL),
            sweep: wanted(SWEEP) || options.plot.is_some(),
            counters: wanted(COUNTERS),
            boot: options.suites.iter().any(|suite| suite == BOOT),
            ipc: options.suites.iter().any(|suite| suite == IPC),
            scaling: wanted(SCALING),
            quick: false,
        })
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = grid::cases(&self.workloads, &self.variants);
        if self.bars {
            cases.extend(bars::cases());
        }
        if self.original {
            cases.extend(original::cases());
        }
        if self.sweep {
            cases.extend(sweep::cases());
        }
        if self.counters {
            cases.extend(counters::cases().into_iter().chain(loops::cases()));
        }
        if self.scaling {
            cases.extend(scaling::cases(self.quick));
        }
        cases
    }
}

/// The names that `--suite` takes.
fn names() -> impl Iterator<Item = &'static str> {
    workload::ALL
        .iter()
        .map(|workload| workload.name)
        .chain([BARS, ORIGINAL, SWEEP, COUNTERS, SCALING, BOOT, IPC])
}

/// Measures and prints; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let plan = Plan::of(options)?;
    if options.list {
        list();
        return Ok(0);
    }
    let model = match &options.model {
        Some(path) => Model::read(path)?,
        None => Model::built_in()?.clone(),
    };
    let documents = options.into.as_deref().map(Documents::of);
    documents.as_ref().map_or(Ok(()), Documents::check)?;
    let mut files = Files::default().read("--model", &options.model);
    for (option, path) in documents.iter().flat_map(Documents::written) {
        files = files.written(option, Some(path))?;
    }
    let files = files.written(PLOT, options.plot.as_ref())?.written(JSON, options.json.as_ref())?.kept()?;
    packages::ensure_present(&[packages::QEMU, packages::COMPILER])?;
    let kernel = Guest::build_kernel(CounterChoice::VirtualTime)?;
    let for_tests =
        if plan.counters { Guest::build_kernel(CounterChoice::IntelEmulated)? } else { kernel.clone() };
    let calls = if plan.ipc { Some(Calls::measure(&kernel, options.timeout)?) } else { None };
    let boots = if plan.boot { Some(Boots::measure(&kernel)?) } else { None };
    let runner = Runner::new([kernel, for_tests], &model, options.inject, options.timeout, options.clock);
    let results = runner.run(plan.cases())?;
    let origin = Origin::find(Some(Emulator::Qemu));
    let mut tables = tables(&plan, &results, &model);
    tables.extend(boots.as_ref().map(Boots::table));
    tables.extend(calls.as_ref().map(Calls::table));
    let markdown = || {
        let shown = tables.iter().map(|table| table.show(Style::Markdown));
        std::iter::once(format!("{origin}\n")).chain(shown).collect::<Vec<_>>().join("\n")
    };
    if options.markdown {
        print!("{}", markdown());
    } else {
        tables.iter().for_each(|table| println!("{}", table.show(Style::Text)));
    }
    if let Some(documents) = &documents {
        let rows = glance::rows(&plan.workloads, &results);
        let short = format!("{origin}\n\n{}", glance::table(&rows).show(Style::Markdown));
        files.write(GLANCE, || Ok(document::with(&documents.glance, Part::Glance, &short)?.into_bytes()))?;
        files.write(TABLES, || {
            Ok(document::with(&documents.tables, Part::Tables, &markdown())?.into_bytes())
        })?;
        files.write(GLANCE_PLOT, || Ok(glance::draw(&rows)?.into_bytes()))?;
        files.write(SWEEP_PLOT, || Ok(plot::draw(&sweep::curves(&results))?.into_bytes()))?;
    }
    files.write(PLOT, || Ok(plot::draw(&sweep::curves(&results))?.into_bytes()))?;
    files
        .write_json(JSON, || Ok(value(&plan, &results, &model, &origin, (boots.as_ref(), calls.as_ref()))))?;
    let dear = if plan.scaling { scaling::failures(plan.quick, &results) } else { Vec::new() };
    let failures = results.failures().chain(boots.as_ref().and_then(Boots::failure)).chain(dear);
    let failures: Vec<String> = failures.collect();
    for failure in &failures {
        eprintln!("reprise: {failure}");
    }
    Ok(if failures.is_empty() { 0 } else { STATUS_FAILED })
}

/// What `--into` writes, in one folder.
struct Documents {
    glance: PathBuf,
    tables: PathBuf,
    glance_plot: PathBuf,
    sweep_plot: PathBuf,
}

impl Documents {
    fn of(folder: &Path) -> Self {
        let [glance, tables, glance_plot, sweep_plot] =
            ["README.md", "tables.md", "cost.svg", "limit-sweep.svg"].map(|name| folder.join(name));
        Self { glance, tables, glance_plot, sweep_plot }
    }

    /// Fails if a document has no place for its tables, so that nobody waits for that.
    fn check(&self) -> Result<()> {
        document::with(&self.glance, Part::Glance, "")?;
        document::with(&self.tables, Part::Tables, "").map(drop)
    }

    fn written(&self) -> [(&'static str, &PathBuf); 4] {
        [
            (GLANCE, &self.glance),
            (TABLES, &self.tables),
            (GLANCE_PLOT, &self.glance_plot),
            (SWEEP_PLOT, &self.sweep_plot),
        ]
    }
}

fn list() {
    for Workload { name, about, .. } in workload::ALL {
        println!("{name:<10}{about}");
    }
    println!("{BARS:<10}the bars that the engine is held to");
    println!("{ORIGINAL:<10}the shape of PE for which the original gives figures, beside these");
    println!("{SWEEP:<10}cost against latency over the instruction limit");
    println!("{COUNTERS:<10}counters whose interrupts are late, and tight loops under them");
    println!("{SCALING:<10}single calls on what doubles: none may cost the square");
    println!("{BOOT:<10}what a boot costs this machine beside an empty one; only if it is named");
    println!("{IPC:<10}calls of the NOVA interface; only if it is named");
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
    if plan.original {
        tables.push(original::table(results));
    }
    if plan.sweep {
        tables.push(sweep::table(results));
    }
    if plan.counters {
        tables.extend([counters::table(results), loops::table(results)]);
    }
    if plan.scaling {
        tables.push(scaling::table(plan.quick, results));
    }
    tables
}

fn value(
    plan: &Plan,
    results: &Results,
    model: &Model,
    origin: &Origin,
    (boots, calls): (Option<&Boots>, Option<&Calls>),
) -> Value {
    origin.stamp(json!({
        "model": model.processor,
        "workloads": grid::value(&plan.workloads, &plan.variants, results),
        "native": grid::native_value(&plan.workloads, results),
        "bars": plan.bars.then(|| bars::value(&bars::measure(results))),
        "original": plan.original.then(|| original::value(results)),
        "sweep": plan.sweep.then(|| sweep::value(results)),
        "counters": plan.counters.then(|| counters::value(results)),
        "loops": plan.counters.then(|| loops::value(results)),
        "boots": boots.map(Boots::value),
        "ipc": calls.map(Calls::value),
        "scaling": plan.scaling.then(|| scaling::value(plan.quick, results)),
        "failures": results.failures().collect::<Vec<_>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::artifacts;
    use crate::workload::catalogue::Kind;

    fn args(suites: &[&str]) -> Options {
        let suites = suites.iter().map(|suite| (*suite).to_owned()).collect();
        Options { suites, ..Options::default() }
    }

    #[test]
    fn a_suite_is_selected_by_name_and_an_unknown_one_refused() {
        let plan = Plan::of(&args(&["light", "sweep"])).unwrap();
        assert_eq!(plan.workloads.iter().map(|one| one.name).collect::<Vec<_>>(), ["light"]);
        assert!(plan.sweep && !plan.bars);
        let all = Plan::of(&args(&[])).unwrap();
        assert_eq!(all.workloads.len(), workload::ALL.len());
        assert!(all.sweep && all.bars && all.counters && all.scaling && !all.boot && !all.ipc);
        assert!(Plan::of(&args(&["ipc"])).unwrap().ipc);
        assert!(Plan::of(&args(&["boot"])).unwrap().boot);
        let error = Plan::of(&args(&["heavy"])).err().map(|error| error.to_string()).unwrap();
        assert!(error.contains("heavy") && error.contains("light") && error.contains("bars"), "{error}");
    }

    #[test]
    fn quick_is_one_workload_or_a_part_of_the_scaling() {
        let quick = |suites: &[&str]| Plan::of(&Options { quick: true, ..args(suites) });
        let (usual, scaling) = (quick(&[]).unwrap(), quick(&["scaling"]).unwrap());
        assert!(usual.workloads.len() == 1 && !usual.scaling);
        assert!(scaling.workloads.is_empty() && scaling.scaling);
        assert!(scaling.cases().len() < Plan::of(&args(&["scaling"])).unwrap().cases().len());
        assert!(quick(&["bars"]).is_err());
    }

    #[test]
    fn every_program_of_the_folder_is_used_and_named() {
        let cases = Plan::of(&args(&[])).unwrap().cases();
        let readme = std::fs::read_to_string(artifacts::root().join("user/README.md")).unwrap();
        for name in Kind::Bench.names().unwrap() {
            assert!(cases.iter().any(|case| case.program == name), "{name}");
            assert!(readme.contains(&format!("| `{name} ")), "{name} is not in user/README.md");
        }
    }
}
