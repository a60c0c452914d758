// SPDX-License-Identifier: MIT
//! The registers of Intel's fixed counter 0.
//!
//! As CPUID announces it there is this one counter and no other. Firmware has
//! left FREEZE_PERFMON_ON_PMI on, as some does.

use super::Emulation;
use super::faults::Faults;
use super::unit::Unit;
use crate::registers::Registers;
use crate::registers::intel::*;

/// What kind of processor it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntelModel {
    /// Version of architectural performance monitoring; 0 for none.
    pub version: u8,
    /// Bits of the counter.
    pub width: u8,
    /// The counter can be written in full width.
    pub full_width: bool,
    /// There is IA32_TSX_CTRL.
    pub tsx: bool,
}

impl Default for IntelModel {
    /// Like Ice Lake.
    fn default() -> Self {
        Self { version: 5, width: 48, full_width: true, tsx: true }
    }
}

/// Bits of IA32_FIXED_CTR_CTRL for one counter: OS, USR, and the interrupt; ANY is
/// gone from version 5 on.
const FIXED_BITS: u64 = 0b1011;
/// CTR_FRZ and LBR_FRZ, OvfBuf, CondChgd.
const OVF_CTRL_BITS: u64 = GLOBAL_FIXED0 | 0b11 << 58 | 0b11 << 62;

/// An Intel processor, as far as counting goes.
#[derive(Clone, Debug)]
pub struct IntelUnit {
    model: IntelModel,
    unit: Unit,
    fixed_control: u64,
    global_control: u64,
    debug_control: u64,
    tsx_control: u64,
}

impl IntelUnit {
    /// One after reset that misbehaves as told, by seed.
    pub fn new(model: IntelModel, seed: u64, faults: Faults) -> Self {
        let unit = Unit::new(model.width, true, seed, faults);
        let debug_control = DEBUGCTL_FREEZE_ON_PMI;
        Self { model, unit, fixed_control: 0, global_control: 0, debug_control, tsx_control: 0 }
    }

    /// IA32_DEBUGCTL.
    pub fn debug_control(&self) -> u64 {
        self.debug_control
    }

    /// IA32_TSX_CTRL.
    pub fn tsx_control(&self) -> u64 {
        self.tsx_control
    }

    fn update(&mut self) {
        let counting = self.global_control & GLOBAL_FIXED0 != 0 && self.fixed_control & FIXED_USER != 0;
        self.unit.set_counting(counting, self.fixed_control & FIXED_INTERRUPT != 0);
        // FREEZE_PERFMON_ON_PMI.
        self.unit.set_freezing(self.debug_control & 1 << 12 != 0);
    }

    fn write(&mut self, msr: u32, value: u64) {
        let only = |bits: u64| value & !bits == 0;
        let all = (1u64 << self.model.width) - 1;
        match msr {
            FIXED_CTR0 if self.model.full_width && only(all) => self.unit.set_value(value),
            FIXED_CTR0 if !self.model.full_width => {
                self.unit.set_value(i64::from(value as u32 as i32) as u64 & all);
            }
            FIXED_CTR_CTRL if only(FIXED_BITS) => self.fixed_control = value,
            GLOBAL_CTRL if only(GLOBAL_FIXED0) => self.global_control = value,
            GLOBAL_OVF_CTRL if only(OVF_CTRL_BITS) => {
                if value & GLOBAL_FIXED0 != 0 {
                    self.unit.clear_status();
                }
            }
            DEBUGCTL if only(0xffff) => self.debug_control = value,
            TSX_CTRL if self.model.tsx && only(TSX_OFF) => self.tsx_control = value,
            _ => {
                self.unit.refuse();
            }
        }
    }
}

impl Registers for IntelUnit {
    fn cpuid(&mut self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let IntelModel { version, width, tsx, .. } = self.model;
        match (leaf, subleaf) {
            (0, _) => [0xa, 0x756e_6547, 0x6c65_746e, 0x4965_6e69],
            // Family 6, model 6AH; PDCM.
            (1, _) => [0x0006_06a6, 0, 1 << 15, 0],
            (7, 0) => [0, 0, 0, u32::from(tsx) << 29],
            (0xa, _) if version > 0 => [u32::from(version), 0, 0, 1 | u32::from(width) << 5],
            _ => [0; 4],
        }
    }

    fn read_msr(&mut self, msr: u32) -> u64 {
        if self.unit.faults().swallows_writes {
            return 0;
        }
        match msr {
            PERF_CAPABILITIES => {
                CAPABILITY_FREEZE_IN_SMM | if self.model.full_width { CAPABILITY_FULL_WIDTH } else { 0 }
            }
            FIXED_CTR0 => self.unit.value(),
            FIXED_CTR_CTRL => self.fixed_control,
            GLOBAL_STATUS => u64::from(self.unit.status()) << 32,
            GLOBAL_CTRL => self.global_control,
            GLOBAL_OVF_CTRL => 0,
            DEBUGCTL => self.debug_control,
            ARCH_CAPABILITIES if self.model.tsx => ARCH_CAPABILITY_TSX_CTRL,
            TSX_CTRL if self.model.tsx => self.tsx_control,
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
            RDPMC_FIXED0 => self.unit.value(),
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

impl Emulation for IntelUnit {
    fn unit(&mut self) -> &mut Unit {
        &mut self.unit
    }
}
