// SPDX-License-Identifier: MIT
//! Flips while runs are brought to their end by breakpoints and steps.

use anyhow::{Context as _, Result, ensure};
use flips::{Injection, Target};
use pe_replay::{Mode, Recovery, Run};
use wire::counter::{CounterChoice, CounterKind, Lateness};
use wire::end::Totals;

use super::super::Context;
use super::{AMD, INTEL, Ran, SKID, misbehaving, request, run};
use crate::workload::request::Request;

/// RSP by its number: all of a program needs it.
const RSP: Target = Target::Gpr(4);
/// Shorter than what interrupts are late by: a later run has a breakpoint from its start.
const LIMIT: u64 = 1_000;
/// The PE that is hit.
const PE: u64 = 0;

/// A program without a flip, and what it shows with virtual time.
fn subject(context: &Context) -> Result<(Request, Ran)> {
    let mut request = request(context, "tiny")?;
    let expected = run(context, &request, CounterKind::VirtualTime)?;
    request.policy.limit = LIMIT;
    Ok((request, expected))
}

/// All counters with all skids.
fn late() -> impl Iterator<Item = ((CounterChoice, CounterKind), Lateness)> {
    [INTEL, AMD]
        .into_iter()
        .flat_map(|counter| [Lateness::Random(SKID), Lateness::LongTail(SKID)].map(|skid| (counter, skid)))
}

fn flip(run: Run, at: u64, target: Target, bit: u8) -> Injection {
    Injection { pe: PE, run, at, target, bit }
}

/// A flip in either run is undone, in a PE that the limit ends.
pub(super) fn undone(context: &Context) -> Result<()> {
    let (request, expected) = subject(context)?;
    for ((counter, kind), skid) in late() {
        for hit in [Run::First, Run::Second] {
            let injections = Vec::from([flip(hit, 700, RSP, 4)]);
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
    Ok(())
}

/// A flip in any of three runs is outvoted, up to the last instruction before the end; if
/// two are hit in two ways, the PE starts over.
pub(super) fn outvoted(context: &Context) -> Result<()> {
    let (request, expected) = subject(context)?;
    for (counter, skid) in late() {
        let (counter, kind) = counter;
        let request = Request { counter, counter_faults: misbehaving(skid), ..request.clone() };
        (|| {
            let ran = run(context, &request, kind)?;
            let pe = ran.records.get(PE as usize).context("no PE")?;
            ensure!(pe.debug_exceptions > 0, "the PE was stopped without a debug exception");
            let end = pe.instructions;
            let (vote, triple) = ((Mode::Dual, Recovery::Vote), (Mode::Triple, Recovery::Vote));
            for (policy, flips, outvoted) in [
                (vote, vec![flip(Run::First, 700, RSP, 4)], 1),
                (vote, vec![flip(Run::Second, 3, RSP, 4)], 1),
                (vote, vec![flip(Run::Second, end - 1, RSP, 4)], 1),
                (vote, vec![flip(Run::Second, end - 2, Target::Rip, 0)], 1),
                (vote, vec![flip(Run::Second, end - 9, RSP, 4), flip(Run::Third, end - 1, RSP, 5)], 0),
                (triple, vec![flip(Run::Third, end - 1, RSP, 4)], 1),
                (triple, vec![flip(Run::Third, end - 2, Target::Rip, 0)], 1),
            ] {
                let mut request = Request { injections: flips.clone(), ..request.clone() };
                (request.policy.mode, request.policy.recovery) = policy;
                hit(context, &request, kind, &expected, outvoted).with_context(|| format!("{flips:?}"))?;
            }
            Ok(())
        })()
        .with_context(|| format!("{}, {skid:?}", kind.name()))?;
    }
    Ok(())
}

fn hit(context: &Context, request: &Request, kind: CounterKind, expected: &Ran, outvoted: u64) -> Result<()> {
    let ran = run(context, request, kind)?;
    ensure!(ran.shown == expected.shown, "another output than without a flip");
    let Totals { flips, divergences, restarts, .. } = ran.totals;
    let seen = (flips, divergences, ran.totals.outvoted, restarts);
    let wanted = (request.injections.len() as u64, 1, outvoted, 1 - outvoted);
    ensure!(seen == wanted, "flips, divergences, outvoted, restarts: {seen:?} instead of {wanted:?}");
    Ok(())
}
