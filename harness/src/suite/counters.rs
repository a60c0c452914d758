// SPDX-License-Identifier: MIT
//! Programs do the same whatever counts their instructions, however badly it does.

use anyhow::{Context as _, Result, ensure};
use pe_replay::wire::counter::{CounterChoice, CounterFaults, CounterKind, Lateness};
use pe_replay::wire::end::Totals;
use pe_replay::wire::record::{PeRecord, Records};
use pe_replay::{Injection, Policy, Run, Target};

use super::{Context, Test};
use crate::artifacts;
use crate::machine::Machine;
use crate::request::Request;

pub const TESTS: &[Test] = &[
    Test {
        name: "counters::intel_with_random_skid",
        run: |context| skid(context, INTEL, Lateness::Random(SKID)),
    },
    Test {
        name: "counters::intel_with_a_long_tail",
        run: |context| skid(context, INTEL, Lateness::LongTail(SKID)),
    },
    Test {
        name: "counters::amd_with_random_skid",
        run: |context| skid(context, AMD, Lateness::Random(SKID)),
    },
    Test {
        name: "counters::amd_with_a_long_tail",
        run: |context| skid(context, AMD, Lateness::LongTail(SKID)),
    },
    Test { name: "counters::same_pes_without_skid", run: same_pes },
    Test { name: "counters::none_steps", run: none_steps },
    Test { name: "counters::a_flip_under_skid_is_undone", run: flipped },
    Test { name: "counters::what_fails_a_check_is_refused", run: refused },
    Test { name: "counters::detection_on_bochs", run: on_bochs },
];

/// How late interrupts are at most.
const SKID: u32 = 10_000;
/// One stretch in so many leaves an interrupt over.
const STALE: u32 = 100;
/// A prime, and smaller than the skid.
const LIMIT: u64 = 9_973;
const INTEL: (CounterChoice, CounterKind) = (CounterChoice::IntelEmulated, CounterKind::IntelEmulated);
const AMD: (CounterChoice, CounterKind) = (CounterChoice::AmdEmulated, CounterKind::AmdEmulated);
/// RSP by its number.
const RSP: u8 = 4;

/// Short programs, for single steps; `trap` looks at its own trap flag.
const SHORT: &[&str] = &["tiny", "registers", "trap"];

fn request(context: &Context, name: &str) -> Result<Request> {
    let mut request = context.program(name, &[])?;
    request.contents.stdin = Some(b"standard input\n".to_vec());
    request.policy = Policy { limit: LIMIT, ..Policy::default() };
    Ok(request)
}

fn misbehaving(skid: Lateness) -> CounterFaults {
    CounterFaults { skid, stale: STALE, seed: 5, ..CounterFaults::default() }
}

/// Sums, output and records of a run.
struct Ran {
    totals: Totals,
    shown: (u8, Vec<u8>, Vec<u8>),
    records: Vec<PeRecord>,
}

fn run(context: &Context, request: &Request, kind: CounterKind) -> Result<Ran> {
    let outcome = context.boot(request)?;
    let record = outcome.record()?;
    ensure!(record.counter == kind, "{} counted", record.counter.name());
    let (header, records) = Records::open(outcome.trace())?;
    ensure!(header.counter == kind, "the trace names {}", header.counter.name());
    let records = records.collect::<Result<_, _>>()?;
    let shown = (outcome.status()?, outcome.stdout(), outcome.stderr());
    Ok(Ran { totals: *outcome.totals()?, shown, records })
}

fn undisturbed(context: &Context, ran: &Ran, expected: &Ran) -> Result<()> {
    let Totals { divergences, restarts, pes, .. } = ran.totals;
    ensure!(ran.shown == expected.shown, "another output than with virtual time");
    ensure!(divergences + restarts == 0, "{divergences} divergences, {restarts} restarts");
    context.add_undisturbed(pes);
    Ok(())
}

/// All of the project's programs, with late and left-over interrupts.
fn skid(context: &Context, (counter, kind): (CounterChoice, CounterKind), skid: Lateness) -> Result<()> {
    let (mut exceptions, mut dropped) = (0, 0);
    let names = artifacts::c_names()?;
    for name in names.iter().map(String::as_str).chain(["showcase"]) {
        let request = request(context, name)?;
        let expected = run(context, &request, CounterKind::VirtualTime)?;
        let request = Request { counter, counter_faults: misbehaving(skid), ..request };
        (|| {
            let ran = run(context, &request, kind)?;
            exceptions += ran.totals.debug_exceptions;
            dropped += ran.totals.drained_overflows;
            let misses: u64 = ran.records.iter().map(|record| u64::from(record.counter_misses)).sum();
            let counted = ran.totals.counter_misses;
            ensure!(misses == counted, "{misses} counter misses in the trace, {counted} in the sums");
            // How long processes wait for each other depends on where PEs end.
            let [one, other] = [&ran, &expected].map(|ran| ran.totals.user_instructions);
            ensure!(one == other || name == "pingpong", "{one} user instructions instead of {other}");
            undisturbed(context, &ran, &expected)
        })()
        .with_context(|| name.to_owned())?;
    }
    ensure!(exceptions > 0 && dropped > 0, "{exceptions} debug exceptions, {dropped} interrupts dropped");
    Ok(())
}

