// SPDX-License-Identifier: MIT
//! What is made of CPUID, processor by processor; a register that CPUID has not announced is not read.

use pmu::back_end::Lateness;
use pmu::overflow::{Absent, Edit, Layout, Status, Switch, Vendor};
use pmu::registers::{amd, intel};
use pmu::{CpuIdResult, Registers};

/// A processor that only says what it is.
#[derive(Clone)]
struct Told {
    leaves: Vec<(u32, [u32; 4])>,
    msrs: Vec<(u32, u64)>,
}

impl Told {
    /// The same processor, whose leaf is another one.
    fn leaf(mut self, leaf: u32, registers: [u32; 4]) -> Self {
        self.leaves.insert(0, (leaf, registers));
        self
    }

    /// The same processor, which has a register.
    fn msr(mut self, msr: u32, value: u64) -> Self {
        self.msrs.insert(0, (msr, value));
        self
    }
}

impl Registers for Told {
    fn cpuid(&self, leaf: u32, _: u32) -> CpuIdResult {
        let found = self.leaves.iter().find(|(known, _)| *known == leaf);
        let [eax, ebx, ecx, edx] = found.map_or([0; 4], |(_, registers)| *registers);
        CpuIdResult { eax, ebx, ecx, edx }
    }

    fn read_msr(&mut self, msr: u32) -> u64 {
        let found = self.msrs.iter().find(|(known, _)| *known == msr);
        found.unwrap_or_else(|| panic!("{msr:#x} is not announced")).1
    }

    fn write_msr(&mut self, msr: u32, value: u64) {
        panic!("{value:#x} is written to {msr:#x}");
    }

    fn read_counter(&mut self, index: u32) -> u64 {
        panic!("counter {index} is read");
    }

    fn serialize(&mut self) {}

    fn set_local_vector(&mut self, _: u32) {}

    fn take_pending(&mut self) -> bool {
        false
    }
}

const PDCM: u32 = 1 << 15;
const HYPERVISOR: u32 = 1 << 31;
const NEHALEM: u32 = 0x0001_06a5;

/// Leaf 0AH.
fn monitoring(version: u32, counters: u32, width: u32) -> [u32; 4] {
    [version, 0, 0, counters | width << 5]
}

fn intel_of(signature: u32, ecx: u32) -> Told {
    Told { leaves: Vec::new(), msrs: Vec::new() }
        .leaf(0, [0xd, 0x756e_6547, 0x6c65_746e, 0x4965_6e69])
        .leaf(1, [signature, 0, ecx, 0])
        .leaf(0xa, monitoring(5, 4, 48))
}

const PLAIN_INTEL: Layout = Layout {
    vendor: Vendor::Intel,
    lent: false,
    counter: 0x309,
    number: 1 << 30,
    width: 48,
    longest: (1 << 31) - 1,
    control: 0x38d,
    held: 0b1010,
    switch: Switch { msr: 0x38f, on: 1 << 32, off: 0 },
    status: Some(Status { msr: 0x38e, clear: 0x390, bit: 1 << 32 }),
    masks_itself: true,
    status_is_late: false,
    lateness: Lateness::AtLeast(100),
    edits: [Some(Edit { msr: 0x1d9, clear: 0b11 << 11, set: 0 }), None],
    freeze_in_smm: None,
    smi_count: Some(0x34),
    speculative_locks: None,
};

#[track_caller]
fn is_intel(mut processor: Told, expected: Result<Layout, Absent>) {
    assert_eq!(pmu::intel::find(&mut processor), expected);
}

#[test]
fn intel_s_counter_needs_its_leaf_version_2_and_32_bits() {
    let nehalem = || intel_of(NEHALEM, 0);
    is_intel(nehalem(), Ok(PLAIN_INTEL));
    is_intel(nehalem().leaf(0, [0x9, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]), Err(Absent::NoLeaf));
    is_intel(nehalem().leaf(0xa, monitoring(0, 4, 48)), Err(Absent::NoLeaf));
    is_intel(nehalem().leaf(0xa, monitoring(1, 4, 48)), Err(Absent::Version(1)));
    is_intel(nehalem().leaf(0xa, monitoring(2, 0, 48)), Err(Absent::NoFixedCounter));
    for width in [31, 64] {
        is_intel(nehalem().leaf(0xa, monitoring(2, 1, width)), Err(Absent::Narrow(width as u8)));
    }
    for width in [32, 63] {
        let expected = Layout { width: width as u8, ..PLAIN_INTEL };
        is_intel(nehalem().leaf(0xa, monitoring(3, 1, width)), Ok(expected));
    }
}

#[test]
fn system_management_interrupts_are_read_where_they_are_known_to_be_counted() {
    let uncounted = Layout { smi_count: None, ..PLAIN_INTEL };
    is_intel(intel_of(NEHALEM, 0).leaf(0xa, monitoring(2, 4, 48)), Ok(uncounted));
    is_intel(intel_of(NEHALEM, 0).leaf(0xa, monitoring(3, 4, 48)), Ok(PLAIN_INTEL));
    for bonnell in [0x1_06c2, 0x2_0661, 0x2_0671, 0x3_0651, 0x3_0661] {
        is_intel(intel_of(bonnell, 0), Ok(uncounted));
    }
    is_intel(intel_of(0x0f48, 0), Ok(uncounted));
    is_intel(intel_of(NEHALEM, HYPERVISOR), Ok(Layout { lent: true, ..uncounted }));
}

