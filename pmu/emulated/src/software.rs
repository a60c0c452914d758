// SPDX-License-Identifier: MIT
//! Registers in software, whoever's manual they are from.

use super::faults::Faults;
use super::unit::Unit;
use pmu::CpuIdResult;
use pmu::registers::Registers;

/// Registers in software.
pub trait Emulation: Registers {
    /// The counter behind them.
    fn unit(&mut self) -> &mut Unit;
}

/// What one vendor's registers do; `None` for an access that faults.
pub trait Face {
    /// What RDPMC calls the counter.
    const NUMBER: u32;

    /// CPUID: EAX, EBX, ECX, EDX.
    fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4];
    /// RDMSR.
    fn read(&self, msr: u32, unit: &Unit) -> Option<u64>;
    /// WRMSR.
    fn write(&mut self, msr: u32, value: u64, unit: &mut Unit) -> Option<()>;
    /// Tells the counter what it is to do now.
    fn update(&self, unit: &mut Unit);
}

/// A processor, as far as counting goes.
///
/// There are no other counters behind its registers: an access to one is counted
/// as one that would fault.
#[derive(Clone, Debug)]
pub struct Software<F> {
    pub(super) face: F,
    unit: Unit,
}

impl<F: Face> Software<F> {
    pub(super) fn with(face: F, unit: Unit) -> Self {
        let mut software = Self { face, unit };
        software.face.update(&mut software.unit);
        software
    }

    /// The local APIC's performance-counter entry.
    pub fn local_vector(&self) -> u32 {
        self.unit.local_vector()
    }
}

impl<F: Face> Registers for Software<F> {
    fn cpuid(&self, leaf: u32, subleaf: u32) -> CpuIdResult {
        let [eax, ebx, ecx, edx] = self.face.cpuid(leaf, subleaf);
        CpuIdResult { eax, ebx, ecx, edx }
    }

    fn read_msr(&mut self, msr: u32) -> u64 {
        let Faults { swallows_writes, .. } = *self.unit.faults();
        match self.face.read(msr, &self.unit) {
            _ if swallows_writes => 0,
            Some(value) => value,
            None => self.unit.refuse(),
        }
    }

    fn write_msr(&mut self, msr: u32, value: u64) {
        if self.unit.faults().swallows_writes {
            return;
        }
        if self.face.write(msr, value, &mut self.unit).is_none() {
            self.unit.refuse();
        }
        self.face.update(&mut self.unit);
    }

    fn read_counter(&mut self, index: u32) -> u64 {
        if index == F::NUMBER { self.unit.value() } else { self.unit.refuse() }
    }

    fn serialize(&mut self) {}

    fn set_local_vector(&mut self, entry: u32) {
        self.unit.set_local_vector(entry);
    }

    fn take_pending(&mut self) -> bool {
        self.unit.take_pending()
    }
}

impl<F: Face> Emulation for Software<F> {
    fn unit(&mut self) -> &mut Unit {
        &mut self.unit
    }
}
