// SPDX-License-Identifier: MIT
//! The profile against the kernel: what QEMU executed, by phase and by kind of instruction, is what the kernel's
//! stopwatch and its events say.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Context, Test};

pub const TESTS: &[Test] = &[
    Test { name: "profile::calls", run: |context| agrees(context, &["calls", "2000"]) },
    Test { name: "profile::fresh_pages", run: |context| agrees(context, &["bench-fresh", "100"]) },
    Test { name: "profile::processes_in_turn", run: |context| agrees(context, &["pingpong"]) },
    Test {
        name: "profile::off",
        run: |context| agrees(context, &["tiny", "--mode", "off", "--limit", "1000"]),
    },
    Test {
        name: "profile::triple",
        run: |context| agrees(context, &["tiny", "--mode", "triple", "--limit", "1000"]),
    },
    Test {
        name: "profile::flushes",
        run: |context| agrees(context, &["tiny", "--flush", "clflush", "--limit", "1000"]),
    },
    Test { name: "profile::of_a_system", run: of_a_system },
];

/// Before the first user entry the calibration makes user code fault on purpose, and what faults is begun twice.
const BOOT: &str = "boot";

/// The profile of a run.
fn profiled(context: &Context, run: &[&str]) -> Result<Value> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("profile");
    let path = path.to_str().context("a path that is not text")?;
    let words = [&["profile"], run, &["--top", "100000", "--json", path]].concat();
    let output = context.reprise(&words[..], |_| ())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// Where the kernel alone works, a system's phases are what the kernel says; user code is that of all its domains.
fn of_a_system(context: &Context) -> Result<()> {
    let profile = profiled(context, &["init", "--config", "user/genode/scenarios/s1.xml"])?;
    for name in ["treatment", "restart", "verify_commit"] {
        let phase = &profile["phases"][name];
        let (executed, difference) = (phase["executed"].as_u64(), phase["difference"].as_i64());
        ensure!(executed > Some(100_000) && difference == Some(0), "{name}: {phase}");
    }
    let functions = profile["functions"].as_array().context("no functions")?;
    let user = functions.iter().find(|function| function["function"] == "user: any domain");
    let [first, second] =
        ["first_run", "second_run"].map(|run| user.map(|user| user["phases"][run].as_u64()));
    ensure!(first.flatten() > Some(100_000) && second.flatten() > Some(100_000), "user code: {user:?}");
    Ok(())
}

/// Profiles a run and compares each phase and each kind.
fn agrees(context: &Context, run: &[&str]) -> Result<()> {
    let profile = profiled(context, run)?;
    let executed = |name: &str, value: &Value| {
        value["executed"].as_u64().with_context(|| format!("{name}: not executed but {value}"))
    };
    let mut total = 0;
    for (list, must) in [("phases", "the stopwatch"), ("kinds", "the events")] {
        let all = profile[list].as_object().with_context(|| format!("no {list}"))?;
        ensure!(all.len() > 8, "only {} {list}", all.len());
        for (name, value) in all.iter().filter(|(name, _)| *name != BOOT) {
            let count = executed(name, value)?;
            let difference = value["difference"].as_i64().context("no difference")?;
            ensure!(difference == 0, "{name}: {count} executed, by {must} {value}");
            total += if list == "phases" { count } else { 0 };
        }
    }
    let functions = profile["functions"].as_array().context("no functions")?;
    let of = |function: &Value| {
        let phases = function["phases"].as_object().into_iter().flatten();
        let in_run = phases.filter(|(name, _)| *name != BOOT && *name != "afterwards");
        in_run.filter_map(|(_, count)| count.as_u64()).sum::<u64>()
    };
    let sum: u64 = functions.iter().map(of).sum();
    ensure!(sum == total, "the functions sum to {sum}, the phases to {total}");
    // The functions of the engine that are left differ, as the compiler joins them.
    for start in ["pe_replay::replay::", "kernel::executive::until_end"] {
        let is_named =
            |function: &&Value| function["function"].as_str().is_some_and(|name| name.starts_with(start));
        let executed = functions.iter().filter(is_named).any(|function| of(function) > 0);
        ensure!(executed, "nothing that is called {start}... was executed");
    }
    Ok(())
}
