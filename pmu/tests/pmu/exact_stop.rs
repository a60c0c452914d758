// SPDX-License-Identifier: MIT
//! Two executions stop at exactly the same place, whatever the counter does, and
//! the debug exceptions stay below the bound.

use std::sync::LazyLock;

use super::bench::{Any, MAKES, checked};
use pmu::exact::PATIENCE;
use pmu::{Calibration, Repeats};
use pmu_emulated::{Faults, Op, Processor, Program, Replayed, Rules, SkidModel, replay};
use proptest::prelude::*;

const SKIDS: [SkidModel; 7] = [
    SkidModel::None,
    SkidModel::Fixed(100),
    SkidModel::Fixed(10_000),
    SkidModel::Random(100),
    SkidModel::Random(10_000),
    SkidModel::LongTail(1_000),
    SkidModel::LongTail(10_000),
];

/// What calibration finds for each make and skid; it is the slow part.
static CALIBRATIONS: LazyLock<Vec<Vec<Calibration>>> = LazyLock::new(|| {
    let calibrate = |make, skid| {
        let (mut counter, report) = checked(make, Faults { skid, ..Faults::default() });
        assert!(report.passed(), "{report:?}");
        counter.counter().calibration
    };
    MAKES.iter().map(|&make| SKIDS.iter().map(|&skid| calibrate(make, skid)).collect()).collect()
});

const RULES: Rules = Rules { limit: 30_000, attempts: 24, passes: false };

/// Replays a program; the counter was calibrated with the skid that it has, and
/// with nothing else wrong.
fn play(make: usize, skid: usize, faults: Faults, program: &Program, rules: Rules) -> Replayed {
    play_repeats(make, (skid, skid), faults, program, rules, Repeats::PerIteration)
}

/// Replays a program twice, which comes to the same place: with every hit of a breakpoint told, and with those passed over
/// that need not be. Skids are the one that was calibrated and the one that the counter has.
fn play_repeats(
    make: usize,
    skids: (usize, usize),
    faults: Faults,
    program: &Program,
    rules: Rules,
    repeats: Repeats,
) -> Replayed {
    let [told, passed] = [false, true]
        .map(|passes| play_one(make, skids, faults, program, Rules { passes, ..rules }, repeats));
    let place = |it: Replayed| (it.position, it.exact, it.bound_kept);
    assert_eq!(place(told), place(passed));
    if faults == Faults::default() {
        // Others are drawn anew whenever the counter is armed.
        assert_eq!(told, passed);
    }
    told
}

fn play_one(
    make: usize,
    (calibrated, skid): (usize, usize),
    faults: Faults,
    program: &Program,
    rules: Rules,
    repeats: Repeats,
) -> Replayed {
    let mut counter = super::bench::counter(MAKES[make], Faults::default());
    match &mut counter {
        Any::Intel(counter) => counter.back_end.count_repeats(repeats),
        Any::Amd(counter) => counter.back_end.count_repeats(repeats),
    }
    counter.counter().calibration = CALIBRATIONS[make][calibrated];
    counter.unit().misbehave(Faults { skid: SKIDS[skid], ..faults });
    let processor = Processor::new(*program).counting_repeats(repeats);
    replay(&processor, counter.counter(), rules).expect("the place is reached")
}

/// 2,000 cases, or as many as PROPTEST_CASES says. Miri is a thousand times slower.
fn cases() -> ProptestConfig {
    let usual = if cfg!(miri) { 4 } else { 2_000 };
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    if asked { ProptestConfig::default() } else { ProptestConfig::with_cases(usual) }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn loops_of_any_length_stop_exactly(
        len in 1u8..=50,
        make in 0..MAKES.len(),
        skid in 0..SKIDS.len(),
        limit in 1u64..60_000,
    ) {
        let rules = Rules { limit, ..RULES };
        let replayed = play(make, skid, Faults::default(), &Program::loop_of(len), rules);
        prop_assert!(replayed.exact, "{replayed:?}");
        prop_assert!(replayed.bound_kept, "{replayed:?}");
        let near = CALIBRATIONS[make][skid].skid.largest;
        if replayed.misses == 0 {
            prop_assert!(replayed.debug_exceptions <= PATIENCE + near / u64::from(len) + 1, "{replayed:?}");
        }
    }

    #[test]
    fn irregular_code_stops_exactly_through_faults_and_strays(
        program in irregular(),
        make in 0..MAKES.len(),
        skid in 0..SKIDS.len(),
        limit in 1u64..30_000,
        per_instruction in any::<bool>(),
        stale in prop_oneof![Just(0u32), Just(3)],
        spurious in prop_oneof![Just(0u32), Just(3)],
        late in prop_oneof![Just(0u32), Just(2)],
    ) {
        let faults = Faults { stale, spurious, late, ..Faults::default() };
        let rules = Rules { limit, ..RULES };
        let repeats = if per_instruction { Repeats::PerInstruction } else { Repeats::PerIteration };
        let replayed = play_repeats(make, (skid, skid), faults, &program, rules, repeats);
        prop_assert!(replayed.exact, "{replayed:?}");
        prop_assert!(replayed.bound_kept, "{replayed:?}");
    }

    #[test]
    fn what_the_margin_does_not_cover_is_a_miss_and_stepped_at_last(
        program in irregular(),
        make in 0..MAKES.len(),
        skid in 0..SKIDS.len(),
        limit in 1u64..3_000,
        per_instruction in any::<bool>(),
    ) {
        let rules = Rules { limit, ..RULES };
        let repeats = if per_instruction { Repeats::PerInstruction } else { Repeats::PerIteration };
        // Calibrated without skid.
        let replayed = play_repeats(make, (0, skid), Faults::default(), &program, rules, repeats);
        prop_assert!(replayed.exact, "{replayed:?}");
        prop_assert!(replayed.bound_kept, "{replayed:?}");
    }
}

