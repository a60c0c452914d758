// SPDX-License-Identifier: MIT
//! `cargo reprise report`: what a trace file tells, in tables and in files for other tools.

mod against;
mod analysis;
mod charts;
mod list;
mod page;
mod perfetto;
mod runs;
mod table_file;
mod terminal;
mod trace;
mod value;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wire::record::Record;

use crate::host::destination::{Destinations, Files};
use crate::outcome::origin::Origin;
use crate::outcome::place::Places;
use crate::outcome::summary::Summary;
use crate::outcome::trace_file::Reader;
use crate::outcome::{json, told};
use list::Objects;
use perfetto::Events;
use table_file::Rows;
use trace::{Told, Trace};

/// The options that name files to be written.
const JSON: &str = "--json";
const CSV: &str = "--csv";
const PERFETTO: &str = "--perfetto";
const HTML: &str = "--html";
/// How many bytes of a list are printed at a time.
const AT_A_TIME: usize = 1 << 16;

/// What is asked of the command.
#[derive(Debug)]
pub struct Options {
    /// The trace files: the one that is told of, and others of the same program that are set beside it.
    pub files: Vec<PathBuf>,
    /// Whether its PEs are listed instead of added up.
    pub list: bool,
    /// The trace file that is held against it.
    pub against: Option<PathBuf>,
    /// The program that ran.
    pub elf: Option<PathBuf>,
    /// Where the report or the list is written as JSON.
    pub json: Option<PathBuf>,
    /// Where a row for each PE is written as CSV.
    pub csv: Option<PathBuf>,
    /// Where the run is written for Perfetto.
    pub perfetto: Option<PathBuf>,
    /// Where all of it is written as a page.
    pub html: Option<PathBuf>,
    /// The folder that the page's pictures are written into.
    pub svg: Option<PathBuf>,
    /// From which PE on the page has them one by one.
    pub from: u64,
}

/// What is told of a trace, in all forms that are asked for; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let mut files = Files::default()
        .read("the trace", &options.files)
        .read("--against", &options.against)
        .read("--elf", &options.elf);
    for (option, path) in
        [(JSON, &options.json), (CSV, &options.csv), (PERFETTO, &options.perfetto), (HTML, &options.html)]
    {
        files = files.written(option, path.as_ref())?;
    }
    let files = files.kept()?;
    let (file, others) = options.files.split_first().context("no trace")?;
    let is_alone = others.is_empty();
    ensure!(is_alone || !options.list, "--list: of one trace, and there are {}", options.files.len());
    ensure!(
        is_alone || options.against.is_none(),
        "--against: of one trace, and there are {}",
        options.files.len()
    );
    if options.list {
        let reader = Reader::open(file)?;
        list(reader, &files).with_context(|| file.display().to_string())?;
        return Ok(0);
    }
    let places = options.elf.as_deref().map(Places::new).transpose()?;
    let trace = Trace::read(file, options.from)?;
    if let Some(told) = &trace.told {
        let mut report = value::value(&told.summary, trace.status(), &told.analysis, places.as_ref());
        if let Some(path) = &options.against {
            let other = Trace::read(path, 0)?;
            report["against"] = against::value(&trace, &other, other.told()?)?;
        }
        if !others.is_empty() {
            report["runs"] = runs::value(&trace, others)?;
        }
        let origin = trace.origin()?;
        let report = origin.stamp(report);
        write(&trace, told, &report, &origin, places.as_ref(), &files)?;
        if let Some(folder) = &options.svg {
            write_pictures(folder, &report)?;
        }
        if !files.has_standard_output() {
            print(&trace, told, &report, places.as_ref());
        }
    }
    if let (Some(text), false) = (told::told(&trace.end.end), files.has_standard_output()) {
        println!("{text}");
    }
    Ok(0)
}

/// Prints each PE when it is read.
fn list(reader: Reader, files: &Destinations) -> Result<()> {
    let mut objects = Objects::default();
    let mut values = Vec::new();
    let is_silent = files.has_standard_output();
    let mut text = list::head();
    for record in reader {
        match record? {
            Record::Pe(pe) => {
                text.push_str(&list::row(&pe));
                if files.is_asked(JSON) {
                    values.push(objects.pe(&pe));
                }
            }
            Record::Device(access) if files.is_asked(JSON) => objects.access(&access),
            _ => {}
        }
        if text.len() >= AT_A_TIME {
            if !is_silent {
                print!("{text}");
            }
            text.clear();
        }
    }
    if !is_silent {
        print!("{text}");
    }
    files.write_json(JSON, || Ok(values.into()))
}

/// Writes the files that are asked for.
fn write(
    trace: &Trace,
    told: &Told,
    report: &Value,
    origin: &Origin,
    places: Option<&Places>,
    files: &Destinations,
) -> Result<()> {
    let Told { summary, analysis } = told;
    files.write_json(JSON, || Ok(report.clone()))?;
    files.write(HTML, || {
        let parameters = about(summary, trace.status());
        Ok(page::page(&trace.name(), report, &parameters, analysis, &trace.end.end)?.into_bytes())
    })?;
    files.fill(CSV, |to| {
        to.write_all(origin.comment().as_bytes())?;
        let mut rows = Rows::new(to)?;
        trace.records()?.try_for_each(|record| rows.add(&record?, places))?;
        rows.finish()
    })?;
    files.fill(PERFETTO, |to| {
        let mut events = Events::new(to, &about(summary, trace.status()))?;
        trace.records()?.try_for_each(|record| events.add(&record?, places))?;
        events.finish(&summary.labels)
    })
}

/// Prints the tables, or what is different in another trace or in several.
fn print(trace: &Trace, told: &Told, report: &Value, places: Option<&Places>) {
    let Told { summary, analysis } = told;
    if report["against"].is_object() {
        print!("{}", against::text(&trace.name(), report));
        return;
    }
    if report["runs"].is_array() {
        print!("{}", runs::text(report));
        return;
    }
    print!("{summary}\n{}", terminal::text(summary, analysis, places));
    for call in &summary.unsupported {
        println!("{}", told::unsupported(call));
    }
    for limit in &summary.reached {
        println!("{}", told::reached(limit));
    }
}

/// Writes the pictures, each into a file of its own.
fn write_pictures(folder: &Path, report: &Value) -> Result<()> {
    let name = |path: &Path| path.display().to_string();
    fs::create_dir_all(folder).with_context(|| name(folder))?;
    for picture in charts::draw(report)?.into_iter().chain(runs::charts::draw(report)?) {
        let path = folder.join(picture.name).with_extension("svg");
        fs::write(&path, picture.on_white()).with_context(|| name(&path))?;
    }
    Ok(())
}

/// How the run was made: the summary's keys that are neither sums nor lists.
fn about(summary: &Summary, status: u8) -> Value {
    let mut value = json::value(summary, status);
    if let Some(keys) = value.as_object_mut() {
        keys.retain(|_, value| !value.is_array() && !value.is_object());
    }
    value
}
