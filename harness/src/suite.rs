// SPDX-License-Identifier: MIT
//! The emulator tests: a list of names and functions.
//!
//! What ends a machine is a boot of its own. A test looks at a boot's [`Outcome`], or runs
//! the tool itself as a user would.

mod bad_input;
mod batch;
mod bench;
mod bochs;
pub mod ci;
mod clock;
mod conformance;
mod counters;
mod demo;
pub mod documents;
mod ends;
mod fuzz;
mod genode;
mod hostile;
mod injection;
mod interrupted;
pub mod lists;
mod mutants;
mod native;
mod nature;
mod nova;
mod policies;
mod profile;
mod programs;
mod queue;
mod rep;
mod repeat;
mod report;
mod scenario;
mod selftests;
mod shared;
mod state;
mod streams;
mod threaded;
mod witness;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use wire::counter::CounterChoice;

use crate::emulator::{self, Silent};
use crate::host::packages;
use crate::host::process;
use crate::outcome::Outcome;
use crate::workload::artifacts::Guest;
use crate::workload::catalogue;
use crate::workload::request::Request;
pub use queue::Queue;

/// One emulator test.
#[derive(Clone, Copy)]
pub struct Test {
    /// Its name: the file's, then what it shows.
    pub name: &'static str,
    /// Fails with the reason.
    pub run: fn(&Context) -> Result<()>,
}

/// All tests.
const TESTS: &[&[Test]] = &[
    ends::TESTS,
    selftests::TESTS,
    bochs::TESTS,
    bad_input::TESTS,
    interrupted::TESTS,
    streams::TESTS,
    hostile::TESTS,
    mutants::TESTS,
    repeat::TESTS,
    programs::TESTS,
    threaded::TESTS,
    clock::TESTS,
    lists::TESTS,
    native::TESTS,
    policies::TESTS,
    counters::TESTS,
    state::TESTS,
    profile::TESTS,
    report::TESTS,
    rep::TESTS,
    nature::TESTS,
    nova::TESTS,
    scenario::TESTS,
    conformance::TESTS,
    genode::TESTS,
    documents::TESTS,
    demo::TESTS,
    bench::TESTS,
    witness::TESTS,
    injection::TESTS,
    fuzz::TESTS,
];

/// When a command that a test runs is given up.
const PATIENCE: Duration = Duration::from_secs(900);
/// The tests of `test --quick`: a name, or what names begin with.
const QUICK: &[&str] = &[
    "hostile::on_qemu",
    "selftests::on_qemu",
    "programs::processes",
    "programs::signals",
    "programs::syscalls",
    "programs::rep",
    "policies::with_a_flip",
    "witness::counts_at_every_boundary_of_tiny",
    "mutants::",
    "ends::panic_on_qemu",
    "bad_input::",
];

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
}

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, passed: bool) {
        *if passed { &mut self.passed } else { &mut self.failed } += 1;
    }

    /// Adds another tally.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// What a test works with.
pub struct Context {
    kernel: PathBuf,
    for_tests: PathBuf,
    /// This program, as it was called when the tests were started.
    reprise: PathBuf,
    programs: Mutex<HashMap<String, PathBuf>>,
    /// PEs run twice without a divergence.
    undisturbed: AtomicU64,
    /// Whether what is kept is written anew instead of compared.
    bless: bool,
    /// Runs on Bochs that more than one test looks at.
    on_bochs: bochs::Made,
    /// Runs on QEMU that more than one test looks at.
    on_qemu: lists::Made,
    known: counters::Known,
}

impl Context {
    /// Installs and builds what the tests need.
    pub fn new(reprise: PathBuf, bless: bool) -> Result<Self> {
        packages::ensure_present(&[
            packages::QEMU,
            packages::BOCHS,
            packages::COMPILER,
            packages::GO,
            packages::TESTS,
        ])?;
        let kernel = Guest::build_kernel(CounterChoice::VirtualTime)?;
        let for_tests = Guest::build_kernel(CounterChoice::IntelEmulated)?;
        Ok(Self {
            kernel,
            for_tests,
            reprise,
            programs: Mutex::default(),
            undisturbed: AtomicU64::new(0),
            bless,
            on_bochs: bochs::Made::default(),
            on_qemu: lists::Made::default(),
            known: counters::Known::default(),
        })
    }

