// SPDX-License-Identifier: MIT
//! Intel architectural performance monitoring: fixed counter 0, version 2 and up.
//!
//! Fixed counter 0 counts instructions as they retire. It is changed only while
//! IA32_PERF_GLOBAL_CTRL holds it (SDM vol. 3B, 21.2.2). The local APIC masks its
//! entry at each delivery (vol. 3A, 12.5.1).
//!
//! Being architectural, it is the same on all models; what is not is used on known
//! ones only (MSR_SMI_COUNT).

use crate::back_end::Lateness;
use crate::overflow::{Absent, Edit, Layout, Status, Switch, Vendor, cpuid, is_from};
use crate::registers::Registers;
use crate::registers::intel::*;

/// rr's skid for Nehalem to Comet Lake, in conditional branches; reverie's and
/// hermit's advice is not to go below it either.
const LEAST_MARGIN: u64 = 100;
/// Bits of a counter that is of use.
const WIDTHS: core::ops::RangeInclusive<u8> = 32..=63;
/// Values written where only 32 bits can be are sign-extended from bit 31 (SDM vol. 3B,
/// 21.2.8).
const NARROW_LONGEST: u64 = (1 << 31) - 1;
/// Models with version 3 that came before MSR_SMI_COUNT.
const BONNELL: [u8; 5] = [0x1c, 0x26, 0x27, 0x35, 0x36];

/// Finds the counter, if CPUID announces it.
///
/// Freezing is to be off on overflow and on in System Management Mode, transactions
/// are to be off, and the counter is to count in ring 3.
pub fn find(registers: &mut impl Registers) -> Result<Layout, Absent> {
    let (monitoring, features, is_intel) = {
        let cpu = cpuid(registers);
        (cpu.get_performance_monitoring_info(), cpu.get_feature_info(), is_from(&cpu, "GenuineIntel"))
    };
    let (Some(monitoring), Some(features)) = (monitoring, features) else { return Err(Absent::NoLeaf) };
    let (version, width) = (monitoring.version_id(), monitoring.fixed_function_counters_bit_width());
    match version {
        0 => return Err(Absent::NoLeaf),
        _ if !is_intel => return Err(Absent::Vendor),
        1 => return Err(Absent::Version(version)),
        _ if monitoring.fixed_function_counters() == 0 => return Err(Absent::NoFixedCounter),
        _ if !WIDTHS.contains(&width) => return Err(Absent::Narrow(width)),
        _ => {}
    }
    let lent = features.has_hypervisor();
    // MSR_SMI_COUNT is not announced. It came with Nehalem and Silvermont, and so with
    // version 3, which before them only Bonnell had. A hypervisor need not have it.
    let is_newer = features.family_id() == 6 && version >= 3 && !BONNELL.contains(&features.model_id());
    let capabilities = if features.has_pdcm() { registers.read_msr(PERF_CAPABILITIES) } else { 0 };
    let has_full_width = capabilities & CAPABILITY_FULL_WIDTH != 0;
    let freezes_in_smm = capabilities & CAPABILITY_FREEZE_IN_SMM != 0;
    // Leaf 7 is below leaf 0AH, which is there.
    let has_tsx_control = registers.cpuid(7, 0).edx & CPUID_ARCH_CAPABILITIES != 0
        && registers.read_msr(ARCH_CAPABILITIES) & ARCH_CAPABILITY_TSX_CTRL != 0;
    let freeze = if freezes_in_smm { DEBUGCTL_FREEZE_IN_SMM } else { 0 };
    Ok(Layout {
        vendor: Vendor::Intel,
        lent,
        counter: FIXED_CTR0,
        number: RDPMC_FIXED0,
        width,
        longest: if has_full_width { (1 << (width - 1)) - 1 } else { NARROW_LONGEST },
        control: FIXED_CTR_CTRL,
        held: FIXED_USER | FIXED_INTERRUPT,
        switch: Switch { msr: GLOBAL_CTRL, on: GLOBAL_FIXED0, off: 0 },
        status: Some(Status { msr: GLOBAL_STATUS, clear: GLOBAL_OVF_CTRL, bit: GLOBAL_FIXED0 }),
        masks_itself: true,
        status_is_late: false,
        lateness: Lateness::AtLeast(LEAST_MARGIN),
        edits: [
            Some(Edit { msr: DEBUGCTL, clear: DEBUGCTL_FREEZE_ON_PMI, set: freeze }),
            has_tsx_control.then_some(Edit { msr: TSX_CTRL, clear: 0, set: TSX_OFF }),
        ],
        freeze_in_smm: freezes_in_smm.then_some((DEBUGCTL, DEBUGCTL_FREEZE_IN_SMM)),
        smi_count: (is_newer && !lent).then_some(SMI_COUNT),
        speculative_locks: None,
    })
}