/// Emulated counters without skid end all PEs where virtual time does.
fn same_pes(context: &Context) -> Result<()> {
    let places = |ran: &Ran| -> Vec<_> {
        ran.records
            .iter()
            .map(|it| (it.sequence, it.delimiter, it.rip, it.instructions, it.frames_written))
            .collect()
    };
    let names = artifacts::c_names()?;
    for name in names.iter().map(String::as_str).chain(["showcase"]) {
        let request = request(context, name)?;
        let expected = run(context, &request, CounterKind::VirtualTime)?;
        for (counter, kind) in [INTEL, AMD] {
            (|| {
                let ran = run(context, &Request { counter, ..request.clone() }, kind)?;
                undisturbed(context, &ran, &expected)?;
                let exceptions = ran.totals.debug_exceptions;
                ensure!(exceptions == 0, "{exceptions} debug exceptions");
                ensure!(places(&ran) == places(&expected), "PEs end elsewhere");
                Ok(())
            })()
            .with_context(|| format!("{name} with {}", kind.name()))?;
        }
    }
    Ok(())
}

/// Single steps are slow and right; nobody sees their trap flag.
fn none_steps(context: &Context) -> Result<()> {
    for name in SHORT {
        let request = request(context, name)?;
        let expected = run(context, &request, CounterKind::VirtualTime)?;
        let request = Request { counter: CounterChoice::Stepping, ..request };
        (|| {
            let ran = run(context, &request, CounterKind::Stepping)?;
            ensure!(ran.totals.debug_exceptions > 0, "no step was counted");
            undisturbed(context, &ran, &expected)
        })()
        .with_context(|| (*name).to_owned())?;
    }
    Ok(())
}

/// A flip of the stack pointer in either run, in a PE that the limit ends.
fn flipped(context: &Context) -> Result<()> {
    let mut request = request(context, "tiny")?;
    let expected = run(context, &request, CounterKind::VirtualTime)?;
    request.policy.limit = 1_000;
    for (counter, kind) in [INTEL, AMD] {
        for skid in [Lateness::Random(SKID), Lateness::LongTail(SKID)] {
            for hit in [Run::First, Run::Second] {
                let flip = Injection { pe: 0, run: hit, at: 700, target: Target::Gpr(RSP), bit: 4 };
                let injections = Vec::from([flip]);
                let request =
                    Request { counter, counter_faults: misbehaving(skid), injections, ..request.clone() };
                (|| {
                    let ran = run(context, &request, kind)?;
                    let Totals { flips, divergences, restarts, .. } = ran.totals;
                    ensure!(ran.shown == expected.shown, "another output than without a flip");
                    let seen = (flips, divergences, restarts);
                    ensure!(seen == (1, 1, 1), "flips, divergences, restarts: {seen:?}");
                    Ok(())
                })()
                .with_context(|| format!("{}, {skid:?}, run {} hit", kind.name(), hit.number()))?;
            }
        }
    }
    Ok(())
}

/// What a counter must not do is said by the check that finds it.
fn refused(context: &Context) -> Result<()> {
    for (faults, check) in [
        ("swallows_writes=1", "registers keep what is written"),
        ("wobble=50", "bias"),
        ("masks_for_good=1", "interrupt"),
        ("sticky_status=1", "status"),
    ] {
        let output = context
            .reprise(&["run", "tiny", "--counter", "intel-emulated", "--counter-faults", faults], |_| ())?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(2), "{faults}: {}: {text}", output.status);
        ensure!(text.contains("is refused: intel-emulated") && text.contains(check), "{faults}: {text}");
    }
    Ok(())
}

/// The second emulator's virtual time passes all checks; better counters it has none.
fn on_bochs(context: &Context) -> Result<()> {
    let mut request = request(context, "tiny")?;
    request.machine = Machine::Bochs;
    let expected = run(context, &request, CounterKind::VirtualTime)?;
    let detected = Request { counter: CounterChoice::Detect, ..request.clone() };
    undisturbed(context, &run(context, &detected, CounterKind::VirtualTime)?, &expected)?;
    let (counter, kind) = AMD;
    let late = Request { counter, counter_faults: misbehaving(Lateness::Random(1_000)), ..request };
    undisturbed(context, &run(context, &late, kind)?, &expected)
}
