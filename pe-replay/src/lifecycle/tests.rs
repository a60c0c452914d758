// SPDX-License-Identifier: MIT
//! Every transition in the life cycle of a PE, as an asserted trace.

extern crate std;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

use pmu::Margin;

use super::{Event as Told, *};

mod any_answers;

/// An event, with the end that is noted before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Done,
    Ended(End),
    AllEnded,
    Overshot(End),
    Agreed,
    Outvoted(Run, Difference),
    Differed(Difference),
    Damaged(Difference),
}

/// What is to be done: a phase and, if that is a run, how it is to be brought to its end.
type Asked = (Phase, Option<Approach>);

/// Tells a life cycle of an event.
fn feed(life: &mut Lifecycle, event: Event) -> Asked {
    if let (Event::Ended(end) | Event::Overshot(end), Phase::Running(run)) = (event, life.phase) {
        life.ends[run as usize] = end;
    }
    if let Event::Outvoted(_, difference) | Event::Differed(difference) | Event::Damaged(difference) = event {
        life.difference = Some(difference);
    }
    let phase = life.step(match event {
        Event::Done => Told::Done,
        Event::Ended(_) | Event::AllEnded => Told::Ended,
        Event::Overshot(_) => Told::Overshot,
        Event::Agreed => Told::Agreed,
        Event::Outvoted(run, _) => Told::Outvoted(run),
        Event::Differed(_) => Told::Differed,
        Event::Damaged(_) => Told::Damaged,
    });
    let approach = if let Phase::Running(run) = phase { Some(life.approach(run)) } else { None };
    (phase, approach)
}

const LIMIT: u64 = 1000;
const DUAL: Rules =
    Rules { triple: false, recovery: Recovery::Restart, limit: LIMIT, margin: NONE, at_once: false };
const NONE: Margin = Margin { far: 0, near: 0 };
const VOTE: Rules = Rules { recovery: Recovery::Vote, ..DUAL };
const TRIPLE: Rules = Rules { triple: true, ..DUAL };

const PREPARE: Asked = plain(Phase::Preparing);
const FIRST: Asked = (Phase::Running(Run::First), Some(Approach { limit: LIMIT, exact: None }));
const ALL: Asked = plain(Phase::RunningAll);
const TURN_2: Asked = plain(Phase::Turning(Run::Second));
const TURN_3: Asked = plain(Phase::Turning(Run::Third));
const VERIFY_2: Asked = plain(Phase::Verifying(Run::Second));
const VERIFY_3: Asked = plain(Phase::Verifying(Run::Third));
const ROLL_BACK: Asked = plain(Phase::RollingBack);
const COMMIT: Asked = commit(None);
const PERSISTENT: Asked = plain(Phase::GivingUp(Verdict::Persistent));
const DAMAGED: Asked = plain(Phase::GivingUp(Verdict::Damaged));

const fn plain(phase: Phase) -> Asked {
    (phase, None)
}

const fn commit(outvoted: Option<Run>) -> Asked {
    plain(Phase::Committing(outvoted))
}

const SYSCALL: Event = ended(Delimiter::Syscall, 7);

const fn ended(delimiter: Delimiter, count: u64) -> Event {
    Event::Ended(End { delimiter, count })
}

fn at_limit(count: u64) -> Event {
    ended(Delimiter::Limit, count)
}

fn overshot(count: u64) -> Event {
    Event::Overshot(End { delimiter: Delimiter::Limit, count })
}

fn margin(length: u64) -> Margin {
    Margin { far: length, near: length }
}

fn exact_as(target: Run, run: Run, count: u64, length: u64) -> Asked {
    let exact = Exact { target, margin: margin(length), stepped: false };
    (Phase::Running(run), Some(Approach { limit: count, exact: Some(exact) }))
}

fn exact(run: Run, count: u64, length: u64) -> Asked {
    exact_as(Run::First, run, count, length)
}

fn stepped(run: Run, count: u64, length: u64) -> Asked {
    let exact = Exact { target: Run::First, margin: margin(length), stepped: true };
    (Phase::Running(run), Some(Approach { limit: count, exact: Some(exact) }))
}

fn free(run: Run, limit: u64) -> Asked {
    (Phase::Running(run), Some(Approach { limit, exact: None }))
}

