// SPDX-License-Identifier: MIT
//! Core's services, asked right and wrong by a component in the place of init, and by that one's child.

use anyhow::{Context as _, Result, ensure};
use pe_replay::{Mode, Policy};
use wire::clock::{Clock, ClockKind};
use wire::config::Job;
use wire::end::End;
use wire::nova::{Nova, Stop, System};

use super::{Context, Test};
use crate::workload::nova::{self, Given};
use crate::workload::request::Request;
use crate::workload::{catalogue, init};

pub const TESTS: &[Test] = &[
    Test { name: "genode::core_serves", run: core_serves },
    Test { name: "genode::core_without_init", run: core_without_init },
    Test { name: "genode::a_run_ends_as_init_does", run: init_exits },
];

/// Cases that the component has, at least.
const CASES: u64 = 123;
/// What it says in the end, and what core says then, beside the counts.
const END: &str = "child \"init\" exited with exit value 0\n";
/// What core says of the child's last act.
const FAULT: &str =
    "illegal WRITE at address 0x40008 by pager_object: pd='init -> child' thread='child' ip=0x";

/// A boot of core with one module more.
fn system(modules: Vec<(std::path::PathBuf, Option<String>)>, policy: Policy) -> Result<Request> {
    let given = Given { image: init::CORE.into(), modules, ..Given::default() };
    let contents = nova::named(&given, None)?.contents;
    let system = System::Nova(Nova { kernel_memory_len: 64 << 20, run_for_ns: None, logs_calls: false });
    let clock = Clock { kind: ClockKind::Machine, ..Clock::default() };
    Ok(Request { contents, policy, clock, system, ..Request::job(Job::Run) })
}

fn core_serves(context: &Context) -> Result<()> {
    let trials = catalogue::trials()?;
    for mode in [Mode::Off, Mode::Dual] {
        let policy = Policy { mode, ..Policy::DEFAULT };
        let outcome = context.boot(&system(vec![(trials.clone(), Some("init".to_owned()))], policy)?)?;
        ensure!(*outcome.end()? == End::Stopped(Stop::Idle), "{mode:?}: {:?}", outcome.end()?);
        let said = String::from_utf8_lossy(outcome.serial()).replace('\r', "");
        let failed: Vec<_> = said.lines().filter(|line| line.contains("FAILED")).collect();
        ensure!(failed.is_empty(), "{mode:?}: {failed:?}");
        let cases =
            said.lines().find_map(|line| line.strip_prefix("[init] ")?.strip_suffix(" cases, 0 failed"));
        let cases: u64 = cases.with_context(|| format!("{mode:?}: {said}"))?.parse()?;
        ensure!(
            cases >= CASES && said.contains(END) && said.contains(FAULT),
            "{mode:?}: {cases} cases: {said}"
        );
        let totals = outcome.totals()?;
        ensure!(totals.divergences == 0 && outcome.status()? == 0, "{mode:?}: {totals:?}");
        let labels = outcome.summary()?.labels.iter().map(|label| label.text.to_string()).collect::<Vec<_>>();
        ensure!(labels == ["core", "init"], "{mode:?}: {labels:?}");
    }
    Ok(())
}

/// What init exits with is the status of the run.
fn init_exits(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let config = directory.path().join("config");
    std::fs::write(&config, "<config version=\"1\"> <exit value=\"7\"/> </config>\n")?;
    let (_, actor) =
        catalogue::components()?.into_iter().find(|(name, _)| name == "actor").context("no actor")?;
    let modules = [("config", config), ("init", actor)].map(|(name, path)| (path, Some(name.to_owned())));
    let outcome = context.boot(&system(modules.into(), Policy::DEFAULT)?)?;
    ensure!(*outcome.end()? == End::Stopped(Stop::Idle), "{:?}", outcome.end()?);
    let said = String::from_utf8_lossy(outcome.serial()).replace('\r', "");
    ensure!(said.contains("child \"init\" exited with exit value 7\n"), "{said}");
    ensure!(outcome.status()? == 7, "status {}", outcome.status()?);
    Ok(())
}

/// Without init, core says so and rests; with one that is none, too.
fn core_without_init(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let none = directory.path().join("none");
    std::fs::write(&none, b"#!/bin/sh\n")?;
    let cases = [
        (vec![], "Error: init: environment ROM session denied (label=\"init\")\n"),
        (vec![(none, Some("init".to_owned()))], "Error: init: binary is not an ELF\n"),
    ];
    for (modules, told) in cases {
        let outcome = context.boot(&system(modules, Policy::DEFAULT)?)?;
        ensure!(*outcome.end()? == End::Stopped(Stop::Idle), "{:?}", outcome.end()?);
        let said = String::from_utf8_lossy(outcome.serial()).replace('\r', "");
        ensure!(said.contains(told), "{said}");
    }
    Ok(())
}
