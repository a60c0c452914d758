// SPDX-License-Identifier: MIT
//! What the driver does to the registers, access by access: it changes a counter only
//! while that is held, and reads it when all before has been counted.

use std::collections::BTreeMap;

use pmu::registers::LVT_MASKED;
use pmu::{BackEnd, CpuIdResult, Entry, Overflow, Reading, Registers, StopKind, Stopped};
use pmu_emulated::{AmdModel, AmdUnit, Faults, IntelModel, IntelUnit};

use super::bench::VECTOR;

/// An access to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read(u32),
    Write(u32, u64),
    Quick(u32),
    Serialize,
    Entry(u32),
    Pending,
}

use Access::{Entry as Vector, Pending, Quick, Read, Serialize, Write};

/// Registers that keep what is written, and note each access.
#[derive(Debug, Default)]
struct Bank {
    values: BTreeMap<u32, u64>,
    log: Vec<Access>,
    pending: bool,
}

impl Registers for Bank {
    fn cpuid(&self, _: u32, _: u32) -> CpuIdResult {
        unreachable!("the layout is known")
    }

    fn read_msr(&mut self, msr: u32) -> u64 {
        self.log.push(Read(msr));
        self.values.get(&msr).copied().unwrap_or(0)
    }

    fn write_msr(&mut self, msr: u32, value: u64) {
        self.log.push(Write(msr, value));
        self.values.insert(msr, value);
    }

    fn read_counter(&mut self, index: u32) -> u64 {
        self.log.push(Quick(index));
        self.values.get(&COUNTER).copied().unwrap_or(0)
    }

    fn serialize(&mut self) {
        self.log.push(Serialize);
    }

    fn set_local_vector(&mut self, entry: u32) {
        self.log.push(Vector(entry));
    }

    fn take_pending(&mut self) -> bool {
        self.log.push(Pending);
        std::mem::take(&mut self.pending)
    }
}

/// Intel's registers.
const COUNTER: u32 = 0x309;
const CONTROL: u32 = 0x38d;
const STATUS: u32 = 0x38e;
const GLOBAL: u32 = 0x38f;
const CLEAR: u32 = 0x390;
const BIT: u64 = 1 << 32;
const ALL: u64 = (1 << 48) - 1;
/// AMD's registers.
const AMD_CONTROL: u32 = 0xc001_0200;
const AMD_COUNTER: u32 = 0xc001_0201;
const AMD_ON: u64 = 0x51_00c0;
const AMD_OFF: u64 = 0x11_00c0;
const ENTRY: u32 = VECTOR as u32;

/// What the driver has done since the last call.
fn done(driver: &mut Overflow<Bank>) -> Vec<Access> {
    std::mem::take(&mut driver.registers_mut().log)
}

fn intel() -> Overflow<Bank> {
    let mut unit = IntelUnit::new(IntelModel { tsx: false, ..IntelModel::default() }, Faults::default());
    let found = pmu::intel::find(&mut unit).unwrap();
    // Firmware has left freezing on, and branch recording.
    let bank = Bank { values: BTreeMap::from([(0x1d9, 0b11 << 11 | 1)]), ..Bank::default() };
    Overflow::new(bank, found, VECTOR)
}

fn amd(family: u8) -> Overflow<Bank> {
    let unit = AmdUnit::new(AmdModel { family, version2: false, hypervisor: true }, Faults::default());
    Overflow::new(Bank::default(), pmu::amd::find(&unit).unwrap(), VECTOR)
}

fn stopped(kind: StopKind) -> Stopped {
    Stopped { kind, elapsed: 0, swallowed: false, passed: 0 }
}

#[test]
fn a_counter_is_held_put_in_order_and_given_back_turned_off() {
    let mut driver = intel();
    let debug = [Read(0x1d9), Write(0x1d9, 1 << 14 | 1)];
    let begin =
        [Write(GLOBAL, 0), debug[0], debug[1], Write(CONTROL, 0b1010), Write(CLEAR, BIT), Vector(ENTRY)];
    assert_eq!(done(&mut driver), begin);
    let end = [Write(GLOBAL, 0), Write(CONTROL, 0), Vector(ENTRY | LVT_MASKED)];
    assert_eq!(driver.release().log, end);

    let mut driver = amd(0x19);
    let off = [Write(AMD_CONTROL, AMD_OFF); 2];
    assert_eq!(done(&mut driver), [off[0], off[1], Vector(ENTRY)]);
    let end = [off[0], Write(AMD_CONTROL, 0), Vector(ENTRY | LVT_MASKED)];
    assert_eq!(driver.release().log, end);
}

#[test]
fn each_bit_is_written_both_ways_and_read_back() {
    let kept = |msr, value| [Write(msr, value), Read(msr)];
    let mut driver = intel();
    done(&mut driver);
    assert_eq!(driver.probe(), Ok(()));
    let expected = [
        kept(COUNTER, 0x5555_5555_5555),
        kept(COUNTER, 0x2aaa_aaaa_aaaa),
        kept(CONTROL, 0),
        kept(CONTROL, 0b1010),
        kept(GLOBAL, BIT),
        kept(GLOBAL, 0),
    ];
    assert_eq!(done(&mut driver), [&expected.concat()[..], &[Write(GLOBAL, 0)]].concat());

    let mut driver = amd(0x19);
    done(&mut driver);
    assert_eq!(driver.probe(), Ok(()));
    let expected = [
        kept(AMD_COUNTER, 0x5555_5555_5555),
        kept(AMD_COUNTER, 0x2aaa_aaaa_aaaa),
        kept(AMD_CONTROL, 0),
        kept(AMD_CONTROL, AMD_OFF),
        kept(AMD_CONTROL, AMD_ON),
        kept(AMD_CONTROL, AMD_OFF),
    ];
    assert_eq!(done(&mut driver), [&expected.concat()[..], &[Write(AMD_CONTROL, AMD_OFF)]].concat());
}

