// SPDX-License-Identifier: MIT
//! Programs do the same whatever counts their instructions, however badly it does.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use pe_replay::{Comparison, Policy};
use wire::config::Recording;
use wire::counter::{CounterChoice, CounterFaults, CounterKind, Lateness};
use wire::end::Totals;
use wire::isolation::Isolate;
use wire::record::{PeRecord, Records, TraceHeader};

use super::batch::{self, Case, Ended, Setting, shown};
use super::programs::{APPLETS, BUSYBOX, INPUT_NAME, SHORT_INPUT, input};
use super::shared::Shared;
use super::{Context, Test, bochs};
use crate::emulator::Emulator;
use crate::workload::catalogue::Kind;
use crate::workload::request::Request;

mod bounded;
mod flipped;
mod stepped;

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
    Test { name: "counters::debug_exceptions_stay_bounded", run: bounded::stay_bounded },
    Test { name: "counters::none_steps", run: stepped::short },
    Test { name: "counters::none_steps_through_rep", run: |context| stepped::one(context, "rep") },
    Test {
        name: "counters::none_steps_through_processes",
        run: |context| stepped::one(context, "processes"),
    },
    Test { name: "counters::none_steps_through_selfmod", run: |context| stepped::one(context, "selfmod") },
    Test { name: "counters::a_flip_under_skid_is_undone", run: flipped::undone },
    Test { name: "counters::a_vote_under_skid_is_right", run: flipped::outvoted },
    Test { name: "counters::what_fails_a_check_is_refused", run: refused },
    Test { name: "counters::on_bochs", run: on_bochs },
];

/// How late interrupts are at most.
const SKID: u32 = 10_000;
/// One stretch in so many leaves an interrupt over.
const STALE: u32 = 100;
/// A prime, and smaller than the skid.
const LIMIT: u64 = 9_973;
const INTEL: (CounterChoice, CounterKind) = (CounterChoice::IntelEmulated, CounterKind::IntelEmulated);
const AMD: (CounterChoice, CounterKind) = (CounterChoice::AmdEmulated, CounterKind::AmdEmulated);
/// Programs whose processes wait for each other: how long depends on where PEs end. That of threads always does.
const WAITING: [&str; 2] = ["pingpong", "sh"];

/// Short programs, for the slow emulator.
const ON_BOCHS: &[&str] = &["tiny", "registers", "heapsort", "lines", "matrix", "signals"];

fn request(context: &Context, name: &str) -> Result<Request> {
    let mut request = context.program(name, &[])?;
    request.contents.stdin = Some(b"standard input\n".to_vec());
    request.policy = Policy { limit: LIMIT, ..Policy::DEFAULT };
    request.isolate = Isolate::Never;
    Ok(request)
}

fn misbehaving(skid: Lateness) -> CounterFaults {
    CounterFaults { skid, stale: STALE, seed: 5, ..CounterFaults::default() }
}

/// What programs find that need neither files nor a counter.
fn setting() -> Setting {
    Setting { stdin: b"standard input\n".to_vec(), ..Setting::on(Emulator::Qemu) }
}

/// Sums, output and trace of a run.
struct Ran {
    totals: Totals,
    shown: (u8, Vec<u8>, Vec<u8>),
    header: TraceHeader,
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
    Ok(Ran { totals: *outcome.totals()?, shown, header, records })
}

/// What all programs do with virtual time, which every other counter is held against: whoever asks first runs them.
#[derive(Default)]
pub struct Known(Shared<Vec<Ended>>);

/// All of the project's programs, under a short limit, and busybox's applets under the usual one.
fn cases(context: &Context) -> Result<Vec<Case>> {
    let policy = Policy { limit: LIMIT, ..Policy::DEFAULT };
    let names = Kind::C.names()?;
    // The kernel is not isolated here, so no program may go for it.
    let names = names.iter().map(String::as_str).filter(|name| *name != "reach").chain(["showcase"]);
    let case = |name| Case::new(context, name, &[], policy);
    let mut cases = names.map(case).collect::<Result<Vec<_>>>()?;
    cases.extend(APPLETS.map(|words| bochs::applet(words, Policy::DEFAULT)));
    for case in &mut cases {
        (case.trace, case.isolate) = (Recording::Pes, Isolate::Never);
    }
    Ok(cases)
}

/// Runs them in one boot with a counter, which has to prove itself once for all of them.
fn run_all(
    context: &Context,
    cases: &[Case],
    counter: CounterChoice,
    faults: CounterFaults,
) -> Result<Vec<Ended>> {
    let mut setting = Setting { counter, counter_faults: faults, ..setting() };
    setting.files.push((format!("/{INPUT_NAME}"), input()[..SHORT_INPUT].to_vec()));
    setting.files.push((BUSYBOX.to_owned(), std::fs::read(BUSYBOX)?));
    batch::run(context, &setting, cases)
}

/// What they do with virtual time.
fn expected(context: &Context, cases: &[Case]) -> Result<Arc<Vec<Ended>>> {
    context.known.0.get(|| run_all(context, cases, CounterChoice::VirtualTime, CounterFaults::default()))
}

/// A program did with a counter what it does with virtual time.
fn same(context: &Context, kind: CounterKind, ended: &Ended, expected: &Ended) -> Result<()> {
    let Totals { divergences, restarts, pes, .. } = ended.record.totals;
    ensure!(ended.record.counter == kind, "{} counted", ended.record.counter.name());
    shown(ended).check(&shown(expected), "against virtual time")?;
    ensure!(divergences + restarts == 0, "{divergences} divergences, {restarts} restarts");
    context.add_undisturbed(pes);
    Ok(())
}

