// SPDX-License-Identifier: MIT
//! Kernels with a part of the engine left out exist for tests only, and are recognised.

use anyhow::{Result, bail, ensure};
use wire::config::Mutation;
use wire::counter::CounterChoice;
use wire::end::{CounterFault, End, Refusal};

use super::{Context, Test};

pub const TESTS: &[Test] = &[
    Test { name: "mutants::the_kernel_refuses_them", run: refused },
    Test { name: "mutants::the_kernel_has_no_counters_in_software", run: without_software },
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

fn without_software(context: &Context) -> Result<()> {
    let mut request = context.program("tiny", &[])?;
    request.counter = CounterChoice::IntelEmulated;
    let outcome = context.boot_kernel(&context.kernel, &request)?;
    match outcome.end()? {
        End::Refused(Refusal::Counter(CounterFault::Refused(why))) => {
            ensure!(why.contains("without counters in software"), "{why}");
            Ok(())
        }
        other => bail!("{other:?}"),
    }
}

fn second_run_skipped(context: &Context) -> Result<()> {
    let mut request = context.program("tiny", &[])?;
    let whole = context.boot_for_tests(&request)?;
    request.mutation = Some(Mutation::SkipSecondRun);
    let mutant = context.boot_for_tests(&request)?;
    ensure!(whole.stdout() == mutant.stdout(), "the mutant's output differs");
    let second = |totals: &wire::end::Totals| totals.phases.get(pe_replay::TimedPhase::SecondRun);
    let (whole, mutant) = (second(whole.totals()?), second(mutant.totals()?));
    ensure!(whole > 0 && mutant == 0, "second runs took {whole}, in the mutant {mutant}");
    Ok(())
}
