// SPDX-License-Identifier: MIT
//! The whole claim: for any program, under any policy and counter, any single fault
//! in any run leaves the committed state as a single undisturbed execution has it,
//! or ends in a verdict; and it is a verdict only where the state is truly lost.
//!
//! `REPRISE_MODEL_CASES` sets how many faults are tried; a case is one fault, with a
//! session of its own. The long run, this and [every moment](crate::every_moment), is
//!
//! ```text
//! REPRISE_MODEL_CASES=1000000 cargo test --release -p pe-replay --test model -- --nocapture every_fault:: every_moment::
//! ```

use std::sync::Mutex;

use proptest::test_runner::{Config as ProptestConfig, RngSeed, TestRunner};

use flips::{Copy, Injection, Saved, Target};
use pe_replay::user::INTERRUPT_FLAG;
use pe_replay::{Comparison, Delimiter, Mode, Outcome, Recovery, Run};

use crate::counter::noise;
use crate::generate;
use crate::reference::Reference;
use crate::session::Session;

pub mod scene;
mod tally;

use scene::{Scene, restless_scenes, scenes};
use tally::{Course, Tally};

/// Where nothing else is asked for.
const CASES: u32 = 20_000;
/// Faults tried on each scene.
pub const FAULTS: usize = 16;
/// The cases are the same on any machine.
pub const THREADS: u32 = 4;
/// PEs after the one that is hit in which the fault may still show.
pub const AFTER: u64 = 5;

/// So many cases are asked for, or `few`.
pub fn cases(few: u32) -> u32 {
    let asked = std::env::var("REPRISE_MODEL_CASES").ok();
    asked.map_or(few, |text| text.parse().expect("REPRISE_MODEL_CASES is a number"))
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
        let differed = !account.divergences.is_empty() || matches!(outcome, Outcome::Damaged { .. });
        missed |= differed && account.counter_misses > 0;
        let hits = usize::from(is_hit && account.flips > 0);
        assert!(hits == 1 || account.flips == 0, "{flip:?} hits where it was not aimed at");
        match outcome {
            Outcome::Committed(committed) => {
                let over = !session.serve(committed.delimiter);
                if over || session.engine.sequence() > flip.pe + AFTER {
                    break false;
                }
            }
            Outcome::Damaged { .. } => break true,
            Outcome::Persistent { .. } | Outcome::OutOfFrames => panic!("{flip:?}: {outcome:?}"),
        }
    };
    let steps = &session.machine.steps_of_life;
    let rolled_back = steps.keys().any(|(_, _, to)| *to == pe_replay::lifecycle::Phase::RollingBack);
    let divergences = session.sums.divergences;
    let course = match (damaged, rolled_back, divergences) {
        (true, ..) => Course::Damaged,
        (false, true, _) => Course::Restarted,
        (false, false, 0) => Course::Unseen,
        (false, false, _) => Course::Outvoted,
    };
    let applied = session.sums.flips > 0;
    assert!(applied || course == Course::Unseen, "{flip:?}: {course:?} without a fault");
    assert!(divergences <= 1, "{flip:?}: {divergences} divergences of one fault");
    // The other way round a fault may be seen that changes nothing: a later run that
    // went astray wrote what was there already, but where run 1 wrote nothing.
    assert!(effective != Some(true) || course != Course::Unseen, "{flip:?} is effective and was not seen");
    let expected = expected(scene, flip, missed);
    assert!(course == Course::Unseen || expected.contains(&course), "{flip:?}: {course:?}, not {expected:?}");
    tally.add(scene, flip, applied, course, &session);
}

/// How a fault that has an effect may end: as a verdict only where what the PE
/// started from is lost, with a restart only where there is nothing to vote on.
fn expected(scene: &Scene, flip: Injection, missed: bool) -> Vec<Course> {
    let policy = scene.policy;
    let by_hash = policy.comparison == Comparison::Hash;
    let votes = policy.mode == Mode::Triple || policy.recovery == Recovery::Vote;
    match flip.target {
        // There are two copies, and nothing tells which one is right.
        Target::Saved(Saved::Start | Saved::Shadow, _) => return Vec::from([Course::Damaged]),
        // All later runs start from it.
        Target::Copy(Copy::Checkpoint, _) if by_hash => return Vec::from([Course::Damaged]),
        _ => {}
    }
    if !votes && !missed {
        return Vec::from([Course::Restarted]);
    }
    let mut expected = Vec::from([if votes { Course::Outvoted } else { Course::Restarted }]);
    let in_copies = matches!(flip.target, Target::Copy(..));
    if missed && !by_hash && (scene.private || scene.margin == 0 || in_copies) {
        // Run 2 started from checkpoints once more. Without a witness nothing tells
        // whether these are why the runs differ; with one, that may be what was hit. Private
        // frames have none.
        expected.push(Course::Damaged);
    }
    let in_result = matches!(flip.target, Target::Saved(Saved::Result, _));
    let endless = flip.target == Target::Rflags && 1 << flip.bit == INTERRUPT_FLAG;
    if endless && flip.run == Run::First {
        // Only the watchdog may have ended run 1, and then it has no result.
        expected.push(Course::Restarted);
    }
    if by_hash && flip.run == Run::Third && !in_result {
        // The memory of the other two is gone.
        expected.push(Course::Restarted);
    }
    if (scene.skid > 0 || scene.margin > 0) && (flip.run == Run::First || in_result) {
        // Where run 1 ended is not on the others' way: how late the interrupt comes, or a
        // write fault in one of them alone, decides where each of them is found to have missed it.
        expected.push(Course::Restarted);
    }
    if scene.skid > scene.margin {
        // An interrupt that comes late, before an instruction that faults, is one more
        // reason for a difference where the other run's registers are hit.
        expected.push(Course::Restarted);
    }
    expected
}

