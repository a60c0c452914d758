// SPDX-License-Identifier: MIT
//! That lists tell what they are there for: a wrong state that went through, and where.

use std::slice;

use anyhow::{Result, ensure};
use flips::{Injection, Target};
use pe_replay::{Mode, Policy, Run};
use wire::config::Mutation;
use wire::config::Recording;

use super::super::Context;
use super::super::batch::{self, Case, Setting};
use super::kept::Found;
use super::origin::Makers;
use super::{alike, lists, seen};
use crate::emulator::Emulator;

/// The program, which does not use R15, so that nothing but a digest can tell that one was hit.
const PROGRAM: &str = "heapsort";
const UNUSED: Target = Target::Gpr(15);
const PE: u64 = 7;

/// A flip that is not undone makes another list, whether a mode or a faulty engine let it pass; one that is undone
/// does not.
pub fn is_told(context: &Context) -> Result<()> {
    let policy = Policy { limit: 1_000, ..Policy::DEFAULT };
    let whole = Case { trace: Recording::Digests, ..Case::new(context, PROGRAM, &[], policy)? };
    let flip = Injection { pe: PE, run: Run::First, at: 500, target: UNUSED, bit: 1 };
    let plain = Setting::on(Emulator::Qemu);
    let mutant = Setting { mutation: Some(Mutation::SkipSecondRun), ..plain.clone() };

    let cases = slice::from_ref(&whole);
    let ended = batch::run(context, &plain, cases)?;
    let lines = lists(cases, &ended)?.remove(0).1;
    let found = seen(&Makers::ask()?, &plain, (cases, &ended), PROGRAM, lines)?;
    let found = Found { name: format!("{PROGRAM}-flipped"), ..found };

    for (setting, mode, named, passes) in [
        (&plain, Mode::Dual, "dual", false),
        (&plain, Mode::Off, "off", true),
        (&mutant, Mode::Dual, "mutant", true),
    ] {
        let hit = Case { policy: Policy { mode, ..policy }, flips: vec![flip], ..whole.clone() };
        let ended = batch::run(context, setting, slice::from_ref(&hit))?;
        let flips = ended[0].record.totals.flips;
        ensure!(flips == 1, "{named}: {flips} flips");
        let lines = lists(slice::from_ref(&hit), &ended)?.remove(0).1;
        let same = alike(&found, &found.in_mode(named, &lines), (named, mode));
        if !passes {
            same?;
            continue;
        }
        let kept = Found { lines, ..found.clone() }.compare(&found.text());
        // The line of the run stands before those of its PEs.
        let differs = format!("{named} differs from dual in state at line {}: ", PE + 1);
        for (result, part) in [(same, differs.as_str()), (kept.map(|_| ()), "in lines 0 to ")] {
            let start = format!("{PROGRAM}-flipped on qemu: {part}");
            let said = result.err().map(|error| error.to_string()).unwrap_or_default();
            ensure!(said.starts_with(&start), "{named}: `{said}` instead of `{start}...`");
        }
    }
    Ok(())
}
