// SPDX-License-Identifier: MIT
//! Root tasks of ours hold the kernel against the NOVA interface: what they print is the same in every mode and on both
//! emulators, and nothing diverges.

use anyhow::{Context as _, Result, bail, ensure};
use pe_replay::{Mode, Policy, Recovery};
use wire::Name;

use super::{Context, Outcome, Test};
use crate::emulator::Emulator;
use crate::inject::{SEED, system};
use crate::workload::nova;
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "conformance::in_every_mode", run: in_every_mode },
    Test { name: "conformance::on_bochs", run: on_bochs },
    Test { name: "conformance::a_hostile_domain", run: a_hostile_domain },
    Test { name: "conformance::a_stream_of_random_calls", run: a_stream_of_random_calls },
    Test { name: "conformance::a_crowd", run: a_crowd },
    Test { name: "conformance::flips", run: flips },
];

/// What the interface is held against.
const CONFORMANCE: &str = "nova-conformance";
/// Cases that it has, at least.
const CASES: u64 = 500;
/// Limits under which nothing may diverge.
const LIMITS: [u64; 2] = [10_000, 100_000];
/// Random calls in a second, at least.
const RANDOM_CALLS: u64 = 10_000;
/// Flips under each policy.
const FLIPS: u64 = 100;
/// Memory in which 200 threads in 100 domains have room, and the part of it that is the kernel's if nothing is said, in
/// MiB.
const SMALL_MIB: (u32, u32) = (64, 16);
/// Memory of every other run, and the kernel's part of it, in MiB.
const USUAL_MIB: (u32, u32) = (96, 32);
/// What the root task is told to print little: which cases fail, and how many there were.
const TERSE: Option<&str> = Some("terse");

/// The console of a root task that was run under a policy and ended well, without a divergence.
fn console(context: &Context, request: &Request, policy: Policy) -> Result<String> {
    let request = Request { policy, ..request.clone() };
    let what = format!("{} at limit {} on {}", policy.mode.name(), policy.limit, request.machine);
    let outcome = context.boot(&request).with_context(|| what.clone())?;
    let console = String::from_utf8_lossy(outcome.serial()).replace('\r', "");
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
    let count =
        last.strip_suffix(" cases, 0 failed").with_context(|| format!("the last line is {last:?}"))?;
    count.parse().with_context(|| last.to_owned())
}

/// The last two lines: what all that was said comes to, printed or not, and the number of cases.
fn end(console: &str) -> Result<String> {
    let lines: Vec<_> = console.lines().collect();
    let (_, last) = lines.split_last_chunk::<2>().with_context(|| format!("too little: {console:?}"))?;
    ensure!(last[0].starts_with("what was said comes to "), "{last:?}");
    Ok(last.map(|line| format!("{line}\n")).concat())
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
    let request = nova::root_task(CONFORMANCE, None, USUAL_MIB)?;
    let expected = console(context, &request, policy(Mode::Off, LIMITS[1]))?;
    let count = cases(&expected)?;
    ensure!(count >= CASES, "there are {count} cases only");
    let expected_end = end(&expected)?;
    for mode in [Mode::Dual, Mode::Triple] {
        same(&expected, &console(context, &request, policy(mode, LIMITS[1]))?)?;
    }
    // Nine in ten of its processing elements print: for another limit, what fails is enough, and what all that is said
    // comes to.
    let request = nova::root_task(CONFORMANCE, TERSE, USUAL_MIB)?;
    for mode in [Mode::Off, Mode::Dual, Mode::Triple] {
        let terse = console(context, &request, policy(mode, LIMITS[0]))?;
        ensure!(terse == expected_end, "{terse:?} instead of {expected_end:?} in {}", mode.name());
    }
    Ok(())
}

fn on_bochs(context: &Context) -> Result<()> {
    let request = nova::root_task(CONFORMANCE, None, USUAL_MIB)?;
    let expected = console(context, &request, policy(Mode::Off, LIMITS[1]))?;
    let request = Request { machine: Emulator::Bochs, ..request };
    same(&expected, &console(context, &request, policy(Mode::Dual, LIMITS[1]))?)?;
    let terse = nova::root_task(CONFORMANCE, TERSE, USUAL_MIB)?;
    let request = Request { machine: Emulator::Bochs, ..terse };
    for mode in [Mode::Off, Mode::Triple] {
        let terse = console(context, &request, policy(mode, LIMITS[0]))?;
        ensure!(terse == end(&expected)?, "{terse:?} instead of {:?} in {}", end(&expected)?, mode.name());
    }
    Ok(())
}

/// Attacks leave their neighbours and the kernel alone, in either mode.
fn a_hostile_domain(context: &Context) -> Result<()> {
    let request = nova::root_task("nova-hostile", None, USUAL_MIB)?;
    let expected = console(context, &request, policy(Mode::Off, LIMITS[1]))?;
    cases(&expected)?;
    same(&expected, &console(context, &request, policy(Mode::Dual, LIMITS[1]))?)
}

/// Random calls for a second of the system's time, in one domain after the other.
fn a_stream_of_random_calls(context: &Context) -> Result<()> {
    let request = nova::root_task("nova-hostile", Some("stream 1 1"), USUAL_MIB)?;
    let console = console(context, &request, policy(Mode::Dual, LIMITS[1]))?;
    cases(&console)?;
    let counts: Vec<_> = console.lines().filter(|line| line.contains(" random calls of ")).collect();
    let made = counts.first().and_then(|line| line.split(' ').next()?.parse::<u64>().ok());
    ensure!(made.is_some_and(|made| made >= RANDOM_CALLS), "{counts:?}");
    Ok(())
}

/// Two hundred threads have room, and nothing is left of ten thousand domains.
fn a_crowd(context: &Context) -> Result<()> {
    let request = nova::root_task("nova-crowd", None, SMALL_MIB)?;
    cases(&console(context, &request, policy(Mode::Dual, LIMITS[1]))?)?;
    Ok(())
}

/// Flips in processing elements with every kind of end leave the output as it was, with a restart and with a vote.
fn flips(context: &Context) -> Result<()> {
    let policies = [Recovery::Restart, Recovery::Vote].map(|recovery| Policy { recovery, ..Policy::DEFAULT });
    let report = system::run(context.kernel(), system::ROOT_TASKS, &policies, (FLIPS, SEED), &|_| ())?;
    eprint!("{report}");
    ensure!(report.failures().is_empty(), "{}", report.failures().join("; "));
    let (hit, found) = report.counts();
    ensure!(found * 4 > hit && hit > FLIPS, "{hit} flips hit something, and {found} were found");
    Ok(())
}
