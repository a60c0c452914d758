// SPDX-License-Identifier: MIT
//! Several runs of one program side by side: what each costs, against the limit and with and without a flush.

pub mod charts;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, ensure};
use pe_replay::TimedPhase;
use serde_json::{Value, json};

use super::against::{PARAMETERS, number, plain};
use super::trace::Trace;
use crate::outcome::json;
use crate::outcome::summary::text::phase_title;
use crate::outcome::table::{Align, Style, Table, ratio};
use charts::bars;

/// What can differ between runs that are compared; the rest of [`PARAMETERS`] cannot.
const POLICY: [&str; 6] = ["mode", "recovery", "compare", "flush", "limit", "max_dirty"];
/// What the run without replay is called, which the others are held against.
const OFF: &str = "off";
/// Figures of a run: titles, and their places in the JSON.
pub const FIGURES: [(&str, &str); 6] = [
    ("PEs", "/summary/committed"),
    ("total over second run", "/summary/total_over_second_run"),
    ("modelled over second run", "/summary/modelled_over_second_run"),
    ("total over off", "/total_over_off"),
    ("modelled over off", "/modelled_over_off"),
    ("longest hold", "/summary/longest_hold"),
];

/// The run of a trace and those of others, by mode and what else differs, and then by limit.
pub fn value(trace: &Trace, others: &[PathBuf]) -> Result<Value> {
    let mut runs = vec![run(trace)?];
    let mut known = vec![fs::canonicalize(trace.path())?];
    for path in others {
        // Patterns of a shell name the first trace once more.
        let real = fs::canonicalize(path).with_context(|| path.display().to_string())?;
        if known.contains(&real) {
            continue;
        }
        known.push(real);
        let other = Trace::read(path, 0)?;
        comparable(trace, &other)?;
        let run = run(&other)?;
        same_unit(&runs[0], &run)?;
        runs.push(run);
    }
    order(&mut runs);
    Ok(runs.into())
}

/// Gives runs their names and what they cost, and puts them into order.
fn order(runs: &mut [Value]) {
    let labels = labels(runs);
    for (run, label) in runs.iter_mut().zip(labels) {
        run["label"] = label.into();
    }
    runs.sort_by_key(|run| (label(run).to_owned(), limit(run)));
    let off = runs.iter().find(|run| label(run) == OFF).map(|run| run["summary"].clone());
    for run in runs {
        for (key, of) in [("total_over_off", "total_instructions"), ("modelled_over_off", "modelled_total")] {
            let both = off.as_ref().and_then(|off| Some((run["summary"][of].as_f64()?, off[of].as_f64()?)));
            run[key] = both.filter(|(_, off)| *off > 0.0).map(|(run, off)| run / off).into();
        }
    }
}

fn run(trace: &Trace) -> Result<Value> {
    Ok(json!({ "name": trace.name(), "summary": json::value(&trace.told()?.summary, trace.status()) }))
}

/// Sees that two traces are of one program that was given the same.
fn comparable(trace: &Trace, other: &Trace) -> Result<()> {
    let Some(difference) = trace.subject.difference(&other.subject) else { return Ok(()) };
    Err(anyhow!("{} is not comparable with {}: {difference}", other.path().display(), trace.path().display()))
}

/// Sees that two runs were measured alike.
fn same_unit(run: &Value, other: &Value) -> Result<()> {
    for key in PARAMETERS.into_iter().filter(|key| !POLICY.contains(key)) {
        let [one, two] = [run, other].map(|run| plain(&run["summary"][key]));
        let names = || format!("{} is not comparable with {}", plain(&other["name"]), plain(&run["name"]));
        ensure!(one == two, "{}: {key} {two} against {one}", names());
    }
    Ok(())
}

/// What runs are called: the mode, and what else of the policy but the limit is not the same in all of them.
fn labels(runs: &[Value]) -> Vec<String> {
    let of = |run: &Value, key: &str| plain(&run["summary"][key]);
    let is_on = |run: &&Value| of(run, "mode") != OFF;
    let differs = |key: &&str| {
        let mut values = runs.iter().filter(is_on).map(|run| of(run, key));
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    let others = POLICY.into_iter().filter(|key| !["mode", "limit"].contains(key)).filter(differs);
    let others: Vec<&str> = others.collect();
    let label = |run: &Value| {
        let mode = of(run, "mode");
        // Nothing else of the policy has a meaning without replay.
        let others = others.iter().filter(|_| is_on(&run)).map(|key| format!(", {key} {}", of(run, key)));
        std::iter::once(mode).chain(others).collect::<String>().replace('_', " ")
    };
    runs.iter().map(label).collect()
}

/// What a run is called.
pub fn label(run: &Value) -> &str {
    run["label"].as_str().unwrap_or_default()
}

/// A run's limit.
pub fn limit(run: &Value) -> u64 {
    run["summary"]["limit"].as_u64().unwrap_or_default()
}

/// The runs of a report.
pub fn of(report: &Value) -> &[Value] {
    report["runs"].as_array().map_or(&[], Vec::as_slice)
}

/// Whether one of the runs was without replay, so that the others have a cost over it.
pub fn has_off(runs: &[Value]) -> bool {
    runs.iter().any(|run| label(run) == OFF)
}

/// The figures that some of the runs have.
pub fn figures(runs: &[Value]) -> impl Iterator<Item = (&'static str, &'static str)> {
    FIGURES.into_iter().filter(|(_, at)| runs.iter().any(|run| run.pointer(at).is_some_and(Value::is_number)))
}

/// The tables in a terminal, of a report that has runs.
pub fn text(report: &Value) -> String {
    let runs = of(report);
    let figures: Vec<_> = figures(runs).collect();
    let left = [("run", Align::Left), ("trace", Align::Left), ("limit", Align::Right)];
    let titles = figures.iter().map(|(title, _)| (*title, Align::Right));
    let mut table = Table::new("", &left.into_iter().chain(titles).collect::<Vec<_>>());
    for run in runs {
        let cells = [label(run).to_owned(), plain(&run["name"]), number(&limit(run).into())];
        let figures = figures.iter().map(|(_, at)| run.pointer(at).map_or_else(|| "-".into(), number));
        table.row(cells.into_iter().chain(figures).collect());
    }
    table.note(format!("limit: instructions after which a PE ends; hold: {}", super::charts::unit(report)));
    let mut text = table.show(Style::Text).trim_start_matches('\n').to_owned();
    let (with, without) = bars(runs);
    let bars: Vec<_> = without.into_iter().chain(with).collect();
    if bars.is_empty() {
        return text;
    }
    let phases: Vec<TimedPhase> = TimedPhase::ALL
        .into_iter()
        .filter(|phase| bars.iter().any(|bar| bar.phases[*phase as usize] > 0.0))
        .collect();
    let titles = phases.iter().map(|phase| (phase_title(*phase), Align::Right));
    let columns =
        [("phases over second run", Align::Left)].into_iter().chain(titles).chain([("total", Align::Right)]);
    let mut table = Table::new("", &columns.collect::<Vec<_>>());
    for bar in &bars {
        let cells =
            phases.iter().map(|phase| ratio(bar.phases[*phase as usize])).chain([ratio(bar.length())]);
        table.row(std::iter::once(bar.name.clone()).chain(cells).collect());
    }
    let is_modelled = report["modelled_cycles"].is_object();
    table.note(format!("in {}", if is_modelled { "modelled cycles" } else { super::charts::unit(report) }));
    text.push('\n');
    text.push_str(table.show(Style::Text).trim_start_matches('\n'));
    text
}

#[cfg(test)]
mod tests;
