// SPDX-License-Identifier: MIT
//! Single moves; that they lead to the target is shown on the model processor, in
//! `tests/exact_stop.rs`.

use super::*;

const TARGET: Position = Position { count: 50_000, rip: 0x1000, rcx: 7 };
const MARGIN: Margin = Margin { far: 264, near: 100 };

/// Every eighth address has a REP string instruction, the next one PAUSE.
struct Code;

impl Decoder for Code {
    fn decode(&mut self, rip: u64) -> Instruction {
        Instruction {
            repeats: rip.is_multiple_of(8),
            holds_debug_back: rip % 8 == 1,
            shows_trap: rip % 8 == 6,
            ..Instruction::plain(rip + 2)
        }
    }
}

fn at(count: u64, rip: u64) -> Position {
    Position { count, rip, rcx: TARGET.rcx }
}

fn way(repeats: Repeats) -> ExactStop {
    ExactStop::new(TARGET, MARGIN, repeats)
}

#[test]
fn far_away_the_counter_is_armed_then_the_breakpoint() {
    let mut way = way(Repeats::PerIteration);
    assert_eq!(way.next(at(0, 0x1004), None, &mut Code), Move::Count { budget: 49_736 });
    let stopped = Some(StopKind::Counter);
    // Stopped early: an interrupt that meant nothing.
    assert_eq!(way.next(at(100, 0x1004), stopped, &mut Code), Move::Count { budget: 49_636 });
    let net = 200 + 264 + 1;
    assert_eq!(
        way.next(at(49_800, 0x1004), stopped, &mut Code),
        Move::Breakpoint { rip: 0x1000, resume: false, budget: net, pass: None }
    );
    assert_eq!(way.next(TARGET, Some(StopKind::Debug), &mut Code), Move::Arrived);
    assert_eq!(way.debug_exceptions(), 1);
}

