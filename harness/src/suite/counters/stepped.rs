// SPDX-License-Identifier: MIT
//! Without a counter: single steps are slow and right; nobody sees their trap flag.

use anyhow::{Context as _, Result, ensure};
use wire::counter::{CounterChoice, CounterKind};

use super::super::Context;
use super::{request, run, undisturbed};
use crate::workload::request::Request;

/// Programs of less than 400,000 instructions; `trap` looks at its own trap flag.
const SHORT: &[&str] = &[
    "calls",
    "crc",
    "heapsort",
    "lines",
    "matrix",
    "nature",
    "registers",
    "signals",
    "syscalls",
    "table",
    "tiny",
    "trap",
    "watched",
    "words",
];

/// All short programs.
pub(super) fn short(context: &Context) -> Result<()> {
    SHORT.iter().try_for_each(|name| one(context, name).with_context(|| (*name).to_owned()))
}

/// Runs one program by single steps, of a few microseconds each.
pub(super) fn one(context: &Context, name: &str) -> Result<()> {
    let request = request(context, name)?;
    let expected = run(context, &request, CounterKind::VirtualTime)?;
    let request = Request { counter: CounterChoice::Stepping, ..request };
    let ran = run(context, &request, CounterKind::Stepping)?;
    ensure!(ran.totals.debug_exceptions > 0, "no step was counted");
    undisturbed(context, &ran, &expected)
}
