// SPDX-License-Identifier: MIT
//! The same claim for faults between two of the engine's own operations, in every
//! phase of a PE's life: what is committed is what a single undisturbed execution
//! leaves, or it ends in a verdict. Outside the [windows](window) in which there is
//! nothing to compare with, nothing wrong is ever committed.
//!
//! Runs of their own bring about what only follows a first fault: roll-back, and
//! run 3 of a vote.
//!
//! `REPRISE_MODEL_CASES` sets how many faults are tried, as for [every
//! fault](crate::every_fault).

use std::sync::Mutex;

use proptest::test_runner::TestRunner;

use pe_replay::End;
use pe_replay::{Delimiter, Outcome};

use crate::every_fault::scene::{Scene, scenes};
use crate::every_fault::{AFTER, FAULTS, THREADS, cases, in_threads, seeded};
use crate::machine::moments::{Fault, Provoked, Spot, Stored};

mod aim;
mod tally;
mod window;

use aim::{Aim, Courses, Pair};
use tally::{Course, Tally};
use window::Window;

/// Where nothing else is asked for.
const CASES: u32 = 16_000;
/// Cases of each round in which what was not hit often enough is.
const MORE: u32 = 1_000;
/// The most of such rounds.
const ROUNDS: u32 = 20;

/// Names the fault on the way out of a panic.
struct Told(Aim);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}", self.0);
        }
    }
}

/// One fault, perhaps after others that were provoked.
fn tried(scene: &Scene, aim: Aim, tally: &mut Tally) {
    let Aim { fault, provoked } = aim;
    let _told = Told(aim);
    let mut session = scene.disturbed(fault, provoked);
    let mut unused = false;
    let course = loop {
        let (outcome, _) = session.execute_alone();
        let window = || Window::of(&session.machine.moments, scene.policy.comparison, scene.private);
        let Outcome::Committed(committed) = outcome else {
            break match outcome {
                // Pages that count as written without being so leave no room for others.
                Outcome::OutOfFrames if session.is_intact() => Course::Verdict,
                // What both runs see may lead both astray.
                Outcome::OutOfFrames => {
                    Course::Lost(window().unwrap_or_else(|| panic!("{aim:?}: {outcome:?}")))
                }
                _ if session.machine.moments.struck.is_some() || provoked.is_some() => Course::Verdict,
                _ => panic!("{aim:?}: {outcome:?} without a fault"),
            };
        };
        let End { delimiter, .. } = committed;
        if let Some(difference) = session.lost(committed) {
            let moments = &session.machine.moments;
            let struck = moments.struck;
            let Some(window) = Window::of(moments, scene.policy.comparison, scene.private) else {
                panic!("{aim:?}, {struck:?}: {difference} was committed in silence");
            };
            let untouched = matches!(delimiter, Delimiter::Limit | Delimiter::DirtyLimit { .. });
            assert!(!unused, "{aim:?}, {struck:?}: {difference} goes unnoticed");
            let is_result = matches!(fault.spot, Spot::Stored(Stored::Result(_)));
            // The next PE starts from two copies, of which one is right.
            unused = window == Window::Result && is_result && untouched;
            if !unused {
                break Course::Lost(window);
            }
        } else {
            unused = false;
        }
        if !session.serve(delimiter) || session.engine.sequence() > fault.pe + AFTER {
            break if session.sums.divergences > 0 { Course::Recovered } else { Course::Unseen };
        }
    };
    let struck = session.machine.moments.struck;
    assert!(struck.is_some() || !matches!(course, Course::Lost(_)), "{aim:?}: {course:?}");
    tally.add(fault.spot, struck, provoked.is_some(), course);
}

/// Tries faults on as many scenes as `cases` needs: such as are wanted.
fn campaign(wanted: &[Pair], cases: u32, seed: u64) -> Tally {
    let tally = Mutex::new(Tally::default());
    let done = TestRunner::new(seeded(cases, seed)).run(&scenes(FAULTS), |scene| {
        let mut seen = Tally::default();
        let courses = Courses::of(&scene, wanted);
        for aim in scene.aims.iter().filter_map(|aim| courses.aim(*aim)) {
            tried(&scene, aim, &mut seen);
        }
        tally.lock().expect("no case panics with the tally").add_all(seen);
        Ok(())
    });
    done.unwrap_or_else(|failure| panic!("{failure}"));
    tally.into_inner().expect("no case panics with the tally")
}

#[test]
fn every_fault_between_two_operations_is_undone_or_ends_in_a_verdict() {
    let mut tally = Tally::default();
    let mut wanted = tally.lacking();
    let mut few = cases(CASES);
    // What most scenes do not have needs some more of them.
    for round in 0..=ROUNDS {
        let seen = in_threads(few, |cases, seed| campaign(&wanted, cases, seed + u64::from(THREADS * round)));
        seen.into_iter().for_each(|seen| tally.add_all(seen));
        (wanted, few) = (tally.lacking(), MORE);
        if wanted.is_empty() {
            break;
        }
    }
    println!("{tally}");
    tally.check();
}
