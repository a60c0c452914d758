// SPDX-License-Identifier: MIT
//! The options of `report`.

use std::path::PathBuf;

use clap::Args;

use super::values::number;
use crate::report;

/// `cargo reprise report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// What `run --trace` wrote; behind it more of the same program, with other limits, flushes or modes, for cost
    /// against limit
    #[arg(value_name = "TRACE", required = true)]
    pub files: Vec<PathBuf>,
    /// Print one line for each processing element instead: its number, process, delimiter, RIP at its end, instructions,
    /// pages written, and the digest of what it left behind if the run was made with --digests
    #[arg(long)]
    pub list: bool,
    /// Print what is different in another trace instead, and where that begins
    #[arg(long, value_name = "TRACE", conflicts_with = "list")]
    pub against: Option<PathBuf>,
    /// The program that ran, for the names and lines of its addresses
    #[arg(long, value_name = "PATH")]
    pub elf: Option<PathBuf>,
    /// Write the summary, and what the report adds to it, as JSON to a file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a row for each processing element as CSV to a file; `-` is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub csv: Option<PathBuf>,
    /// Write the run for Perfetto (ui.perfetto.dev) to a file, in the JSON trace event format; `-` is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub perfetto: Option<PathBuf>,
    /// Write all of it as one page to a file, for a browser; `-` is standard output
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub html: Option<PathBuf>,
    /// Write the page's pictures into a folder
    #[arg(long, value_name = "DIR", conflicts_with = "list")]
    pub svg: Option<PathBuf>,
    /// The processing element from which on the page's timeline has single ones
    #[arg(long, value_name = "PE", default_value_t = 0, requires = "html",
          value_parser = number::<u64>(0, u64::MAX))]
    pub from: u64,
}

impl From<ReportArgs> for report::Options {
    fn from(args: ReportArgs) -> Self {
        let ReportArgs { files, list, against, elf, json, csv, perfetto, html, svg, from } = args;
        Self { files, list, against, elf, json, csv, perfetto, html, svg, from }
    }
}
