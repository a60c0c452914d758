// SPDX-License-Identifier: MIT
//! Campaigns of `cargo reprise inject`, short and from fixed seeds.

use anyhow::{Result, ensure};
use flips::{Injection, Target};
use object::Object;
use pe_replay::{Comparison, Mode, Policy, Recovery, Run};
use wire::config::Mutation;
use wire::isolation::Isolate;

use super::batch::{self, Case, Setting};
use super::{Context, Test};
use crate::emulator::Emulator;
use crate::inject::{Campaign, Lab, SEED, Scope};
use crate::outcome::table::Style;

pub const TESTS: &[Test] = &[
    Test { name: "injection::restart_and_vote", run: restart_and_vote },
    Test { name: "injection::triple", run: triple },
    Test { name: "injection::hash", run: hash },
    Test { name: "injection::shared", run: shared },
    Test { name: "injection::a_flip_in_text_stays_in_its_run", run: a_flip_in_text },
    Test { name: "injection::threads", run: threads },
    Test { name: "injection::a_mutant_is_found_out", run: a_mutant_is_found_out },
];

fn restart_and_vote(context: &Context) -> Result<()> {
    let vote = Policy { recovery: Recovery::Vote, ..Policy::DEFAULT };
    campaign(
        context,
        Campaign {
            count: 600,
            seed: SEED,
            policies: vec![Policy::DEFAULT, vote],
            scope: Scope::All,
            jobs: 2,
        },
    )
}

fn triple(context: &Context) -> Result<()> {
    let policies = vec![Policy { mode: Mode::Triple, ..Policy::DEFAULT }];
    campaign(context, Campaign { count: 100, seed: SEED + 1, policies, scope: Scope::All, jobs: 1 })
}

fn hash(context: &Context) -> Result<()> {
    let hash = Policy { comparison: Comparison::Hash, ..Policy::DEFAULT };
    let policies = vec![hash, Policy { recovery: Recovery::Vote, ..hash }];
    campaign(context, Campaign { count: 100, seed: SEED + 2, policies, scope: Scope::All, jobs: 1 })
}

/// What is not committed must not be seen by the other process either. The kernel is not isolated here: these PEs are
/// very short, and no flip makes an attack of this program.
fn shared(context: &Context) -> Result<()> {
    let policies = vec![Policy::DEFAULT, Policy { recovery: Recovery::Vote, ..Policy::DEFAULT }];
    let lab = Lab::new(context.kernel.clone()).with_isolation(Isolate::Never);
    let campaign = Campaign { count: 75, seed: SEED + 3, policies, scope: Scope::Shared, jobs: 1 };
    conduct(&lab, &campaign)
}

/// A program's text lies in frames that all of its runs have in common: a flip of it harms the run that it hits, without
/// replay, and no run after it.
fn a_flip_in_text(context: &Context) -> Result<()> {
    let off = Policy { mode: Mode::Off, ..Policy::DEFAULT };
    let undisturbed = Case::new(context, "tiny", &[], off)?;
    let entry = object::File::parse(&*std::fs::read(&undisturbed.path)?)?.entry();
    // It makes a jump to nowhere of the first instruction.
    let flip = Injection { pe: 0, run: Run::First, at: 0, target: Target::Memory(entry), bit: 6 };
    let hit = |policy| Case { policy, flips: vec![flip], ..undisturbed.clone() };
    let cases = [
        undisturbed.clone(),
        hit(off),
        undisturbed.clone(),
        hit(Policy::DEFAULT),
        Case { policy: Policy::DEFAULT, ..undisturbed.clone() },
    ];
    let ended = batch::run(context, &Setting::on(Emulator::Qemu), &cases)?;
    let expected = batch::shown(&ended[0]);
    let flips = [0, 1, 0, 1, 0];
    for (at, (ended, flips)) in ended.iter().zip(flips).enumerate() {
        let what = format!("run {at}");
        ensure!(ended.record.totals.flips == flips, "{what}: {} flips", ended.record.totals.flips);
        match at {
            1 => ensure!(batch::shown(ended) != expected, "{what}: the flip harms nothing"),
            _ => batch::shown(ended).check(&expected, &what)?,
        }
    }
    Ok(())
}

/// Threads of C, Rust and Go.
fn threads(context: &Context) -> Result<()> {
    let policies = vec![Policy::DEFAULT, Policy { recovery: Recovery::Vote, ..Policy::DEFAULT }];
    campaign(context, Campaign { count: 4, seed: SEED, policies, scope: Scope::Threads, jobs: 1 })
}

/// Without run 2, the same campaign finds what is wrong, and tells how to repeat it.
fn a_mutant_is_found_out(context: &Context) -> Result<()> {
    let lab = Lab::of_mutant(context.for_tests.clone(), Mutation::SkipSecondRun);
    let campaign =
        Campaign { count: 50, seed: SEED, policies: vec![Policy::DEFAULT], scope: Scope::All, jobs: 1 };
    let report = campaign.run(&lab, &|_, _| ())?;
    let (_, effective) = report.counts();
    let told = report.failures().iter().filter(|failure| failure.contains(": cargo reprise run ")).count();
    ensure!(told as u64 >= effective && effective > 10, "{told} of {effective} were told of");
    Ok(())
}

fn campaign(context: &Context, campaign: Campaign) -> Result<()> {
    conduct(&Lab::new(context.kernel.clone()), &campaign)
}

fn conduct(lab: &Lab, campaign: &Campaign) -> Result<()> {
    let report = campaign.run(lab, &|_, _| ())?;
    eprint!("{}", report.text(Style::Text));
    let (flips, effective) = report.counts();
    ensure!(report.failures().is_empty(), "{}", report.failures().join("; "));
    ensure!(effective * 4 > campaign.count, "{effective} of {flips} flips were effective");
    Ok(())
}
