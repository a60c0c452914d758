// SPDX-License-Identifier: MIT
//! Kernels with a part of the engine left out exist for tests only, and are recognised.

use anyhow::{Result, ensure};
use pe_replay::Mutation;
use wire::end::{End, Refusal};

use super::{Context, Test};

pub const TESTS: &[Test] = &[
    Test { name: "mutants::the_kernel_refuses_them", run: refused },
    Test { name: "mutants::skipping_the_second_run_skips_it", run: second_run_skipped },
];

fn refused(context: &Context) -> Result<()> {
    let mut request = context.program("tiny", &[])?;
    request.mutation = Some(Mutation::SkipSecondRun);
    let outcome = context.boot(&request)?;
    ensure!(*outcome.end()? == End::Refused(Refusal::Mutation), "{:?}", outcome.end()?);
    ensure!(outcome.debugcon().is_empty(), "something was said on debugcon");
    Ok(())
}

fn second_run_skipped(context: &Context) -> Result<()> {
    let mut request = context.program("tiny", &[])?;
    let whole = context.boot_mutant(&request)?;
    request.mutation = Some(Mutation::SkipSecondRun);
    let mutant = context.boot_mutant(&request)?;
    ensure!(whole.stdout() == mutant.stdout(), "the mutant's output differs");
    let second = |totals: &wire::end::Totals| totals.phases.get(pe_replay::TimedPhase::SecondRun);
    let (whole, mutant) = (second(whole.totals()?), second(mutant.totals()?));
    ensure!(whole > 0 && mutant == 0, "second runs took {whole}, in the mutant {mutant}");
    Ok(())
}
