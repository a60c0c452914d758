// SPDX-License-Identifier: MIT
//! The registers of AMD's core counter 0.
//!
//! There are no other counters behind these registers: an access to one is
//! counted as one that would fault.

use super::Emulation;
use super::faults::Faults;
use super::unit::Unit;
use crate::registers::Registers;
use crate::registers::amd::*;

/// What kind of processor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmdModel {
    /// Family: 17h for Zen to Zen 2, 19h for Zen 3 and 4.
    pub family: u8,
    /// There are PerfMonV2's global registers.
    pub version2: bool,
}

impl Default for AmdModel {
    /// Like Zen 4.
    fn default() -> Self {
        Self { family: 0x19, version2: true }
    }
}

/// An AMD processor, as far as counting goes.
#[derive(Clone, Debug)]
pub struct AmdUnit {
    model: AmdModel,
    unit: Unit,
    control: u64,
    global_control: u64,
    load_store_config: u64,
}

/// Event select, unit mask, USR, OS, edge, INT, EN, INV, counter mask, event
/// select 11:8, guest and host only.
const CTL_BITS: u64 = 0xffff | 0b111 << 16 | 1 << 20 | 0b11 << 22 | 0xff << 24 | 0xf << 32 | 0b11 << 40;
const EVENT: u64 = 0xf << 32 | 0xff;

impl AmdUnit {
    /// One after reset that misbehaves as told, by seed.
    pub fn new(model: AmdModel, seed: u64, faults: Faults) -> Self {
        let unit = Unit::new(WIDTH as u8, false, seed, faults);
        // The global register is all ones after reset.
        Self { model, unit, control: 0, global_control: GLOBAL_COUNTER0, load_store_config: 0 }
    }

    /// The configuration of the load and store unit.
    pub fn load_store_config(&self) -> u64 {
        self.load_store_config
    }

    fn update(&mut self) {
        let retired_in_user = self.control & EVENT == 0xc0 && self.control & CTL_USER != 0;
        let enabled = self.control & CTL_ENABLE != 0;
        let global = !self.model.version2 || self.global_control & GLOBAL_COUNTER0 != 0;
        self.unit.set_counting(enabled && global && retired_in_user, self.control & CTL_INTERRUPT != 0);
    }

    fn write(&mut self, msr: u32, value: u64) {
        let only = |bits: u64| value & !bits == 0;
        match msr {
            PERF_CTL0 if only(CTL_BITS) => self.control = value,
            PERF_CTR0 if only((1 << WIDTH) - 1) => self.unit.set_value(value),
            GLOBAL_CTL if self.model.version2 && only(GLOBAL_COUNTER0) => self.global_control = value,
            GLOBAL_STATUS_CLEAR if self.model.version2 && only(GLOBAL_COUNTER0 | 0b11 << 58) => {
                if value & GLOBAL_COUNTER0 != 0 {
                    self.unit.clear_status();
                }
            }
            LS_CFG if self.model.family == 0x17 => self.load_store_config = value,
            _ => {
                self.unit.refuse();
            }
        }
    }
}

impl Registers for AmdUnit {
    fn cpuid(&mut self, leaf: u32, _subleaf: u32) -> [u32; 4] {
        let AmdModel { family, version2 } = self.model;
        match leaf {
            0 => [1, 0x6874_7541, 0x444d_4163, 0x6974_6e65],
            1 => [0xf << 8 | u32::from(family - 0xf) << 20, 0, 0, 0],
            0x8000_0000 => [0x8000_0022, 0, 0, 0],
            0x8000_0001 => [0, 0, 1 << 23, 0],
            0x8000_0022 if version2 => [1, 1, 0, 0],
            _ => [0; 4],
        }
    }

    fn read_msr(&mut self, msr: u32) -> u64 {
        if self.unit.faults().swallows_writes {
            return 0;
        }
        match msr {
            PERF_CTL0 => self.control,
            PERF_CTR0 => self.unit.value(),
            GLOBAL_STATUS if self.model.version2 => u64::from(self.unit.status()),
            GLOBAL_CTL if self.model.version2 => self.global_control,
            LS_CFG if self.model.family == 0x17 => self.load_store_config,
            _ => self.unit.refuse(),
        }
    }

    fn write_msr(&mut self, msr: u32, value: u64) {
        if !self.unit.faults().swallows_writes {
            self.write(msr, value);
            self.update();
        }
    }

    fn read_counter(&mut self, index: u32) -> u64 {
        match index {
            0 => self.unit.value(),
            _ => self.unit.refuse(),
        }
    }

    fn serialize(&mut self) {}

    fn local_vector(&mut self) -> u32 {
        self.unit.local_vector()
    }

    fn set_local_vector(&mut self, entry: u32) {
        self.unit.set_local_vector(entry);
    }

    fn take_pending(&mut self) -> bool {
        self.unit.take_pending()
    }
}

impl Emulation for AmdUnit {
    fn unit(&mut self) -> &mut Unit {
        &mut self.unit
    }
}
