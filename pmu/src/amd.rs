// SPDX-License-Identifier: MIT
//! AMD's core counter 0, with the global registers of PerfMonV2 where there are
//! any.
//!
//! Event C0h, retired instructions. Without PerfMonV2 there is no overflow
//! status: a counter armed with minus its budget has its top bit set until it
//! overflows. AMD's APIC does not mask the entry when it delivers; the interrupt
//! may come so late that only a repetition helps.
//!
//! Events are the families' own; one that is not known is refused.

use crate::back_end::Lateness;
use crate::overflow::{Absent, Edit, Layout, Status, Switch, Vendor, cpuid, is_from};
use crate::registers::Registers;
use crate::registers::amd::*;

/// rr's skid for all Zen, which it calls unbounded.
const LEAST_MARGIN: u64 = 10_000;
/// Zen, Zen+ and Zen 2, which execute locked instructions on speculation.
const ZEN: u8 = 0x17;

/// Finds the counter, if CPUID announces it.
///
/// SpecLockMap is to be off where it miscounts.
pub fn find(registers: &impl Registers) -> Result<Layout, Absent> {
    let cpu = cpuid(registers);
    if !is_from(&cpu, "AuthenticAMD") {
        return Err(Absent::Vendor);
    }
    let extended = cpu.get_extended_processor_and_feature_identifiers();
    let has_core_counters = extended.is_some_and(|extended| extended.has_perf_cntr_extensions());
    let Some(features) = cpu.get_feature_info().filter(|_| has_core_counters) else {
        return Err(Absent::NoCoreCounters);
    };
    let family = features.family_id();
    if !matches!(family, 0x15..=0x17 | 0x19..=0x1a) {
        return Err(Absent::Family(family));
    }
    let monitoring = cpu.get_extended_performance_monitoring_and_debug();
    let has_version2 = monitoring.is_some_and(|monitoring| monitoring.has_perf_mon_v2());
    let lent = features.has_hypervisor();
    let counting = |event| Switch { msr: PERF_CTL0, on: event, off: event & !CTL_ENABLE };
    let own = counting(CTL_RETIRED_USER);
    let global = Switch { msr: GLOBAL_CTL, on: GLOBAL_COUNTER0, off: 0 };
    let status = Status { msr: GLOBAL_STATUS, clear: GLOBAL_STATUS_CLEAR, bit: GLOBAL_COUNTER0 };
    let no_map = Edit { msr: LS_CFG, clear: 0, set: LS_CFG_NO_SPEC_LOCK_MAP };
    Ok(Layout {
        vendor: Vendor::Amd,
        lent,
        counter: PERF_CTR0,
        number: 0,
        width: WIDTH,
        longest: (1 << (WIDTH - 1)) - 1,
        control: PERF_CTL0,
        held: if has_version2 { CTL_RETIRED_USER } else { own.off },
        switch: if has_version2 { global } else { own },
        status: has_version2.then_some(status),
        masks_itself: false,
        // Linux waits for such an interrupt (amd_pmu_wait_on_overflow); here it is the
        // next stretch that meets it, if it is later than the stop.
        status_is_late: true,
        lateness: Lateness::AtLeast(LEAST_MARGIN),
        // A hypervisor need not have the register.
        edits: [(family == ZEN && !lent).then_some(no_map), None],
        freeze_in_smm: None,
        smi_count: None,
        speculative_locks: (family == ZEN).then_some(counting(CTL_SPECULATIVE_LOCKS)),
    })
}
