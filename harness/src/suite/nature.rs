// SPDX-License-Identifier: MIT
//! What is not repeatable by nature is hidden as far as the emulator can, and named where a
//! program executes it anyway.

use std::iter;
use std::slice;

use anyhow::{Result, bail, ensure};
use pe_replay::Policy;
use pe_replay::policy::MAX_DIVERGENCES;
use wire::end::{End, Suspect};

use super::batch::{self, Case, Setting};
use super::{Context, Test};
use crate::emulator::Emulator;
use crate::outcome::told;
use crate::outcome::told::nature;

pub const TESTS: &[Test] = &[
    Test { name: "nature::rdrand_is_named", run: rdrand_is_named },
    Test { name: "nature::rdseed_is_named", run: rdseed_is_named },
    Test { name: "nature::what_repeats_is_let_through", run: what_repeats },
    Test { name: "nature::hidden_on_qemu", run: hidden_on_qemu },
    Test { name: "nature::hidden_on_bochs", run: hidden_on_bochs },
];

/// QEMU's processor with nothing hidden; SMAP would keep programs from far transfers.
const MAX: &str = "max,-smap";
/// Models of Bochs that have what the usual one hides.
const BROADWELL: &str = "broadwell_ult";
const ICE_LAKE: &str = "corei7_icelake_u";

/// A run of the program that executes one of them, or of that which says what CPUID offers.
fn case(context: &Context, arguments: &[&str], limit: u64) -> Result<Case> {
    Case::new(context, "nature", arguments, Policy { limit, ..Policy::DEFAULT })
}

fn setting(machine: Emulator, cpu: Option<&str>) -> Setting {
    Setting { cpu: cpu.map(Into::into), ..Setting::on(machine) }
}

/// The verdict names the instruction in the middle of the PE, and its address.
fn named(context: &Context, setting: &Setting, instruction: &str, text: &str) -> Result<()> {
    let limits = [10, 97, Policy::DEFAULT.limit];
    let cases = limits.map(|limit| case(context, &[instruction], limit));
    let cases = cases.into_iter().collect::<Result<Vec<_>>>()?;
    for (ended, limit) in batch::run(context, setting, &cases)?.iter().zip(limits) {
        let End::Persistent(verdict) = ended.end() else {
            bail!("limit {limit}: {:?} instead of a verdict", ended.end());
        };
        ensure!(verdict.attempts == MAX_DIVERGENCES, "{} attempts", verdict.attempts);
        let Some(Suspect { rip, code, .. }) = verdict.culprit else {
            bail!("limit {limit}: no instruction was found");
        };
        let found = nature::assembly(&code, rip);
        ensure!(found.as_deref() == Some(text), "limit {limit}: {found:?} instead of {text}");
        let told = told::told(&ended.end()).unwrap_or_default();
        let wanted = format!("`{text}` at {rip:#x}");
        ensure!(told.contains(&wanted) && told.contains("random number"), "not said: {told}");
    }
    Ok(())
}

fn rdrand_is_named(context: &Context) -> Result<()> {
    named(context, &setting(Emulator::Qemu, Some(MAX)), "rdrand", "rdrand rax")?;
    named(context, &setting(Emulator::Bochs, None), "rdrand", "rdrand rax")
}

fn rdseed_is_named(context: &Context) -> Result<()> {
    named(context, &setting(Emulator::Bochs, Some(BROADWELL)), "rdseed", "rdseed rax")
}

/// On one processor RDPID gives one number, and QEMU's XGETBV(1) one set.
fn what_repeats(context: &Context) -> Result<()> {
    for (machine, cpu, instruction) in
        [(Emulator::Bochs, ICE_LAKE, "rdpid"), (Emulator::Qemu, MAX, "xgetbv1")]
    {
        let case = case(context, &[instruction], Policy::DEFAULT.limit)?;
        let ended = batch::run(context, &setting(machine, Some(cpu)), &[case])?;
        let (end, totals) = (ended[0].end(), ended[0].record.totals);
        ensure!(end == End::Exited { status: 0 }, "{instruction}: {end:?}");
        ensure!(totals.divergences == 0, "{instruction}: {} divergences", totals.divergences);
    }
    Ok(())
}

/// CPUID does not offer it, and it is refused.
fn hidden(context: &Context, machine: Emulator, offered: &[&str], refused: &[(&str, u8)]) -> Result<()> {
    let arguments =
        iter::once(&[][..]).chain(refused.iter().map(|(instruction, _)| slice::from_ref(instruction)));
    let cases = arguments.map(|arguments| case(context, arguments, Policy::DEFAULT.limit));
    let ended = batch::run(context, &setting(machine, None), &cases.collect::<Result<Vec<_>>>()?)?;
    let Some((list, ended)) = ended.split_first() else { bail!("the batch is empty") };
    let text = String::from_utf8(list.stdout.clone())?;
    let shown: Vec<_> = text.lines().filter_map(|line| line.strip_suffix(" 1")).map(str::trim).collect();
    ensure!(shown == offered, "{machine} offers {shown:?}");
    for ((instruction, signal), ended) in refused.iter().zip(ended) {
        let status = told::exit_status(&ended.end());
        ensure!(status == 128 | signal, "{instruction} on {machine}: status {status}");
    }
    Ok(())
}

const SIGILL: u8 = 4;
const SIGSEGV: u8 = 11;

/// Of what is left, RDTSCP is a delimiter, FSGSBASE, PKU and MONITOR are off, and XSAVEOPT repeats:
/// QEMU does not follow what state is in use.
fn hidden_on_qemu(context: &Context) -> Result<()> {
    let offered = ["rdtscp", "xsaveopt", "monitor", "fsgsbase", "pku"];
    let refused = [("rdrand", SIGILL), ("rdseed", SIGILL), ("rdpid", SIGILL), ("xgetbv1", SIGSEGV)];
    hidden(context, Emulator::Qemu, &offered, &refused)
}

/// Bochs 2.7 cannot take RDRAND from a model.
fn hidden_on_bochs(context: &Context) -> Result<()> {
    let offered = ["rdrand", "rdtscp", "xsaveopt", "monitor", "fsgsbase"];
    let refused = [("rdseed", SIGILL), ("rdpid", SIGILL), ("xgetbv1", SIGSEGV)];
    hidden(context, Emulator::Bochs, &offered, &refused)
}
