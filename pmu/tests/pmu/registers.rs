// SPDX-License-Identifier: MIT
//! The emulated units behave like the manuals' registers, bit by bit.

use pmu::registers::{LVT_MASKED, amd, intel};
use pmu::{Registers, StopKind};
use pmu_emulated::{AmdModel, AmdUnit, Emulation, Faults, IntelModel, IntelUnit};

const VECTOR: u32 = 0xfe;

fn intel_unit(model: IntelModel) -> IntelUnit {
    IntelUnit::new(model, Faults::default())
}

fn amd_unit(family: u8, version2: bool) -> AmdUnit {
    AmdUnit::new(AmdModel { family, version2, hypervisor: false }, Faults::default())
}

fn faults(unit: &mut impl Emulation) -> u32 {
    unit.unit().would_fault()
}

#[test]
fn intel_counts_only_with_both_enables_and_in_ring_3() {
    let mut unit = intel_unit(IntelModel::default());
    for (global, fixed, counted) in [
        (0, intel::FIXED_USER, 0),
        (intel::GLOBAL_FIXED0, 0, 0),
        (intel::GLOBAL_FIXED0, 1, 0),
        (intel::GLOBAL_FIXED0, intel::FIXED_USER, 100),
    ] {
        unit.write_msr(intel::FIXED_CTR0, 0);
        unit.write_msr(intel::FIXED_CTR_CTRL, fixed);
        unit.write_msr(intel::GLOBAL_CTRL, global);
        unit.unit().execute(100);
        assert_eq!(unit.read_msr(intel::FIXED_CTR0), counted, "{global:#x} {fixed:#x}");
        assert_eq!(unit.read_counter(intel::RDPMC_FIXED0), counted);
    }
    assert_eq!(faults(&mut unit), 0);
}

#[test]
fn intel_s_overflow_sets_the_status_interrupts_once_and_masks_the_entry() {
    let mut unit = intel_unit(IntelModel::default());
    unit.write_msr(intel::DEBUGCTL, 0);
    unit.set_local_vector(VECTOR);
    unit.write_msr(intel::FIXED_CTR_CTRL, intel::FIXED_USER | intel::FIXED_INTERRUPT);
    unit.write_msr(intel::FIXED_CTR0, (1 << 48) - 10);
    unit.write_msr(intel::GLOBAL_CTRL, intel::GLOBAL_FIXED0);
    assert_eq!(unit.unit().until_interrupt(), Some(10));
    unit.unit().execute(9);
    assert_eq!((unit.read_msr(intel::GLOBAL_STATUS), unit.local_vector()), (0, VECTOR));
    unit.unit().execute(1);
    assert_eq!(unit.read_msr(intel::GLOBAL_STATUS), intel::GLOBAL_FIXED0);
    assert_eq!(unit.local_vector(), VECTOR | LVT_MASKED, "the APIC masks it on delivery");
    assert_eq!(unit.unit().interrupts(), 1);
    unit.unit().leave(StopKind::Counter);
    assert!(!unit.take_pending(), "it was taken");
    // Masked, the next overflow is lost.
    unit.write_msr(intel::FIXED_CTR0, (1 << 48) - 10);
    assert_eq!(unit.unit().until_interrupt(), None);
    unit.unit().execute(20);
    assert_eq!(unit.unit().interrupts(), 1);
    unit.write_msr(intel::GLOBAL_OVF_CTRL, 0);
    assert_eq!(unit.read_msr(intel::GLOBAL_STATUS), intel::GLOBAL_FIXED0);
    unit.write_msr(intel::GLOBAL_OVF_CTRL, intel::GLOBAL_FIXED0);
    assert_eq!(unit.read_msr(intel::GLOBAL_STATUS), 0);
    assert_eq!(faults(&mut unit), 0);
}

#[test]
fn freezing_hides_how_late_an_interrupt_is() {
    let skid = pmu_emulated::SkidModel::Fixed(50);
    let mut unit = IntelUnit::new(IntelModel::default(), Faults { skid, ..Faults::default() });
    unit.set_local_vector(VECTOR);
    unit.write_msr(intel::FIXED_CTR_CTRL, intel::FIXED_USER | intel::FIXED_INTERRUPT);
    for (debug_control, counted) in [(1 << 12, 0), (0, 50)] {
        unit.write_msr(intel::DEBUGCTL, debug_control);
        unit.set_local_vector(VECTOR);
        unit.write_msr(intel::GLOBAL_CTRL, 0);
        unit.write_msr(intel::FIXED_CTR0, (1 << 48) - 10);
        unit.write_msr(intel::GLOBAL_CTRL, intel::GLOBAL_FIXED0);
        unit.unit().execute(60);
        unit.unit().leave(StopKind::Counter);
        assert_eq!(unit.read_msr(intel::FIXED_CTR0), counted, "DEBUGCTL {debug_control:#x}");
    }
}

