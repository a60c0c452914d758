// SPDX-License-Identifier: MIT
//! REP instructions are cut, repeated and compared like everything else, at every boundary.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use flips::{Injection, MAX_INJECTIONS, Target};
use iced_x86::{Decoder, DecoderOptions, Instruction};
use object::{Object, ObjectSegment};
use pe_replay::{Mode, Policy, Run};
use wire::DelimiterKind;

use super::programs::{Shown, same};
use super::state::native;
use super::{Context, Test};
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "rep::every_short_limit", run: every_short_limit },
    Test { name: "rep::large_counts", run: large_counts },
    Test { name: "rep::flips_in_the_middle", run: flips_in_the_middle },
];

/// From 10 to 100 in steps of ten, but for some, and primes.
const SHORT: [u64; 14] = [10, 13, 17, 20, 29, 30, 40, 47, 50, 60, 70, 83, 97, 100];

fn every_short_limit(context: &Context) -> Result<()> {
    let (request, expected) = native(context, "rep", &[])?;
    same(context, &request, Some(&expected), &SHORT)
}

fn large_counts(context: &Context) -> Result<()> {
    let (request, expected) = native(context, "rep", &["large"])?;
    same(context, &request, Some(&expected), &[9_973, 100_000])
}

/// The instruction at an address of a program.
fn instruction(program: &[u8], rip: u64) -> Result<Instruction> {
    let file = object::File::parse(program)?;
    let code = file.segments().find_map(|segment| segment.data_range(rip, 4).ok().flatten());
    Ok(Decoder::with_ip(64, code.context("no code there")?, rip, DecoderOptions::NONE).decode())
}

/// Flips of the registers that a REP instruction counts with, in PEs that begin and end inside one.
fn flips_in_the_middle(context: &Context) -> Result<()> {
    let (mut request, expected) = native(context, "rep", &[])?;
    // PEs end at the same places without replay.
    request.policy = Policy { limit: 13, mode: Mode::Off, ..Policy::DEFAULT };
    let undisturbed = context.boot(&request)?;
    request.policy.mode = Mode::Dual;
    let records = undisturbed.records()?;
    let program = request.contents.program.clone().context("no program")?;
    // The PEs inside each REP instruction, by its address.
    let mut inside: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for pair in records.windows(2) {
        if pair[0].rip == pair[1].rip && pair[1].delimiter == DelimiterKind::Limit {
            inside.entry(pair[1].rip).or_default().push(pair[1].sequence);
        }
    }
    let mut flips = Vec::new();
    for (rip, pes) in inside {
        let instruction = instruction(&program, rip)?;
        if !instruction.has_rep_prefix() && !instruction.has_repne_prefix() {
            continue;
        }
        // RCX, RSI, RDI by their numbers in encodings.
        let targets = [1, 6, 7].map(Target::Gpr).into_iter().cycle();
        for (index, (pe, target)) in pes.into_iter().zip(targets).take(6).enumerate() {
            let run = if index % 2 == 0 { Run::First } else { Run::Second };
            flips.push(Injection { pe, run, at: 1 + index as u64, target, bit: 3 + index as u8 });
        }
    }
    eprintln!("{} flips inside REP instructions", flips.len());
    ensure!(flips.len() >= 60, "only {} PEs lie inside REP instructions", flips.len());
    for flips in flips.chunks(MAX_INJECTIONS) {
        let outcome = context.boot(&Request { injections: flips.to_vec(), ..request.clone() })?;
        Shown::of(&outcome)?.check(&expected, "with flips")?;
        let (totals, wanted) = (outcome.totals()?, flips.len() as u64);
        ensure!(
            (totals.flips, totals.divergences, totals.restarts) == (wanted, wanted, wanted),
            "{} of {wanted} flips: {} divergences, {} restarts",
            totals.flips,
            totals.divergences,
            totals.restarts
        );
    }
    Ok(())
}
