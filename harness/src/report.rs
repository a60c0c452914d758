// SPDX-License-Identifier: MIT
//! `cargo reprise report`: what a trace file tells, in tables and in files for other tools.

mod analysis;
mod list;
mod perfetto;
mod table_file;
mod terminal;
mod value;

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;
use wire::end::EndRecord;
use wire::record::{PeRecord, Records};

use crate::host::destination::{Destinations, Files};
use crate::host::input;
use crate::outcome::place::Places;
use crate::outcome::summary::{Summary, summarize};
use crate::outcome::{json, told, trace_file};
use analysis::{Analysis, Collector};
use perfetto::Events;
use table_file::Rows;

/// The options that name files to be written.
const JSON: &str = "--json";
const CSV: &str = "--csv";
const PERFETTO: &str = "--perfetto";

/// What is asked of the command.
#[derive(Debug)]
pub struct Options {
    /// The trace file.
    pub file: PathBuf,
    /// Whether its PEs are listed instead of added up.
    pub list: bool,
    /// The program that ran.
    pub elf: Option<PathBuf>,
    /// Where the report or the list is written as JSON.
    pub json: Option<PathBuf>,
    /// Where a row for each PE is written as CSV.
    pub csv: Option<PathBuf>,
    /// Where the run is written for Perfetto.
    pub perfetto: Option<PathBuf>,
}

/// A trace file that was read.
struct Trace {
    name: String,
    file: Vec<u8>,
    end: EndRecord,
}

impl Trace {
    fn read(path: &PathBuf) -> Result<Self> {
        let name = path.display().to_string();
        let file = input::read(path, trace_file::BOUND)?;
        let (_, end) = trace_file::unpack(&file).with_context(|| name.clone())?;
        let end = EndRecord::decode(end).context("the end record").with_context(|| name.clone())?;
        Ok(Self { name, file, end })
    }

    fn stream(&self) -> Result<&[u8]> {
        Ok(trace_file::unpack(&self.file).with_context(|| self.name.clone())?.0)
    }

    /// What its PEs come to; none for a program that was refused and never ran.
    fn summary(&self) -> Result<Option<Summary>> {
        summarize(self.stream()?, &self.end).with_context(|| self.name.clone())
    }

    fn status(&self) -> u8 {
        told::exit_status(&self.end.end)
    }

    /// Its PEs one by one.
    fn records(&self) -> Result<impl Iterator<Item = Result<PeRecord>>> {
        let (_, records) =
            Records::open(self.stream()?).context("the trace").with_context(|| self.name.clone())?;
        Ok(records.map(|record| record.context("the trace").with_context(|| self.name.clone())))
    }
}

/// What is told of a trace, in all forms that are asked for; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let mut files = Files::default().read("the trace", [&options.file]).read("--elf", &options.elf);
    for (option, path) in [(JSON, &options.json), (CSV, &options.csv), (PERFETTO, &options.perfetto)] {
        files = files.written(option, path.as_ref())?;
    }
    let files = files.kept()?;
    let places = options.elf.as_deref().map(Places::new).transpose()?;
    let trace = Trace::read(&options.file)?;
    if options.list {
        list(&trace, &files)?;
        return Ok(0);
    }
    if let Some(summary) = trace.summary()? {
        report(&trace, &summary, places.as_ref(), &files)?;
    }
    if let (Some(text), false) = (told::told(&trace.end.end), files.has_standard_output()) {
        println!("{text}");
    }
    Ok(0)
}

fn list(trace: &Trace, files: &Destinations) -> Result<()> {
    let name = || trace.name.clone();
    let stream = trace.stream()?;
    files.write_json(JSON, || list::value(stream).with_context(name))?;
    if !files.has_standard_output() {
        print!("{}", list::list(stream).with_context(name)?);
    }
    Ok(())
}

/// Writes the files that are asked for, and prints the tables unless one of the files is standard output.
fn report(trace: &Trace, summary: &Summary, places: Option<&Places>, files: &Destinations) -> Result<()> {
    let analysis = analysed(trace, summary)?;
    files.write_json(JSON, || Ok(value::value(summary, trace.status(), &analysis, places)))?;
    files.fill(CSV, |to| {
        let mut rows = Rows::new(to)?;
        trace.records()?.try_for_each(|record| rows.add(&record?, places))?;
        rows.finish()
    })?;
    files.fill(PERFETTO, |to| {
        let mut events = Events::new(to, &about(summary, trace.status()))?;
        trace.records()?.try_for_each(|record| events.add(&record?, places))?;
        events.finish(&summary.labels)
    })?;
    if files.has_standard_output() {
        return Ok(());
    }
    print!("{summary}\n{}", terminal::text(summary, &analysis, places));
    for call in &summary.unsupported {
        println!("{}", told::unsupported(call));
    }
    for limit in &summary.reached {
        println!("{}", told::reached(limit));
    }
    Ok(())
}

fn analysed(trace: &Trace, summary: &Summary) -> Result<Analysis> {
    let mut collector = Collector::new(0);
    for record in trace.records()? {
        collector.add(&record?);
    }
    Ok(collector.finish(&summary.labels))
}

/// How the run was made: the summary's keys that are neither sums nor lists.
fn about(summary: &Summary, status: u8) -> Value {
    let mut value = json::value(summary, status);
    if let Some(keys) = value.as_object_mut() {
        keys.retain(|_, value| !value.is_array() && !value.is_object());
    }
    value
}
