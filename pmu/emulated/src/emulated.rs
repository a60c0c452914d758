// SPDX-License-Identifier: MIT
//! A back end on registers in software, for whose counter somebody has to count.

use pmu::back_end::{BackEnd, Entry, Lateness, Nature, Reading, Repeats, Smm, StopKind, Stopped, Unkept};
use pmu::counter::Counter;
use pmu::overflow::Overflow;
use pmu::virtual_time::Clock;

use super::software::Emulation;
use super::unit::Unit;

/// A back end that works on registers in software.
pub trait Driver: BackEnd {
    /// The counter behind the registers.
    fn unit(&mut self) -> &mut Unit;
}

impl<R: Emulation> Driver for Overflow<R> {
    fn unit(&mut self) -> &mut Unit {
        self.registers_mut().unit()
    }
}

/// A hardware back end on emulated registers, driven by virtual time.
#[derive(Debug)]
pub struct Emulated<D> {
    driver: D,
    clock: Clock,
    repeats: Repeats,
}

impl<D: Driver> Emulated<D> {
    /// A counter that has not been checked; `clock` is calibrated.
    pub fn counter(driver: D, clock: Clock) -> Counter<Self> {
        Counter::new(Self { driver, clock, repeats: clock.back_end.nature().repeats })
    }

    /// For a processor whose time takes REP string instructions for one, as no
    /// emulator does.
    pub fn count_repeats(&mut self, repeats: Repeats) {
        self.repeats = repeats;
    }

    /// The emulated counter, to look at or to be told to misbehave.
    pub fn unit(&mut self) -> &mut Unit {
        self.driver.unit()
    }

    /// The processor has executed user code.
    fn executed(&mut self, stopped: Stopped) {
        let executed = self.clock.stop(stopped).instructions;
        let unit = self.driver.unit();
        unit.execute(executed);
        (0..stopped.passed).for_each(|_| unit.leave(StopKind::Debug));
        unit.leave(stopped.kind);
    }
}

impl<D: Driver> BackEnd for Emulated<D> {
    fn probe(&mut self) -> Result<(), Unkept> {
        self.driver.probe()
    }

    fn nature(&self) -> Nature {
        // The vendor's history is not this unit's.
        Nature { repeats: self.repeats, lateness: Lateness::AtLeast(0), ..self.driver.nature() }
    }

    fn arm(&mut self, budget: u64) -> Entry {
        let Entry { step, .. } = self.driver.arm(budget);
        let due = self.driver.unit().until_interrupt();
        Entry { timer: due.map_or(0, |due| self.clock.arm(due).timer), step }
    }

    fn stop(&mut self, stopped: Stopped) -> Reading {
        self.executed(stopped);
        self.driver.stop(stopped)
    }

    fn stamped(&self, _measured: i64) -> Option<i64> {
        self.clock.stamped()
    }

    fn is_clear(&mut self) -> bool {
        self.driver.is_clear()
    }

    fn smm(&mut self) -> Smm {
        self.driver.smm()
    }

    fn swap_locks(&mut self) -> bool {
        self.driver.swap_locks()
    }
}
