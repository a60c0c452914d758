// SPDX-License-Identifier: MIT
//! The processor's own performance counters, for the drivers in `pmu`.

use core::arch::x86_64::_mm_lfence;

use pmu::{CpuIdResult, Registers};
use raw_cpuid::native_cpuid::cpuid_count;
use x86_64::registers::model_specific::Msr;

use super::{apic, context};

/// This processor's registers.
///
/// A driver touches only what CPUID has announced to it, or what the processor's
/// model is known to have (see [`pmu::registers`]), and nothing else in the kernel
/// touches the same.
#[derive(Clone, Copy, Debug)]
pub struct Hardware;

impl Registers for Hardware {
    fn cpuid(&self, leaf: u32, subleaf: u32) -> CpuIdResult {
        cpuid_count(leaf, subleaf)
    }

    fn read_msr(&mut self, msr: u32) -> u64 {
        // SAFETY: the processor is known to have it, as above; reading it has no effect.
        unsafe { Msr::new(msr).read() }
    }

    fn write_msr(&mut self, msr: u32, value: u64) {
        // SAFETY: the processor is known to have it, as above. It controls counting and what
        // is counted twice, and nothing else.
        unsafe { Msr::new(msr).write(value) }
    }

    fn read_counter(&mut self, index: u32) -> u64 {
        let (low, high): (u32, u32);
        // SAFETY: CPUID has announced the counter; RDPMC is always allowed in the kernel.
        unsafe {
            core::arch::asm!("rdpmc", in("ecx") index, out("eax") low, out("edx") high, options(nomem, nostack));
        }
        u64::from(high) << 32 | u64::from(low)
    }

    fn serialize(&mut self) {
        // SAFETY: LFENCE is there with SSE2.
        unsafe { _mm_lfence() };
    }

    fn set_local_vector(&mut self, entry: u32) {
        apic::set_counter_entry(entry);
    }

    fn take_pending(&mut self) -> bool {
        context::take_pending()
    }
}