/// Whether a fault that the plain interpreter knows changes what the PE ahead leaves.
fn effect(session: &Session, scene: &Scene, flip: Injection) -> Option<bool> {
    if matches!(flip.target, Target::Copy(..) | Target::Saved(..)) {
        return None;
    }
    let mut right = session.reference.clone();
    let ended = right.run(&scene.program, scene.policy.limit, None);
    let (wrong_end, wrong) = wrong(session, scene, flip);
    Some(ended != wrong_end || !right.agrees(&wrong))
}

/// Two faults in two runs of a PE, of which no two runs come to the same wrong
/// result: nothing wrong is committed, whatever is restarted or outvoted.
fn tried_twice(scene: &Scene, flips: [Injection; 2], tally: &mut Tally) {
    let mut session = scene.session(flips.to_vec());
    while session.engine.sequence() <= flips[0].pe + AFTER {
        if session.engine.sequence() == flips[0].pe {
            let mut ends = flips.map(|flip| wrong(&session, scene, flip));
            let [first, second] = &mut ends;
            if first.0 == second.0 && first.1.agrees(&second.1) {
                return;
            }
        }
        let (outcome, _) = session.execute();
        let Outcome::Committed(committed) = outcome else { panic!("{flips:?}: {outcome:?}") };
        if !session.serve(committed.delimiter) {
            break;
        }
    }
    tally.add_pair(&session);
}

/// What a run with this fault leaves.
fn wrong(session: &Session, scene: &Scene, flip: Injection) -> ((Delimiter, u64), Reference) {
    let mut reference = session.reference.clone();
    (reference.run(&scene.program, scene.policy.limit, Some(flip)), reference)
}

/// A program that is another one each time: what is committed is what two runs of the
/// last attempt did, or else it ends in a verdict, with the state it started from.
fn tried_restless(scene: &Scene, tally: &mut Tally) {
    let mut session = scene.session(Vec::new());
    let mut noise = noise(scene.noise);
    let most = scene.noise % 4 + 1;
    session.machine.random = Box::new(move || noise(most));
    (session.lockstep, session.restless) = (false, true);
    let ended_so = loop {
        let (outcome, _) = session.execute();
        match outcome {
            Outcome::Committed(committed) => {
                let found = session.follow_any(committed.delimiter, committed.count);
                assert!(found >= 2, "{found} runs did what was committed");
                if !session.serve(committed.delimiter) || session.sums.pes == 2 * AFTER {
                    break false;
                }
            }
            Outcome::Persistent { .. } => break true,
            Outcome::Damaged { .. } | Outcome::OutOfFrames => panic!("{outcome:?}"),
        }
    };
    if ended_so {
        session.compare();
    }
    tally.add_restless(&session, ended_so);
}

/// As many scenes as `cases` needs, from a `seed`.
pub fn seeded(cases: u32, seed: u64) -> ProptestConfig {
    let mut config = generate::config(cases.div_ceil(FAULTS as u32));
    if let RngSeed::Fixed(fixed) = &mut config.rng_seed {
        *fixed = fixed.wrapping_mul(0x9e37_79b9).wrapping_add(seed);
    }
    config.cases = cases.div_ceil(FAULTS as u32);
    config.max_shrink_time = 60_000;
    config
}

/// Runs parts of a campaign side by side, and returns what each saw.
pub fn in_threads<T: Send>(cases: u32, campaign: impl Fn(u32, u64) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let part = |thread: u32| campaign(cases.div_ceil(THREADS), thread.into());
        let running: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || part(thread))).collect();
        let seen = running.into_iter().map(|thread| thread.join());
        seen.map(|seen| seen.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Tries faults on as many scenes as `cases` needs, from a `seed`.
fn campaign(cases: u32, seed: u64) -> Tally {
    let tally = Mutex::new(Tally::default());
    let done = TestRunner::new(seeded(cases, seed)).run(
        &(scenes(FAULTS), restless_scenes()),
        |(scene, restless)| {
            let mut seen = Tally::default();
            let course = scene.undisturbed(&mut seen);
            for aim in &scene.aims {
                tried(&scene, course.flip(&scene, *aim), &mut seen);
            }
            if scene.is_plain() {
                for aims in scene.aims.chunks_exact(4) {
                    let pair = course.pair(&scene, aims[0], aims[1]);
                    tried_twice(&scene, pair, &mut seen);
                }
            }
            tried_restless(&restless, &mut seen);
            tally.lock().expect("no case panics with the tally").add_all(seen);
            Ok(())
        },
    );
    done.unwrap_or_else(|failure| panic!("{failure}"));
    tally.into_inner().expect("no case panics with the tally")
}

#[test]
fn every_fault_is_undone_or_ends_in_a_verdict() {
    let mut tally = Tally::default();
    in_threads(cases(CASES), campaign).into_iter().for_each(|seen| tally.add_all(seen));
    println!("{tally}");
    tally.check();
}
