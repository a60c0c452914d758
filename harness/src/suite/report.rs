// SPDX-License-Identifier: MIT
//! A report in all its forms: the page in a browser without a screen, opened from a file, and the files for other tools.

mod perfetto;
mod server;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::{Context, Test};
use crate::host::packages::command::CHROMIUM;
use crate::host::process;

pub const TESTS: &[Test] = &[
    Test { name: "report::a_page_draws_zooms_filters_and_prints", run: page },
    Test { name: "report::files_for_other_tools_have_every_pe", run: files },
    Test { name: "report::runs_of_one_program_are_set_side_by_side", run: runs },
    Test { name: "report::perfetto_sees_what_was_recorded", run: perfetto::perfetto },
];

/// A short run of which one PE is hit.
const RUN: &[&str] =
    &["run", "tiny", "--limit", "1000", "--recovery", "vote", "--inject", "pe=3,run=1,at=5,target=rax,bit=3"];
/// When the browser is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with the trace of a run in it.
fn traced(context: &Context, run: &[&str]) -> Result<(TempDir, String)> {
    let directory = tempfile::tempdir()?;
    let trace = traced_in(directory.path(), context, "run", run)?;
    Ok((directory, trace))
}

/// The trace of a run, in a folder.
fn traced_in(folder: &Path, context: &Context, name: &str, run: &[&str]) -> Result<String> {
    let trace = text(&folder.join(name).with_extension("trace"))?;
    let output = context.reprise(&[&run[..2], &["--trace", &trace], &run[2..]].concat(), |_| ())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(trace)
}

fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().context("a path that is not text")?.to_owned())
}

/// Makes a report in one form; returns the file.
fn reported(context: &Context, trace: &str, option: &str) -> Result<String> {
    // A browser goes by the ending.
    let path = format!("{trace}.{}", option.trim_start_matches('-'));
    let output = context.reprise(&["report", trace, option, &path], |_| ())?;
    ensure!(output.status.success(), "{option}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(path)
}

/// What the browser says of a page.
fn browse(directory: &Path, action: &str, address: &str) -> Result<String> {
    let mut command = Command::new(CHROMIUM);
    let profile = format!("--user-data-dir={}", text(&directory.join("profile"))?);
    command.env("HOME", directory).args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    let output = process::output(command.args([&profile, action, address]), PATIENCE)?;
    ensure!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// What stands between a text and the next quote or tag.
fn behind<'a>(page: &'a str, start: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(start)?;
    rest.split(['"', '<']).next()
}

/// A number that the timeline says of itself.
fn told(page: &str, key: &str) -> Result<u64> {
    let start = format!(" data-{key}=\"");
    let status = behind_tag(page, "id=\"status\"").context("no status")?;
    behind(status, &start)
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("no {key}: {status}"))
}

/// The tag that a text stands in.
fn behind_tag<'a>(page: &'a str, part: &str) -> Option<&'a str> {
    let at = page.find(part)?;
    let start = page[..at].rfind('<')?;
    page[start..].split('>').next()
}

/// Holds each figure of a page against the JSON that it names; returns how many there are.
fn compare(page: &str, report: &Value) -> Result<usize> {
    let figures: Vec<&str> = page.split("<span data-json=\"").skip(1).collect();
    for figure in &figures {
        let (pointer, rest) = figure.split_once("\">").context("a figure without an end")?;
        let shown = rest.split('<').next().unwrap_or_default().replace(',', "");
        let value = report.pointer(pointer).with_context(|| format!("no {pointer}"))?;
        let is_same = match (value.as_f64(), shown.parse::<f64>()) {
            // Ratios are shown to three places, or to none where they are large.
            (Some(exact), Ok(shown)) if shown < 100.0 => (exact - shown).abs() < 0.000_51,
            (Some(exact), Ok(shown)) => (exact - shown).abs() < 0.51,
            (None, Err(_)) => value.is_null() && shown == "-",
            _ => false,
        };
        ensure!(is_same, "{pointer}: {shown} is shown, and {value} is so");
    }
    Ok(figures.len())
}

