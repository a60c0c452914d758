// SPDX-License-Identifier: MIT
//! The drivers of hardware counters prove themselves on registers in software.

use pmu::check::Check;
use pmu::{BackEnd, Clock, Counter, Overflow, amd, intel};
use pmu_emulated::{AmdModel, AmdUnit, Emulated, Faults, IntelModel, IntelUnit, SkidModel};

use wire::checks::Text;

use super::counters::examine;
use super::fixture::Fixture;
use super::{Found, Test, check};

pub const TESTS: &[Test] = &[
    ("counter: the emulated Intel unit passes all self-checks", intel),
    ("counter: the emulated AMD unit passes all self-checks", amd),
    ("counter: an emulated unit that swallows writes is refused", swallowed),
    ("counter: one that goes on in System Management Mode is refused", thawing),
    ("counter: one of Zen's that speculates on locks is refused", speculating),
];

const VECTOR: u8 = 0xfe;
const SEED: u64 = 0x5245_5052_4953_4501;

fn intel_unit(clock: Clock, faults: Faults) -> Counter<Emulated<Overflow<IntelUnit>>> {
    let mut unit = IntelUnit::new(IntelModel::default(), Faults { seed: SEED, ..faults });
    match intel::find(&mut unit) {
        Ok(found) => Emulated::counter(Overflow::new(unit, found, VECTOR), clock),
        Err(absent) => panic!("{}", Text(&absent)),
    }
}

fn intel(fixture: &mut Fixture) -> Found {
    let faults = Faults { skid: SkidModel::Random(1_000), per_fault: 1, ..Faults::default() };
    let (mut counter, report) =
        examine(fixture, |clock| intel_unit(clock, faults)).map_err(|fault| alloc::format!("{fault:?}"))?;
    check!(report.passed(), "\n{}", Text(&report));
    let far = counter.margin().far;
    check!((1_900..=2_064).contains(&far), "a margin of {far} for a skid up to 1,000");
    let would_fault = counter.back_end.unit().would_fault();
    check!(would_fault == 0, "{would_fault} accesses would fault");
    Ok(())
}

fn amd_unit(clock: Clock, model: AmdModel, faults: Faults) -> Counter<Emulated<Overflow<AmdUnit>>> {
    let unit = AmdUnit::new(model, Faults { seed: SEED, ..faults });
    match amd::find(&unit) {
        Ok(found) => Emulated::counter(Overflow::new(unit, found, VECTOR), clock),
        Err(absent) => panic!("{}", Text(&absent)),
    }
}

fn amd(fixture: &mut Fixture) -> Found {
    let faults = Faults { skid: SkidModel::LongTail(10_000), per_interrupt: 1, ..Faults::default() };
    let make = |clock| amd_unit(clock, AmdModel::default(), faults);
    let (mut counter, report) = examine(fixture, make).map_err(|fault| alloc::format!("{fault:?}"))?;
    check!(report.passed(), "\n{}", Text(&report));
    let margin = counter.margin();
    check!(margin.near < margin.far / 2, "the long tail decides: {margin:?}");
    let would_fault = counter.back_end.unit().would_fault();
    check!(would_fault == 0, "{would_fault} accesses would fault");
    Ok(())
}

/// Examines a counter that is to fail this check before all others.
fn refused<B: BackEnd>(
    fixture: &mut Fixture,
    expected: Check,
    make: impl FnOnce(Clock) -> Counter<B>,
) -> Found {
    let (_, report) = examine(fixture, make).map_err(|fault| alloc::format!("{fault:?}"))?;
    let refused = report.refusal().map(|row| row.check);
    check!(refused == Some(expected), "\n{}", Text(&report));
    Ok(())
}

fn swallowed(fixture: &mut Fixture) -> Found {
    let faults = Faults { swallows_writes: true, ..Faults::default() };
    refused(fixture, Check::Present, |clock| intel_unit(clock, faults))
}

fn thawing(fixture: &mut Fixture) -> Found {
    let faults = Faults { thaws: true, ..Faults::default() };
    refused(fixture, Check::Managed, |clock| intel_unit(clock, faults))
}

fn speculating(fixture: &mut Fixture) -> Found {
    let zen = AmdModel { family: 0x17, version2: false, hypervisor: false };
    let faults = Faults { speculates: true, ..Faults::default() };
    refused(fixture, Check::Locks, |clock| amd_unit(clock, zen, faults))
}
