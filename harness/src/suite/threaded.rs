// SPDX-License-Identifier: MIT
//! Programs with threads, in C, Rust and Go, do the same in every mode and as natively; a run of one is repeated
//! byte for byte; and what no schedule can be told from, a data race, comes to the same all the same.

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use flips::{Injection, Target};
use pe_replay::{Mode, Policy, Run};
use wire::end::End;

use super::programs::{self, LIMITS, Shown};
use super::{Context, Test, batch};
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "threaded::events", run: |context| as_natively(context, "events") },
    Test { name: "threaded::spawning", run: |context| as_natively(context, "spawning") },
    Test { name: "threaded::threads", run: |context| as_natively(context, "threads") },
    Test { name: "threaded::threadsignals", run: |context| as_natively(context, "threadsignals") },
    Test { name: "threaded::timers", run: |context| as_natively(context, "timers") },
    Test { name: "threaded::std-rayon", run: |context| as_natively(context, "std-rayon") },
    Test { name: "threaded::std-sync", run: |context| as_natively(context, "std-sync") },
    Test { name: "threaded::std-threads", run: |context| as_natively(context, "std-threads") },
    Test { name: "threaded::go-channels", run: |context| as_natively(context, "go-channels") },
    Test { name: "threaded::go-collector", run: |context| as_natively(context, "go-collector") },
    Test { name: "threaded::go-signals", run: |context| as_natively(context, "go-signals") },
    Test { name: "threaded::go-timers", run: |context| as_natively(context, "go-timers") },
    Test { name: "threaded::race", run: race },
    Test { name: "threaded::a_run_is_the_same_twice", run: a_run_is_the_same_twice },
    Test { name: "threaded::a_limit_is_named", run: a_limit_is_named },
    Test { name: "threaded::an_end_is_told_of_its_thread", run: an_end_is_told_of_its_thread },
];

/// Modes that come to the same.
const MODES: [Mode; 3] = [Mode::Off, Mode::Dual, Mode::Triple];
/// Programs whose traces are made twice.
const TWICE: [&str; 5] = ["threads", "race", "std-sync", "std-rayon", "go-channels"];

fn as_natively(context: &Context, name: &str) -> Result<()> {
    let request = programs::of_project(context, name)?;
    let natively = Shown::natively(&context.executable(name)?, &request.contents)?;
    programs::same_in(&MODES, context, &request, Some(&natively), &programs::limits(name))
}

/// What a data race comes to is the same in every mode and under every limit.
fn race(context: &Context) -> Result<()> {
    let request = context.program("race", &["show"])?;
    let ended = batch::under(context, &request, &[Policy { mode: Mode::Off, ..Policy::DEFAULT }])?;
    let expected = ended.first().map(batch::shown);
    programs::same_in(&MODES, context, &request, expected.as_ref(), &LIMITS)
}

/// Output and trace, which has each PE's process and thread, are the same byte for byte.
fn a_run_is_the_same_twice(context: &Context) -> Result<()> {
    for name in TWICE {
        let [first, second] = [(); 2].map(|()| {
            let directory = tempfile::tempdir()?;
            let words = ["run", name, "--limit", "9973", "--trace", "trace"];
            let output = context.reprise(&words, |command| {
                command.current_dir(directory.path());
            })?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "{name}: {}: {said}", output.status);
            let trace = fs::read(directory.path().join("trace")).context("the trace")?;
            anyhow::Ok((output.stdout, output.stderr, trace))
        });
        let (first, second) = (first?, second?);
        let differing = first.2.iter().zip(&second.2).position(|(one, other)| one != other);
        ensure!(differing.is_none(), "{name}: the traces differ at byte {}", differing.unwrap_or_default());
        ensure!(first == second, "{name}: another output, or another length of the trace");
    }
    Ok(())
}

/// A program that makes as many processes as there may be ends well, and its user hears of the limit.
fn a_limit_is_named(context: &Context) -> Result<()> {
    let output = context.reprise(&["run", "limits"], |_| ())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", output.status);
    let told = "reprise: there may be 64 processes at a time, and one more was refused ";
    ensure!(said.lines().any(|line| line.starts_with(told) && line.ends_with(" (EAGAIN)")), "{said}");
    Ok(())
}

/// A flip in a thread, and what it brings about, are told with the numbers of process and thread: in `off` the
/// program's death, with replay the difference that was undone.
fn an_end_is_told_of_its_thread(context: &Context) -> Result<()> {
    let limit = Policy { limit: 9_973, mode: Mode::Off, ..Policy::DEFAULT };
    let mut request = Request { policy: limit, ..context.program("std-sync", &[])? };
    let outcome = context.boot(&request)?;
    let other = outcome.records()?.into_iter().find(|pe| pe.thread.thread == 3 && pe.instructions > 100);
    let pe = other.context("no PE of a third thread")?;
    // No address has that bit.
    let flip = Injection { pe: pe.sequence, run: Run::First, at: 50, target: Target::Rip, bit: 46 };
    request.injections = vec![flip];
    let outcome = context.boot(&request)?;
    let End::Killed(death) = outcome.end()? else { bail!("off: {:?}", outcome.end()?) };
    ensure!(death.thread == pe.thread, "off: killed in {}, hit in {}", death.thread, pe.thread);
    request.policy.mode = Mode::Dual;
    let outcome = context.boot(&request)?;
    ensure!(outcome.status()? == 0, "dual: {:?}", outcome.end()?);
    let text = outcome.summary()?.to_string();
    for what in ["was hit by a flip", "diverged: "] {
        let line = format!("  PE {} ({}) {what}", pe.sequence, pe.thread);
        ensure!(text.contains(&line), "no `{line}` in {text}");
    }
    Ok(())
}