fn difference(value: u64) -> Difference {
    Difference { field: Field::Rip, first: value, second: 0, address: 0 }
}

fn differed(value: u64) -> Event {
    Event::Differed(difference(value))
}

/// Feeds `events` one by one; the trace is all that was to be done.
fn trace(rules: Rules, events: &[Event]) -> (Lifecycle, Vec<Asked>) {
    let mut life = Lifecycle::begin(rules);
    let mut actions = Vec::from([plain(life.phase)]);
    actions.extend(events.iter().map(|event| feed(&mut life, *event)));
    (life, actions)
}

#[test]
fn agreeing_runs_commit() {
    for delimiter in [
        Delimiter::Syscall,
        Delimiter::PageFault { address: 0x1000, error: 4 },
        Delimiter::Exception { vector: 6, error: 0 },
        Delimiter::DirtyLimit { address: 0x2000 },
    ] {
        let end = ended(delimiter, 7);
        for rules in [DUAL, VOTE] {
            let (life, actions) = trace(rules, &[Event::Done, end, Event::Done, end, Event::Agreed]);
            assert_eq!(actions, [PREPARE, FIRST, TURN_2, free(Run::Second, LIMIT), VERIFY_2, COMMIT]);
            assert_eq!((life.phase, life.difference), (COMMIT.0, None));
        }
    }
}

#[test]
fn triple_mode_runs_three_times_before_it_verifies() {
    let events = [Event::Done, SYSCALL, Event::Done, SYSCALL, Event::Done, SYSCALL, Event::Agreed];
    for recovery in [Recovery::Restart, Recovery::Vote] {
        let (life, actions) = trace(Rules { recovery, ..TRIPLE }, &events);
        let runs = [FIRST, TURN_2, free(Run::Second, LIMIT), TURN_3, free(Run::Third, LIMIT)];
        assert_eq!(actions, [&[PREPARE], &runs[..], &[VERIFY_3, COMMIT]].concat());
        assert_eq!((life.phase, life.difference), (COMMIT.0, None));
    }
}

#[test]
fn a_run_that_ended_at_the_limit_is_repeated_exactly() {
    let rules = Rules { margin: margin(25), ..TRIPLE };
    // Skid included: the count of run 1, not the limit, is the target.
    let end = at_limit(1003);
    let events = [Event::Done, end, Event::Done, end, Event::Done, end, Event::Agreed];
    let (life, actions) = trace(rules, &events);
    let runs = [FIRST, TURN_2, exact(Run::Second, 1003, 25), TURN_3, exact(Run::Third, 1003, 25)];
    assert_eq!(actions, [&[PREPARE], &runs[..], &[VERIFY_3, COMMIT]].concat());
    assert_eq!(
        (life.target(Run::Second).map(|it| it.0), life.target(Run::Third).map(|it| it.0)),
        (Some(Run::First), Some(Run::First))
    );
}

#[test]
fn later_runs_may_go_as_far_as_any_before() {
    let syscall = |count| ended(Delimiter::Syscall, count);
    let (_, actions) = trace(DUAL, &[Event::Done, syscall(LIMIT + 5), Event::Done]);
    assert_eq!(actions, [PREPARE, FIRST, TURN_2, free(Run::Second, LIMIT + 6)]);
    for (first, second) in [(LIMIT + 5, 3), (3, LIMIT + 5)] {
        let events = [Event::Done, syscall(first), Event::Done, syscall(second), Event::Done];
        let (_, actions) = trace(TRIPLE, &events);
        assert_eq!(actions.last(), Some(&free(Run::Third, LIMIT + 6)));
    }
}

#[test]
fn run_3_reaches_the_limit_that_run_2_reached_alone() {
    let events = [Event::Done, SYSCALL, Event::Done, at_limit(LIMIT), differed(1), Event::Done];
    let (life, actions) = trace(VOTE, &events);
    assert_eq!(life.target(Run::Third).map(|it| it.0), Some(Run::Second));
    assert_eq!(actions.last(), Some(&exact_as(Run::Second, Run::Third, LIMIT, 0)));
}

