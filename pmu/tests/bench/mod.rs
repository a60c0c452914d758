// SPDX-License-Identifier: MIT
//! Emulated counters of every make, calibrated on the model processor.

use pmu::amd::Amd;
use pmu::check::{self, Report};
use pmu::emulated::{
    AmdModel, AmdUnit, Emulated, Faults, IntelModel, IntelUnit, Op, Processor, Program, Unit,
};
use pmu::intel::Intel;
use pmu::{Counter, VirtualTime};

pub const VECTOR: u8 = 0xfe;
const SEED: u64 = 0x5245_5052_4953_4501;

pub const MAKES: [Make; 6] = [
    Make::Intel(IntelModel { version: 5, width: 48, full_width: true, tsx: true }),
    Make::Intel(IntelModel { version: 4, width: 48, full_width: false, tsx: false }),
    Make::Intel(IntelModel { version: 2, width: 40, full_width: false, tsx: false }),
    Make::Amd(AmdModel { family: 0x19, version2: true }),
    Make::Amd(AmdModel { family: 0x17, version2: false }),
    Make::Amd(AmdModel { family: 0x15, version2: false }),
];

#[derive(Clone, Copy, Debug)]
pub enum Make {
    Intel(IntelModel),
    Amd(AmdModel),
}

pub enum Any {
    Intel(Emulated<Intel<IntelUnit>>),
    Amd(Emulated<Amd<AmdUnit>>),
}

impl Any {
    pub fn counter(&mut self) -> &mut dyn Counter {
        match self {
            Self::Intel(counter) => counter,
            Self::Amd(counter) => counter,
        }
    }

    pub fn unit(&mut self) -> &mut Unit {
        match self {
            Self::Intel(counter) => counter.unit(),
            Self::Amd(counter) => counter.unit(),
        }
    }
}

/// A processor to calibrate on.
pub fn processor() -> Processor {
    Processor::new(Program::new(&[Op::Syscall]))
}

/// An emulated counter that misbehaves as told, not calibrated.
pub fn counter(make: Make, faults: Faults) -> Any {
    let clock = VirtualTime::calibrate(&mut processor()).unwrap();
    match make {
        Make::Intel(model) => {
            let driver = Intel::new(IntelUnit::new(model, SEED, faults), VECTOR);
            Any::Intel(Emulated::new(driver.map_err(|(_, absent)| absent).unwrap(), clock))
        }
        Make::Amd(model) => {
            let driver = Amd::new(AmdUnit::new(model, SEED, faults), VECTOR);
            Any::Amd(Emulated::new(driver.map_err(|(_, absent)| absent).unwrap(), clock))
        }
    }
}

/// One that has been checked, and the result.
pub fn checked(make: Make, faults: Faults) -> (Any, Report) {
    let mut counter = counter(make, faults);
    let report = check::run(counter.counter(), &mut processor());
    (counter, report)
}