#[test]
fn hits_that_are_not_worth_it_arm_the_counter_again_once() {
    let mut way = way(Repeats::PerIteration);
    let mut counts = 0;
    let mut count = 49_740;
    let mut stopped = None;
    while count < TARGET.count {
        stopped = Some(match way.next(at(count, 0x1000), stopped, &mut Code) {
            Move::Count { budget } => {
                counts += 1;
                count += budget;
                StopKind::Counter
            }
            Move::Breakpoint { resume, .. } => {
                assert!(resume, "execution stands on it");
                count += 1;
                StopKind::Debug
            }
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(way.next(TARGET, stopped, &mut Code), Move::Arrived);
    assert_eq!((counts, way.debug_exceptions()), (1, PATIENCE + MARGIN.near));
    assert!(way.debug_exceptions() <= way.bound());
}

#[test]
fn hits_behind_the_near_margin_are_passed_over_up_to_the_target() {
    let mut way = way(Repeats::PerIteration);
    let _ = way.next(at(0, 0x1004), None, &mut Code);
    let stopped = Some(StopKind::Counter);
    let pass_at = |way: &mut ExactStop, count| match way.next(at(count, 0x1004), stopped, &mut Code) {
        Move::Breakpoint { pass, .. } => pass,
        other => panic!("{other:?}"),
    };
    assert_eq!(pass_at(&mut way, TARGET.count - MARGIN.near - 1), None);
    let pass = pass_at(&mut way, TARGET.count - MARGIN.near).unwrap();
    assert_eq!(pass, Pass { left: MARGIN.near, rcx: TARGET.rcx });
    assert!(pass.is_over(0, TARGET.rcx) && pass.is_over(MARGIN.near - 1, TARGET.rcx));
    assert!(!pass.is_over(MARGIN.near, TARGET.rcx) && !pass.is_over(MARGIN.near + 1, TARGET.rcx));
    // So many iterations ahead the target may be inside.
    assert!(!pass.is_over(60, TARGET.rcx + 40) && pass.is_over(60, TARGET.rcx + 41));
    way.passed(17);
    assert_eq!(way.next(TARGET, Some(StopKind::Debug), &mut Code), Move::Arrived);
    assert_eq!(way.debug_exceptions(), 17 + 1);
}

#[test]
fn beyond_the_target_it_depends_on_what_went_there() {
    let mut way = way(Repeats::PerIteration);
    let _ = way.next(at(0, 0x1004), None, &mut Code);
    let beyond = at(TARGET.count + 1, 0x1004);
    assert_eq!(way.next(beyond, Some(StopKind::Counter), &mut Code), Move::Missed);
    let mut way = way.again();
    assert_eq!(way.next(at(0, 0x1004), None, &mut Code), Move::Count { budget: 50_000 - 528 });
    let _ = way.next(at(49_700, 0x1004), Some(StopKind::Counter), &mut Code);
    assert_eq!(way.next(beyond, Some(StopKind::Counter), &mut Code), Move::Strayed);
}

#[test]
fn a_margin_as_long_as_the_way_means_steps_but_not_over_what_swallows_them() {
    let mut way = way(Repeats::PerInstruction);
    while way.margin.near < TARGET.count {
        assert!(!way.stepping);
        way = way.again();
    }
    assert_eq!(way.next(at(0, 0x1002), None, &mut Code), Move::Step);
    // PAUSE in the middle takes one more along; before the target that would be too far.
    assert_eq!(way.next(at(1, 0x1001), Some(StopKind::Debug), &mut Code), Move::Step);
    let last = way.next(at(TARGET.count - 1, 0x1001), Some(StopKind::Debug), &mut Code);
    assert!(matches!(last, Move::Breakpoint { rip: 0x1000, resume: false, .. }), "{last:?}");
    // The trap flag would show in what PUSHF stores.
    let shown = way.next(at(9, 0x1006), Some(StopKind::Debug), &mut Code);
    assert!(matches!(shown, Move::Breakpoint { rip: 0x1008, .. }), "{shown:?}");
    // A REP string instruction would be stepped for ever.
    let repeat = way.next(at(10, 0x1008), Some(StopKind::Debug), &mut Code);
    assert!(matches!(repeat, Move::Breakpoint { rip: 0x100a, .. }), "{repeat:?}");
}

#[test]
fn a_way_that_is_to_be_stepped_is_stepped_from_its_start() {
    let mut way = way(Repeats::PerIteration).stepped();
    assert_eq!(way.bound(), TARGET.count + 1);
    assert_eq!(way.next(at(0, 0x1002), None, &mut Code), Move::Step);
    assert_eq!(way.next(at(1, 0x1004), Some(StopKind::Debug), &mut Code), Move::Step);
}

#[test]
fn a_way_is_bounded_by_patience_and_the_near_margin() {
    let way = way(Repeats::PerIteration);
    assert_eq!(way.bound(), 4 + 100 + 1);
    assert_eq!(way.again().bound(), 4 + 200 + 1);
}

#[test]
fn inside_a_repeated_instruction_the_iterations_are_counted_out() {
    let start = |count| Position { count, rip: TARGET.rip, rcx: 1007 };
    // Counted each: this is the right execution of it, if the count fits RCX.
    let mut way = way(Repeats::PerIteration);
    let piece = Piece { rip: 0x1000, next: 0x1002, iterations: 1000, rest: 7, ends_on: None };
    assert_eq!(way.next(start(49_000), None, &mut Code), Move::Repeat(piece));
    assert!(matches!(way.next(start(48_000), None, &mut Code), Move::Count { .. }));
    // Counted as one: the count is that at its start.
    let mut way = ExactStop::new(TARGET, MARGIN, Repeats::PerInstruction);
    assert!(matches!(way.next(start(49_000), None, &mut Code), Move::Count { .. }));
    assert_eq!(way.next(start(50_000), None, &mut Code), Move::Repeat(piece));
}

#[test]
fn where_rcx_is_zero_the_last_iteration_is_not_taken_along() {
    let target = Position { rcx: 0, ..TARGET };
    let mut way = ExactStop::new(target, MARGIN, Repeats::PerIteration);
    let piece = Piece { rip: 0x1000, next: 0x1002, iterations: 999, rest: 1, ends_on: None };
    let start = Position { count: 49_000, rip: TARGET.rip, rcx: 1000 };
    assert_eq!(way.next(start, None, &mut Code), Move::Repeat(piece));
    let last = Position { count: 49_999, rcx: 1, ..start };
    let next = way.next(last, Some(StopKind::Debug), &mut Code);
    assert!(matches!(next, Move::Breakpoint { rip: 0x1000, resume: true, .. }), "{next:?}");
}

#[test]
fn a_shadow_and_what_shows_the_trap_flag_are_taken_together() {
    struct Shadowed;
    impl Decoder for Shadowed {
        fn decode(&mut self, rip: u64) -> Instruction {
            Instruction { holds_debug_back: rip == 1, shows_trap: rip == 3, ..Instruction::plain(rip + 2) }
        }
    }
    assert_eq!(single(1, &mut Shadowed), Single::Around { next: 5 });
    assert_eq!(single(3, &mut Shadowed), Single::Around { next: 5 });
    assert_eq!(single(5, &mut Shadowed), Single::Trap);
}

#[test]
fn a_piece_puts_back_what_it_took() {
    let here = |rcx| run_on(Position { count: 1, rip: 0x1000, rcx }, Code.decode(0x1000));
    assert_eq!(here(0), None);
    let all = here(65_536).unwrap();
    assert_eq!((all.iterations, all.rest), (65_536, 0));
    assert_eq!(all.settle(0x1002, 0, false), (0x1002, 0));
    let one_more = here(65_537).unwrap();
    assert_eq!(one_more.settle(0x1002, 0, false), (0x1000, 1), "one iteration is left");
    let split = here(100_000).unwrap();
    assert_eq!((split.iterations, split.rest), (65_536, 34_464));
    assert_eq!(split.settle(0x1002, 0, false), (0x1000, 34_464), "more iterations are left");
    assert_eq!(split.settle(0x1002, 5, true), (0x1002, 34_469), "REPE CMPS found a difference");
    assert_eq!(split.settle(0x1002, 0, true), (0x1002, 34_464), "in the last iteration");
    assert_eq!(split.settle(0x1000, 60_000, false), (0x1000, 94_464), "a page fault inside");
}
