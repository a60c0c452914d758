// SPDX-License-Identifier: MIT
//! The best back end that proves itself is taken, and each better one has a reason.

use std::cell::RefCell;
use std::rc::Rc;

use pmu::back_end::Unkept;
use pmu::check::{Check, Measured, Row};
use pmu::detect::{Chosen, Refusal};
use pmu::overflow::{Absent, Vendor};
use pmu::registers::intel::FIXED_CTR0;
use pmu::{Block, CpuIdResult, Detection, Entry, Registers, Sample, Smm, StopKind, Workbench, detect};
use pmu_emulated::{AmdModel, AmdUnit, Emulation, Faults, IntelModel, IntelUnit, Op, Processor, Program};

const VECTOR: u8 = 0xfe;

/// One processor whose counter counts what it executes: registers and user mode.
struct Shared<R>(Rc<RefCell<R>>);

impl<R: Registers> Registers for Shared<R> {
    fn cpuid(&self, leaf: u32, subleaf: u32) -> CpuIdResult {
        self.0.borrow().cpuid(leaf, subleaf)
    }

    fn read_msr(&mut self, msr: u32) -> u64 {
        self.0.borrow_mut().read_msr(msr)
    }

    fn write_msr(&mut self, msr: u32, value: u64) {
        self.0.borrow_mut().write_msr(msr, value);
    }

    fn read_counter(&mut self, index: u32) -> u64 {
        self.0.borrow_mut().read_counter(index)
    }

    fn serialize(&mut self) {}

    fn set_local_vector(&mut self, entry: u32) {
        self.0.borrow_mut().set_local_vector(entry);
    }

    fn take_pending(&mut self) -> bool {
        self.0.borrow_mut().take_pending()
    }
}

struct Machine<R> {
    registers: Rc<RefCell<R>>,
    processor: Processor,
    /// Time goes on by itself, as on real processors.
    real_time: bool,
    stretches: u64,
}

impl<R: Emulation> Machine<R> {
    fn stretch(
        &mut self,
        entry: Entry,
        enter: impl FnOnce(&mut Processor, Entry) -> Option<Sample>,
    ) -> Option<Sample> {
        let mut registers = self.registers.borrow_mut();
        let unit = registers.unit();
        // The counter is an hour away, or more.
        let due = unit.until_interrupt().filter(|&due| due < 1 << 31).map_or(0, |due| due as u32 + 22);
        let by_timer = entry.timer != 0 && (due == 0 || entry.timer < due);
        let timer = if by_timer { entry.timer } else { due };
        let mut sample = enter(&mut self.processor, Entry { timer, ..entry })?;
        unit.execute(sample.executed);
        unit.leave(sample.kind);
        self.stretches += 1;
        if self.real_time {
            sample.elapsed = sample.elapsed * 3 + self.stretches % 5;
        }
        Some(sample)
    }
}

impl<R: Emulation> Workbench for Machine<R> {
    fn execute(&mut self, block: Block, entry: Entry) -> Option<Sample> {
        self.stretch(entry, |processor, entry| processor.execute(block, entry))
    }

    fn resume(&mut self, entry: Entry) -> Option<Sample> {
        self.stretch(entry, |processor, entry| processor.resume(entry))
    }
}

fn find<R: Emulation>(unit: R, real_time: bool) -> (Detection<Shared<R>>, Vec<Refusal>) {
    let registers = Rc::new(RefCell::new(unit));
    let mut machine = Machine {
        registers: registers.clone(),
        processor: Processor::new(Program::new(&[Op::Syscall])),
        real_time,
        stretches: 0,
    };
    let found = detect(Shared(registers.clone()), VECTOR, &mut machine);
    assert_eq!(registers.borrow_mut().unit().would_fault(), 0, "an access would fault");
    let refusals = found.refusals.into_iter().flatten().collect();
    (found, refusals)
}

const NO_LEAF: Refusal = Refusal::Absent(Vendor::Intel, Absent::NoLeaf);

fn vendor<R: Registers>(found: &Detection<R>) -> Option<Vendor> {
    match &found.chosen {
        Chosen::Overflow(counter) => Some(counter.back_end.vendor()),
        Chosen::VirtualTime(_) | Chosen::Stepping(_) => None,
    }
}

fn intel(model: IntelModel, faults: Faults) -> IntelUnit {
    IntelUnit::new(model, faults)
}

#[test]
fn intel_s_own_counter_is_taken_where_there_is_one() {
    let (found, refusals) = find(intel(IntelModel::default(), Faults::default()), true);
    assert_eq!((vendor(&found), found.report.passed()), (Some(Vendor::Intel), true));
    assert!(refusals.is_empty());
}

#[test]
fn hardware_has_the_vendor_s_margin_at_least() {
    let (mut found, _) = find(intel(IntelModel::default(), Faults::default()), true);
    assert_eq!(found.chosen.counter().margin().far, 100);
    let (mut found, _) = find(AmdUnit::new(AmdModel::default(), Faults::default()), true);
    assert_eq!(found.chosen.counter().margin().far, 10_000);
}

