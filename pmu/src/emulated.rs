// SPDX-License-Identifier: MIT
//! Performance counters in software, which misbehave on purpose.
//!
//! No open x86 emulator has performance counters. Here are their registers in
//! software, behind [`Registers`]: the *same* driver that runs
//! on hardware runs on them. What executes user code is somebody else: the
//! processor under the kernel, or [`Processor`] in a host test. [`Emulated`]
//! lets virtual time, which is exact, say how many instructions that were, and
//! arms virtual time for the moment at which the emulated interrupt is due.
//!
//! [`Faults`] lists what can be told to go wrong, by seed.

mod amd;
mod faults;
mod intel;
mod processor;
mod random;
mod replay;
mod unit;

pub use amd::{AmdModel, AmdUnit};
pub use faults::{Faults, SkidModel};
pub use intel::{IntelModel, IntelUnit};
pub use processor::{Debug, Exit, Op, Processor, Program};
pub use random::SplitMix64;
pub use replay::{Replayed, Rules, replay};
pub use unit::Unit;

use crate::amd::Amd;
use crate::counter::{Calibration, Counter, Entry, Lateness, Reading, Repeats, Stopped, Unkept};
use crate::intel::Intel;
use crate::registers::Registers;
use crate::virtual_time::VirtualTime;

/// Registers in software.
pub trait Emulation: Registers {
    /// The counter behind them.
    fn unit(&mut self) -> &mut Unit;
}

/// A back end that works on registers in software.
pub trait Driver: Counter {
    /// The counter behind the registers.
    fn unit(&mut self) -> &mut Unit;
}

impl<R: Emulation> Driver for Intel<R> {
    fn unit(&mut self) -> &mut Unit {
        self.registers_mut().unit()
    }
}

impl<R: Emulation> Driver for Amd<R> {
    fn unit(&mut self) -> &mut Unit {
        self.registers_mut().unit()
    }
}

/// A hardware back end on emulated registers, driven by virtual time.
#[derive(Debug)]
pub struct Emulated<D> {
    driver: D,
    clock: VirtualTime,
    repeats: Repeats,
}

impl<D: Driver> Emulated<D> {
    /// `clock` is calibrated.
    pub fn new(driver: D, clock: VirtualTime) -> Self {
        Self { driver, clock, repeats: clock.repeats() }
    }

    /// For a processor whose time takes REP string instructions for one, as no
    /// emulator does.
    #[must_use]
    pub fn counting_repeats(self, repeats: Repeats) -> Self {
        Self { repeats, ..self }
    }

    /// The emulated counter, to look at or to be told to misbehave.
    pub fn unit(&mut self) -> &mut Unit {
        self.driver.unit()
    }
}

impl<D: Driver> Counter for Emulated<D> {
    fn name(&self) -> &'static str {
        self.driver.name()
    }

    fn probe(&mut self) -> Result<(), Unkept> {
        self.driver.probe()
    }

    fn longest(&self) -> u64 {
        self.driver.longest()
    }

    fn repeats(&self) -> Repeats {
        self.repeats
    }

    fn lateness(&self) -> Lateness {
        // The vendor's history is not this unit's.
        Lateness::AtLeast(0)
    }

    fn calibration(&self) -> &Calibration {
        self.driver.calibration()
    }

    fn calibration_mut(&mut self) -> &mut Calibration {
        self.driver.calibration_mut()
    }

    fn arm(&mut self, budget: u64) -> Entry {
        let Entry { step, .. } = self.driver.arm(budget);
        let due = self.driver.unit().until_interrupt();
        Entry { timer: due.map_or(0, |due| self.clock.timer(due)), step }
    }

    fn stop(&mut self, stopped: Stopped) -> Reading {
        let executed = self.clock.instructions(stopped.kind, stopped.elapsed);
        let unit = self.driver.unit();
        unit.execute(executed);
        unit.leave(stopped.kind);
        self.driver.stop(stopped)
    }

    fn is_clear(&mut self) -> bool {
        self.driver.is_clear()
    }
}
