// SPDX-License-Identifier: MIT
//! Every combination of the policies gives the output of a single run, makes the machine do
//! what it says, and undoes a flip in its own way.

use std::iter;

use anyhow::{Context as _, Result, ensure};
use flips::{Injection, Target};
use pe_replay::{Comparison, Flush, Mode, Policy, Recovery, Run};
use wire::end::Totals;
use wire::{Events, Name};

use super::batch::{self, Case, Ended, Setting};
use super::{Context, Test, programs};
use crate::emulator::Emulator;

pub const TESTS: &[Test] = &[
    Test { name: "policies::undisturbed_on_qemu", run: |context| undisturbed(context, Emulator::Qemu) },
    Test { name: "policies::undisturbed_on_bochs", run: |context| undisturbed(context, Emulator::Bochs) },
    Test { name: "policies::with_a_flip", run: |context| flipped(context, Emulator::Qemu) },
    Test { name: "policies::with_a_flip_on_bochs", run: |context| flipped(context, Emulator::Bochs) },
];

/// Calls, loops, writes to many pages, and vectors.
const PROGRAM: &str = "strings";
/// On the slow emulator.
const SHORT_PROGRAM: &str = "tiny";
const LIMIT: u64 = 20_000;
/// Cache lines in a page.
const LINES: u64 = 64;
/// General registers that a flip hits, by number: RSP is needed in every PE.
const RSP: u8 = 4;

fn policies() -> impl Iterator<Item = Policy> {
    [Mode::Dual, Mode::Triple].into_iter().flat_map(|mode| {
        [Recovery::Restart, Recovery::Vote].into_iter().flat_map(move |recovery| {
            [Comparison::Bytes, Comparison::Hash].into_iter().flat_map(move |comparison| {
                [Flush::Never, Flush::Lines, Flush::All, Flush::Retry].map(|flush| Policy {
                    mode,
                    recovery,
                    comparison,
                    flush,
                    limit: LIMIT,
                    ..Policy::DEFAULT
                })
            })
        })
    })
}

fn named(policy: &Policy) -> String {
    let Policy { mode, recovery, comparison, flush, .. } = policy;
    [mode.name(), recovery.name(), comparison.name(), flush.name()].join(", ")
}

/// The program under each policy, without replay first: what it shows, and its sums.
fn run(context: &Context, machine: Emulator, cases: &[Case]) -> Result<(Ended, Vec<Ended>)> {
    let mut ended = batch::run(context, &Setting::on(machine), cases)?.into_iter();
    let off = ended.next().context("nothing was run")?;
    ensure!(!off.stdout.is_empty(), "it writes nothing");
    Ok((off, ended.collect()))
}

fn undisturbed(context: &Context, machine: Emulator) -> Result<()> {
    let program = if machine == Emulator::Qemu { PROGRAM } else { SHORT_PROGRAM };
    let off = Policy { mode: Mode::Off, limit: LIMIT, ..Policy::DEFAULT };
    let policies: Vec<_> = policies().collect();
    let case = |policy: &Policy| {
        let isolate = programs::isolation(program);
        anyhow::Ok(Case { isolate, ..Case::new(context, program, &[], *policy)? })
    };
    let cases = iter::once(&off).chain(&policies).map(case).collect::<Result<Vec<_>>>()?;
    let (off, ended) = run(context, machine, &cases)?;
    for (policy, ended) in policies.iter().zip(&ended) {
        let totals = ended.record.totals;
        (|| {
            ensure!(ended.stdout == off.stdout, "another output than in off");
            let expected = off.record.totals.user_instructions;
            ensure!(totals.user_instructions == expected, "another instruction count");
            batch::undisturbed(ended)?;
            did_what_it_says(policy, &totals)
        })()
        .with_context(|| named(policy))?;
        context.add_undisturbed(totals.pes);
    }
    Ok(())
}

