// SPDX-License-Identifier: MIT
//! Every transition of the life of a PE, as an asserted trace.

extern crate std;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

use super::*;

const LIMIT: u64 = 1000;
const DUAL: Rules = Rules { mode: Mode::Dual, limit: LIMIT, margin: 0 };
const OFF: Rules = Rules { mode: Mode::Off, limit: LIMIT, margin: 0 };

const PREPARE: Action = Action::Prepare;
const FIRST: Action = Action::Execute(Run::First, Approach::Free { limit: LIMIT });

fn ended(delimiter: Delimiter, count: u64) -> Event {
    Event::Ended(RunEnd { delimiter, count, overshot: false })
}

fn overshot(count: u64) -> Event {
    Event::Ended(RunEnd { delimiter: Delimiter::Limit, count, overshot: true })
}

fn exact(count: u64, margin: u64) -> Action {
    Action::Execute(Run::Second, Approach::Exact { count, margin })
}

fn free(limit: u64) -> Action {
    Action::Execute(Run::Second, Approach::Free { limit })
}

fn difference(value: u64) -> Difference {
    Difference { field: Field::Rip, first: value, second: 0, address: 0 }
}

/// Feeds `events` one by one; the trace is every action asked for.
fn trace(rules: Rules, events: &[Event]) -> (Phase, Vec<Action>) {
    let (mut phase, mut action) = Phase::begin();
    let mut actions = Vec::from([action]);
    for event in events {
        (phase, action) = phase.step(*event, &rules);
        actions.push(action);
    }
    (phase, actions)
}

#[test]
fn agreeing_runs_commit() {
    for delimiter in [
        Delimiter::Syscall,
        Delimiter::PageFault { address: 0x1000, error: 4 },
        Delimiter::Exception { vector: 6, error: 0 },
        Delimiter::DirtyLimit { address: 0x2000 },
    ] {
        let events =
            [Event::Done, ended(delimiter, 7), Event::Done, ended(delimiter, 7), Event::Verified(None)];
        let (phase, actions) = trace(DUAL, &events);
        assert_eq!(actions, [PREPARE, FIRST, Action::Turn, free(LIMIT), Action::Verify, Action::Commit]);
        assert_eq!(phase, Phase::Over);
    }
}

#[test]
fn a_run_that_ended_at_the_limit_is_repeated_exactly() {
    let limit = |count| ended(Delimiter::Limit, count);
    let rules = Rules { margin: 25, ..DUAL };
    // Skid included: the count of run 1, not the limit, is the target.
    let events = [Event::Done, limit(1003), Event::Done, limit(1003), Event::Verified(None)];
    let (phase, actions) = trace(rules, &events);
    let expected = [PREPARE, FIRST, Action::Turn, exact(1003, 25), Action::Verify, Action::Commit];
    assert_eq!(actions, expected);
    assert_eq!(phase, Phase::Over);
}

#[test]
fn run_2_may_go_as_far_as_run_1_went() {
    let syscall = ended(Delimiter::Syscall, LIMIT + 5);
    let (_, actions) = trace(DUAL, &[Event::Done, syscall, Event::Done]);
    assert_eq!(actions, [PREPARE, FIRST, Action::Turn, free(LIMIT + 6)]);
}

#[test]
fn one_divergence_restarts() {
    let syscall = ended(Delimiter::Syscall, 7);
    let bad = Event::Verified(Some(difference(1)));
    let events = [
        Event::Done,
        syscall,
        Event::Done,
        ended(Delimiter::Syscall, 8),
        bad,
        Event::Done,
        Event::Done,
        syscall,
        Event::Done,
        syscall,
        Event::Verified(None),
    ];
    let (phase, actions) = trace(DUAL, &events);
    let attempt = [PREPARE, FIRST, Action::Turn, free(LIMIT), Action::Verify];
    let expected: Vec<_> =
        attempt.into_iter().chain([Action::RollBack]).chain(attempt).chain([Action::Commit]).collect();
    assert_eq!(actions, expected);
    assert_eq!(phase, Phase::Over);
}

#[test]
fn three_divergences_in_a_row_end_in_the_verdict_on_the_last() {
    let syscall = ended(Delimiter::Syscall, 7);
    let attempt = |value| {
        let bad = Event::Verified(Some(difference(value)));
        [Event::Done, syscall, Event::Done, syscall, bad, Event::Done]
    };
    let events = [attempt(1), attempt(2), attempt(3)].concat();
    let (phase, actions) = trace(DUAL, &events);
    let failed = [PREPARE, FIRST, Action::Turn, free(LIMIT), Action::Verify, Action::RollBack];
    let expected = [&failed[..], &failed, &failed, &[Action::Verdict(difference(3))]].concat();
    assert_eq!(actions, expected);
    assert_eq!(phase, Phase::Over);
}

#[test]
fn counter_misses_double_the_margin_up_to_the_count() {
    let limit = |count| ended(Delimiter::Limit, count);
    let mut events = Vec::from([Event::Done, limit(1000)]);
    let mut expected = Vec::from([PREPARE, FIRST]);
    for margin in [0, 2, 4, 8, 16, 32, 64, 128, 256, 512] {
        events.extend([Event::Done, overshot(1001)]);
        expected.extend([Action::Turn, exact(1000, margin)]);
    }
    // The margin is the whole count now: single steps, which cannot overshoot.
    events.extend([Event::Done, limit(1000), Event::Verified(None)]);
    expected.extend([Action::Turn, exact(1000, 1000), Action::Verify, Action::Commit]);
    let (phase, actions) = trace(DUAL, &events);
    assert_eq!(actions, expected);
    assert_eq!(phase, Phase::Over);
}

