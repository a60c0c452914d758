// SPDX-License-Identifier: MIT
//! The self-checks as a table, of emulated counters that behave and that do not.

use pmu::{BackEnd, Counter, Overflow, VirtualTime, amd, check, intel};
use pmu_emulated::{
    AmdModel, AmdUnit, Emulated, Faults, IntelModel, IntelUnit, Op, Processor, Program, SkidModel,
};
use wire::checks::Text;

const SEED: u64 = 0x5245_5052_4953_4501;

fn main() {
    let mut bench = Processor::new(Program::new(&[Op::Syscall]));
    let mut clock = VirtualTime::calibrate(&mut bench).expect("the model's time is exact");
    show("virtual time", "nothing wrong", &mut clock, &mut bench);
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
        let mut unit = IntelUnit::new(IntelModel::default(), faults);
        let found = intel::find(&mut unit).expect("the model announces its counter");
        let mut counter = Emulated::counter(Overflow::new(unit, found, 0xfe), clock);
        show("Intel's counter", title, &mut counter, &mut bench);
        let unit = AmdUnit::new(AmdModel::default(), faults);
        let found = amd::find(&unit).expect("the model announces its counter");
        let mut counter = Emulated::counter(Overflow::new(unit, found, 0xfe), clock);
        show("AMD's counter", title, &mut counter, &mut bench);
    }
}

fn show(name: &str, title: &str, counter: &mut Counter<dyn BackEnd>, bench: &mut Processor) {
    let report = check::run(counter, bench);
    println!("{name}, {title}: {}\n{}", if report.passed() { "taken" } else { "refused" }, Text(&report));
}