#[test]
fn one_divergence_restarts() {
    let attempt = [Event::Done, SYSCALL, Event::Done, SYSCALL];
    let events = [&attempt[..], &[differed(1), Event::Done], &attempt, &[Event::Agreed]].concat();
    let (life, actions) = trace(DUAL, &events);
    let attempt = [PREPARE, FIRST, TURN_2, free(Run::Second, LIMIT), VERIFY_2];
    assert_eq!(actions, [&attempt[..], &[ROLL_BACK], &attempt, &[COMMIT]].concat());
    assert_eq!((life.phase, life.difference), (COMMIT.0, Some(difference(1))));
}

#[test]
fn a_vote_commits_what_two_runs_agree_on() {
    for outvoted in [Run::First, Run::Second] {
        let difference = difference(2);
        let vote = Event::Outvoted(outvoted, difference);
        let events = [Event::Done, SYSCALL, Event::Done, SYSCALL, differed(1), Event::Done, SYSCALL, vote];
        let (life, actions) = trace(VOTE, &events);
        let commit = self::commit(Some(outvoted));
        let twice = [PREPARE, FIRST, TURN_2, free(Run::Second, LIMIT), VERIFY_2];
        let third = [TURN_3, free(Run::Third, LIMIT), VERIFY_3, commit];
        assert_eq!(actions, [&twice[..], &third].concat());
        assert_eq!((life.phase, life.difference), (commit.0, Some(difference)));
    }
}

#[test]
fn triple_mode_outvotes_any_run() {
    for outvoted in Run::ALL {
        let vote = Event::Outvoted(outvoted, difference(2));
        let events = [Event::Done, SYSCALL, Event::Done, SYSCALL, Event::Done, SYSCALL, vote];
        let (_, actions) = trace(TRIPLE, &events);
        assert_eq!(actions.last(), Some(&commit(Some(outvoted))));
    }
}

#[test]
fn three_results_that_all_differ_restart() {
    let vote = [Event::Done, SYSCALL, Event::Done, SYSCALL, differed(1), Event::Done, SYSCALL, differed(2)];
    let (life, actions) = trace(VOTE, &[&vote[..], &[Event::Done]].concat());
    assert_eq!(actions[actions.len() - 2..], [ROLL_BACK, PREPARE]);
    assert_eq!((life.failed, life.difference), (1, Some(difference(2))));
    let triple = [Event::Done, SYSCALL, Event::Done, SYSCALL, Event::Done, SYSCALL, differed(2), Event::Done];
    let (life, actions) = trace(TRIPLE, &triple);
    assert_eq!(actions[actions.len() - 2..], [ROLL_BACK, PREPARE]);
    assert_eq!((life.failed, life.difference), (1, Some(difference(2))));
}

#[test]
fn three_divergences_in_a_row_end_in_the_verdict_on_the_last() {
    let attempt = |value| [Event::Done, SYSCALL, Event::Done, SYSCALL, differed(value), Event::Done];
    let (life, actions) = trace(DUAL, &[attempt(1), attempt(2), attempt(3)].concat());
    let failed = [PREPARE, FIRST, TURN_2, free(Run::Second, LIMIT), VERIFY_2, ROLL_BACK];
    let verdict = PERSISTENT;
    assert_eq!(actions, [&failed[..], &failed, &failed, &[verdict]].concat());
    assert_eq!((life.phase, life.difference), (verdict.0, Some(difference(3))));
}

#[test]
fn a_damaged_start_state_ends_in_a_verdict_at_once() {
    let damaged = Event::Damaged(difference(5));
    let twice = [Event::Done, SYSCALL, Event::Done, SYSCALL];
    let thrice = [&twice[..], &[Event::Done, SYSCALL]].concat();
    for (rules, before) in [
        (DUAL, &twice[..2]),
        (DUAL, &twice),
        (DUAL, &[&twice[..], &[differed(1)]].concat()),
        (TRIPLE, &twice),
        (TRIPLE, &thrice),
        (VOTE, &[&twice[..], &[differed(1)]].concat()),
    ] {
        let (life, actions) = trace(rules, &[before, &[damaged]].concat());
        assert_eq!(actions.last(), Some(&DAMAGED));
        assert_eq!((life.phase, life.difference), (DAMAGED.0, Some(difference(5))));
    }
}

