// SPDX-License-Identifier: MIT
//! Campaigns of `cargo reprise inject`, short and from fixed seeds.

use anyhow::{Context as _, Result, bail, ensure};
use flips::{Injection, Target};
use object::Object;
use pe_replay::{Comparison, Mode, Policy, Recovery, Run};
use wire::config::Mutation;
use wire::end::End;
use wire::isolation::Isolate;

use super::batch::{self, Case, Setting};
use super::programs::BUSYBOX;
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
    Test { name: "injection::a_program_of_ones_own", run: a_program_of_ones_own },
    Test { name: "injection::a_flip_has_its_place_and_time", run: place_and_time },
    Test { name: "injection::a_mutant_is_found_out", run: a_mutant_is_found_out },
];

fn restart_and_vote(context: &Context) -> Result<()> {
    let vote = Policy { recovery: Recovery::Vote, ..Policy::DEFAULT };
    campaign(
        context,
        Campaign {
            count: 1000,
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
    let campaign = Campaign { count: 150, seed: SEED + 3, policies, scope: Scope::Shared, jobs: 1 };
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

/// The tool as users call it, on a program that reads its input, a file and its environment: a line a flip, nearly all
/// of which hit something, and a page.
fn a_program_of_ones_own(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (stdin, file, csv, html) = (path("stdin"), path("file"), path("csv"), path("html"));
    std::fs::write(&stdin, "one\n")?;
    std::fs::write(&file, "two\n")?;
    let file = format!("{file}:/f");
    let given = ["--elf", BUSYBOX, "--stdin", &stdin, "--file", &file, "--env", "THREE=three"];
    let asked = ["--limit", "1000", "--count", "20", "--csv", &csv, "--html", &html];
    let script = "read one; read two < /f; [ $one$two$THREE = onetwothree ] && echo all; exit 3";
    let words = [&["inject"], &given[..], &asked, &["--", "sh", "-c", script]].concat();
    let output = context.reprise(&words, |_| ())?;
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let table = std::fs::read_to_string(&csv)?;
    ensure!(
        table.contains("\n# commit: ") && table.contains(r#"["busybox","sh","-c","#),
        "no origin: {table}"
    );
    let mut lines = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(table.as_bytes());
    let column = |name: &str, titles: &csv::StringRecord| titles.iter().position(|title| title == name);
    let titles = lines.headers()?.clone();
    let [rip, hit, wrong, latency] = ["rip", "dual_vote_hit", "dual_vote_wrong", "dual_vote_latency"]
        .map(|name| column(name, &titles).context(name));
    let (rip, hit, wrong, latency) = (rip?, hit?, wrong?, latency?);
    let lines: Vec<csv::StringRecord> = lines.records().collect::<Result<_, _>>()?;
    let count = |is: &dyn Fn(&csv::StringRecord) -> bool| lines.iter().filter(|line| is(line)).count();
    ensure!(lines.len() == 30 && count(&|line| &line[wrong] == "0") == 30, "{table}");
    ensure!(
        count(&|line| line[rip].starts_with("0x")) >= 28 && count(&|line| &line[hit] == "1") >= 20,
        "{table}"
    );
    ensure!(count(&|line| line[latency].parse::<u64>().is_ok()) >= 15, "{table}");
    ensure!(std::fs::read_to_string(&html)?.contains("<svg"), "the page has no picture");
    Ok(())
}

/// RIP where a flip hit is that at which the program dies of it, and the difference is seen behind the rest of both runs.
fn place_and_time(context: &Context) -> Result<()> {
    const BIT: u8 = 46;
    let off = Policy { mode: Mode::Off, limit: 500, ..Policy::DEFAULT };
    let dual = Policy { mode: Mode::Dual, ..off };
    let undisturbed = Case::new(context, "tiny", &[], off)?;
    let flips = [(2, 0), (2, 1), (9, 250), (30, 499)];
    let flip = |(pe, at)| Injection { pe, run: Run::First, at, target: Target::Rip, bit: BIT };
    let cases = |policy| flips.map(|place| Case { policy, flips: vec![flip(place)], ..undisturbed.clone() });
    let ended = batch::run(context, &Setting::on(Emulator::Qemu), &[cases(off), cases(dual)].concat())?;
    let (alone, replayed) = ended.split_at(flips.len());
    for (((alone, replayed), (_, at)), number) in alone.iter().zip(replayed).zip(flips).zip(0..) {
        let ([one], [other]) = (&alone.flips[..], &replayed.flips[..]) else {
            bail!("flip {number}: not told of once")
        };
        let End::Killed(death) = alone.end() else { bail!("flip {number}: {:?}", alone.end()) };
        let dead = death.registers.rip ^ 1 << BIT;
        ensure!(
            one.flipped.rip == dead && other.flipped.rip == dead,
            "flip {number} at {dead:#x}: {one:?}, {other:?}"
        );
        ensure!(one.latency.is_none(), "flip {number}: a difference without replay");
        // Run 2 goes on to the limit, since run 1 has died at the flip.
        let least = 500;
        ensure!(
            other.latency.is_some_and(|ticks| ticks >= least && ticks < 10_000),
            "flip {number} after {at}: {other:?}"
        );
    }
    Ok(())
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
