// SPDX-License-Identifier: MIT
//! What passed checks say they measured, and single stretches that go wrong where the
//! emulated counter has no fault for it.

use std::cell::Cell;

use pmu::check::{self, Check, Measured, Report};
use pmu::{
    BackEnd, Biases, Block, Counter, Entry, Margin, Nature, Reading, Sample, Skid, Smm, StopKind, Stopped,
    VirtualTime, Workbench,
};
use pmu_emulated::{Faults, Processor};

use super::bench::{MAKES, checked, counter, processor};

/// A processor of which something is noted, or changed.
struct Altered<F> {
    processor: Processor,
    alter: F,
    executed: u64,
}

impl<F: FnMut(Block, Entry) -> Entry> Altered<F> {
    fn new(alter: F) -> Self {
        Self { processor: processor(), alter, executed: 0 }
    }

    fn note(&mut self, sample: Option<Sample>) -> Option<Sample> {
        self.executed += sample?.executed;
        sample
    }
}

impl<F: FnMut(Block, Entry) -> Entry> Workbench for Altered<F> {
    fn execute(&mut self, block: Block, entry: Entry) -> Option<Sample> {
        let sample = self.processor.execute(block, (self.alter)(block, entry));
        self.note(sample)
    }

    fn resume(&mut self, entry: Entry) -> Option<Sample> {
        let sample = self.processor.resume(entry);
        self.note(sample)
    }
}

/// A counter that counts one too much where it is told to: by what it was armed for, and
/// how it was stopped.
struct Flawed<F> {
    counter: VirtualTime,
    has_flaw: F,
    armed: u64,
}

impl<F: Fn(u64, StopKind) -> bool> Flawed<F> {
    fn counter(has_flaw: F) -> Counter<Self> {
        let Counter { calibration, back_end } = VirtualTime::calibrate(&mut processor()).unwrap();
        Counter { calibration, back_end: Self { counter: back_end, has_flaw, armed: 0 } }
    }
}

impl<F: Fn(u64, StopKind) -> bool> BackEnd for Flawed<F> {
    fn nature(&self) -> Nature {
        Nature { longest: (1 << 47) - 1, ..self.counter.nature() }
    }

    fn arm(&mut self, budget: u64) -> Entry {
        self.armed = budget;
        self.counter.arm(budget)
    }

    fn stop(&mut self, stopped: Stopped) -> Reading {
        let reading = self.counter.stop(stopped);
        let flaw = u64::from((self.has_flaw)(self.armed, stopped.kind));
        Reading { instructions: reading.instructions + flaw, ..reading }
    }
}

fn outcomes(report: &Report) -> Vec<Result<Measured, Measured>> {
    report.rows().map(|row| row.outcome).collect()
}

#[test]
fn a_report_says_how_much_it_was_measured_on() {
    let (_, report) = checked(MAKES[0], Faults::default());
    let skid = Skid { samples: 1_000, ..Skid::default() };
    let expected = [
        Measured::AsAsked,
        Measured::Counted { executed: 9_990, counted: 9_990 },
        Measured::Exact { blocks: 4_110, instructions: 31_114_110, bias: 0 },
        Measured::Budget((1 << 47) - 1),
        Measured::AsAsked,
        Measured::AsAsked,
        Measured::Biases(Biases::default()),
        Measured::Skid(skid, Margin::default()),
        Measured::Blocks(96),
        Measured::Blocks(16),
        Measured::Steps { steps: 224, shadow: 2, pause: 2, shown: true },
        Measured::AsAsked,
        Measured::Managed(Smm { freezes: Some(true), interrupts: Some(0) }),
    ];
    assert_eq!(outcomes(&report), expected.map(Ok));
}

#[test]
fn each_bit_of_a_counter_is_set_alone() {
    const LEAD: u64 = 22;
    for bit in 12..47 {
        let mut counter = Flawed::counter(|armed, _| armed == (1 << bit) + LEAD);
        let report = check::run(&mut counter, &mut processor());
        assert_eq!(outcomes(&report)[Check::Width as usize], Err(Measured::Budget(1 << bit)));
    }
}

#[test]
fn a_step_that_counts_twice_is_no_step() {
    // Only in blocks that are stepped, so that it is no bias.
    let is_stepped = Cell::new(false);
    let mut counter = Flawed::counter(|_, kind| is_stepped.get() && kind == StopKind::Debug);
    let mut bench = Altered::new(|block, entry| {
        is_stepped.set(matches!(block, Block::Trapped(_)));
        entry
    });
    let report = check::run(&mut counter, &mut bench);
    let wrong = Measured::Counted { executed: 1, counted: 2 };
    assert_eq!(outcomes(&report)[Check::Steps as usize], Err(wrong));
}

#[test]
fn a_block_that_is_to_be_interrupted_and_is_not_shows_nothing() {
    let uninterrupted = |block, entry| match block {
        Block::Long(1_000) => Entry { timer: 0, ..entry },
        _ => entry,
    };
    for make in MAKES {
        let mut counter = counter(make, Faults::default());
        let report = check::run(counter.counter(), &mut Altered::new(uninterrupted));
        assert_eq!(outcomes(&report)[Check::Undisturbed as usize], Err(Measured::NoInterrupt(1)));
    }
}

#[test]
fn the_checks_take_as_long_as_they_are_said_to() {
    let mut clock = VirtualTime::calibrate(&mut processor()).unwrap();
    let mut bench = Altered::new(|_, entry| entry);
    assert!(check::run(&mut clock, &mut bench).passed());
    let exact = 31_114_110;
    assert!((exact..exact + 3_000_000).contains(&bench.executed), "{}", bench.executed);
}
