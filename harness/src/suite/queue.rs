// SPDX-License-Identifier: MIT
//! The emulator tests that are still to be run: whoever is free takes the next one.
//!
//! libtest-mimic would run such a list, too. It is not used because the workers come and go here: one builds before,
//! the other one lints, and the tests' kernels are there only when the builds are done; because one test comes after
//! all others; and because it prints by itself, past the [console](crate::host::console), where a pipe that nobody
//! reads is a panic.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;

use super::{Context, Test, programs};
use crate::host::meter;
use crate::suite::ci::board::Board;

/// Tests whose emulators take more than ten CPU seconds, longest first: at the end none is to be left that the
/// others would have to wait for. What several tests look at, the first of them makes, and the others would wait for:
/// so those stand behind what takes longer.
const LONG: &[&str] = &[
    "lists::on_bochs",
    "lists::project",
    "documents::commands_show_what_documents_show",
    "counters::intel_with_random_skid",
    "rep::every_short_limit",
    "counters::amd_with_random_skid",
    "counters::same_pes_without_skid",
    "injection::restart_and_vote",
    "counters::none_steps_through_selfmod",
    "injection::shared",
    "injection::threads",
    "counters::intel_with_a_long_tail",
    "programs::busybox_sh",
    "counters::amd_with_a_long_tail",
    "counters::debug_exceptions_stay_bounded",
    "counters::on_bochs",
    "counters::none_steps_through_processes",
    "counters::none_steps",
    "hostile::on_bochs",
    "lists::hostile",
    "threaded::a_run_is_the_same_twice",
    "conformance::on_bochs",
    "programs::busybox_bzip2",
    "counters::none_steps_through_rep",
    "state::on_bochs",
    "lists::busybox",
    "witness::counts_at_every_boundary_of_rep",
    "threaded::threads",
    "hostile::reach",
    "programs::busybox_gzip",
];

/// The queue.
pub struct Queue<'a> {
    waiting: Mutex<VecDeque<Test>>,
    board: &'a Board,
    /// Whether all those are in it that the last one sums up.
    is_summed_up: bool,
}

impl<'a> Queue<'a> {
    /// Long ones first, all others in their order.
    pub fn new(mut tests: Vec<Test>, board: &'a Board) -> Self {
        let is_selected = |wanted: &Test| tests.iter().any(|test| test.name == wanted.name);
        let is_summed_up = programs::TESTS.iter().all(is_selected);
        tests.sort_by_key(|test| LONG.iter().position(|long| *long == test.name).unwrap_or(LONG.len()));
        Self { waiting: Mutex::new(tests.into()), board, is_summed_up }
    }

    /// Runs tests as long as there are some.
    pub fn work(&self, context: &Context) {
        loop {
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(test) = next else { return };
            self.run(&test, context);
        }
    }

    /// Runs what comes after all others.
    pub fn conclude(&self, context: &Context) {
        if self.is_summed_up {
            self.run(&programs::CONCLUSION, context);
        }
    }

    fn run(&self, test: &Test, context: &Context) {
        self.board.begin(test.name, None);
        meter::take();
        let result = catch_unwind(AssertUnwindSafe(|| (test.run)(context)))
            .unwrap_or_else(|_| Err(anyhow!("the test itself panicked")));
        self.board.note(test.name, meter::take());
        self.board.end_one(test.name, &result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::selected;

    #[test]
    fn long_tests_exist_and_come_first() {
        let board = Board::new(0);
        let queue = Queue::new(selected(None), &board);
        let names: Vec<_> = queue.waiting.into_inner().unwrap().into_iter().map(|test| test.name).collect();
        assert_eq!(names[..LONG.len()], *LONG);
        assert!(queue.is_summed_up);
        assert!(!Queue::new(selected(Some("ends")), &board).is_summed_up);
    }
}
