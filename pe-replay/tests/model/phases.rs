// SPDX-License-Identifier: MIT
//! Where the time goes: the phases sum exactly to what passes from the first
//! user entry on.

use proptest::prelude::*;

use flips::{Injection, Target};
use pe_replay::{Mode, Outcome, Policy, Processor, Run, TimedPhase};

use crate::cpu::Op;
use crate::generate::{config, flip, program};
use crate::session::{Session, Setup};

fn get(session: &Session, phase: TimedPhase) -> u64 {
    session.engine.executor.watch.phases.get(phase)
}

/// Between two PEs, which begin with the first entry into user mode, is all that is booked as other time.
#[test]
fn no_time_of_a_pe_is_other_time() {
    for hit in [None, Some(Run::First), Some(Run::Second)] {
        let flips = hit.map(|run| Injection { pe: 0, run, at: 1, target: Target::Gpr(0), bit: 3 });
        let setup = Setup { injections: flips.into_iter().collect(), ..Setup::default() };
        let mut session = Session::new(&[Op::MovImm(0, 7), Op::Store((3, 0), 0), Op::Syscall], setup);
        let (_, account) = session.execute();
        assert_eq!(account.divergences.len(), usize::from(hit.is_some()));
        assert_eq!(get(&session, TimedPhase::Other), 0, "{hit:?}");
        assert_eq!(account.longest_hold, session.engine.executor.watch.phases.total());
    }
}

/// The time of debug exceptions that the machine has passed over is booked with what passes behind a run's stops.
#[test]
fn debug_exceptions_take_time_of_their_own() {
    let [without, with] = [0, 1].map(|exceptions| {
        let mut session = Session::new(&[Op::MovImm(0, 7), Op::Syscall], Setup::default());
        session.machine.glitch = Box::new(move |_, _, exit| exit.debug_exceptions = exceptions);
        let (_, account) = session.execute();
        assert_eq!(account.debug_exceptions, 2 * exceptions);
        [TimedPhase::Treatment, TimedPhase::Restart, TimedPhase::VerifyCommit]
            .map(|phase| get(&session, phase))
    });
    // What passes between the exit and the look at the time.
    assert!(with[0] > without[0] && with[1] > without[1] && with[2] < without[2], "{with:?}, {without:?}");
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn phases_sum_to_the_elapsed_time(program in program(), flip in flip(), dual in any::<bool>()) {
        let mode = if dual { Mode::Dual } else { Mode::Off };
        let policy = Policy { mode, limit: 40, max_dirty: 16, ..Policy::DEFAULT };
        let injections = Vec::from([flip]);
        let setup = Setup { policy, injections, lockstep: false, ..Setup::default() };
        let mut session = Session::new(&program, setup);
        for _ in 0..30 {
            let before = session.engine.executor.watch.phases.total();
            let (outcome, account) = session.execute();
            let spent = session.engine.executor.watch.phases.total() - before;
            prop_assert!(account.longest_hold > 0 && account.longest_hold <= spent);
            let Outcome::Committed(committed) = outcome else { break };
            let goes_on = session.serve(committed.delimiter);
            let now = session.machine.now();
            session.engine.executor.watch.lap(TimedPhase::Other, now);
            if !goes_on {
                break;
            }
        }
        let elapsed = session.engine.executor.watch.mark() - session.machine.first_entered;
        prop_assert_eq!(session.engine.executor.watch.phases.total(), elapsed);
    }

    #[test]
    fn the_runs_take_what_they_execute(program in program()) {
        let mut session = Session::new(&program, Setup::default());
        session.run(40);
        let instructions = session.sums.instructions;
        prop_assert_eq!(get(&session, TimedPhase::FirstRun), instructions);
        prop_assert_eq!(get(&session, TimedPhase::SecondRun), instructions);
        prop_assert_eq!(get(&session, TimedPhase::Flush), 0);
        prop_assert_eq!(get(&session, TimedPhase::Treatment) > 0, session.sums.write_faults > 0);
    }
}