/// The events of an undisturbed run are those that the policy asks for.
fn did_what_it_says(policy: &Policy, totals: &Totals) -> Result<()> {
    let Events { entries, copied, compared_and_copied, compared, hashed, .. } = totals.events;
    let turns = match policy.mode {
        Mode::Off => 0,
        Mode::Dual => totals.pes,
        Mode::Triple => 2 * totals.pes,
    };
    ensure!(entries == totals.pes + turns + totals.write_faults, "{entries} entries");
    let third_runs = if policy.mode == Mode::Triple { totals.pes } else { 0 };
    ensure!(totals.third_runs == third_runs, "{} third runs", totals.third_runs);
    let written = totals.frames_written;
    match (policy.comparison, policy.mode) {
        (Comparison::Bytes, Mode::Triple) => {
            ensure!(compared == 2 * written && compared_and_copied + hashed == 0, "{compared} compared");
        }
        (Comparison::Bytes, _) => {
            ensure!(
                compared_and_copied == written && compared + hashed == 0,
                "{compared_and_copied} compared"
            );
        }
        (Comparison::Hash, _) => {
            let runs = if policy.mode == Mode::Triple { 3 } else { 2 };
            // Once more for each page that joins the set or is changed by the kernel.
            ensure!(hashed >= runs * written && compared + compared_and_copied == 0, "{hashed} hashed");
            ensure!(copied >= runs * written, "{copied} copied");
        }
    }
    let Events { lines_flushed, cache_flushes, translation_flushes, .. } = totals.events;
    let flushes = [lines_flushed, cache_flushes, translation_flushes];
    let right = match policy.flush {
        Flush::Never | Flush::Retry => flushes == [0; 3],
        Flush::All => flushes == [0, turns, 0],
        // At least the page of the code, at each turn.
        Flush::Lines => {
            lines_flushed >= LINES * turns
                && lines_flushed.is_multiple_of(LINES)
                && flushes[1..] == [0, turns]
        }
    };
    ensure!(right, "lines, caches and translations flushed: {flushes:?} at {turns} turns");
    Ok(())
}

/// A flip that changes the program's way, in each of the runs.
fn flipped(context: &Context, machine: Emulator) -> Result<()> {
    let off = Policy { mode: Mode::Off, limit: LIMIT, ..Policy::DEFAULT };
    let undisturbed = Case::new(context, SHORT_PROGRAM, &[], off)?;
    let policies = policies().filter(|policy| matches!(policy.flush, Flush::Never | Flush::Retry));
    let tried: Vec<_> = policies.flat_map(|policy| Run::ALL.map(|hit| (policy, hit))).collect();
    let hit = |(policy, hit): &(Policy, Run)| {
        let flip = Injection { pe: 0, run: *hit, at: 20, target: Target::Gpr(RSP), bit: 4 };
        Case { policy: *policy, flips: Vec::from([flip]), ..undisturbed.clone() }
    };
    let cases: Vec<_> = iter::once(undisturbed.clone()).chain(tried.iter().map(hit)).collect();
    let (off, ended) = run(context, machine, &cases)?;
    for ((policy, hit), ended) in tried.iter().zip(&ended) {
        (|| {
            ensure!(ended.stdout == off.stdout, "another output than in off");
            undone(policy, *hit, &ended.record.totals)
        })()
        .with_context(|| format!("{}, run {} hit", named(policy), hit.number()))?;
    }
    Ok(())
}

/// The flip was undone in the policy's way.
fn undone(policy: &Policy, hit: Run, totals: &Totals) -> Result<()> {
    // Without a divergence before, dual mode has no run 3 to hit.
    let missed = policy.mode == Mode::Dual && hit == Run::Third;
    let votes = policy.mode == Mode::Triple || policy.recovery == Recovery::Vote;
    // By hash, what runs 1 and 2 agreed on is gone.
    let lost = policy.comparison == Comparison::Hash && hit == Run::Third;
    let (flips, restarts, outvoted) = match (missed, votes && !lost) {
        (true, _) => (0, 0, 0),
        (false, true) => (1, 0, 1),
        (false, false) => (1, 1, 0),
    };
    let seen = (totals.flips, totals.divergences, totals.restarts, totals.outvoted);
    ensure!(seen == (flips, flips, restarts, outvoted), "flips, divergences, restarts, outvoted: {seen:?}");
    let flushes = match (policy.flush, policy.mode) {
        (Flush::Retry, Mode::Dual) => flips,
        (Flush::Retry, _) => restarts,
        _ => 0,
    };
    ensure!(totals.events.cache_flushes == flushes, "{} flushes", totals.events.cache_flushes);
    Ok(())
}