#[test]
fn intel_s_counters_have_their_width_and_reserved_bits_fault() {
    let mut unit = intel_unit(IntelModel { width: 40, ..IntelModel::default() });
    unit.write_msr(intel::FIXED_CTR0, (1 << 40) - 1);
    assert_eq!((unit.read_msr(intel::FIXED_CTR0), faults(&mut unit)), ((1 << 40) - 1, 0));
    for (msr, value) in [
        (intel::FIXED_CTR0, 1 << 40),
        (intel::FIXED_CTR_CTRL, 1 << 2),
        (intel::FIXED_CTR_CTRL, 1 << 4),
        (intel::GLOBAL_CTRL, 1),
        (intel::GLOBAL_OVF_CTRL, 1 << 33),
        (intel::GLOBAL_STATUS, 0),
        (intel::PERF_CAPABILITIES, 0),
        (intel::TSX_CTRL, 0b100),
        (amd::PERF_CTL0, 0),
    ] {
        let before = faults(&mut unit);
        unit.write_msr(msr, value);
        assert_eq!(faults(&mut unit), before + 1, "{msr:#x} <- {value:#x}");
    }
    let before = faults(&mut unit);
    unit.read_counter(0);
    unit.read_msr(0xc1);
    assert_eq!(faults(&mut unit), before + 2, "there are no general counters");
}

#[test]
fn without_full_width_writes_bit_31_is_the_sign() {
    let mut unit = intel_unit(IntelModel { full_width: false, ..IntelModel::default() });
    for (written, read) in [(0x7fff_ffff, 0x7fff_ffff), (0x8000_0000, 0xffff_8000_0000), (1 << 40, 0)] {
        unit.write_msr(intel::FIXED_CTR0, written);
        assert_eq!(unit.read_msr(intel::FIXED_CTR0), read);
    }
    assert_eq!(unit.read_msr(intel::PERF_CAPABILITIES) & intel::CAPABILITY_FULL_WIDTH, 0);
}

#[test]
fn amd_counts_only_the_event_enabled_in_user_mode() {
    for version2 in [true, false] {
        let mut unit = amd_unit(0x19, version2);
        for (control, counted) in [
            (amd::CTL_RETIRED_USER, 100),
            (amd::CTL_RETIRED_USER & !amd::CTL_ENABLE, 0),
            (amd::CTL_RETIRED_USER & !amd::CTL_USER, 0),
            (amd::CTL_RETIRED_USER | 1, 0),
            (amd::CTL_RETIRED_USER | 1 << 32, 0),
        ] {
            unit.write_msr(amd::PERF_CTR0, 0);
            unit.write_msr(amd::PERF_CTL0, control);
            unit.unit().execute(100);
            assert_eq!(unit.read_msr(amd::PERF_CTR0), counted, "{control:#x}");
            assert_eq!(unit.read_counter(0), counted);
        }
        unit.write_msr(amd::PERF_CTL0, amd::CTL_RETIRED_USER);
        unit.write_msr(amd::PERF_CTR0, 0);
        unit.write_msr(amd::GLOBAL_CTL, 0);
        unit.unit().execute(100);
        let (counted, fault) = if version2 { (0, 0) } else { (100, 1) };
        assert_eq!((unit.read_msr(amd::PERF_CTR0), faults(&mut unit)), (counted, fault));
    }
}

#[test]
fn amd_s_entry_is_not_masked_on_delivery() {
    let mut unit = amd_unit(0x19, true);
    unit.set_local_vector(VECTOR);
    unit.write_msr(amd::PERF_CTL0, amd::CTL_RETIRED_USER);
    for overflow in 1..=3 {
        unit.write_msr(amd::PERF_CTR0, (1 << 48) - 5);
        unit.unit().execute(5);
        unit.unit().leave(StopKind::Counter);
        assert_eq!((unit.local_vector(), unit.unit().interrupts()), (VECTOR, overflow));
        assert_eq!(unit.read_msr(amd::GLOBAL_STATUS), amd::GLOBAL_COUNTER0);
        unit.write_msr(amd::GLOBAL_STATUS_CLEAR, amd::GLOBAL_COUNTER0);
        assert_eq!(unit.read_msr(amd::GLOBAL_STATUS), 0);
    }
    assert_eq!(faults(&mut unit), 0);
}

