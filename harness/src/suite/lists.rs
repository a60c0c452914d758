// SPDX-License-Identifier: MIT
//! What every PE of every program did, held against what it did when the list was kept: process, end, RIP,
//! instructions, pages, and the digest of all that it left behind.
//!
//! A list is the same in every mode and in every build of the kernel: whoever changes how PEs are run must not change
//! what they do. `ci/lists` keeps a hash for each 256 lines; all lines of today are written to `target/lists`, where
//! `diff` holds them against those of another build. `--bless` keeps the lists of today (decision 0013).

mod flipped;
mod inputs;
mod kept;
mod list;
mod origin;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use pe_replay::{Comparison, Mode, Policy};
use wire::clock::Clock;
use wire::isolation::Isolate;
use xxhash_rust::xxh3::xxh3_64;

use super::batch::{self, Case, Ended, Setting};
use super::programs::Shown;
use super::shared::Shared;
use super::{Context, Test, bochs};
use crate::emulator::Emulator;
use crate::workload::request;
use inputs::MODES;
pub use inputs::{Group, limit, of_applet};
use kept::{Found, Held};
use list::Line;
use origin::Makers;

pub const TESTS: &[Test] = &[
    Test { name: "lists::on_bochs", run: on_bochs },
    Test { name: "lists::project", run: |context| on_qemu(context, Group::Project) },
    Test { name: "lists::busybox", run: |context| on_qemu(context, Group::Busybox) },
    Test { name: "lists::hostile", run: |context| on_qemu(context, Group::Hostile) },
    Test { name: "lists::none_is_left_over", run: none_is_left_over },
    Test { name: "lists::a_flip_is_told", run: flipped::is_told },
];

/// The program of which each applet has a list of its own.
const BUSYBOX: &str = "busybox";
/// How many failures one test tells of.
const FAILURES_SHOWN: usize = 10;

/// The lists of one boot, by name: those of runs of the same program are one.
fn lists(cases: &[Case], ended: &[Ended]) -> Result<Vec<(String, Vec<Line>)>> {
    let mut lists: Vec<(String, Vec<Line>)> = Vec::new();
    for (case, ended) in cases.iter().zip(ended) {
        let name = inputs::name(case);
        let lines = list::lines(case, ended).with_context(|| case.name())?;
        match lists.iter_mut().find(|(known, _)| *known == name) {
            Some((_, list)) => list.extend(lines),
            None => lists.push((name, lines)),
        }
    }
    Ok(lists)
}

/// How many processes and threads a program has at most, of what was run of it.
fn processes_and_threads(name: &str, cases: &[Case], ended: &[Ended]) -> (u32, usize) {
    let of_it = cases.iter().zip(ended).filter(|(case, _)| inputs::name(case) == name);
    let threads: BTreeSet<_> = of_it.flat_map(|(_, ended)| &ended.pes).map(|pe| pe.thread).collect();
    let processes = threads.last().map_or(0, |thread| thread.process);
    (processes, threads.len())
}

/// What programs are given, as far as it is not in their arguments.
fn input(setting: &Setting) -> String {
    let said = |bytes: &[u8]| format!("{} bytes {:016x}", bytes.len(), xxh3_64(bytes));
    // Busybox is a file for its own shell.
    let files = setting.files.iter().filter(|(name, _)| name != super::programs::BUSYBOX);
    let files = files.map(|(name, bytes)| format!(", {name} {}", said(bytes)));
    let (stdin, files) = (said(&setting.stdin), files.collect::<String>());
    let Clock { kind, date_s } = Clock::default();
    format!("seed {}, {} clock from {date_s} on, stdin {stdin}{files}", request::SEED, kind.name())
}

/// What is known of a program in one boot.
fn seen(
    makers: &Makers,
    setting: &Setting,
    (cases, ended): (&[Case], &[Ended]),
    name: &str,
    lines: Vec<Line>,
) -> Result<Found> {
    let case = cases.iter().find(|case| inputs::name(case) == name).context("nothing was run")?;
    let (processes, threads) = processes_and_threads(name, cases, ended);
    Ok(Found {
        machine: if setting.machine == Emulator::Qemu { "qemu" } else { "bochs" },
        name: name.to_owned(),
        origin: makers.origin(case.program(), &case.path)?,
        input: input(setting),
        processes,
        threads,
        lines,
    })
}

/// Runs on QEMU.
pub struct Runs {
    /// What was run.
    pub cases: Vec<Case>,
    /// How it ended.
    pub ended: Vec<Ended>,
}

/// The runs of each group in the first mode.
#[derive(Default)]
pub struct Made([Shared<Runs>; Group::ALL.len()]);

/// Every program of a group in the first mode, on a kernel that is isolated where it has to be.
pub fn runs_in_first_mode(context: &Context, group: Group) -> Result<Arc<Runs>> {
    context.on_qemu.0[group as usize].get(|| {
        let [(_, mode, comparison), ..] = MODES;
        let mut cases = inputs::cases(context, group)?;
        for case in &mut cases {
            (case.policy.mode, case.policy.comparison, case.isolate) = (mode, comparison, Isolate::Auto);
        }
        let ended = batch::run(context, &inputs::setting(group)?, &cases)?;
        Ok(Runs { cases, ended })
    })
}

