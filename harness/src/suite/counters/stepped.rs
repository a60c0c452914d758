// SPDX-License-Identifier: MIT
//! Without a counter: single steps are slow and right; nobody sees their trap flag.

use anyhow::{Context as _, Result, ensure};
use pe_replay::Policy;
use wire::counter::{CounterChoice, CounterKind};

use super::super::Context;
use super::super::batch::{self, Case, Setting};
use super::super::programs;
use super::{LIMIT, same, setting};

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
    step(context, SHORT)
}

/// Runs one program by single steps, of a few microseconds each.
pub(super) fn one(context: &Context, name: &str) -> Result<()> {
    step(context, &[name])
}

fn step(context: &Context, names: &[&str]) -> Result<()> {
    let policy = Policy { limit: LIMIT, ..Policy::DEFAULT };
    let case = |name: &&str| {
        anyhow::Ok(Case { isolate: programs::isolation(name), ..Case::new(context, name, &[], policy)? })
    };
    let cases = names.iter().map(case).collect::<Result<Vec<_>>>()?;
    let [expected, ended] = [CounterChoice::VirtualTime, CounterChoice::Stepping]
        .map(|counter| batch::run(context, &Setting { counter, ..setting() }, &cases));
    for ((case, ended), expected) in cases.iter().zip(ended?).zip(expected?) {
        (|| {
            ensure!(ended.record.totals.debug_exceptions > 0, "no step was counted");
            same(context, CounterKind::Stepping, &ended, &expected)
        })()
        .with_context(|| case.name())?;
    }
    Ok(())
}
