// SPDX-License-Identifier: MIT
//! How a back end reaches the hardware, and the numbers of what it reaches.
//!
//! The kernel implements [`Registers`] in a few lines of privileged code;
//! the crate `pmu-emulated` implements it in software. A back end touches only
//! registers that CPUID has announced, or that the manual gives to the processor's
//! model and no hypervisor hides, so none of these accesses can fault and none
//! returns an error. That none *would* fault is a test: the
//! emulated units count every access that a processor would answer with #GP.

use raw_cpuid::CpuIdResult;

/// The registers of one logical processor that performance counting needs.
pub trait Registers {
    /// CPUID.
    fn cpuid(&self, leaf: u32, subleaf: u32) -> CpuIdResult;
    /// RDMSR.
    fn read_msr(&mut self, msr: u32) -> u64;
    /// WRMSR.
    fn write_msr(&mut self, msr: u32, value: u64);
    /// RDPMC: quicker than RDMSR for a counter's value.
    fn read_counter(&mut self, index: u32) -> u64;
    /// Waits until everything before has been executed (LFENCE), so that a counter
    /// that is read next has counted it.
    fn serialize(&mut self);
    /// Writes the local APIC's performance-counter entry (offset 340h, MSR 834h).
    fn set_local_vector(&mut self, entry: u32);
    /// Takes and drops a counter interrupt that waits in the APIC's request
    /// register; whether there was one.
    fn take_pending(&mut self) -> bool;
}

/// The mask bit of a local APIC entry (Intel SDM vol. 3A, figure 12-8).
pub const LVT_MASKED: u32 = 1 << 16;

/// Intel's (SDM vol. 4, table 2-2; vol. 3B, chapter 21).
pub mod intel {
    /// IA32_PERF_CAPABILITIES, where CPUID.1:ECX\[15\] says so.
    pub const PERF_CAPABILITIES: u32 = 0x345;
    /// There is FREEZE_WHILE_SMM (vol. 3B, 19.4.1).
    pub const CAPABILITY_FREEZE_IN_SMM: u64 = 1 << 12;
    /// Counters can be written in full width (vol. 3B, 21.2.8).
    pub const CAPABILITY_FULL_WIDTH: u64 = 1 << 13;
    /// IA32_DEBUGCTL (vol. 3B, 19.4.1).
    pub const DEBUGCTL: u32 = 0x1d9;
    /// FREEZE_LBRS_ON_PMI and FREEZE_PERFMON_ON_PMI: with the latter a counter
    /// stands still while its interrupt is under way, and cannot tell how late the
    /// interrupt was (vol. 3B, 19.4.7).
    pub const DEBUGCTL_FREEZE_ON_PMI: u64 = 1 << 11 | 1 << 12;
    /// FREEZE_WHILE_SMM.
    pub const DEBUGCTL_FREEZE_IN_SMM: u64 = 1 << 14;
    /// IA32_FIXED_CTR0: instructions retired.
    pub const FIXED_CTR0: u32 = 0x309;
    /// IA32_FIXED_CTR_CTRL: four bits a counter (vol. 3B, 21.2.2).
    pub const FIXED_CTR_CTRL: u32 = 0x38d;
    /// Fixed counter 0 counts in rings 1 to 3.
    pub const FIXED_USER: u64 = 1 << 1;
    /// Fixed counter 0 interrupts when it overflows.
    pub const FIXED_INTERRUPT: u64 = 1 << 3;
    /// IA32_PERF_GLOBAL_STATUS (vol. 3B, 21.2.2).
    pub const GLOBAL_STATUS: u32 = 0x38e;
    /// IA32_PERF_GLOBAL_CTRL.
    pub const GLOBAL_CTRL: u32 = 0x38f;
    /// IA32_PERF_GLOBAL_OVF_CTRL, from version 4 on IA32_PERF_GLOBAL_STATUS_RESET.
    pub const GLOBAL_OVF_CTRL: u32 = 0x390;
    /// Fixed counter 0 in the three global registers.
    pub const GLOBAL_FIXED0: u64 = 1 << 32;
    /// What RDPMC calls fixed counter 0 (vol. 2B, RDPMC).
    pub const RDPMC_FIXED0: u32 = 1 << 30;
    /// CPUID.(7,0):EDX: there is IA32_ARCH_CAPABILITIES.
    pub const CPUID_ARCH_CAPABILITIES: u32 = 1 << 29;
    /// IA32_ARCH_CAPABILITIES.
    pub const ARCH_CAPABILITIES: u32 = 0x10a;
    /// There is IA32_TSX_CTRL.
    pub const ARCH_CAPABILITY_TSX_CTRL: u64 = 1 << 7;
    /// MSR_SMI_COUNT: System Management Interrupts since reset, in 32 bits (vol. 4,
    /// tables for Nehalem and Silvermont and after).
    pub const SMI_COUNT: u32 = 0x34;
    /// IA32_TSX_CTRL.
    pub const TSX_CTRL: u32 = 0x122;
    /// RTM_DISABLE and TSX_CPUID_CLEAR: an aborted transaction takes its
    /// instructions back, its counts stay.
    pub const TSX_OFF: u64 = 0b11;
}

/// AMD's (APM vol. 2, 13.2; PPR for family 19h, MSRs C000_0300 and C001_0200).
pub mod amd {
    /// PERF_CTL0, where CPUID.8000_0001h:ECX\[23\] says so.
    pub const PERF_CTL0: u32 = 0xc001_0200;
    /// PERF_CTR0.
    pub const PERF_CTR0: u32 = 0xc001_0201;
    /// Event C0h, retired instructions; USR 16, INT 20, EN 22.
    pub const CTL_RETIRED_USER: u64 = 0xc0 | 1 << 16 | CTL_INTERRUPT | CTL_ENABLE;
    /// The counter interrupts when it overflows.
    pub const CTL_INTERRUPT: u64 = 1 << 20;
    /// The counter counts.
    pub const CTL_ENABLE: u64 = 1 << 22;
    /// It counts at CPL above 0.
    pub const CTL_USER: u64 = 1 << 16;
    /// Event 25h, unit mask 08h, of Zen to Zen 2: locked instructions that SpecLockMap
    /// has let through, in ring 3 and without an interrupt (rr, issue 2034).
    pub const CTL_SPECULATIVE_LOCKS: u64 = 0x25 | 0x08 << 8 | CTL_USER | CTL_ENABLE;
    /// Width of the core counters.
    pub const WIDTH: u8 = 48;
    /// PerfCntrGlobalStatus, from PerfMonV2 on (CPUID.8000_0022h:EAX\[0\]).
    pub const GLOBAL_STATUS: u32 = 0xc000_0300;
    /// PerfCntrGlobalCtl.
    pub const GLOBAL_CTL: u32 = 0xc000_0301;
    /// PerfCntrGlobalStatusClr.
    pub const GLOBAL_STATUS_CLEAR: u32 = 0xc000_0302;
    /// Counter 0 in the three global registers.
    pub const GLOBAL_COUNTER0: u64 = 1;
    /// A configuration register of the load and store unit, family 17h.
    pub const LS_CFG: u32 = 0xc001_1020;
    /// Turns SpecLockMap off there: an aborted locked instruction takes its
    /// neighbours back, their counts stay (rr, issue 2034).
    pub const LS_CFG_NO_SPEC_LOCK_MAP: u64 = 1 << 54;
}
