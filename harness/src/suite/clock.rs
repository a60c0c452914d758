// SPDX-License-Identifier: MIT
//! What programs see of the time is their own: the same bytes however their PEs are run.

use anyhow::{Context as _, Result, bail, ensure};
use flips::{Injection, Target};
use pe_replay::{Comparison, Flush, Mode, Policy, Recovery, Run};
use wire::clock::{Clock, ClockKind};
use wire::config::Recording;
use wire::counter::CounterChoice;

use super::batch::{self, Case, Setting, undisturbed};
use super::{Context, Outcome, Test, programs};
use crate::emulator::Emulator;
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "clock::same_time_in_every_way", run: same_time },
    Test { name: "clock::same_time_in_another_boot", run: another_boot },
    Test { name: "clock::date_is_shown_by_all_that_has_one", run: date },
    Test { name: "clock::machine_time_is_the_machines", run: machine_time },
];

/// The program, which prints all that it can find out about the time.
const PROGRAM: &str = "clock";
const SHOW: &str = "show";
const LIMITS: [u64; 3] = [1_000, 9_973, 100_000];
/// 2024-05-01T12:00:00Z.
const A_DATE_S: u64 = 1_714_564_800;
/// The time at which any machine has long begun to run its program.
const BOOTED_NS: u64 = 1_000_000;

/// Ways to run PEs, each of which takes another time in the kernel.
fn policies() -> Vec<Policy> {
    let usual = Policy::DEFAULT;
    vec![
        Policy { mode: Mode::Off, ..usual },
        Policy { mode: Mode::Dual, ..usual },
        Policy { mode: Mode::Triple, ..usual },
        Policy { comparison: Comparison::Hash, ..usual },
        Policy { recovery: Recovery::Vote, ..usual },
        Policy { flush: Flush::Lines, ..usual },
        Policy { flush: Flush::All, ..usual },
        Policy { max_dirty: 8, ..usual },
    ]
}

fn request(context: &Context) -> Result<Request> {
    let mut request = context.program(PROGRAM, &[SHOW])?;
    request.contents.files.push(("/input".into(), b"of the host\n".to_vec()));
    Ok(request)
}

/// What it printed; an error if a check of its own failed.
fn printed(outcome: &Outcome) -> Result<String> {
    let text = String::from_utf8(outcome.stdout())?;
    ensure!(outcome.status()? == 0, "{}", String::from_utf8_lossy(&outcome.stderr()));
    Ok(text)
}

/// The numbers of the lines of that name.
fn values(text: &str, name: &str) -> Result<Vec<u64>> {
    // These stand as `user/c/clock.c` prints them: some names begin with others.
    let name_column = format!("{name:<24} ");
    let of = |line: &str| Some(line.strip_prefix(&name_column)?.parse());
    let values: Vec<_> = text.lines().filter_map(of).collect::<Result<_, _>>()?;
    ensure!(!values.is_empty(), "no line says {name}");
    Ok(values)
}

fn first_difference(one: &str, other: &str) -> String {
    let pair = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    pair.map_or("another length".into(), |(one, other)| format!("`{one}` instead of `{other}`"))
}

