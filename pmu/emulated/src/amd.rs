// SPDX-License-Identifier: MIT
//! The registers of AMD's core counter 0.

use super::faults::Faults;
use super::software::{Face, Software};
use super::unit::{Event, Unit};
use pmu::registers::amd::*;

/// What kind of processor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmdModel {
    /// Family: 17h for Zen to Zen 2, 19h for Zen 3 and 4.
    pub family: u8,
    /// There are PerfMonV2's global registers.
    pub version2: bool,
    /// A hypervisor lends the counter.
    pub hypervisor: bool,
}

impl Default for AmdModel {
    /// Like Zen 4.
    fn default() -> Self {
        Self { family: 0x19, version2: true, hypervisor: false }
    }
}

/// An AMD processor, as far as counting goes.
pub type AmdUnit = Software<AmdFace>;

/// Its registers.
#[derive(Clone, Debug)]
pub struct AmdFace {
    model: AmdModel,
    control: u64,
    global_control: u64,
    load_store_config: u64,
}

/// Event select, unit mask, USR, OS, edge, INT, EN, INV, counter mask, event
/// select 11:8, guest and host only.
const CTL_BITS: u64 = 0xffff | 0b111 << 16 | 1 << 20 | 0b11 << 22 | 0xff << 24 | 0xf << 32 | 0b11 << 40;
const EVENT: u64 = 0xf << 32 | 0xff;
const EVENT_AND_MASK: u64 = EVENT | 0xff00;

impl AmdUnit {
    /// One after reset that misbehaves as told.
    pub fn new(model: AmdModel, faults: Faults) -> Self {
        // The global register is all ones after reset.
        let face = AmdFace { model, control: 0, global_control: GLOBAL_COUNTER0, load_store_config: 0 };
        Self::with(face, Unit::new(WIDTH, false, faults))
    }

    /// The configuration of the load and store unit.
    pub fn load_store_config(&self) -> u64 {
        self.face.load_store_config
    }
}

impl AmdFace {
    fn has_load_store_config(&self) -> bool {
        self.model.family == 0x17 && !self.model.hypervisor
    }

    fn event(&self) -> Option<Event> {
        match self.control & EVENT_AND_MASK {
            // A unit mask means nothing to this event.
            event if event & EVENT == CTL_RETIRED_USER & EVENT => Some(Event::Retired),
            event if event == CTL_SPECULATIVE_LOCKS & EVENT_AND_MASK && self.model.family == 0x17 => {
                let speculates = self.load_store_config & LS_CFG_NO_SPEC_LOCK_MAP == 0;
                Some(Event::SpeculativeLocks { speculates: speculates && !self.model.hypervisor })
            }
            _ => None,
        }
    }
}

impl Face for AmdFace {
    const NUMBER: u32 = 0;

    fn cpuid(&self, leaf: u32, _subleaf: u32) -> [u32; 4] {
        let AmdModel { family, version2, hypervisor } = self.model;
        match leaf {
            0 => [1, 0x6874_7541, 0x444d_4163, 0x6974_6e65],
            1 => [0xf << 8 | u32::from(family - 0xf) << 20, 0, u32::from(hypervisor) << 31, 0],
            0x8000_0000 => [0x8000_0022, 0, 0, 0],
            0x8000_0001 => [0, 0, 1 << 23, 0],
            0x8000_0022 if version2 => [1, 1, 0, 0],
            _ => [0; 4],
        }
    }

    fn read(&self, msr: u32, unit: &Unit) -> Option<u64> {
        Some(match msr {
            PERF_CTL0 => self.control,
            PERF_CTR0 => unit.value(),
            GLOBAL_STATUS if self.model.version2 => u64::from(unit.status()),
            GLOBAL_CTL if self.model.version2 => self.global_control,
            LS_CFG if self.has_load_store_config() => self.load_store_config,
            _ => return None,
        })
    }

    fn write(&mut self, msr: u32, value: u64, unit: &mut Unit) -> Option<()> {
        let only = |bits: u64| value & !bits == 0;
        match msr {
            PERF_CTL0 if only(CTL_BITS) => self.control = value,
            PERF_CTR0 if only((1 << WIDTH) - 1) => unit.set_value(value),
            GLOBAL_CTL if self.model.version2 && only(GLOBAL_COUNTER0) => self.global_control = value,
            GLOBAL_STATUS_CLEAR if self.model.version2 && only(GLOBAL_COUNTER0 | 0b11 << 58) => {
                if value & GLOBAL_COUNTER0 != 0 {
                    unit.clear_status();
                }
            }
            LS_CFG if self.has_load_store_config() => self.load_store_config = value,
            _ => return None,
        }
        Some(())
    }

    fn update(&self, unit: &mut Unit) {
        let enabled = self.control & CTL_ENABLE != 0 && self.control & CTL_USER != 0;
        let global = !self.model.version2 || self.global_control & GLOBAL_COUNTER0 != 0;
        let event = self.event().filter(|_| enabled && global);
        unit.set_counting(event, self.control & CTL_INTERRUPT != 0);
    }
}
