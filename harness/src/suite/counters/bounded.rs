// SPDX-License-Identifier: MIT
//! Loops in which nothing but a count tells one iteration from the next: however late
//! interrupts are, no PE takes more debug exceptions than its bound.

use anyhow::{Context as _, Result, ensure};
use pe_replay::Policy;
use wire::counter::{CounterKind, Lateness};

use super::super::Context;
use super::{AMD, INTEL, misbehaving, run, undisturbed};
use crate::bench::loops::{self, Looped};
use crate::workload::request::Request;

/// Turns, and so PEs, of each loop.
const TURNS: u64 = 24;
/// Turns under a counter with a long tail, whose interrupts are rarely late by much.
const MORE_TURNS: u64 = 250;

pub(super) fn stay_bounded(context: &Context) -> Result<()> {
    let mut misses = 0;
    let with_virtual_time = |turns: u64| {
        let mut request = context.program("bench-loops", &[&turns.to_string()])?;
        request.policy = Policy { limit: loops::TURN, ..Policy::DEFAULT };
        let ran = run(context, &request, CounterKind::VirtualTime)?;
        anyhow::Ok((turns, request, ran))
    };
    let [few, more] = [with_virtual_time(TURNS)?, with_virtual_time(MORE_TURNS)?];
    for skid in loops::SKIDS {
        let (turns, request, expected) = if matches!(skid, Lateness::LongTail(_)) { &more } else { &few };
        for (counter, kind) in [INTEL, AMD] {
            let request = Request { counter, counter_faults: misbehaving(skid), ..request.clone() };
            (|| {
                let ran = run(context, &request, kind)?;
                for looped in loops::of(&ran.header, &ran.records) {
                    looped.check()?;
                    let Looped { length, pes, exceptions, .. } = looped;
                    ensure!(pes == *turns, "loop of {length}: {pes} PEs of {turns}");
                    let late = skid != Lateness::None;
                    ensure!(late == (exceptions.highest > 0), "loop of {length}: {exceptions:?}");
                    misses += looped.misses;
                }
                undisturbed(context, &ran, expected)
            })()
            .with_context(|| format!("{}, {skid:?}", kind.name()))?;
        }
    }
    ensure!(misses > 0, "no counter was too late for its margin");
    Ok(())
}