/// Straight-line code with everything in it, an inner loop, and all over again.
fn irregular() -> impl Strategy<Value = Program> {
    (proptest::collection::vec(0u8..9, 1..30), 2u32..40, 1u32..80_000).prop_map(
        |(ops, rounds, iterations)| {
            let mut program: Vec<_> = ops
                .iter()
                .map(|op| match op {
                    0 | 1 => Op::Plain,
                    2 => Op::Pause,
                    3 => Op::Store,
                    4 | 5 => Op::Repeat,
                    6 => Op::SetRcx(iterations),
                    7 => Op::Syscall,
                    _ => Op::SetRcx(rounds * 20),
                })
                .collect();
            program.push(Op::SetRax(rounds));
            let inner = program.len() as u8;
            program.extend([Op::Decrement, Op::Plain, Op::JumpUnlessZero(inner), Op::Jump(0)]);
            Program::new(&program)
        },
    )
}

#[test]
fn all_paths_are_taken() {
    let tight = Program::loop_of(1);
    let none = Faults::default();
    // A constant skid is hit with the second arming.
    let fixed = play(0, 2, none, &tight, RULES);
    assert!(fixed.exact && fixed.misses == 0 && fixed.debug_exceptions == PATIENCE, "{fixed:?}");
    // A random one leaves the rest to the breakpoint.
    let uniform = play(0, 4, none, &tight, RULES);
    assert!(uniform.exact && uniform.debug_exceptions > PATIENCE, "{uniform:?}");
    // In long loops the first arming is near enough.
    let long = play(0, 4, none, &Program::loop_of(50), RULES);
    assert!(long.exact && long.debug_exceptions < uniform.debug_exceptions / 10, "{long:?}");
    // An interrupt later than all before is a miss.
    let mut misses = 0;
    for limit in 1_000..1_100 {
        let rules = Rules { limit, ..RULES };
        let replayed = play_repeats(0, (0, 3), none, &tight, rules, Repeats::PerIteration);
        assert!(replayed.exact);
        misses += replayed.misses;
    }
    assert!(misses > 100, "{misses}");
    // Without a margin at all, the way is stepped in the end.
    let rules = Rules { limit: 10, ..RULES };
    let stepped = play_repeats(0, (0, 2), none, &tight, rules, Repeats::PerIteration);
    assert!(stepped.exact && stepped.misses > 0 && stepped.debug_exceptions >= 10, "{stepped:?}");
}

#[test]
fn interrupts_that_mean_nothing_are_counted_and_lose_nothing() {
    let program = Program::new(&[Op::Plain, Op::Syscall, Op::Plain, Op::Plain, Op::Jump(0)]);
    let strays = |faults| {
        let replayed = play(0, 4, faults, &program, RULES);
        assert!(replayed.exact && replayed.bound_kept, "{replayed:?}");
        replayed.strays
    };
    // Some are late by their skid alone: the overflow was before the system call.
    assert!((1..10).contains(&strays(Faults::default())));
    assert!(strays(Faults { stale: 100, ..Faults::default() }) > 50);
    assert!(strays(Faults { late: 100, ..Faults::default() }) > 50);
    assert!(strays(Faults { spurious: 10, ..Faults::default() }) > 0);
}

#[test]
fn a_place_inside_a_repeated_instruction_costs_one_debug_exception() {
    let program = Program::new(&[Op::SetRcx(5_000), Op::Repeat, Op::Jump(0)]);
    let rules = Rules { limit: 3_000, ..RULES };
    let replayed = play(0, 1, Faults::default(), &program, rules);
    assert!(replayed.exact && replayed.position.rcx > 0, "{replayed:?}");
    assert!(replayed.debug_exceptions <= 2, "{replayed:?}");
}

#[test]
fn a_repeated_instruction_that_counts_once_is_run_to_its_end_or_split() {
    let faults = Faults::default();
    for (iterations, behind) in [(1_000, true), (60_000, true), (400_000, false)] {
        let program = Program::new(&[Op::Plain, Op::SetRcx(iterations), Op::Repeat, Op::Plain, Op::Jump(0)]);
        let rules = Rules { limit: 2, ..RULES };
        let replayed = play_repeats(0, (0, 0), faults, &program, rules, Repeats::PerInstruction);
        assert!(replayed.exact && replayed.debug_exceptions <= 2, "{replayed:?}");
        assert_eq!(replayed.position.rcx == 0, behind, "{replayed:?}");
        assert_eq!(replayed.position.count, if behind { 3 } else { 2 });
    }
}
