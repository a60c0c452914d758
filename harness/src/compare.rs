// SPDX-License-Identifier: MIT
//! `cargo reprise compare`: what replay costs a program, held against the same program without replay.

mod cost;

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use pe_replay::{Mode, Policy};
use wire::counter::CounterChoice;

use self::cost::{Costs, Measured};
use crate::emulator::{self, Emulator, Silent};
use crate::host::packages;
use crate::outcome::origin::Origin;
use crate::outcome::table::Style;
use crate::outcome::{Outcome, told};
use crate::workload::artifacts::Guest;
use crate::workload::named::{self, Given};
use crate::workload::request::Request;

/// The option for the figures as JSON.
const JSON: &str = "--json";

/// What is asked of the command.
#[derive(Debug)]
pub struct Options {
    /// The program.
    pub program: Given,
    /// How it is run, in the policy that it is run under beside those that it always is.
    pub request: Request,
    /// How the table is shown.
    pub style: Style,
    /// Where the figures are written as JSON.
    pub json: Option<PathBuf>,
}

/// Runs the command; returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    let named = named::named(&options.program, None)?;
    packages::ensure_present(&[packages::QEMU])?;
    let files = named.files().written(JSON, options.json.as_ref())?.kept()?;
    let kernel = Guest::build_kernel(CounterChoice::default())?;
    let mut request = Request { contents: named.contents, ..options.request.clone() };
    let mut all = Vec::new();
    let mut shown = None;
    for policy in policies(options.request.policy) {
        request.policy = policy;
        let finished = emulator::boot(&request.boot(kernel.clone())?, &mut Silent)?;
        let outcome = Outcome::new(kernel.clone(), finished);
        let how = cost::name(&policy);
        if let Some(text) = told::told(outcome.end()?) {
            bail!("{how}: {text}");
        }
        let now = (outcome.stdout(), outcome.stderr(), outcome.status()?);
        let is_same = *shown.get_or_insert_with(|| now.clone()) == now;
        ensure!(
            is_same,
            "{how}: the program shows something else than without replay, so the two did other work"
        );
        all.push(Measured::of(&outcome.summary()?));
    }
    let name = request.contents.argv.first().map(|name| String::from_utf8_lossy(name).into_owned());
    let costs = Costs::new(name.unwrap_or_default(), all);
    print!("{}", costs.text(options.style));
    let origin = Origin::find(Some(Emulator::Qemu)).with("seed", request.seed);
    let origin = origin.with_program(request.contents.program.as_deref(), &request.contents.argv);
    files.write_json(JSON, || Ok(origin.stamp(costs.json())))?;
    Ok(0)
}

/// Without replay, with each PE run twice, and as is asked for if that is neither.
fn policies(asked: Policy) -> Vec<Policy> {
    let bounds = Policy { limit: asked.limit, max_dirty: asked.max_dirty, ..Policy::DEFAULT };
    let mut all = vec![Policy { mode: Mode::Off, ..bounds }, Policy { mode: Mode::Dual, ..bounds }];
    if !all.contains(&asked) {
        all.push(asked);
    }
    all
}
