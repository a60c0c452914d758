// SPDX-License-Identifier: MIT
//! The bench measures, and fails when a run was disturbed.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Context, Test};

pub const TESTS: &[Test] = &[
    Test { name: "bench::quick", run: quick },
    Test { name: "bench::no_call_takes_the_square", run: scaling },
    Test { name: "bench::a_disturbed_run_fails", run: disturbed },
];

/// One workload under three policies: figures for each, nothing diverged, replay costs something.
fn quick(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("figures");
    let words = ["bench", "--quick", "--json", path.to_str().context("a path that is not text")?];
    let output = context.reprise(&words, |_| ())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let rows = value["workloads"].as_array().context("no workloads")?;
    ensure!(rows.len() == 3, "{} rows", rows.len());
    for row in rows {
        let (policy, over) = (row["policy"].as_str().unwrap_or_default(), row["total_over_off"].as_f64());
        let expected = if policy == "off" { 1.0..=1.0 } else { 2.0..=10.0 };
        ensure!(over.is_some_and(|over| expected.contains(&over)), "{policy}: {over:?} times off");
    }
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let native = match value["native"]["not_counted"].as_str() {
        None => "native cycles".to_owned(),
        Some(reason) => format!("\nno native columns: {reason}"),
    };
    ensure!(table.contains(&native), "{native} is not in {table}");
    for column in ["total / off", "modelled / off"] {
        ensure!(table.contains(column), "no column {column}: {table}");
    }
    Ok(())
}

/// Calls on what doubles twice cost no more than a little over the double each time.
fn scaling(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("figures");
    let path_word = path.to_str().context("a path that is not text")?;
    let output = context.reprise(&["bench", "--quick", "--suite", "scaling", "--json", path_word], |_| ())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let rows = value["scaling"].as_array().context("no kinds")?;
    ensure!(rows.len() >= 5, "{} kinds", rows.len());
    for row in rows {
        let costs = row["costs"].as_array().map_or(0, Vec::len);
        ensure!(row["met"] == true && costs == 3, "{row}");
    }
    Ok(())
}

/// A flip makes the replayed runs diverge, and so the bench fail.
fn disturbed(context: &Context) -> Result<()> {
    let words = ["bench", "--quick", "--inject", "pe=50,run=2,at=100,target=rax,bit=0"];
    let output = context.reprise(&words, |_| ())?;
    let (said, shown) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    ensure!(output.status.code() == Some(1), "{}: {said}", output.status);
    ensure!(said.contains("1 divergences"), "no divergence in {said}");
    ensure!(shown.contains("FAILED"), "the table does not show the failure: {shown}");
    Ok(())
}
