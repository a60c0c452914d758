// SPDX-License-Identifier: MIT
//! The whole claim: for any program, under any policy and counter, any single fault
//! in any run leaves the committed state as a single undisturbed execution has it,
//! or ends in a verdict; and it is a verdict only where the state is truly lost.
//!
//! `REPRISE_MODEL_CASES` sets how many faults are tried; a case is one fault, with a
//! session of its own. The long run is
//!
//! ```text
//! REPRISE_MODEL_CASES=1000000 cargo test -p pe-replay --test model -- --nocapture every_fault
//! ```

use std::sync::Mutex;

use proptest::test_runner::{RngSeed, TestRunner};

use pe_replay::inject::{Copy, Saved};
use pe_replay::uprr::INTERRUPT_FLAG;
use pe_replay::{Comparison, Injection, Mode, Outcome, Recovery, Run, Target};

use crate::generate;
use crate::session::Session;

mod scene;
mod tally;

use scene::{Scene, scenes};
use tally::{Course, Tally};

/// Where nothing else is asked for.
const CASES: u32 = 24_000;
/// Faults tried on each scene.
const FAULTS: usize = 16;
/// PEs after the one that is hit in which the fault may still show.
const AFTER: u64 = 5;

fn cases() -> u32 {
    let asked = std::env::var("REPRISE_MODEL_CASES").ok();
    asked.map_or(CASES, |text| text.parse().expect("REPRISE_MODEL_CASES is a number"))
}

/// One fault. What is committed is compared after each PE, in the session.
fn tried(scene: &Scene, flip: Injection, tally: &mut Tally) {
    let mut session = scene.session(Vec::from([flip]));
    let mut effective = None;
    let mut missed = false;
    let damaged = loop {
        let is_hit = session.engine.sequence() == flip.pe;
        if is_hit && scene.is_plain() {
            effective = effect(&session, scene, flip);
        }
        let (outcome, account) = session.execute();
        missed |= account.counter_misses > 0;
        let hits = usize::from(is_hit && account.flips > 0);
        assert!(hits == 1 || account.flips == 0, "{flip} hits where it was not aimed at");
        match outcome {
            Outcome::Committed(committed) => {
                let over = !session.serve(committed.delimiter);
                if over || session.engine.sequence() > flip.pe + AFTER {
                    break false;
                }
            }
            Outcome::Damaged { .. } => break true,
            Outcome::Persistent { .. } | Outcome::OutOfFrames => panic!("{flip}: {outcome:?}"),
        }
    };
    let steps = &session.machine.steps_of_life;
    let rolled_back = steps.keys().any(|(_, _, to)| *to == pe_replay::life::Phase::RollingBack);
    let divergences = session.sums.divergences;
    let course = match (damaged, rolled_back, divergences) {
        (true, ..) => Course::Damaged,
        (false, true, _) => Course::Restarted,
        (false, false, 0) => Course::Unseen,
        (false, false, _) => Course::Outvoted,
    };
    let applied = session.sums.flips > 0;
    assert!(applied || course == Course::Unseen, "{flip}: {course:?} without a fault");
    assert!(divergences <= 1, "{flip}: {divergences} divergences of one fault");
    if let Some(effective) = effective {
        assert_eq!(course != Course::Unseen, effective, "{flip}: {course:?}");
    }
    let expected = expected(scene, flip, missed);
    assert!(course == Course::Unseen || expected.contains(&course), "{flip}: {course:?}, not {expected:?}");
    tally.add(scene, flip, applied, course, &session);
}

/// How a fault that has an effect may end: as a verdict only where what the PE
/// started from is lost.
fn expected(scene: &Scene, flip: Injection, missed: bool) -> &'static [Course] {
    let policy = scene.policy;
    let by_hash = policy.comparison == Comparison::Hash;
    let votes = policy.mode == Mode::Triple || policy.recovery == Recovery::Vote;
    let endless = flip.target == Target::Rflags && 1 << flip.bit == INTERRUPT_FLAG;
    match flip.target {
        // There are two copies, and nothing tells which one is right.
        Target::Saved(Saved::Start | Saved::Shadow, _) => &[Course::Damaged],
        // All later runs start from it.
        Target::Copy(Copy::Checkpoint, _) if by_hash => &[Course::Damaged],
        // Run 2 started from checkpoints once more, and without a witness nothing tells
        // whether these are why the runs differ; with one, it may be that which is hit.
        _ if missed && !by_hash && (scene.margin == 0 || matches!(flip.target, Target::Copy(..))) => {
            if votes { &[Course::Outvoted, Course::Damaged] } else { &[Course::Restarted, Course::Damaged] }
        }
        // A run 1 that only the watchdog ended has no result to vote on.
        _ if votes && endless && flip.run == Run::First => &[Course::Restarted, Course::Outvoted],
        // Run 1 is outvoted, whichever run was on.
        Target::Saved(Saved::Result, _) if votes => &[Course::Outvoted],
        // By hash the memory of the other two is gone.
        _ if votes && by_hash && flip.run == Run::Third => &[Course::Restarted],
        _ if votes => &[Course::Outvoted],
        _ => &[Course::Restarted],
    }
}

/// Whether a fault that the plain interpreter knows changes what the PE ahead leaves.
fn effect(session: &Session, scene: &Scene, flip: Injection) -> Option<bool> {
    if matches!(flip.target, Target::Copy(..) | Target::Saved(..)) {
        return None;
    }
    let (mut right, mut wrong) = (session.reference.clone(), session.reference.clone());
    let ended = right.run(&scene.program, scene.policy.limit, None);
    Some(ended != wrong.run(&scene.program, scene.policy.limit, Some(flip)) || !right.agrees(&wrong))
}

/// Tries faults on as many scenes as `cases` needs, from a `seed`.
fn campaign(cases: u32, seed: u64) -> Tally {
    let mut config = generate::config(cases.div_ceil(FAULTS as u32));
    if let RngSeed::Fixed(fixed) = &mut config.rng_seed {
        *fixed = fixed.wrapping_mul(0x9e37_79b9).wrapping_add(seed);
    }
    config.cases = cases.div_ceil(FAULTS as u32);
    config.max_shrink_time = 60_000;
    let tally = Mutex::new(Tally::default());
    let done = TestRunner::new(config).run(&scenes(FAULTS), |scene| {
        let mut seen = Tally::default();
        let course = scene.undisturbed(&mut seen);
        for aim in &scene.aims {
            tried(&scene, course.flip(&scene, *aim), &mut seen);
        }
        tally.lock().expect("no case panics with the tally").add_all(seen);
        Ok(())
    });
    done.unwrap_or_else(|failure| panic!("{failure}"));
    tally.into_inner().expect("no case panics with the tally")
}

#[test]
fn every_fault_is_undone_or_ends_in_a_verdict() {
    let cases = cases();
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(8)) as u32;
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        let run = |thread: u32| scope.spawn(move || campaign(cases.div_ceil(threads), thread.into()));
        let running: Vec<_> = (0..threads).map(run).collect();
        for thread in running {
            match thread.join() {
                Ok(seen) => tally.add_all(seen),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    println!("{tally}");
    tally.check();
}