#[test]
fn an_overshoot_of_single_steps_is_a_divergence() {
    let limit = |count| ended(Delimiter::Limit, count);
    let rules = Rules { margin: 1000, ..DUAL };
    let events = [Event::Done, limit(1000), Event::Done, overshot(1001)];
    let (phase, actions) = trace(rules, &events);
    assert_eq!(actions, [PREPARE, FIRST, Action::Turn, exact(1000, 1000), Action::Verify]);
    assert_eq!(phase, Phase::Verifying { failed: 0 });
}

#[test]
fn counter_misses_do_not_count_as_divergences() {
    let limit = |count| ended(Delimiter::Limit, count);
    let miss_then_diverge = [
        Event::Done,
        limit(1000),
        Event::Done,
        overshot(1001),
        Event::Done,
        limit(1000),
        Event::Verified(Some(difference(9))),
    ];
    let (phase, actions) = trace(DUAL, &miss_then_diverge);
    assert_eq!(actions.last(), Some(&Action::RollBack));
    assert_eq!(phase, Phase::RollingBack { failed: 1, difference: difference(9) });
}

#[test]
fn the_margin_starts_over_with_each_attempt() {
    let limit = |count| ended(Delimiter::Limit, count);
    let events = [
        Event::Done,
        limit(1000),
        Event::Done,
        overshot(1001),
        Event::Done,
        limit(1000),
        Event::Verified(Some(difference(9))),
        Event::Done,
        Event::Done,
        limit(1000),
        Event::Done,
    ];
    let (_, actions) = trace(DUAL, &events);
    assert_eq!(actions.last(), Some(&exact(1000, 0)));
}

#[test]
fn a_watchdog_stop_is_a_divergence_in_either_run() {
    let watchdog = ended(Delimiter::Watchdog, 5000);
    let (phase, actions) = trace(DUAL, &[Event::Done, watchdog]);
    assert_eq!(actions, [PREPARE, FIRST, Action::RollBack]);
    let first = Difference { field: Field::Delimiter, first: 5000, second: 0, address: 0 };
    assert_eq!(phase, Phase::RollingBack { failed: 1, difference: first });

    for end in [Delimiter::Syscall, Delimiter::Limit] {
        let (phase, actions) = trace(DUAL, &[Event::Done, ended(end, 1000), Event::Done, watchdog]);
        assert_eq!(actions.last(), Some(&Action::RollBack));
        let second = Difference { field: Field::Delimiter, first: 0, second: 5000, address: 0 };
        assert_eq!(phase, Phase::RollingBack { failed: 1, difference: second });
    }
}

#[test]
fn a_program_that_only_the_watchdog_stops_gets_a_verdict() {
    let watchdog = ended(Delimiter::Watchdog, 5000);
    let attempt = [Event::Done, watchdog, Event::Done];
    let (phase, actions) = trace(DUAL, &attempt.repeat(3));
    let endless = Difference { field: Field::Delimiter, first: 5000, second: 0, address: 0 };
    assert_eq!(actions.last(), Some(&Action::Verdict(endless)));
    assert_eq!(phase, Phase::Over);
}

#[test]
fn off_commits_after_one_run() {
    for delimiter in [Delimiter::Syscall, Delimiter::Limit, Delimiter::Exception { vector: 0, error: 0 }] {
        let (phase, actions) = trace(OFF, &[Event::Done, ended(delimiter, 7)]);
        assert_eq!(actions, [PREPARE, FIRST, Action::Commit]);
        assert_eq!(phase, Phase::Over);
    }
}

#[test]
fn off_has_nothing_to_restart_from() {
    let (phase, actions) = trace(OFF, &[Event::Done, ended(Delimiter::Watchdog, 5000), Event::Done]);
    let endless = Difference { field: Field::Delimiter, first: 5000, second: 0, address: 0 };
    assert_eq!(actions, [PREPARE, FIRST, Action::RollBack, Action::Verdict(endless)]);
    assert_eq!(phase, Phase::Over);
}

#[test]
fn events_that_answer_nothing_panic() {
    let first = RunEnd { delimiter: Delimiter::Limit, count: 10, overshot: false };
    let difference = difference(1);
    let events = [Event::Done, Event::Ended(first), Event::Verified(None), Event::Verified(Some(difference))];
    // Each phase with how many of the events above it takes.
    let phases = [
        (Phase::Preparing { failed: 0 }, 1),
        (Phase::First { failed: 0 }, 1),
        (Phase::Turning { failed: 0, first, margin: 0 }, 1),
        (Phase::Second { failed: 0, first, margin: 0 }, 1),
        (Phase::Verifying { failed: 0 }, 2),
        (Phase::RollingBack { failed: 1, difference }, 1),
        (Phase::Over, 0),
    ];
    for (phase, taken) in phases {
        let took = |event: &&Event| {
            catch_unwind(AssertUnwindSafe(|| {
                let _ = phase.step(**event, &DUAL);
            }))
            .is_ok()
        };
        assert_eq!(events.iter().filter(took).count(), taken, "{phase:?}");
    }
}
