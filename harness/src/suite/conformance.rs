// SPDX-License-Identifier: MIT
//! Root tasks of ours hold the kernel against the NOVA interface: what they print is the same in every mode and on both
//! emulators, and nothing diverges.

use anyhow::{Context as _, Result, bail, ensure};
use pe_replay::{Mode, Policy};

use super::{Context, Outcome, Test};
use crate::emulator::Emulator;
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "conformance::in_every_mode", run: in_every_mode },
    Test { name: "conformance::on_bochs", run: on_bochs },
    Test { name: "conformance::a_hostile_domain", run: a_hostile_domain },
    Test { name: "conformance::a_crowd", run: a_crowd },
];

/// What the interface is held against.
const CONFORMANCE: &str = "nova-conformance";
/// Cases that it has, at least.
const CASES: u64 = 500;
/// Limits under which nothing may diverge.
const LIMITS: [u64; 2] = [10_000, 100_000];
/// Memory in which 200 threads in 100 domains have room, in MiB.
const SMALL_MIB: u32 = 64;
/// Memory of every other run, in MiB.
const USUAL_MIB: u32 = 128;

/// The console of a root task that was run under a policy and ended well, without a divergence.
fn console(context: &Context, request: &Request, policy: Policy) -> Result<String> {
    let request = Request { policy, ..request.clone() };
    let what = format!("{} at limit {} on {}", policy.mode.name(), policy.limit, request.machine);
    let outcome = context.boot(&request).with_context(|| what.clone())?;
    let console = String::from_utf8_lossy(&outcome.finished.serial).replace('\r', "");
    check(context, &outcome, &console).with_context(|| what)?;
    Ok(console)
}

fn check(context: &Context, outcome: &Outcome, console: &str) -> Result<()> {
    let failed: Vec<_> = console.lines().filter(|line| line.starts_with("FAILED")).collect();
    ensure!(failed.is_empty(), "{} cases failed, the first: {}", failed.len(), failed[0]);
    let status = outcome.status()?;
    ensure!(status == 0, "status {status}, after {:?}", console.lines().last());
    let totals = outcome.totals()?;
    ensure!(totals.divergences == 0, "{} divergences", totals.divergences);
    context.add_undisturbed(totals.committed);
    Ok(())
}

/// The number of cases that the last line tells, none of which failed.
fn cases(console: &str) -> Result<u64> {
    let last = console.lines().last().context("nothing was printed")?;
    let count = last.strip_suffix(" cases, 0 failed").with_context(|| format!("the last line is {last:?}"))?;
    count.parse().with_context(|| last.to_owned())
}

/// Fails with the first line that differs.
fn same(one: &str, other: &str) -> Result<()> {
    match one.lines().zip(other.lines()).find(|(one, other)| one != other) {
        Some((one, other)) => bail!("{other:?} instead of {one:?}"),
        None => {
            ensure!(one == other, "{} lines instead of {}", other.lines().count(), one.lines().count());
            Ok(())
        }
    }
}

fn policy(mode: Mode, limit: u64) -> Policy {
    Policy { mode, limit, ..Policy::DEFAULT }
}

fn in_every_mode(context: &Context) -> Result<()> {
    let request = context.root_task(CONFORMANCE, USUAL_MIB)?;
    let expected = console(context, &request, policy(Mode::Off, LIMITS[1]))?;
    let count = cases(&expected)?;
    ensure!(count >= CASES, "there are {count} cases only");
    for mode in [Mode::Off, Mode::Dual, Mode::Triple] {
        for limit in LIMITS {
            if (mode, limit) != (Mode::Off, LIMITS[1]) {
                same(&expected, &console(context, &request, policy(mode, limit))?)?;
            }
        }
    }
    Ok(())
}

fn on_bochs(context: &Context) -> Result<()> {
    let request = context.root_task(CONFORMANCE, USUAL_MIB)?;
    let expected = console(context, &request, policy(Mode::Dual, LIMITS[1]))?;
    let request = Request { machine: Emulator::Bochs, ..request };
    same(&expected, &console(context, &request, policy(Mode::Dual, LIMITS[1]))?)
}

/// Runs a root task with cases of its own in two modes.
fn alike(context: &Context, name: &str, memory_mib: u32) -> Result<()> {
    let request = context.root_task(name, memory_mib)?;
    let expected = console(context, &request, policy(Mode::Off, LIMITS[1]))?;
    cases(&expected)?;
    same(&expected, &console(context, &request, policy(Mode::Dual, LIMITS[1]))?)
}

fn a_hostile_domain(context: &Context) -> Result<()> {
    alike(context, "nova-hostile", USUAL_MIB)
}

fn a_crowd(context: &Context) -> Result<()> {
    alike(context, "nova-crowd", SMALL_MIB)
}