fn page(context: &Context) -> Result<()> {
    let (directory, trace) = traced(context, RUN)?;
    let html = reported(context, &trace, "--html")?;
    let report: Value = serde_json::from_slice(&fs::read(reported(context, &trace, "--json")?)?)?;
    let source = fs::read_to_string(&html)?;
    for outside in [" src=", "url(", "@import", "<link", "href=\"http"] {
        ensure!(!source.contains(outside), "the page has {outside}");
    }
    let committed = report["committed"].as_u64().context("no PEs")?;
    let address = format!("file://{html}");

    let whole = browse(directory.path(), "--dump-dom", &address)?;
    let figures = compare(&whole, &report)?;
    ensure!(figures > 150, "only {figures} figures");
    ensure!((told(&whole, "single")?, told(&whole, "marks")?, told(&whole, "lanes")?) == (committed, 1, 1));
    ensure!(
        told(&whole, "shapes")? > 5
            && whole.contains("<title>PE 3: a divergence, a third run decided, a flip</title>")
    );

    let rows = fs::read_to_string(reported(context, &trace, "--csv")?)?;
    let cells = |row: &str| -> Option<(u64, bool)> {
        let cells: Vec<&str> = row.split(',').collect();
        Some((cells.first()?.parse().ok()?, *cells.get(3)? == "limit"))
    };
    let pes: Vec<(u64, bool)> = rows.lines().filter_map(cells).collect();
    let (from, to) = (10, committed - 1);
    let count = |from: u64, or_else: bool| {
        pes.iter().filter(|(pe, is_limit)| *pe >= from && (*is_limit || or_else)).count() as u64
    };
    let expected = count(from, false);
    ensure!(expected > 0 && expected < count(0, false) && expected < count(from, true), "{pes:?}");
    let part = browse(directory.path(), "--dump-dom", &format!("{address}#from={from}&to={to}&ended=limit"))?;
    ensure!(told(&part, "single")? == expected, "{} of {expected}", told(&part, "single")?);

    let pdf = text(&directory.path().join("page.pdf"))?;
    browse(directory.path(), &format!("--print-to-pdf={pdf}"), &address)?;
    let printed = fs::read(&pdf)?;
    ensure!(printed.starts_with(b"%PDF-") && printed.len() > 20_000, "{} bytes are printed", printed.len());
    Ok(())
}

fn runs(context: &Context) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let traced = |name: &str, options: &[&str]| {
        traced_in(folder.path(), context, name, &[&["run", "tiny"], options].concat())
    };
    let [short, long] = [traced("short", &["--limit", "1000"])?, traced("long", &["--limit", "5000"])?];
    let off = traced("off", &["--mode", "off"])?;
    let page = text(&folder.path().join("page.html"))?;
    // The first one stands among the others once more, as a pattern has it.
    let words = ["report", &short, &off, &long, &short, "--html", &page, "--json", "-"];
    let output = context.reprise(&words, |_| ())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let told = |run: &Value| (run["name"].to_string(), run["total_over_off"].as_f64().unwrap_or_default());
    let told: Vec<_> = report["runs"].as_array().context("no runs")?.iter().map(told).collect();
    let [(first, dear), (second, cheap), (third, one)] = &told[..] else { bail!("{told:?}") };
    ensure!(first.contains("short") && second.contains("long") && third.contains("off"), "{told:?}");
    ensure!(dear > cheap && cheap > one && (one - 1.0).abs() < f64::EPSILON, "{told:?}");
    ensure!(report["provenance"]["arguments"][0] == "tiny", "{}", report["provenance"]);
    let source = fs::read_to_string(&page)?;
    let figures = source.matches("data-json=\"/runs/").count();
    ensure!(figures > 15 && source.contains("Cost against limit"), "{figures} figures of the runs");
    compare(&source, &report)?;

    let other = traced("other", &["--limit", "5000", "--", "another"])?;
    let output = context.reprise(&["report", &short, &other], |_| ())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = format!("{other} is not comparable with {short}: other arguments");
    ensure!(output.status.code() == Some(2) && said.contains(&expected), "{said}");
    Ok(())
}

fn files(context: &Context) -> Result<()> {
    let (directory, trace) = traced(context, RUN)?;
    let report: Value = serde_json::from_slice(&fs::read(reported(context, &trace, "--json")?)?)?;
    let committed = report["committed"].as_u64().context("no PEs")?;
    let table = fs::read_to_string(reported(context, &trace, "--csv")?)?;
    let rows = table.lines().filter(|line| !line.starts_with("# ")).count() as u64;
    ensure!(rows == committed + 1, "{rows} lines for {committed} PEs");
    let checksum = &report["provenance"]["trace_crc32"];
    ensure!(checksum.is_string() && table.contains(&format!("# trace_crc32: {checksum}\n")), "{checksum}");
    let events: Value = serde_json::from_slice(&fs::read(reported(context, &trace, "--perfetto")?)?)?;
    let events = events["traceEvents"].as_array().context("no events")?;
    let of = |kind: &str| events.iter().filter(|event| event["cat"] == kind).count() as u64;
    ensure!((of("pe"), of("delimiter"), of("divergence")) == (committed, committed, 1), "{} PEs", of("pe"));

    let folder = text(&directory.path().join("pictures"))?;
    let output = context.reprise(&["report", &trace, "--svg", &folder, "--json", "-"], |_| ())?;
    ensure!(output.status.success() && serde_json::from_slice::<Value>(&output.stdout)? == report);
    ensure!(fs::read_dir(&folder)?.count() == 4);
    let output = context.reprise(&["report", &trace, "--against", &trace], |_| ())?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(said.contains(" PEs did something else\n") && said.contains("none of "), "{said}");
    Ok(())
}
