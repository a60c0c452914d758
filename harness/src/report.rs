// SPDX-License-Identifier: MIT
//! `cargo reprise report`: a trace file, said again as after the run, or listed PE by PE.

mod list;

use std::path::PathBuf;

use anyhow::{Context, Result};
use wire::end::EndRecord;

use crate::host::destination::Files;
use crate::host::input;
use crate::outcome::summary::summarize;
use crate::outcome::{json, told, trace_file};

/// The option that names a file to be written.
const JSON: &str = "--json";

/// What is asked of the command.
#[derive(Debug)]
pub struct Options {
    /// The trace file.
    pub file: PathBuf,
    /// Whether its PEs are listed instead of added up.
    pub list: bool,
    /// Where the summary or the list is written as JSON.
    pub json: Option<PathBuf>,
}

/// Says again what was said after the run; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let files =
        Files::default().read("the trace", [&options.file]).written(JSON, options.json.as_ref())?.kept()?;
    let file = input::read(&options.file, trace_file::BOUND)?;
    let name = || options.file.display().to_string();
    let (trace, end) = trace_file::unpack(&file).with_context(name)?;
    if options.list {
        files.write_json(JSON, || list::value(trace).with_context(name))?;
        print!("{}", list::list(trace).with_context(name)?);
        return Ok(0);
    }
    let record = EndRecord::decode(end).context("the end record").with_context(name)?;
    if let Some(summary) = summarize(trace, &record).with_context(name)? {
        files.write_json(JSON, || Ok(json::value(&summary, told::exit_status(&record.end))))?;
        print!("{summary}");
        for call in &summary.unsupported {
            println!("{}", told::unsupported(call));
        }
        for limit in &summary.reached {
            println!("{}", told::reached(limit));
        }
    }
    if let Some(text) = told::told(&record.end) {
        println!("{text}");
    }
    Ok(0)
}
