// SPDX-License-Identifier: MIT
//! The self-checks as a table, of emulated counters that behave and that do not.

use pmu::amd::Amd;
use pmu::check;
use pmu::intel::Intel;
use pmu::{BackEnd, Counter, VirtualTime};
use pmu_emulated::{
    AmdModel, AmdUnit, Emulated, Faults, IntelModel, IntelUnit, Op, Processor, Program, SkidModel,
};

const SEED: u64 = 0x5245_5052_4953_4501;

fn main() {
    let mut bench = Processor::new(Program::new(&[Op::Syscall]));
    let mut clock = VirtualTime::calibrate(&mut bench).expect("the model's time is exact");
    show("virtual time", &mut clock, &mut bench);
    let good = Faults { seed: SEED, ..Faults::default() };
    let cases = [
        ("nothing wrong", good),
        ("one more for every fault and interrupt", Faults { per_fault: 1, per_interrupt: 1, ..good }),
        ("late up to 10,000", Faults { skid: SkidModel::LongTail(10_000), ..good }),
        ("swallowed writes", Faults { swallows_writes: true, ..good }),
        ("an entry that masks itself for good", Faults { masks_for_good: true, ..good }),
        ("32 bits instead of 48", Faults { narrow: Some(32), ..good }),
    ];
    for (title, faults) in cases {
        let unit = IntelUnit::new(IntelModel::default(), faults);
        let Ok(intel) = Intel::new(unit, 0xfe) else { panic!("the model announces its counter") };
        show(title, &mut Emulated::counter(intel, clock), &mut bench);
        let Ok(amd) = Amd::new(AmdUnit::new(AmdModel::default(), faults), 0xfe) else {
            panic!("the model announces its counter")
        };
        show(title, &mut Emulated::counter(amd, clock), &mut bench);
    }
}

fn show(title: &str, counter: &mut Counter<dyn BackEnd>, bench: &mut Processor) {
    let report = check::run(counter, bench);
    println!(
        "{}, {title}: {}\n{report}",
        counter.back_end.name(),
        if report.passed() { "taken" } else { "refused" }
    );
}
