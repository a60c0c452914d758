// SPDX-License-Identifier: MIT
//! Every self-check fails when the emulated counter does what the check is for,
//! on every make, and passes when it does nothing wrong.

use super::bench::{MAKES, Make, checked, checked_on};
use pmu::check::{Check, Measured, Report};
use pmu::{Biases, Overflow, Skid, Smm, Trapped, amd, intel};
use pmu_emulated::{AmdModel, Faults, IntelModel, SkidModel, StepFaults};
use strum::VariantArray as _;

const INTEL: Make = MAKES[0];
/// It cannot be told to stand still in System Management Mode.
const INTEL_IN_SMM: Make = MAKES[1];
const AMD: Make = MAKES[3];
const ZEN: Make = MAKES[4];

/// Checks every make, and that `check` refuses it with what `expected` says.
fn refuses(check: Check, faults: Faults, expected: fn(Measured) -> bool) {
    for make in MAKES {
        refuses_make(make, check, faults, expected);
    }
}

fn refuses_make(make: Make, check: Check, faults: Faults, expected: fn(Measured) -> bool) {
    let (_, report) = checked(make, faults);
    is_refused(make, check, &report, expected);
}

/// What a check came to.
fn outcome(report: &Report, check: Check) -> Result<Measured, Measured> {
    let row = report.rows().find(|row| row.check == check);
    row.unwrap_or_else(|| panic!("{check:?} was not reached: {report:?}")).outcome
}

fn is_refused(make: Make, check: Check, report: &Report, expected: fn(Measured) -> bool) {
    let wrong = outcome(report, check).expect_err("the check is passed");
    assert!(expected(wrong), "{make:?}\n{report:?}");
    assert!(!report.passed());
}

#[test]
fn all_pass_on_every_make_that_behaves() {
    for make in MAKES {
        let (mut counter, report) = checked(make, Faults::default());
        assert!(report.passed(), "{make:?}\n{report:?}");
        assert_eq!(report.rows().count(), Check::VARIANTS.len());
        assert_eq!(counter.counter().calibration.biases, Biases::default());
        assert_eq!(counter.counter().margin().far, 0);
        assert_eq!(counter.unit().would_fault(), 0, "{make:?}: an access would fault");
    }
}

#[test]
fn swallowed_writes_fail_present() {
    let faults = Faults { swallows_writes: true, ..Faults::default() };
    refuses(Check::Present, faults, |measured| matches!(measured, Measured::Unkept(_)));
}

#[test]
fn a_counter_that_stands_still_fails_moves() {
    let faults = Faults { stops_after: Some(0), ..Faults::default() };
    refuses(Check::Moves, faults, |measured| matches!(measured, Measured::Counted { counted: 0, .. }));
}

#[test]
fn a_count_that_is_sometimes_one_too_high_fails_exact() {
    let faults = Faults { wobble: 1_000, ..Faults::default() };
    refuses(Check::Exact, faults, |measured| measured == Measured::Spread { least: 0, most: 1 });
}

#[test]
fn a_counter_that_stops_in_between_fails_exact() {
    let faults = Faults { stops_after: Some(1_000_000), ..Faults::default() };
    refuses(Check::Exact, faults, |measured| matches!(measured, Measured::Spread { least: ..0, most: 0 }));
}

#[test]
fn missing_bits_fail_width() {
    for bits in [24, 28] {
        let faults = Faults { narrow: Some(bits), ..Faults::default() };
        refuses(Check::Width, faults, |measured| matches!(measured, Measured::Budget(_)));
    }
    for bits in [32, 36, 47] {
        let faults = Faults { narrow: Some(bits), ..Faults::default() };
        for make in [INTEL, AMD] {
            refuses_make(make, Check::Width, faults, |measured| matches!(measured, Measured::Budget(_)));
        }
    }
}

#[test]
fn an_entry_that_masks_itself_for_good_fails_one_interrupt() {
    let faults = Faults { masks_for_good: true, ..Faults::default() };
    refuses(Check::OneInterrupt, faults, |measured| measured == Measured::NoInterrupt(2));
}

#[test]
fn a_lost_interrupt_fails_one_interrupt() {
    let faults = Faults { lost: 1, ..Faults::default() };
    refuses(Check::OneInterrupt, faults, |measured| measured == Measured::NoInterrupt(1));
}

#[test]
fn a_stale_interrupt_fails_one_interrupt() {
    let faults = Faults { stale: 1, ..Faults::default() };
    refuses(Check::OneInterrupt, faults, |measured| measured == Measured::Uncalled);
}

#[test]
fn an_interrupt_in_the_kernel_after_a_system_call_fails_one_interrupt() {
    let faults = Faults { late: 1, ..Faults::default() };
    refuses(Check::OneInterrupt, faults, |measured| measured == Measured::Late);
}

#[test]
fn a_status_that_stays_set_fails_clear() {
    let faults = Faults { sticky_status: true, ..Faults::default() };
    // Without global registers there is no status that could stay.
    for make in MAKES {
        if !matches!(make, Make::Amd(AmdModel { version2: false, .. })) {
            let still_set = |measured| measured == Measured::StillSet;
            refuses_make(make, Check::Clear, faults, still_set);
        }
    }
}