fn undisturbed(context: &Context, ran: &Ran, expected: &Ran) -> Result<()> {
    let Totals { divergences, restarts, pes, .. } = ran.totals;
    ensure!(ran.shown == expected.shown, "another output than with virtual time");
    ensure!(divergences + restarts == 0, "{divergences} divergences, {restarts} restarts");
    context.add_undisturbed(pes);
    Ok(())
}

/// All programs, with late and left-over interrupts.
fn skid(context: &Context, (counter, kind): (CounterChoice, CounterKind), skid: Lateness) -> Result<()> {
    let (mut exceptions, mut dropped, mut misses) = (0, 0, 0);
    let cases = cases(context)?;
    let expected = expected(context, &cases)?;
    let ended = run_all(context, &cases, counter, misbehaving(skid))?;
    for ((case, ended), expected) in cases.iter().zip(&ended).zip(&*expected) {
        (|| {
            let totals = ended.record.totals;
            exceptions += totals.debug_exceptions;
            dropped += totals.drained_overflows;
            let traced: u64 = ended.pes.iter().map(|record| u64::from(record.counter_misses)).sum();
            let counted = totals.counter_misses;
            ensure!(traced == counted, "{traced} counter misses in the trace, {counted} in the sums");
            misses += counted;
            let [one, other] = [ended, expected].map(|ended| ended.record.totals.user_instructions);
            let waits = case.words.iter().any(|word| WAITING.contains(&word.as_str()))
                || ended.pes.iter().any(|record| record.thread.thread > 1);
            ensure!(one == other || waits, "{one} user instructions instead of {other}");
            same(context, kind, ended, expected)
        })()
        .with_context(|| case.name())?;
    }
    ensure!(exceptions > 0 && dropped > 0, "{exceptions} debug exceptions, {dropped} interrupts dropped");
    // The margin of a skid that is spread evenly covers all of it; that of a long tail does not.
    let has_tail = matches!(skid, Lateness::LongTail(_));
    ensure!(has_tail == (misses > 0), "{misses} counter misses");
    Ok(())
}

/// Emulated counters without skid end all PEs where virtual time does.
fn same_pes(context: &Context) -> Result<()> {
    let places = |ended: &Ended| -> Vec<_> {
        let place = |it: &PeRecord| (it.sequence, it.delimiter, it.rip, it.instructions, it.frames_written);
        ended.pes.iter().map(place).collect()
    };
    let cases = cases(context)?;
    let expected = expected(context, &cases)?;
    for (counter, kind) in [INTEL, AMD] {
        let ended = run_all(context, &cases, counter, CounterFaults::default())?;
        for ((case, ended), expected) in cases.iter().zip(&ended).zip(&*expected) {
            (|| {
                same(context, kind, ended, expected)?;
                let exceptions = ended.record.totals.debug_exceptions;
                ensure!(exceptions == 0, "{exceptions} debug exceptions");
                ensure!(!ended.pes.is_empty() && places(ended) == places(expected), "PEs end elsewhere");
                Ok(())
            })()
            .with_context(|| format!("{} with {}", case.name(), kind.name()))?;
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

/// On the second emulator all checks pass, of its own counter and of the emulated ones; nothing is better than
/// virtual time; and whatever counts, all PEs end alike, or alike in what they show if it counts late.
fn on_bochs(context: &Context) -> Result<()> {
    let policy = Policy { comparison: Comparison::Hash, limit: 997, ..Policy::DEFAULT };
    let case = |name: &&str| {
        anyhow::Ok(Case { trace: Recording::Digests, ..Case::new(context, name, &[], policy)? })
    };
    let cases = ON_BOCHS.iter().map(case).collect::<Result<Vec<_>>>()?;
    let plain = Setting::on(Emulator::Bochs);
    let expected = batch::run(context, &plain, &cases)?;
    let places = |ended: &Ended| -> Vec<_> {
        let place = |it: &PeRecord| (it.sequence, it.delimiter, it.rip, it.instructions, it.digest);
        ended.pes.iter().map(place).collect()
    };
    let virtual_time = (CounterChoice::Detect, CounterKind::VirtualTime);
    for ((counter, kind), late) in [(virtual_time, 0), (INTEL, 0), (AMD, 0), (INTEL, 1_000), (AMD, 1_000)] {
        let counter_faults = match late {
            0 => CounterFaults::default(),
            skid => misbehaving(Lateness::Random(skid)),
        };
        let ended = batch::run(context, &Setting { counter, counter_faults, ..plain.clone() }, &cases)?;
        let mut exceptions = 0;
        for ((case, ended), expected) in cases.iter().zip(&ended).zip(&expected) {
            (|| {
                let totals = ended.record.totals;
                ensure!(ended.record.counter == kind, "{} counted", ended.record.counter.name());
                shown(ended).check(&shown(expected), "against virtual time")?;
                ensure!(totals.divergences + totals.restarts == 0, "{} divergences", totals.divergences);
                ensure!(late > 0 || places(ended) == places(expected), "PEs end elsewhere");
                exceptions += totals.debug_exceptions;
                context.add_undisturbed(totals.pes);
                Ok(())
            })()
            .with_context(|| format!("{} with {}, late by {late}", case.name(), kind.name()))?;
        }
        ensure!((exceptions > 0) == (late > 0), "{exceptions} debug exceptions, late by {late}");
    }
    Ok(())
}
