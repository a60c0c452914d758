// SPDX-License-Identifier: MIT
//! `cargo reprise test` and `ci`: steps that pass or fail, and the tests.
//!
//! Two workers share the work. One builds what is booted, the other one lints and tests on the host; whoever is
//! ready takes emulator tests from a common queue, those that take long first, so that both are busy to the end.

pub mod board;
mod step;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;

use anyhow::{Context as _, Result, ensure};

use crate::suite::{self, Context, Queue, Test};
use board::Board;
use step::Step;

/// The status when something failed.
const STATUS_FAILED: u8 = 1;

/// `cargo reprise test`: everything, as [`ci`]; in a minute what finds most; or the emulator tests that a filter
/// selects. Those that keep something may write it anew.
pub fn test(filter: Option<&str>, quick: bool, bless: bool) -> Result<u8> {
    if quick {
        let host = vec![Step::formatting(), Step::unit_tests()];
        return Plan { host, builds: Vec::new(), tests: suite::quick(), bless: false }.carry_out();
    }
    let Some(filter) = filter else { return ci() };
    let tests = suite::selected(Some(filter));
    ensure!(!tests.is_empty(), "no emulator test's name contains {filter}");
    ensure!(
        !bless || tests.iter().any(suite::keeps),
        "no test whose name contains {filter} keeps anything; `lists` and `documents` do"
    );
    Plan { host: Vec::new(), builds: Vec::new(), tests, bless }.carry_out()
}

/// `cargo reprise ci`: everything that has to be green.
pub fn ci() -> Result<u8> {
    let mut host = Step::of_host_crates();
    // They wait for the builds of the same crates, so they come last.
    host.extend(Step::lints());
    Plan { host, builds: Step::builds().collect(), tests: suite::selected(None), bless: false }.carry_out()
}

/// What one call is to do.
struct Plan {
    /// What needs no emulator.
    host: Vec<Step>,
    /// What the tests are started with.
    builds: Vec<Step>,
    tests: Vec<Test>,
    bless: bool,
}

impl Plan {
    /// Does it; prints the last line, and returns the exit status.
    fn carry_out(self) -> Result<u8> {
        let Self { host, builds, tests, bless } = self;
        // A copy, made early: builds of tests, and commands that tests run, put new files in this program's place.
        let own = tempfile::tempdir().context("cannot make a directory for a copy of this program")?;
        let reprise = own.path().join("reprise");
        env::current_exe().and_then(|this| fs::copy(this, &reprise)).context("cannot copy this program")?;
        let board = Board::new(host.len() + builds.len() + tests.len());
        let queue = Queue::new(tests, &board);
        let place = OnceLock::new();
        thread::scope(|scope| {
            let builder = scope.spawn(|| {
                let made = context(builds, &board, reprise, bless);
                // The other worker waits for it, also for the news that there is none.
                let (made, result) = match made {
                    Ok(made) => (made, Ok(())),
                    Err(error) => (None, Err(error)),
                };
                if let Some(context) = place.get_or_init(|| made) {
                    queue.work(context);
                }
                result
            });
            let steps = host.into_iter().try_for_each(|step| step.perform(&board).map(drop));
            if let Some(context) = place.wait() {
                queue.work(context);
            }
            let built = builder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            steps.and(built)
        })?;
        if let Some(Some(context)) = place.get() {
            queue.conclude(context);
        }
        let tally = board.conclude();
        println!("{} passed, {} failed", tally.passed, tally.failed);
        Ok(if tally.failed == 0 { 0 } else { STATUS_FAILED })
    }
}

/// Builds what the tests need; `None` if that failed.
fn context(builds: Vec<Step>, board: &Board, reprise: PathBuf, bless: bool) -> Result<Option<Context>> {
    let mut built = true;
    for step in builds {
        built &= step.perform(board)?;
    }
    if !built {
        board.end_one("emulator tests", &Err(anyhow::anyhow!("not started: a build failed")));
        return Ok(None);
    }
    Context::new(reprise, bless).map(Some)
}