#[test]
fn a_bias_that_varies_fails_bias() {
    let faults = Faults { uneven: 20, ..Faults::default() };
    refuses(Check::Bias, faults, |measured| measured == Measured::Spread { least: 0, most: 1 });
}

#[test]
fn spurious_interrupts_fail_skid() {
    let faults = Faults { spurious: 100, ..Faults::default() };
    refuses(Check::Skid, faults, |measured| measured == Measured::Uncalled);
}

#[test]
fn interrupts_that_are_late_beyond_use_fail_skid() {
    let faults = Faults { skid: SkidModel::Fixed(1 << 19), ..Faults::default() };
    refuses(
        Check::Skid,
        faults,
        |measured| matches!(measured, Measured::Stop { asked: 100, seen } if seen == 100 + (1 << 19)),
    );
}

#[test]
fn instructions_that_an_interrupt_adds_afterwards_fail_undisturbed() {
    let faults = Faults { after_interrupt: 1, ..Faults::default() };
    refuses(
        Check::Undisturbed,
        faults,
        |measured| matches!(measured, Measured::Counted { executed, counted } if counted > executed),
    );
}

#[test]
fn locks_on_speculation_fail_locks() {
    let faults = Faults { speculates: true, ..Faults::default() };
    // One stretch of 500 rounds, and its SYSCALL.
    let speculative = |measured| measured == Measured::Speculative(500);
    refuses_make(ZEN, Check::Locks, faults, speculative);
    let speculating = |make, faults| {
        let (_, report) = checked(make, faults);
        outcome(&report, Check::Locks)
    };
    let none = Faults::default();
    assert_eq!(speculating(ZEN, none), Ok(Measured::Speculative(0)));
    for make in [INTEL, AMD, Make::Amd(super::bench::amd_model(0x15, false))] {
        assert_eq!(speculating(make, none), Ok(Measured::Blocks(16)), "{make:?}");
    }
}

#[test]
fn a_block_of_locks_that_counts_more_fails_locks() {
    let faults = Faults { wobble: 3, ..Faults::default() };
    refuses(Check::Locks, faults, |measured| {
        measured == Measured::Counted { executed: 1_501, counted: 1_502 }
    });
}

/// Checks every make with debug exceptions that misbehave.
fn refuses_steps(steps: StepFaults, expected: fn(Measured) -> bool) {
    for make in MAKES {
        let (_, report) = checked_on(steps, make, Faults::default());
        is_refused(make, Check::Steps, &report, expected);
    }
}

#[test]
fn a_step_that_takes_two_instructions_fails_steps() {
    let steps = StepFaults { swallows: 100, ..StepFaults::default() };
    refuses_steps(steps, |measured| matches!(measured, Measured::Step(_, 2)));
}

#[test]
fn a_shadow_over_two_instructions_fails_steps() {
    let steps = StepFaults { long_shadow: true, ..StepFaults::default() };
    refuses_steps(steps, |measured| measured == Measured::Step(Trapped::Shadow, 3));
}

#[test]
fn a_trap_flag_that_traps_nothing_fails_steps() {
    let steps = StepFaults { untrapped: true, ..StepFaults::default() };
    refuses_steps(steps, |measured| measured == Measured::Untrapped(Trapped::Plain));
}

#[test]
fn a_trap_flag_that_shows_when_clear_fails_steps() {
    let steps = StepFaults { shows_trap: true, ..StepFaults::default() };
    refuses_steps(steps, |measured| measured == Measured::TrapShown);
}

#[test]
fn steps_over_what_holds_them_back_are_told() {
    let (_, report) = checked(INTEL, Faults::default());
    let steps = 16 * (4 + 3 + 3 + 4);
    let expected = Measured::Steps { steps, shadow: 2, pause: 2, shown: true };
    assert_eq!(outcome(&report, Check::Steps), Ok(expected));
}

/// The same processor under a hypervisor.
fn lent(make: Make) -> Make {
    match make {
        Make::Intel(model) => Make::Intel(IntelModel { hypervisor: true, ..model }),
        Make::Amd(model) => Make::Amd(AmdModel { hypervisor: true, ..model }),
    }
}

/// That a counter was taken away in one of 15,000 stretches is seldom found in the
/// 7,000 of one trial.
#[test]
fn a_counter_that_is_taken_away_at_times_fails_trials() {
    let faults = Faults { shared: 15_000, ..Faults::default() };
    for make in [INTEL, AMD] {
        let (_, report) = checked(make, faults);
        assert!(report.passed(), "the first trial finds it already:\n{report:?}");
        assert_eq!(outcome(&report, Check::Trials), Ok(Measured::AsAsked));
        refuses_make(lent(make), Check::Trials, faults, |measured| {
            matches!(
                measured,
                Measured::Spread { .. } | Measured::Uncalled | Measured::Premature | Measured::Counted { .. }
            )
        });
    }
    for make in MAKES.map(lent) {
        let (mut counter, report) = checked(make, Faults::default());
        assert!(report.passed(), "{make:?}\n{report:?}");
        assert_eq!(outcome(&report, Check::Trials), Ok(Measured::Trials(9)));
        assert_eq!(counter.counter().calibration.skid.samples, 9_000);
        assert_eq!(counter.unit().would_fault(), 0, "{make:?}: an access would fault");
    }
}