#[test]
fn counter_misses_double_the_margin_up_to_the_count() {
    for run in [Run::Second, Run::Third] {
        let rules = if run == Run::Second { DUAL } else { TRIPLE };
        let turn = plain(Phase::Turning(run));
        let mut events = Vec::from([Event::Done, at_limit(1000)]);
        let mut expected = Vec::from([PREPARE, FIRST]);
        if run == Run::Third {
            events.extend([Event::Done, at_limit(1000)]);
            expected.extend([TURN_2, exact(Run::Second, 1000, 0)]);
        }
        for margin in [0, 2, 4, 8, 16, 32, 64, 128, 256, 512] {
            events.extend([Event::Done, overshot(1001)]);
            expected.extend([turn, exact(run, 1000, margin)]);
        }
        // The margin is longer than the way now: single steps, which cannot overshoot.
        events.extend([Event::Done, at_limit(1000), Event::Agreed]);
        expected.extend([turn, stepped(run, 1000, 1024), plain(Phase::Verifying(run)), COMMIT]);
        let (life, actions) = trace(rules, &events);
        assert_eq!(actions, expected);
        assert_eq!((life.phase, life.misses), (COMMIT.0, 10));
    }
}

#[test]
fn an_overshoot_of_single_steps_is_a_divergence() {
    let rules = Rules { margin: margin(500), ..DUAL };
    let events = [Event::Done, at_limit(1000), Event::Done, overshot(1001), Event::Done, overshot(1001)];
    let (life, actions) = trace(rules, &events);
    let runs = [exact(Run::Second, 1000, 500), TURN_2, stepped(Run::Second, 1000, 1000)];
    assert_eq!(actions, [&[PREPARE, FIRST, TURN_2], &runs[..], &[VERIFY_2]].concat());
    assert_eq!((life.phase, life.misses), (Phase::Verifying(Run::Second), 1));
}

#[test]
fn counter_misses_do_not_count_as_divergences() {
    let events =
        [Event::Done, at_limit(1000), Event::Done, overshot(1001), Event::Done, at_limit(1000), differed(9)];
    let (life, actions) = trace(DUAL, &events);
    assert_eq!(actions.last(), Some(&ROLL_BACK));
    assert_eq!((life.failed, life.misses, life.difference), (1, 1, Some(difference(9))));
}

#[test]
fn the_margin_starts_over_with_each_attempt() {
    let attempt = [Event::Done, at_limit(1000), Event::Done];
    let missed = [overshot(1001), Event::Done, at_limit(1000), differed(9), Event::Done];
    let (_, actions) = trace(DUAL, &[&attempt[..], &missed, &attempt].concat());
    assert_eq!(actions.last(), Some(&exact(Run::Second, 1000, 0)));
}

#[test]
fn a_watchdog_stop_of_run_1_is_a_divergence() {
    let watchdog = ended(Delimiter::Watchdog, 5000);
    for rules in [DUAL, VOTE, TRIPLE] {
        let (life, actions) = trace(rules, &[Event::Done, watchdog]);
        assert_eq!(actions, [PREPARE, FIRST, ROLL_BACK]);
        let first = Difference { field: Field::Delimiter, first: 5000, second: 0, address: 0 };
        assert_eq!((life.failed, life.difference), (1, Some(first)));
    }
}

#[test]
fn a_watchdog_stop_of_a_later_run_is_compared() {
    let watchdog = ended(Delimiter::Watchdog, 5000);
    for end in [SYSCALL, at_limit(1000)] {
        let (_, actions) = trace(DUAL, &[Event::Done, end, Event::Done, watchdog]);
        assert_eq!(actions.last(), Some(&VERIFY_2));
        let (_, actions) = trace(TRIPLE, &[Event::Done, end, Event::Done, end, Event::Done, watchdog]);
        assert_eq!(actions.last(), Some(&VERIFY_3));
    }
}

#[test]
fn a_program_that_only_the_watchdog_stops_gets_a_verdict() {
    let attempt = [Event::Done, ended(Delimiter::Watchdog, 5000), Event::Done];
    for rules in [DUAL, VOTE, TRIPLE] {
        let (life, actions) = trace(rules, &attempt.repeat(3));
        let endless = Difference { field: Field::Delimiter, first: 5000, second: 0, address: 0 };
        assert_eq!(actions.last(), Some(&PERSISTENT));
        assert_eq!((life.phase, life.difference), (PERSISTENT.0, Some(endless)));
    }
}