#[test]
fn amd_s_is_taken_with_and_without_global_registers() {
    for (family, version2) in [(0x19, true), (0x17, false)] {
        let model = AmdModel { family, version2, hypervisor: false };
        let (found, refusals) = find(AmdUnit::new(model, Faults::default()), true);
        assert_eq!((vendor(&found), found.report.passed()), (Some(Vendor::Amd), true), "{:?}", found.report);
        assert_eq!(refusals, [NO_LEAF]);
    }
}

#[test]
fn an_emulator_without_counters_has_virtual_time() {
    let (found, refusals) =
        find(intel(IntelModel { version: 0, ..IntelModel::default() }, Faults::default()), false);
    assert!(matches!(found.chosen, Chosen::VirtualTime(_)) && found.report.passed(), "{:?}", found.report);
    assert_eq!(refusals, [NO_LEAF, Refusal::Absent(Vendor::Amd, Absent::Vendor)]);
    // Nobody lends it, it watches no locks, and it knows nothing of System Management Mode.
    let found: Vec<_> = found.report.rows().map(|row| row.outcome).collect();
    assert_eq!(found[Check::Trials as usize], Ok(Measured::AsAsked));
    assert_eq!(found[Check::Locks as usize], Ok(Measured::Blocks(16)));
    assert_eq!(found[Check::Managed as usize], Ok(Measured::Managed(Smm::default())));
}

#[test]
fn an_emulator_that_swallows_writes_is_not_believed() {
    let faults = Faults { swallows_writes: true, ..Faults::default() };
    let (found, refusals) = find(intel(IntelModel::default(), faults), false);
    assert!(matches!(found.chosen, Chosen::VirtualTime(_)));
    let unkept = Unkept { msr: FIXED_CTR0, wrote: 0x5555_5555, read: 0 };
    let row = Row { check: Check::Present, outcome: Err(Measured::Unkept(unkept)) };
    assert_eq!(refusals[0], Refusal::Failed(Vendor::Intel, row));
}

#[test]
fn old_processors_have_reasons_of_their_own() {
    for (model, absent) in [
        (IntelModel { version: 1, ..IntelModel::default() }, Absent::Version(1)),
        (IntelModel { width: 31, ..IntelModel::default() }, Absent::Narrow(31)),
    ] {
        let (_, refusals) = find(intel(model, Faults::default()), false);
        assert_eq!(refusals[0], Refusal::Absent(Vendor::Intel, absent));
    }
}

#[test]
fn another_vendor_s_counter_is_not_counted_with() {
    /// Zhaoxin has leaf 0AH, too.
    struct Centaur(IntelUnit);

    impl Registers for Centaur {
        fn cpuid(&self, leaf: u32, subleaf: u32) -> CpuIdResult {
            let found = self.0.cpuid(leaf, subleaf);
            match leaf {
                0 => CpuIdResult { ebx: 0x746e_6543, ecx: 0x736c_7561, edx: 0x4872_7561, ..found },
                _ => found,
            }
        }

        fn read_msr(&mut self, msr: u32) -> u64 {
            self.0.read_msr(msr)
        }

        fn write_msr(&mut self, msr: u32, value: u64) {
            self.0.write_msr(msr, value);
        }

        fn read_counter(&mut self, index: u32) -> u64 {
            self.0.read_counter(index)
        }

        fn serialize(&mut self) {}

        fn set_local_vector(&mut self, entry: u32) {
            self.0.set_local_vector(entry);
        }

        fn take_pending(&mut self) -> bool {
            self.0.take_pending()
        }
    }

    let mut centaur = Centaur(intel(IntelModel::default(), Faults::default()));
    assert_eq!(pmu::intel::find(&mut centaur).err(), Some(Absent::Vendor));
}

#[test]
fn an_unknown_model_is_not_counted_with() {
    let model = AmdModel { family: 0x1b, ..AmdModel::default() };
    let (found, refusals) = find(AmdUnit::new(model, Faults::default()), true);
    assert!(matches!(found.chosen, Chosen::Stepping(_)), "{refusals:?}");
    assert_eq!(refusals[1], Refusal::Absent(Vendor::Amd, Absent::Family(0x1b)));
}

#[test]
fn when_nothing_counts_there_are_single_steps() {
    let faults = Faults { uneven: 7, ..Faults::default() };
    let (mut found, refusals) = find(intel(IntelModel::default(), faults), true);
    assert!(matches!(found.chosen, Chosen::Stepping(_)));
    assert_eq!(refusals.len(), 3);
    let row = Row { check: Check::Bias, outcome: Err(Measured::Spread { least: 0, most: 1 }) };
    assert_eq!(refusals[0], Refusal::Failed(Vendor::Intel, row));
    assert!(matches!(refusals[2], Refusal::Time(Measured::Spread { .. })), "{refusals:?}");

    let counter = found.chosen.counter();
    let mut processor = Processor::new(Program::loop_of(3));
    let mut count = 0;
    while count < 1_000 {
        let entry = counter.arm(1_000 - count);
        let exit = processor.enter(entry, pmu_emulated::Debug::default()).expect("a step ends");
        assert_eq!(exit.kind, StopKind::Debug);
        let stopped = pmu::Stopped {
            kind: exit.kind,
            elapsed: exit.elapsed,
            swallowed: exit.swallowed,
            passed: exit.passed,
        };
        let reading = counter.stop(stopped);
        assert!(reading.own);
        count += reading.instructions;
    }
    assert_eq!((count, processor.executed()), (1_000, 1_000));
}