#[test]
fn a_stretch_arms_counts_and_is_read_with_the_counter_held() {
    let mut driver = intel();
    done(&mut driver);
    assert_eq!(driver.arm(1_000), Entry::PLAIN);
    assert_eq!(done(&mut driver), [Write(COUNTER, ALL - 999), Write(GLOBAL, BIT)]);
    // Ten instructions later than it should.
    driver.registers_mut().values.extend([(COUNTER, 10), (STATUS, BIT)]);
    let reading = driver.stop(stopped(StopKind::Counter));
    assert_eq!(reading, Reading { instructions: 1_010, own: true, strays: 0 });
    // The registers have not proven to be there, so RDPMC is not trusted.
    let read = [Write(GLOBAL, 0), Serialize, Read(COUNTER), Read(STATUS), Write(CLEAR, BIT)];
    assert_eq!(done(&mut driver), read);
    // The APIC has masked its entry.
    let _ = driver.arm(5);
    assert_eq!(done(&mut driver), [Vector(ENTRY), Write(COUNTER, ALL - 4), Write(GLOBAL, BIT)]);
    driver.registers_mut().values.extend([(COUNTER, ALL - 2), (STATUS, !BIT)]);
    let reading = driver.stop(stopped(StopKind::Syscall));
    assert_eq!(reading, Reading { instructions: 2, own: false, strays: 0 });
    assert_eq!(done(&mut driver), [Write(GLOBAL, 0), Serialize, Read(COUNTER), Read(STATUS)]);
    let _ = driver.arm(5);
    assert_eq!(done(&mut driver), [Write(COUNTER, ALL - 4), Write(GLOBAL, BIT)], "it is not masked");

    assert_eq!(driver.probe(), Ok(()));
    done(&mut driver);
    let _ = driver.stop(stopped(StopKind::Syscall));
    assert_eq!(done(&mut driver)[..3], [Write(GLOBAL, 0), Serialize, Quick(1 << 30)]);
}

#[test]
fn what_the_longest_stretch_does_not_hold_is_cut() {
    let mut driver = intel();
    let longest = driver.nature().longest;
    for budget in [longest, longest + 1, u64::MAX] {
        done(&mut driver);
        let _ = driver.arm(budget);
        assert_eq!(done(&mut driver)[0], Write(COUNTER, (1 << 48) - longest));
    }
}

#[test]
fn an_interrupt_that_waits_is_taken_where_one_may() {
    // Intel's status tells: without an overflow none is looked for.
    for (kind, status, pending, strays, unmasks) in [
        (StopKind::Fault, 0, true, 0, false),
        (StopKind::Fault, BIT, true, 1, true),
        (StopKind::Fault, BIT, false, 0, true),
        (StopKind::Counter, 0, true, 1, true),
    ] {
        let mut driver = intel();
        driver.registers_mut().pending = pending;
        driver.registers_mut().values.insert(STATUS, status);
        let reading = driver.stop(stopped(kind));
        assert_eq!((reading.own, reading.strays), (false, strays), "{kind:?} {status:#x} {pending}");
        done(&mut driver);
        let _ = driver.arm(7);
        assert_eq!(done(&mut driver)[0] == Vector(ENTRY), unmasks, "{kind:?} {status:#x} {pending}");
    }
    // AMD's may be late; its entry is not masked.
    for (kind, pending, strays) in
        [(StopKind::Fault, true, 1), (StopKind::Fault, false, 0), (StopKind::Counter, true, 1)]
    {
        let mut driver = amd(0x19);
        let _ = driver.arm(1_000);
        driver.registers_mut().pending = pending;
        let reading = driver.stop(stopped(kind));
        assert_eq!((reading.own, reading.strays), (false, strays), "{kind:?} {pending}");
        done(&mut driver);
        let _ = driver.arm(7);
        assert_eq!(done(&mut driver), [Write(AMD_COUNTER, ALL - 6), Write(AMD_CONTROL, AMD_ON)]);
    }
}

#[test]
fn without_a_status_the_top_bit_tells_of_an_overflow() {
    let mut driver = amd(0x19);
    for (value, own) in [(ALL - 1, false), (0, true), (12, true)] {
        let _ = driver.arm(5);
        driver.registers_mut().values.insert(AMD_COUNTER, value);
        assert_eq!(driver.stop(stopped(StopKind::Counter)).own, own, "{value:#x}");
    }
    assert!(driver.is_clear());
}

#[test]
fn speculative_locks_are_counted_from_the_swap_and_instructions_after_the_next() {
    const LOCKS_ON: u64 = 0x41_0825;
    const LOCKS_OFF: u64 = 0x01_0825;
    let mut driver = amd(0x17);
    for (on, off, value) in [(LOCKS_ON, LOCKS_OFF, ALL - 996), (AMD_ON, AMD_OFF, ALL - 990)] {
        done(&mut driver);
        assert!(driver.swap_locks());
        let _ = driver.arm(1_000);
        let begin = [Write(AMD_CONTROL, off), Write(AMD_COUNTER, ALL - 999), Write(AMD_CONTROL, on)];
        assert_eq!(done(&mut driver), begin);
        driver.registers_mut().values.insert(AMD_COUNTER, value);
        let counted = driver.stop(stopped(StopKind::Syscall)).instructions;
        assert_eq!(counted, value - (ALL - 999));
        assert_eq!(done(&mut driver)[..3], [Write(AMD_CONTROL, off), Serialize, Read(AMD_COUNTER)]);
    }
    assert!(!amd(0x19).swap_locks() && !intel().swap_locks());
}