/// The ends of all runs, of which the second and the third missed the first one's as told.
fn all_ended(rules: Rules, ends: [End; 3], missed: [bool; 2]) -> (Lifecycle, Asked) {
    let mut life = Lifecycle::begin(Rules { at_once: true, ..rules });
    assert_eq!((plain(life.phase), feed(&mut life, Event::Done)), (PREPARE, ALL));
    (life.ends, life.arrived) = (ends, [true, !missed[0], !missed[1]]);
    let action = feed(&mut life, Event::AllEnded);
    (life, action)
}

#[test]
fn runs_at_once_need_no_turn() {
    let end = End { delimiter: Delimiter::Syscall, count: 7 };
    for (rules, verify) in [(DUAL, VERIFY_2), (VOTE, VERIFY_2), (TRIPLE, VERIFY_3)] {
        let (mut life, action) = all_ended(rules, [end; 3], [false; 2]);
        assert_eq!((action, feed(&mut life, Event::Agreed)), (verify, COMMIT));
    }
    let (mut life, _) = all_ended(VOTE, [end; 3], [false; 2]);
    assert_eq!(feed(&mut life, differed(1)), TURN_3);
    let (mut life, _) = all_ended(DUAL, [end; 3], [false; 2]);
    assert_eq!((feed(&mut life, differed(1)), feed(&mut life, Event::Done)), (ROLL_BACK, PREPARE));
    assert_eq!(feed(&mut life, Event::Done), ALL);
}

#[test]
fn of_runs_at_once_those_that_missed_are_repeated() {
    let at = |count| End { delimiter: Delimiter::Limit, count };
    let (mut life, action) = all_ended(TRIPLE, [at(1000), at(1000), at(1010)], [false, true]);
    assert_eq!((action, feed(&mut life, Event::Done)), (TURN_3, exact(Run::Third, 1000, 2)));
    assert_eq!((feed(&mut life, at_limit(1000)), life.misses), (VERIFY_3, 1));
    let (mut life, action) = all_ended(TRIPLE, [at(1005), at(1000), at(1010)], [true, true]);
    assert_eq!((action, feed(&mut life, Event::Done)), (TURN_2, exact(Run::Second, 1005, 2)));
    assert_eq!(
        (feed(&mut life, at_limit(1005)), feed(&mut life, Event::Done)),
        (TURN_3, exact(Run::Third, 1005, 4))
    );
    assert_eq!(feed(&mut life, at_limit(1005)), VERIFY_3);
}

#[test]
fn of_runs_at_once_the_first_one_needs_an_end_of_its_own() {
    let end = End { delimiter: Delimiter::Watchdog, count: 5000 };
    let (life, action) = all_ended(TRIPLE, [end; 3], [false; 2]);
    assert_eq!((action, life.failed), (ROLL_BACK, 1));
}

#[test]
fn events_that_answer_nothing_panic() {
    let end = End { delimiter: Delimiter::Limit, count: 10 };
    let difference = difference(1);
    let mut events = Vec::from([
        Event::Done,
        Event::Ended(end),
        Event::Overshot(end),
        Event::Agreed,
        Event::Differed(difference),
        Event::Damaged(difference),
    ]);
    events.extend(Run::ALL.map(|run| Event::Outvoted(run, difference)));
    // Each phase with how many of the events above it takes.
    let mut phases = Vec::from([
        (Phase::Preparing, 1),
        (Phase::Running(Run::First), 1),
        (Phase::RunningAll, 1),
        (Phase::RollingBack, 2),
        (Phase::Committing(None), 0),
        (Phase::GivingUp(Verdict::Damaged), 0),
        (Phase::Verifying(Run::Second), 3),
        (Phase::Verifying(Run::Third), 6),
    ]);
    for run in [Run::Second, Run::Third] {
        phases.extend([(Phase::Running(run), 2), (Phase::Turning(run), 2)]);
    }
    for (phase, taken) in phases {
        let took = |event: &&Event| {
            let mut life = Lifecycle::begin(DUAL);
            life.phase = phase;
            catch_unwind(AssertUnwindSafe(|| {
                let _ = feed(&mut life, **event);
            }))
            .is_ok()
        };
        assert_eq!(events.iter().filter(took).count(), taken, "{phase:?}");
    }
}
