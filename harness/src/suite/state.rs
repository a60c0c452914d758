// SPDX-License-Identifier: MIT
//! A program that steps and interrupts itself sees the same as natively, wherever its PEs end.
//!
//! What the emulators do otherwise than a processor is stated in [`OTHERWISE`] and nowhere else.

use anyhow::{Context as _, Result, ensure};
use pe_replay::{Mode, Policy};

use super::batch::{self, Case, Ended, Setting, shown, undisturbed};
use super::programs::{Shown, same};
use super::{Context, Test, programs};
use crate::emulator::Emulator;
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "state::short_pes", run: short_pes },
    Test { name: "state::signals_in_short_pes", run: signals_in_short_pes },
    Test { name: "state::on_bochs", run: on_bochs },
    Test { name: "state::otherwise", run: otherwise },
];

/// Instruction limits that end PEs everywhere: in handlers, between POPF and the trap, at PUSHF.
const SHORT: [u64; 8] = [10, 11, 13, 17, 23, 31, 47, 50];

/// What Bochs does as a processor does, by program, arguments and limits. REP takes long.
const ON_BOCHS: &[(&str, &[&str], &[u64])] = &[
    ("trap", &[], &[13, 47]),
    ("trap", &["rep"], &[13, 47]),
    ("trap", &["pause"], &[13, 47]),
    ("signals", &[], &[13, 47, 101]),
    ("rep", &[], &[47, 83, 9_973]),
];

/// How an emulator steps where it is no processor, by the argument of user/c/trap.c.
const OTHERWISE: [(Emulator, &str, &str); 4] = [
    // One more trap when a REP ends: the instruction is entered once more to find that its count is used up.
    (Emulator::Qemu, "rep", include_str!("state/rep.qemu.txt")),
    // The trap after PAUSE is lost; the next one comes an instruction later.
    (Emulator::Qemu, "pause", include_str!("state/pause.qemu.txt")),
    // QEMU has no ICEBP: #UD.
    (Emulator::Qemu, "icebp", include_str!("state/icebp.qemu.txt")),
    // Bochs does as a processor does. ICEBP is not tried natively: under a hypervisor it may be executed for ever.
    (Emulator::Bochs, "icebp", include_str!("state/icebp.bochs.txt")),
];

/// What a program with an argument shows natively.
pub(super) fn native(context: &Context, program: &str, arguments: &[&str]) -> Result<(Request, Shown)> {
    let request = Request { isolate: programs::isolation(program), ..context.program(program, arguments)? };
    let shown = Shown::natively(&context.executable(program)?, &request.contents)?;
    Ok((request, shown))
}

fn short_pes(context: &Context) -> Result<()> {
    let (request, expected) = native(context, "trap", &[])?;
    same(context, &request, Some(&expected), &SHORT)
}

fn signals_in_short_pes(context: &Context) -> Result<()> {
    let (request, expected) = native(context, "signals", &[])?;
    same(context, &request, Some(&expected), &[13, 47, 101])
}

/// What an emulator does otherwise: the runs, and what each of them shows.
fn cases_of_otherwise(context: &Context, on: Emulator) -> Result<Vec<(Case, Shown)>> {
    let mut cases = Vec::new();
    for (_, argument, expected) in OTHERWISE.iter().filter(|(machine, ..)| *machine == on) {
        for limit in [13, Policy::DEFAULT.limit] {
            for mode in [Mode::Off, Mode::Dual] {
                let policy = Policy { mode, limit, ..Policy::DEFAULT };
                let shown = Shown { status: 0, stdout: (*expected).into(), stderr: Vec::new() };
                cases.push((Case::new(context, "trap", &[argument], policy)?, shown));
            }
        }
    }
    Ok(cases)
}

/// Each run shows what is written down of its emulator.
fn check_otherwise(cases: &[(Case, Shown)], ended: &[Ended], on: Emulator) -> Result<()> {
    ensure!(cases.len() == ended.len(), "{} runs of {}", ended.len(), cases.len());
    for ((case, expected), ended) in cases.iter().zip(ended) {
        let what = format!("{} on {on}, {:?}", case.name(), case.policy.mode);
        shown(ended).check(expected, &what)?;
        ensure!(ended.record.totals.divergences == 0, "{what}: divergences");
    }
    Ok(())
}

/// Bochs runs all programs in one boot, what it does otherwise at the end.
fn on_bochs(context: &Context) -> Result<()> {
    let (mut cases, mut natives) = (Vec::new(), Vec::new());
    for (program, arguments, limits) in ON_BOCHS {
        let (_, expected) = native(context, program, arguments)?;
        for &limit in *limits {
            for mode in [Mode::Off, Mode::Dual] {
                let policy = Policy { mode, limit, ..Policy::DEFAULT };
                cases.push(Case::new(context, program, arguments, policy)?);
            }
            natives.push(expected.clone());
        }
    }
    let otherwise = cases_of_otherwise(context, Emulator::Bochs)?;
    let all: Vec<_> = cases.iter().chain(otherwise.iter().map(|(case, _)| case)).cloned().collect();
    let ended = batch::run(context, &Setting::on(Emulator::Bochs), &all)?;
    let (ended, of_otherwise) = ended.split_at_checked(cases.len()).context("runs are missing")?;
    check_otherwise(&otherwise, of_otherwise, Emulator::Bochs)?;
    for ((case, ended), expected) in cases.chunks(2).zip(ended.chunks(2)).zip(&natives) {
        (|| {
            let instructions = ended.iter().map(|ended| ended.record.totals.user_instructions);
            ensure!(instructions.clone().min() == instructions.max(), "off and dual differ in instructions");
            for ended in ended {
                shown(ended).check(expected, "Bochs against native")?;
                undisturbed(ended)?;
            }
            context.add_undisturbed(ended[1].record.totals.pes);
            Ok(())
        })()
        .with_context(|| case[1].name())?;
    }
    Ok(())
}

fn otherwise(context: &Context) -> Result<()> {
    let cases = cases_of_otherwise(context, Emulator::Qemu)?;
    let all: Vec<_> = cases.iter().map(|(case, _)| case.clone()).collect();
    let ended = batch::run(context, &Setting::on(Emulator::Qemu), &all)?;
    check_otherwise(&cases, &ended, Emulator::Qemu)
}