#[test]
fn amd_s_reserved_bits_and_registers_of_other_families_fault() {
    let mut unit = amd_unit(0x17, false);
    unit.write_msr(amd::LS_CFG, amd::LS_CFG_NO_SPEC_LOCK_MAP);
    assert_eq!((unit.load_store_config(), faults(&mut unit)), (1 << 54, 0));
    for (msr, value) in [
        (amd::PERF_CTL0, 1 << 21),
        (amd::PERF_CTL0, 1 << 36),
        (amd::PERF_CTR0, 1 << 48),
        (amd::GLOBAL_CTL, 1),
        (amd::GLOBAL_STATUS_CLEAR, 1),
        (intel::GLOBAL_CTRL, 0),
    ] {
        let before = faults(&mut unit);
        unit.write_msr(msr, value);
        assert_eq!(faults(&mut unit), before + 1, "{msr:#x} <- {value:#x}");
    }
    let mut unit = amd_unit(0x19, true);
    unit.read_msr(amd::LS_CFG);
    unit.write_msr(amd::GLOBAL_CTL, 2);
    assert_eq!(faults(&mut unit), 2);
}

#[test]
fn intel_s_counter_stands_still_in_system_management_mode_when_told_to() {
    let mut unit = IntelUnit::new(IntelModel::default(), Faults { smi: 1, ..Faults::default() });
    unit.write_msr(intel::FIXED_CTR_CTRL, intel::FIXED_USER);
    for (debug_control, counted) in [(0, 101), (intel::DEBUGCTL_FREEZE_IN_SMM, 100)] {
        let before = unit.read_msr(intel::SMI_COUNT);
        unit.write_msr(intel::DEBUGCTL, debug_control);
        unit.write_msr(intel::FIXED_CTR0, 0);
        unit.write_msr(intel::GLOBAL_CTRL, intel::GLOBAL_FIXED0);
        unit.unit().execute(100);
        unit.unit().leave(StopKind::Syscall);
        unit.write_msr(intel::GLOBAL_CTRL, 0);
        assert_eq!(unit.read_msr(intel::FIXED_CTR0), counted, "DEBUGCTL {debug_control:#x}");
        assert_eq!(unit.read_msr(intel::SMI_COUNT), before + 1);
    }
    assert_eq!(faults(&mut unit), 0);
    // What is not there faults.
    for (model, accesses) in [
        (IntelModel { freezes_in_smm: false, ..IntelModel::default() }, 1),
        (IntelModel { version: 2, ..IntelModel::default() }, 1),
        (IntelModel { hypervisor: true, freezes_in_smm: false, ..IntelModel::default() }, 2),
    ] {
        let mut unit = intel_unit(model);
        unit.write_msr(intel::DEBUGCTL, intel::DEBUGCTL_FREEZE_IN_SMM);
        unit.read_msr(intel::SMI_COUNT);
        assert_eq!(faults(&mut unit), accesses, "{model:?}");
    }
}

#[test]
fn zen_s_speculative_locks_are_counted_until_turned_off() {
    for (family, config, counted) in [(0x17, 0, 100), (0x17, amd::LS_CFG_NO_SPEC_LOCK_MAP, 0), (0x19, 0, 0)] {
        let mut unit = amd_unit(family, false);
        if family == 0x17 {
            unit.write_msr(amd::LS_CFG, config);
        }
        unit.write_msr(amd::PERF_CTL0, amd::CTL_SPECULATIVE_LOCKS);
        unit.unit().execute(300);
        assert_eq!(unit.read_msr(amd::PERF_CTR0), counted, "family {family:#x}, {config:#x}");
        assert_eq!(faults(&mut unit), 0);
    }
}

#[test]
fn an_interrupt_on_its_way_arrives_in_the_kernel() {
    let skid = pmu_emulated::SkidModel::Fixed(50);
    let mut unit = AmdUnit::new(AmdModel::default(), Faults { skid, ..Faults::default() });
    unit.set_local_vector(VECTOR);
    unit.write_msr(amd::PERF_CTR0, (1 << 48) - 10);
    unit.write_msr(amd::PERF_CTL0, amd::CTL_RETIRED_USER);
    assert_eq!(unit.unit().until_interrupt(), Some(60));
    // User mode is left by a system call before that.
    unit.unit().execute(20);
    assert_eq!(unit.unit().interrupts(), 0);
    unit.unit().leave(StopKind::Syscall);
    assert_eq!(unit.unit().interrupts(), 1);
    assert!(unit.take_pending());
    assert!(!unit.take_pending());
}