/// Every program of a group in every mode: all modes come to the same, and to what is kept. The first one runs on a
/// kernel that is isolated where it has to be, the others, but for attacks, on one that is not: so lists are the same
/// with isolation and without.
fn on_qemu(context: &Context, group: Group) -> Result<()> {
    let makers = Makers::ask()?;
    let setting = inputs::setting(group)?;
    let first = runs_in_first_mode(context, group)?;
    let Runs { cases, ended } = &*first;
    ensure!(!cases.is_empty(), "nothing was run");
    for (case, ended) in cases.iter().zip(ended).filter(|(case, _)| inputs::is_same_natively(group, case)) {
        let natively = Shown::natively(&case.path, &case.contents(&setting))?;
        batch::undisturbed(ended).with_context(|| case.name())?;
        batch::shown(ended).check(&natively, &format!("{} against native", case.name()))?;
        context.add_undisturbed(ended.record.totals.pes);
    }
    let in_mode = |(_, mode, comparison): (&str, Mode, Comparison)| {
        cases.iter().map(move |case| {
            let isolate = inputs::isolation(group, case);
            Case { policy: Policy { mode, comparison, ..case.policy }, isolate, ..case.clone() }
        })
    };
    let others: Vec<_> = MODES[1..].iter().copied().flat_map(in_mode).collect();
    let others = batch::run(context, &setting, &others)?;
    let others = MODES[1..].iter().zip(others.chunks(cases.len()));
    let others = others.map(|(mode, ended)| {
        let lists = lists(cases, ended).with_context(|| mode.0.to_owned())?;
        anyhow::Ok((*mode, lists))
    });
    let others = others.collect::<Result<Vec<_>>>()?;
    let mut verdicts = Verdicts::default();
    for (index, (name, lines)) in lists(cases, ended)?.into_iter().enumerate() {
        let found = seen(&makers, &setting, (cases, ended), &name, lines)?;
        found.write_out()?;
        let mut agree = Ok(());
        for ((named, mode, _), lists) in &others {
            let (_, lines) = lists.get(index).with_context(|| format!("{name} was not run in {named}"))?;
            let of_mode = found.in_mode(named, lines);
            of_mode.remove()?;
            agree = agree.and(alike(&found, &of_mode, (named, *mode)));
        }
        verdicts.note(agree.and_then(|()| settle(context, &found)));
    }
    verdicts.conclude()
}

/// Whether another mode came to the same; where pages are not tracked, pages apart.
fn alike(found: &Found, of_mode: &Found, (named, mode): (&str, Mode)) -> Result<()> {
    let state = list::first_difference(&found.lines, &of_mode.lines, |line| &line.state);
    let pages = list::first_difference(&found.lines, &of_mode.lines, |line| &line.pages);
    let (part, at) = match (state, pages) {
        (Some(at), _) => ("state", at),
        (None, Some(at)) if mode != Mode::Off => ("pages", at),
        (None, _) => return Ok(()),
    };
    of_mode.write_out()?;
    let shown = |found: &Found| {
        let line = found.lines.get(at);
        line.map_or("nothing".to_owned(), |line| format!("`{} | {}`", line.state, line.pages))
    };
    bail!(
        "{} on {}: {named} differs from dual in {part} at line {at}: {} against {}; diff {} {}",
        found.name,
        found.machine,
        shown(of_mode),
        shown(found),
        found.written_to(),
        of_mode.written_to()
    )
}

/// Holds a list against what is kept, or keeps it.
fn settle(context: &Context, found: &Found) -> Result<Held> {
    if !context.blesses() {
        return found.check();
    }
    if let Some(change) = found.bless()? {
        eprintln!("{change}");
    }
    Ok(Held::Same)
}

/// The programs of the Bochs suite, in its own boots.
fn on_bochs(context: &Context) -> Result<()> {
    let makers = Makers::ask()?;
    let mut verdicts = Verdicts::default();
    for runs in [bochs::plain_runs(context)?, bochs::other_runs(context)?] {
        let both = (&runs.cases[..], &runs.ended[..]);
        for (name, lines) in lists(both.0, both.1)? {
            let found = seen(&makers, &runs.setting, both, &name, lines)?;
            found.write_out()?;
            verdicts.note(settle(context, &found));
        }
    }
    verdicts.conclude()
}

/// What came of the lists of one test.
#[derive(Default)]
struct Verdicts {
    failures: Vec<String>,
    same: usize,
    foreign: usize,
}

impl Verdicts {
    fn note(&mut self, result: Result<Held>) {
        match result {
            Ok(Held::Same) => self.same += 1,
            Ok(Held::Foreign) => self.foreign += 1,
            Err(reason) => self.failures.push(format!("{reason:#}")),
        }
    }

    fn conclude(self) -> Result<()> {
        let Self { failures, same, foreign } = self;
        let shown = failures[..failures.len().min(FAILURES_SHOWN)].join("; ");
        ensure!(failures.is_empty(), "{} of {}: {shown}", failures.len(), failures.len() + same + foreign);
        if foreign > 0 {
            eprintln!(
                "{foreign} lists are of programs that another compiler made; {same} were held against those kept"
            );
        }
        Ok(())
    }
}

/// A list whose program is gone is gone, too.
fn none_is_left_over(context: &Context) -> Result<()> {
    let names = Group::ALL.into_iter().map(inputs::names).collect::<Result<Vec<_>>>()?.concat();
    for machine in ["qemu", "bochs"] {
        for path in kept::left_over(machine, &names)? {
            ensure!(context.blesses(), "{}: there is no such program", path.display());
            std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
            eprintln!("{}: removed, there is no such program", path.display());
        }
    }
    Ok(())
}
