// SPDX-License-Identifier: MIT
//! Emulated counters of every make, calibrated on the model processor.

use pmu::check::{self, Report};
use pmu::{BackEnd, Counter, Overflow, VirtualTime, amd, intel};
use pmu_emulated::{
    AmdModel, AmdUnit, Emulated, Faults, IntelModel, IntelUnit, Op, Processor, Program, StepFaults, Unit,
};

pub const VECTOR: u8 = 0xfe;
const SEED: u64 = 0x5245_5052_4953_4501;

pub const MAKES: [Make; 6] = [
    Make::Intel(IntelModel { tsx: true, ..intel_model(5, 48) }),
    Make::Intel(IntelModel { full_width: false, freezes_in_smm: false, ..intel_model(4, 48) }),
    Make::Intel(IntelModel { full_width: false, ..intel_model(2, 40) }),
    Make::Amd(amd_model(0x19, true)),
    Make::Amd(amd_model(0x17, false)),
    Make::Amd(amd_model(0x15, false)),
];

pub const fn intel_model(version: u8, width: u8) -> IntelModel {
    IntelModel { version, width, full_width: true, tsx: false, freezes_in_smm: true, hypervisor: false }
}

pub const fn amd_model(family: u8, version2: bool) -> AmdModel {
    AmdModel { family, version2, hypervisor: false }
}

#[derive(Clone, Copy, Debug)]
pub enum Make {
    Intel(IntelModel),
    Amd(AmdModel),
}

pub enum Any {
    Intel(Counter<Emulated<Overflow<IntelUnit>>>),
    Amd(Counter<Emulated<Overflow<AmdUnit>>>),
}

impl Any {
    pub fn counter(&mut self) -> &mut Counter<dyn BackEnd> {
        match self {
            Self::Intel(counter) => counter,
            Self::Amd(counter) => counter,
        }
    }

    pub fn unit(&mut self) -> &mut Unit {
        match self {
            Self::Intel(counter) => counter.back_end.unit(),
            Self::Amd(counter) => counter.back_end.unit(),
        }
    }
}

/// A processor to calibrate on.
pub fn processor() -> Processor {
    Processor::new(Program::new(&[Op::Syscall]))
}

/// An emulated counter that misbehaves as told, not calibrated.
pub fn counter(make: Make, faults: Faults) -> Any {
    let faults = Faults { seed: SEED, ..faults };
    let clock = VirtualTime::calibrate(&mut processor()).unwrap();
    match make {
        Make::Intel(model) => {
            let mut unit = IntelUnit::new(model, faults);
            let found = intel::find(&mut unit).unwrap();
            Any::Intel(Emulated::counter(Overflow::new(unit, found, VECTOR), clock))
        }
        Make::Amd(model) => {
            let unit = AmdUnit::new(model, faults);
            let found = amd::find(&unit).unwrap();
            Any::Amd(Emulated::counter(Overflow::new(unit, found, VECTOR), clock))
        }
    }
}

/// One that has been checked, and the result.
pub fn checked(make: Make, faults: Faults) -> (Any, Report) {
    checked_on(StepFaults::default(), make, faults)
}

/// Likewise, on a processor whose debug exceptions misbehave as told.
pub fn checked_on(steps: StepFaults, make: Make, faults: Faults) -> (Any, Report) {
    let mut counter = counter(make, faults);
    let report = check::run(counter.counter(), &mut processor().misbehaving(steps));
    (counter, report)
}