/// Modes, policies, limits, with a record for each PE and without, and with a PE that is run again.
fn same_time(context: &Context) -> Result<()> {
    let setting =
        Setting { files: vec![("/input".into(), b"of the host\n".to_vec())], ..Setting::on(Emulator::Qemu) };
    let mut cases = Vec::new();
    for policy in policies() {
        for limit in LIMITS {
            let case = Case::new(context, PROGRAM, &[SHOW], Policy { limit, ..policy })?;
            let trace = if limit == LIMITS[0] { Recording::Pes } else { Recording::Nothing };
            cases.push(Case { trace, isolate: programs::isolation(PROGRAM), ..case });
        }
    }
    let flip = Injection { pe: 100, run: Run::First, at: 5, target: Target::Gpr(0), bit: 3 };
    let dual = Case::new(context, PROGRAM, &[SHOW], Policy::DEFAULT)?;
    cases.push(Case { flips: vec![flip], isolate: programs::isolation(PROGRAM), ..dual });
    let ended = batch::run(context, &setting, &cases)?;
    let Some((first, others)) = ended.split_first() else { bail!("nothing was run") };
    let expected = String::from_utf8(first.stdout.clone())?;
    ensure!(batch::shown(first).status == 0, "{}", String::from_utf8_lossy(&first.stderr));
    ensure!(values(&expected, "vDSO")? == [0], "there is a vDSO, whose clocks would be others");
    for (case, other) in cases[1..].iter().zip(others) {
        let what = format!("{}, {:?}", case.name(), case.policy);
        let seen = String::from_utf8(other.stdout.clone())?;
        ensure!(seen == expected, "{what}: {}", first_difference(&seen, &expected));
        if case.flips.is_empty() {
            undisturbed(other).context(what)?;
        } else {
            ensure!(other.record.totals.restarts == 1, "{what}: {} restarts", other.record.totals.restarts);
        }
    }
    Ok(())
}

/// A boot of its own, a counter of its own, a kernel with the mutants in it: nothing of that is in the time.
fn another_boot(context: &Context) -> Result<()> {
    let request = request(context)?;
    let expected = printed(&context.boot(&request)?)?;
    let counter = Request { counter: CounterChoice::IntelEmulated, ..request.clone() };
    for (what, outcome) in
        [("counter", context.boot(&counter)?), ("kernel", context.boot_for_tests(&request)?)]
    {
        let seen = printed(&outcome)?;
        ensure!(seen == expected, "another {what}: {}", first_difference(&seen, &expected));
    }
    Ok(())
}

/// The date moves the clocks that know a date, and no other; the files are of that date.
fn date(context: &Context) -> Result<()> {
    let request = request(context)?;
    let usual = printed(&context.boot(&request)?)?;
    let clock = Clock { date_s: A_DATE_S, ..Clock::default() };
    let dated = printed(&context.boot(&Request { clock, ..request })?)?;
    for name in ["host's file", "program's file", "standard output"] {
        let of = |text: &str| values(text, name);
        ensure!(of(&usual)? == [Clock::DEFAULT_DATE_S * 1_000_000_000], "{name}: {:?}", of(&usual)?);
        ensure!(of(&dated)? == [A_DATE_S * 1_000_000_000], "{name}: {:?}", of(&dated)?);
    }
    for name in ["realtime", "file made", "file touched"] {
        let seconds =
            |text| anyhow::Ok(values(text, name)?.iter().map(|ns| ns / 1_000_000_000).collect::<Vec<_>>());
        ensure!(seconds(&dated)?.iter().all(|second| *second == A_DATE_S), "{name}: {:?}", seconds(&dated)?);
    }
    for name in ["monotonic", "rdtsc", "process", "child at"] {
        ensure!(values(&usual, name)? == values(&dated, name)?, "the date changed {name}");
    }
    Ok(())
}

/// With the machine's clock, time begins at boot, and the kernel's work takes time.
fn machine_time(context: &Context) -> Result<()> {
    let clock = Clock { kind: ClockKind::Machine, ..Clock::default() };
    let request = Request { clock, ..request(context)? };
    let shown = |mode| {
        let policy = Policy { mode, ..Policy::DEFAULT };
        printed(&context.boot(&Request { policy, ..request.clone() })?)
    };
    let (off, dual) = (shown(Mode::Off)?, shown(Mode::Dual)?);
    for (text, what) in [(&off, "off"), (&dual, "dual")] {
        for name in ["monotonic", "process"] {
            let first = values(text, name)?[0];
            ensure!(first > BOOTED_NS, "{what}: {name} is {first} ns, which is before the program began");
        }
    }
    let work = |text| anyhow::Ok(values(text, "rdtsc, of work")?[0]);
    ensure!(work(&dual)? > work(&off)?, "to run everything twice takes no longer: {} ns", work(&dual)?);
    Ok(())
}