/// What it counts too much is a constant in each trial, and the same in all.
#[test]
fn a_counter_that_is_lent_may_have_biases() {
    let faults = Faults { per_fault: 1, per_interrupt: 2, skid: SkidModel::Random(100), ..Faults::default() };
    for make in MAKES.map(lent) {
        let (mut counter, report) = checked(make, faults);
        assert!(report.passed(), "{make:?}\n{report:?}");
        let expected = Biases([2, 1, 1, 0]);
        assert_eq!(counter.counter().calibration.biases, expected);
    }
}

#[test]
fn a_visit_to_system_management_mode_fails_managed() {
    let faults = Faults { smi: 1_000, ..Faults::default() };
    refuses_make(INTEL_IN_SMM, Check::Managed, faults, |measured| {
        matches!(measured, Measured::Managed(Smm { freezes: None, interrupts: Some(1..) }))
    });
    // Where the counter stands still meanwhile it does no harm, and is told.
    let (_, report) = checked(INTEL, faults);
    assert!(report.passed(), "{report:?}");
    let seen = outcome(&report, Check::Managed);
    assert!(
        matches!(seen, Ok(Measured::Managed(Smm { freezes: Some(true), interrupts: Some(1..) }))),
        "{seen:?}"
    );
    // AMD's does not say where it has been, but its counts do.
    refuses_make(AMD, Check::Exact, faults, |measured| measured == Measured::Spread { least: 0, most: 1 });
}

#[test]
fn a_counter_that_goes_on_in_system_management_mode_fails_managed() {
    let faults = Faults { thaws: true, ..Faults::default() };
    refuses_make(INTEL, Check::Managed, faults, |measured| {
        measured == Measured::Managed(Smm { freezes: Some(false), interrupts: Some(0) })
    });
}

#[test]
fn a_constant_bias_passes_and_is_measured() {
    for (make, per_fault, per_interrupt) in [(INTEL, 1, 0), (INTEL, 1, 1), (AMD, 2, 1), (AMD, 0, 3)] {
        let (mut counter, report) = checked(make, Faults { per_fault, per_interrupt, ..Faults::default() });
        assert!(report.passed(), "{make:?}\n{report:?}");
        let biases = counter.counter().calibration.biases;
        let expected = [per_interrupt, per_fault, per_fault, 0].map(i64::from);
        assert_eq!(biases.0, expected);
    }
}

#[test]
fn skid_is_measured_and_doubled() {
    let skids = [
        (SkidModel::Fixed(100), 100..=100, 264),
        (SkidModel::Fixed(10_000), 10_000..=10_000, 20_064),
        (SkidModel::Random(100), 99..=100, 264),
        (SkidModel::Random(10_000), 9_900..=10_000, 20_064),
        (SkidModel::LongTail(10_000), 1_000..=10_000, 20_064),
    ];
    for make in MAKES {
        for (skid, largest, most) in skids.clone() {
            let (mut counter, report) = checked(make, Faults { skid, ..Faults::default() });
            assert!(report.passed(), "{make:?} {skid:?}\n{report:?}");
            let Skid { samples, least, common, largest: seen } = counter.counter().calibration.skid;
            assert!(largest.contains(&seen), "{make:?} {skid:?}: {seen}");
            assert!(samples == 1_000 && least <= common && common <= seen);
            let margin = counter.counter().margin();
            assert!(margin.far == 2 * seen + 64 && margin.far <= most);
            assert!(margin.near <= seen);
        }
    }
    let (mut counter, _) = checked(INTEL, Faults { skid: SkidModel::LongTail(10_000), ..Faults::default() });
    let margin = counter.counter().margin();
    assert!(margin.near < margin.far / 2, "a long tail does not decide about tight loops: {margin:?}");
}

#[test]
fn what_is_in_the_way_is_turned_off() {
    use pmu_emulated::{AmdUnit, IntelUnit};
    let model = IntelModel { tsx: true, ..IntelModel::default() };
    let mut unit = IntelUnit::new(model, Faults::default());
    assert_eq!(unit.debug_control() & (1 << 12), 1 << 12, "firmware has left freezing on");
    let found = intel::find(&mut unit).unwrap();
    let mut counter = Overflow::new(unit, found, super::bench::VECTOR);
    assert_eq!(counter.registers_mut().debug_control(), 1 << 14, "freeze in SMM, and only there");
    assert_eq!(counter.registers_mut().tsx_control(), 0b11, "transactions off");

    let unit = AmdUnit::new(super::bench::amd_model(0x17, false), Faults::default());
    let found = amd::find(&unit).unwrap();
    let mut counter = Overflow::new(unit, found, super::bench::VECTOR);
    assert_eq!(counter.registers_mut().load_store_config(), 1 << 54, "SpecLockMap off");
}
