// SPDX-License-Identifier: MIT
//! `cargo reprise test`, `ci` and `build`: steps that pass or fail, and the tests.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::artifacts::{self, Guest};
use crate::machine::process;
use crate::packages;
use crate::suite::{self, Tally};

/// The status when something failed.
const STATUS_FAILED: u8 = 1;

/// `cargo reprise build`.
pub fn build() -> Result<u8> {
    packages::ensure_present(&[packages::COMPILER])?;
    for kernel in [Guest::KERNEL, Guest::MUTANTS] {
        println!("{}", kernel.build(kernel.package)?.display());
    }
    let (c, bench, hostile) = (artifacts::c_names()?, artifacts::bench_names()?, artifacts::hostile_names()?);
    let names = [vec!["showcase".to_owned()], c, bench, hostile].concat();
    for name in names {
        println!("{}", artifacts::program(&name)?.display());
    }
    Ok(0)
}

/// `cargo reprise test`: everything, as [`ci`], or the emulator tests that a filter selects.
/// Those that keep lists may write them anew.
pub fn test(filter: Option<&str>, bless: bool) -> Result<u8> {
    match filter {
        None => ci(),
        Some(_) => Ok(conclude(emulator_tests(ourselves()?, filter, bless)?)),
    }
}

/// `cargo reprise ci`: everything that has to be green.
pub fn ci() -> Result<u8> {
    let reprise = ourselves()?;
    let mut tally = Tally::default();
    let mut step = |name: &str, command: &mut Command| -> Result<bool> {
        let passed = echoed(command).status().with_context(|| format!("cannot start {name}"))?.success();
        println!("{name} ... {}", if passed { "ok" } else { "FAILED" });
        tally.count(passed);
        Ok(passed)
    };
    step("formatting", artifacts::cargo().args(["fmt", "--all", "--check"]))?;
    let strict = ["--", "-D", "warnings"];
    step("lints of host crates", artifacts::cargo().args(["clippy", "--all-targets"]).args(strict))?;
    let mut documentation = artifacts::cargo();
    documentation.args(["doc", "--package", "pmu", "--no-deps"]).env("RUSTDOCFLAGS", "-Dwarnings");
    step("documentation of pmu", &mut documentation)?;
    let mut built = true;
    for guest in Guest::ALL {
        step(&format!("lints of {guest}"), guest.cargo("clippy").args(strict))?;
    }
    for guest in Guest::ALL {
        built &= step(&format!("build of {guest}"), &mut guest.cargo("build"))?;
    }
    tally.add(host_tests()?);
    if built {
        tally.add(emulator_tests(reprise, None, false)?);
    } else {
        println!("emulator tests ... FAILED (not started: a build failed)");
        tally.count(false);
    }
    Ok(conclude(tally))
}

/// This program's path; asked early, since a test build may put a new file in its place.
fn ourselves() -> Result<PathBuf> {
    env::current_exe().context("cannot find this program itself")
}

/// Prints the last line; returns the exit status.
fn conclude(tally: Tally) -> u8 {
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed == 0 { 0 } else { STATUS_FAILED }
}

/// Says what is about to be started.
fn echoed(command: &mut Command) -> &mut Command {
    eprintln!("+ {}", process::quoted(&process::words(command)));
    command
}

/// Runs the tests of the host crates and adds their totals up.
fn host_tests() -> Result<Tally> {
    let mut command = artifacts::cargo();
    command.args(["test", "--no-fail-fast"]).stderr(Stdio::inherit());
    let output = echoed(&mut command).output().context("cannot start cargo test")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let tally = tally_of(&text);
    if !output.status.success() {
        print!("{text}");
    }
    println!(
        "host tests ... {} ({} passed, {} failed)",
        if output.status.success() { "ok" } else { "FAILED" },
        tally.passed,
        tally.failed
    );
    // A build that failed has no totals, but is a failure all the same.
    let failed = if output.status.success() { tally.failed } else { tally.failed.max(1) };
    Ok(Tally { failed, ..tally })
}

/// Adds up lines like `test result: ok. 3 passed; 0 failed; 0 ignored; ...`.
fn tally_of(text: &str) -> Tally {
    let mut tally = Tally::default();
    for line in text.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        let words: Vec<&str> = line.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        let before = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at.checked_sub(1)?)?.parse::<u64>().ok()
        };
        tally.passed += before("passed").unwrap_or(0);
        // The first word may be FAILED, the count stands before the lower-case one.
        tally.failed += before("failed").unwrap_or(0);
    }
    tally
}

/// Runs the emulator tests.
fn emulator_tests(reprise: PathBuf, filter: Option<&str>, bless: bool) -> Result<Tally> {
    let tests = suite::selected(filter);
    ensure!(!tests.is_empty(), "no emulator test's name contains {}", filter.unwrap_or_default());
    let keeps = |test: &suite::Test| suite::lists::TESTS.iter().any(|list| list.name == test.name);
    ensure!(
        !bless || tests.iter().any(keeps),
        "no test that is called so keeps lists; say `test lists --bless`"
    );
    Ok(suite::run(&suite::Context::new(reprise, bless)?, &tests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_cargo_test_are_added_up() {
        let text = "running 3 tests\n\
                    test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(tally_of(text), Tally { passed: 4, failed: 2 });
    }
}