#[test]
fn intel_s_capabilities_are_read_where_they_are_announced() {
    let capable = |capabilities| intel_of(NEHALEM, PDCM).msr(intel::PERF_CAPABILITIES, capabilities);
    is_intel(capable(!(0b11 << 12)), Ok(PLAIN_INTEL));
    is_intel(capable(1 << 13), Ok(Layout { longest: (1 << 47) - 1, ..PLAIN_INTEL }));
    let freeze = Edit { msr: 0x1d9, clear: 0b11 << 11, set: 1 << 14 };
    let freezing =
        Layout { edits: [Some(freeze), None], freeze_in_smm: Some((0x1d9, 1 << 14)), ..PLAIN_INTEL };
    is_intel(capable(1 << 12), Ok(freezing));
}

#[test]
fn transactions_are_turned_off_where_they_can_be() {
    let told = |capabilities| {
        intel_of(NEHALEM, 0).leaf(7, [0, 0, 0, 1 << 29]).msr(intel::ARCH_CAPABILITIES, capabilities)
    };
    is_intel(told(!(1 << 7)), Ok(PLAIN_INTEL));
    let [debug, _] = PLAIN_INTEL.edits;
    let off = Edit { msr: 0x122, clear: 0, set: 0b11 };
    is_intel(told(1 << 7), Ok(Layout { edits: [debug, Some(off)], ..PLAIN_INTEL }));
    is_intel(intel_of(NEHALEM, 0).leaf(7, [0, 0, 0, !(1 << 29)]), Ok(PLAIN_INTEL));
}

fn amd_of(family: u32, ecx: u32) -> Told {
    Told { leaves: Vec::new(), msrs: Vec::new() }
        .leaf(0, [0x10, 0x6874_7541, 0x444d_4163, 0x6974_6e65])
        .leaf(1, [0xf << 8 | (family - 0xf) << 20, 0, ecx, 0])
        .leaf(0x8000_0000, [0x8000_0022, 0, 0, 0])
        .leaf(0x8000_0001, [0, 0, 1 << 23, 0])
}

const PLAIN_AMD: Layout = Layout {
    vendor: Vendor::Amd,
    lent: false,
    counter: 0xc001_0201,
    number: 0,
    width: 48,
    longest: (1 << 47) - 1,
    control: 0xc001_0200,
    held: 0x11_00c0,
    switch: Switch { msr: 0xc001_0200, on: 0x51_00c0, off: 0x11_00c0 },
    status: None,
    masks_itself: false,
    status_is_late: true,
    lateness: Lateness::AtLeast(10_000),
    edits: [None, None],
    freeze_in_smm: None,
    smi_count: None,
    speculative_locks: None,
};

#[track_caller]
fn is_amd(processor: &Told, expected: Result<Layout, Absent>) {
    assert_eq!(pmu::amd::find(processor), expected);
}

#[test]
fn amd_s_counter_needs_its_leaf_and_a_family_that_is_known() {
    for family in [0x15, 0x16, 0x19, 0x1a] {
        is_amd(&amd_of(family, 0), Ok(PLAIN_AMD));
    }
    for family in [0x14, 0x18, 0x1b] {
        is_amd(&amd_of(family, 0), Err(Absent::Family(family as u8)));
    }
    is_amd(&amd_of(0x19, 0).leaf(0x8000_0001, [0, 0, !(1 << 23), 0]), Err(Absent::NoCoreCounters));
    is_amd(&amd_of(0x19, 0).leaf(0x8000_0000, [0x8000_0000, 0, 0, 0]), Err(Absent::NoCoreCounters));
    is_amd(&intel_of(NEHALEM, 0), Err(Absent::Vendor));
    is_amd(&amd_of(0x19, HYPERVISOR), Ok(Layout { lent: true, ..PLAIN_AMD }));
}

#[test]
fn perf_mon_v2_has_global_registers() {
    let version2 = Layout {
        held: 0x51_00c0,
        switch: Switch { msr: 0xc000_0301, on: 1, off: 0 },
        status: Some(Status { msr: 0xc000_0300, clear: 0xc000_0302, bit: 1 }),
        ..PLAIN_AMD
    };
    is_amd(&amd_of(0x19, 0).leaf(0x8000_0022, [1, 1, 0, 0]), Ok(version2));
    is_amd(&amd_of(0x19, 0).leaf(0x8000_0022, [!1, 1, 0, 0]), Ok(PLAIN_AMD));
}

#[test]
fn zen_s_locks_are_watched_and_its_map_turned_off_where_that_can_be() {
    let watched = Layout {
        speculative_locks: Some(Switch { msr: amd::PERF_CTL0, on: 0x41_0825, off: 0x01_0825 }),
        ..PLAIN_AMD
    };
    let no_map = Edit { msr: amd::LS_CFG, clear: 0, set: 1 << 54 };
    is_amd(&amd_of(0x17, 0), Ok(Layout { edits: [Some(no_map), None], ..watched }));
    is_amd(&amd_of(0x17, HYPERVISOR), Ok(Layout { lent: true, ..watched }));
}
