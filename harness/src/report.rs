// SPDX-License-Identifier: MIT
//! `cargo reprise report`: a trace file, said again as after the run, or listed PE by PE.

mod list;

use std::path::PathBuf;

use anyhow::{Context, Result};
use wire::record::Record;

use self::list::Objects;
use crate::host::destination::{Destinations, Files};
use crate::outcome::summary::Sums;
use crate::outcome::trace_file::Reader;
use crate::outcome::{json, told};

/// The option that names a file to be written.
const JSON: &str = "--json";
/// How much of a list is written at a time, in bytes.
const AT_A_TIME: usize = 1 << 16;

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
    let name = || options.file.display().to_string();
    let mut reader = Reader::open(&options.file)?;
    if options.list {
        list(reader, &files).with_context(name)?;
        return Ok(0);
    }
    let mut sums = Sums::default();
    reader.header().iter().for_each(|header| sums.add(&Record::Header(*header)));
    for record in reader.by_ref() {
        sums.add(&record.with_context(|| format!("after {} PEs", sums.count())).with_context(name)?);
    }
    let record = reader.end().with_context(name)?;
    if let Some(summary) = sums.summary(record).with_context(name)? {
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

/// Prints each PE when it is read.
fn list(reader: Reader, files: &Destinations) -> Result<()> {
    let mut objects = Objects::default();
    let mut values = Vec::new();
    let mut text = list::titles();
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
            print!("{text}");
            text.clear();
        }
    }
    print!("{text}");
    files.write_json(JSON, || Ok(values.into()))
}
