// SPDX-License-Identifier: MIT
//! The registers of Intel's fixed counter 0.
//!
//! As CPUID announces it there is this one counter and no other. Firmware has
//! left FREEZE_PERFMON_ON_PMI on, as some does.

use super::faults::Faults;
use super::software::{Face, Software};
use super::unit::{Event, Unit};
use pmu::registers::intel::*;

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
    /// The counter can be told to stand still in System Management Mode.
    pub freezes_in_smm: bool,
    /// A hypervisor lends the counter.
    pub hypervisor: bool,
}

impl Default for IntelModel {
    /// Like Ice Lake.
    fn default() -> Self {
        Self { version: 5, width: 48, full_width: true, tsx: true, freezes_in_smm: true, hypervisor: false }
    }
}

/// Bits of IA32_FIXED_CTR_CTRL for one counter: OS, USR, and the interrupt; ANY is
/// gone from version 5 on.
const FIXED_BITS: u64 = 0b1011;
/// CTR_FRZ and LBR_FRZ, OvfBuf, CondChgd.
const OVF_CTRL_BITS: u64 = GLOBAL_FIXED0 | 0b11 << 58 | 0b11 << 62;
const FREEZE_PERFMON_ON_PMI: u64 = 1 << 12;

/// An Intel processor, as far as counting goes.
pub type IntelUnit = Software<IntelFace>;

/// Its registers.
#[derive(Clone, Debug)]
pub struct IntelFace {
    model: IntelModel,
    fixed_control: u64,
    global_control: u64,
    debug_control: u64,
    tsx_control: u64,
}

impl IntelUnit {
    /// One after reset that misbehaves as told.
    pub fn new(model: IntelModel, faults: Faults) -> Self {
        let face = IntelFace {
            model,
            fixed_control: 0,
            global_control: 0,
            debug_control: DEBUGCTL_FREEZE_ON_PMI,
            tsx_control: 0,
        };
        Self::with(face, Unit::new(model.width, true, faults))
    }

    /// IA32_DEBUGCTL.
    pub fn debug_control(&self) -> u64 {
        self.face.debug_control
    }

    /// IA32_TSX_CTRL.
    pub fn tsx_control(&self) -> u64 {
        self.face.tsx_control
    }
}

impl Face for IntelFace {
    const NUMBER: u32 = RDPMC_FIXED0;

    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let IntelModel { version, width, tsx, hypervisor, .. } = self.model;
        match (leaf, subleaf) {
            (0, _) => [0xa, 0x756e_6547, 0x6c65_746e, 0x4965_6e69],
            // Family 6, model 6AH; PDCM.
            (1, _) => [0x0006_06a6, 0, 1 << 15 | u32::from(hypervisor) << 31, 0],
            (7, 0) => [0, 0, 0, u32::from(tsx) << 29],
            (0xa, _) if version > 0 => [u32::from(version), 0, 0, 1 | u32::from(width) << 5],
            _ => [0; 4],
        }
    }

    fn read(&self, msr: u32, unit: &Unit) -> Option<u64> {
        let IntelModel { version, full_width, tsx, freezes_in_smm, hypervisor, .. } = self.model;
        Some(match msr {
            PERF_CAPABILITIES => {
                let freezes = if freezes_in_smm { CAPABILITY_FREEZE_IN_SMM } else { 0 };
                freezes | if full_width { CAPABILITY_FULL_WIDTH } else { 0 }
            }
            FIXED_CTR0 => unit.value(),
            FIXED_CTR_CTRL => self.fixed_control,
            GLOBAL_STATUS => u64::from(unit.status()) << 32,
            GLOBAL_CTRL => self.global_control,
            GLOBAL_OVF_CTRL => 0,
            DEBUGCTL if unit.faults().thaws => self.debug_control & !DEBUGCTL_FREEZE_IN_SMM,
            DEBUGCTL => self.debug_control,
            SMI_COUNT if version >= 3 && !hypervisor => unit.smis(),
            ARCH_CAPABILITIES if tsx => ARCH_CAPABILITY_TSX_CTRL,
            TSX_CTRL if tsx => self.tsx_control,
            _ => return None,
        })
    }

    fn write(&mut self, msr: u32, value: u64, unit: &mut Unit) -> Option<()> {
        let only = |bits: u64| value & !bits == 0;
        let all = (1u64 << self.model.width) - 1;
        let freeze_in_smm = if self.model.freezes_in_smm { DEBUGCTL_FREEZE_IN_SMM } else { 0 };
        match msr {
            FIXED_CTR0 if self.model.full_width && only(all) => unit.set_value(value),
            FIXED_CTR0 if !self.model.full_width => {
                unit.set_value(i64::from(value as u32 as i32) as u64 & all);
            }
            FIXED_CTR_CTRL if only(FIXED_BITS) => self.fixed_control = value,
            GLOBAL_CTRL if only(GLOBAL_FIXED0) => self.global_control = value,
            GLOBAL_OVF_CTRL if only(OVF_CTRL_BITS) => {
                if value & GLOBAL_FIXED0 != 0 {
                    unit.clear_status();
                }
            }
            DEBUGCTL if only(0x3fff | freeze_in_smm) => self.debug_control = value,
            TSX_CTRL if self.model.tsx && only(TSX_OFF) => self.tsx_control = value,
            _ => return None,
        }
        Some(())
    }

    fn update(&self, unit: &mut Unit) {
        let counting = self.global_control & GLOBAL_FIXED0 != 0 && self.fixed_control & FIXED_USER != 0;
        unit.set_counting(counting.then_some(Event::Retired), self.fixed_control & FIXED_INTERRUPT != 0);
        unit.set_freezing(self.debug_control & FREEZE_PERFMON_ON_PMI != 0);
        unit.set_frozen_in_smm(self.debug_control & DEBUGCTL_FREEZE_IN_SMM != 0);
    }
}