    /// The kernel that users boot.
    pub fn kernel(&self) -> &Path {
        &self.kernel
    }

    /// Whether what is kept is written anew.
    pub fn blesses(&self) -> bool {
        self.bless
    }

    /// Counts PEs that were run twice and did not diverge.
    pub fn add_undisturbed(&self, pes: u64) {
        self.undisturbed.fetch_add(pes, Ordering::Relaxed);
    }

    /// How many those were so far.
    pub fn undisturbed(&self) -> u64 {
        self.undisturbed.load(Ordering::Relaxed)
    }

    /// Boots the kernel to the end: the one that has counters in software if one of these is asked for.
    pub fn boot(&self, request: &Request) -> Result<Outcome> {
        let kernel = if request.counter.is_emulated() { &self.for_tests } else { &self.kernel };
        self.boot_kernel(kernel, request)
    }

    /// Boots the kernel that may leave parts of the engine out and that has counters in software.
    pub fn boot_for_tests(&self, request: &Request) -> Result<Outcome> {
        self.boot_kernel(&self.for_tests, request)
    }

    fn boot_kernel(&self, kernel: &Path, request: &Request) -> Result<Outcome> {
        let finished = emulator::boot(&request.boot(kernel.to_owned())?, &mut Silent)?;
        Ok(Outcome::new(kernel.to_owned(), finished))
    }

    /// A run of one of the project's programs, by name.
    pub fn program(&self, name: &str, arguments: &[&str]) -> Result<Request> {
        Request::program(&self.executable(name)?, name, arguments)
    }

    /// A run of a file, as `--elf` does it.
    pub fn elf(&self, path: &Path, arguments: &[&str]) -> Result<Request> {
        let name = path.file_name().and_then(|name| name.to_str());
        Request::program(path, name.with_context(|| path.display().to_string())?, arguments)
    }

    /// Where one of the project's programs is; it is built once.
    pub fn executable(&self, name: &str) -> Result<PathBuf> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = programs.get(name) {
            return Ok(path.clone());
        }
        let path = catalogue::program(name)?;
        programs.insert(name.to_owned(), path.clone());
        Ok(path)
    }

    /// Runs this tool itself; `prepare` may change environment and directory.
    pub fn reprise(&self, words: &[&str], prepare: impl FnOnce(&mut Command)) -> Result<Output> {
        let mut command = Command::new(&self.reprise);
        command.args(words);
        prepare(&mut command);
        process::output(&mut command, PATIENCE)
    }
}

/// Whether a test keeps what it sees, and can be told to write it anew.
pub fn keeps(test: &Test) -> bool {
    test.name == documents::KEEPS || test.name.starts_with("lists::")
}

/// Names of the tests that contain `filter`.
pub fn selected(filter: Option<&str>) -> Vec<Test> {
    let wanted = |test: &Test| filter.is_none_or(|filter| test.name.contains(filter));
    TESTS.iter().copied().flatten().copied().filter(wanted).collect()
}

/// The tests that find most for what they cost.
pub fn quick() -> Vec<Test> {
    QUICK.iter().flat_map(|name| named(name)).collect()
}

/// The test of this name, or those whose names begin with it if it ends a part.
fn named(name: &str) -> impl Iterator<Item = Test> {
    let is_meant =
        move |test: &Test| test.name == name || name.ends_with("::") && test.name.starts_with(name);
    TESTS.iter().copied().flatten().copied().filter(is_meant)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_selected_by_a_part() {
        let all = selected(None);
        let names: HashSet<_> = all.iter().map(|test| test.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(selected(Some("ends")).iter().all(|test| test.name.contains("ends")));
        assert!(selected(Some("no such test")).is_empty());
    }

    #[test]
    fn the_quick_tests_exist_and_none_is_there_twice() {
        for name in QUICK {
            assert!(named(name).next().is_some(), "{name}");
        }
        let names: Vec<_> = quick().iter().map(|test| test.name).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert!(names.iter().all(|name| !name.ends_with("on_bochs")), "{names:?}");
    }
}
