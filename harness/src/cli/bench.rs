// SPDX-License-Identifier: MIT
//! The options of `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use flips::Injection;

use super::clock::ClockArgs;
use super::values::{MOST_SECONDS, injection, number};
use crate::bench;

/// `cargo reprise bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// Only this part: a workload, `bars`, `original`, `sweep`, `counters`, `scaling`, `boot` or `ipc`; may be given more than once
    #[arg(long = "suite", value_name = "NAME")]
    pub suites: Vec<String>,
    /// Say what there is to measure, and measure nothing
    #[arg(long)]
    pub list: bool,
    /// One short workload under three policies, or with `--suite scaling` some of its calls, to see that all is well
    #[arg(long, conflicts_with = "plot")]
    pub quick: bool,
    /// Print the tables as Markdown, with date, commit and machine
    #[arg(long)]
    pub markdown: bool,
    /// Put what replay costs at a glance into README.md of a folder, between the lines `<!-- glance -->` and
    /// `<!-- end of glance -->`, and all tables into tables.md, between `<!-- bench -->` and `<!-- end of bench -->`;
    /// draw cost.svg and limit-sweep.svg beside them
    #[arg(long, value_name = "DIR", conflicts_with_all = ["suites", "quick"])]
    pub into: Option<PathBuf>,
    /// Write all figures as JSON to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the sweep of the limit as SVG to a file
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Weights of modelled cycles in place of those of benches/model.toml
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// What the programs take for the time
    #[command(flatten)]
    pub clock: ClockArgs,
    /// Flip a bit in every replayed run, as `run --inject`: the command has to fail then
    #[arg(long, value_name = "SPEC", value_parser = injection)]
    pub inject: Option<Injection>,
    /// Seconds after which one run is ended
    #[arg(long, value_name = "S", default_value_t = 300,
          value_parser = number::<u64>(1, MOST_SECONDS))]
    pub timeout: u64,
}

impl From<BenchArgs> for bench::Options {
    fn from(args: BenchArgs) -> Self {
        let BenchArgs { suites, list, quick, markdown, into, json, plot, model, clock, inject, timeout } =
            args;
        let (clock, timeout) = (clock.into(), Duration::from_secs(timeout));
        Self { suites, list, quick, markdown, into, json, plot, model, clock, inject, timeout }
    }
}
