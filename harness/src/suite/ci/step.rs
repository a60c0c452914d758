// SPDX-License-Identifier: MIT
//! Commands of cargo that pass or fail: formatting, lints, builds, tests of the host crates.

use std::collections::HashSet;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::board::Board;
use crate::host::children;
use crate::host::process;
use crate::suite::Tally;
use crate::workload::artifacts::{self, Guest};

/// A command that passes or fails.
pub struct Step {
    name: String,
    command: Command,
    /// It runs tests, which count one by one, and of which there has to be one.
    tests: bool,
}

const STRICT: [&str; 3] = ["--", "-D", "warnings"];
/// The arguments `-D warnings` as `cargo clippy` passes them on to `clippy-driver`: each ends with a word of its own.
const LINT_ARGUMENTS: &str = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";

impl Step {
    fn new<'a>(name: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = artifacts::cargo();
        command.args(arguments);
        Self { name: name.to_owned(), command, tests: false }
    }

    /// The formatting of all crates.
    pub fn formatting() -> Self {
        Self::new("formatting", ["fmt", "--all", "--check"])
    }

    /// The tests that stand in the files of the host crates.
    pub fn unit_tests() -> Self {
        Self { tests: true, ..Self::new("host unit tests", ["test", "--no-fail-fast", "--lib", "--bins"]) }
    }

    /// Everything about the host crates. Their tests are built by the compiler that lints: `cargo clippy` by itself
    /// would first check all that they depend on, which is built already, and that takes longer than they do.
    pub fn of_host_crates() -> Vec<Self> {
        let mut documentation = Self::new("documentation of pmu", ["doc", "--package", "pmu", "--no-deps"]);
        documentation.command.env("RUSTDOCFLAGS", "-Dwarnings");
        vec![
            Self::formatting(),
            Self::new("lints of host crates", ["test", "--no-run", "--all-targets"]).linted(),
            Self { tests: true, ..Self::new("host tests", ["test", "--no-fail-fast"]) }.linted(),
            documentation,
            Self { tests: true, ..Self::new("maker of the book", ["test", "--package", "book"]) }.linted(),
        ]
    }

    /// Has the crates of this workspace linted while they are built, as `cargo clippy` does it for checks; a warning
    /// is an error.
    fn linted(mut self) -> Self {
        self.command.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver").env("CLIPPY_ARGS", LINT_ARGUMENTS);
        self
    }

    /// The lints of what is built for the guest, once for what is built in two ways.
    pub fn lints() -> impl Iterator<Item = Self> {
        let mut seen = HashSet::new();
        Guest::ALL.into_iter().filter(move |guest| seen.insert(guest.to_string())).map(|guest| {
            let mut command = guest.cargo("clippy");
            command.args(STRICT);
            Self { name: format!("lints of {guest}"), command, tests: false }
        })
    }

    /// The builds of what is built for the guest.
    pub fn builds() -> impl Iterator<Item = Self> {
        Guest::ALL.into_iter().map(|guest| Self {
            name: format!("build of {guest}"),
            command: guest.cargo("build"),
            tests: false,
        })
    }

    /// Does it, and says how it went; what it printed only if it failed.
    pub fn perform(mut self, board: &Board) -> Result<bool> {
        board.begin(&self.name, Some(&process::quoted(&process::words(&self.command))));
        let output = children::output(&mut self.command).context("cannot start cargo")?;
        let passed = output.status.success();
        if !passed {
            board.say(&output.stdout);
            board.say(&output.stderr);
        }
        let word = if passed { "ok" } else { "FAILED" };
        if self.tests {
            let mut tally = tally_of(&String::from_utf8_lossy(&output.stdout));
            if !passed || tally.passed == 0 {
                // A build that failed has no totals, but is a failure all the same.
                tally.failed = tally.failed.max(1);
            }
            let Tally { passed, failed } = tally;
            board.end(&self.name, &format!("{word} ({passed} passed, {failed} failed)"), tally);
        } else {
            let mut tally = Tally::default();
            tally.count(passed);
            board.end(&self.name, word, tally);
        }
        Ok(passed)
    }
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

    #[test]
    fn every_package_is_linted_and_none_twice() {
        let names: Vec<_> = Step::lints().map(|step| step.name).collect();
        let distinct: HashSet<_> = names.iter().cloned().collect();
        let wanted: HashSet<_> = Guest::ALL.iter().map(|guest| format!("lints of {guest}")).collect();
        assert_eq!((names.len(), &distinct), (distinct.len(), &wanted));
    }

    #[test]
    fn tests_of_which_none_ran_have_failed() {
        let board = Board::new(1);
        let step = Step { name: "none".into(), command: Command::new("true"), tests: true };
        assert!(step.perform(&board).unwrap());
        assert_eq!(board.conclude(), Tally { passed: 0, failed: 1 });
    }
}
