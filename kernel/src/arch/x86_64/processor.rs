// SPDX-License-Identifier: MIT
//! Control registers and processor features.

use pe_replay::user::XCR0;
use raw_cpuid::CpuId;
use wire::end::ProcessorLack;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags};
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

/// The bits of MXCSR that every processor with SSE2 has, where FXSAVE names none.
const DEFAULT_MXCSR_MASK: u32 = 0xffbf;

/// The bits of CPUID leaf 1, EDX (Intel SDM vol. 2A, table 3-11) that mean something to user
/// code here: FPU, TSC, CMPXCHG8B, CMOV, CLFLUSH, MMX, FXSR, SSE and SSE2. The others are the
/// kernel's affair, or what it does not offer, as SYSENTER.
const USER_FEATURES: u32 = 1 | 1 << 4 | 1 << 8 | 1 << 15 | 1 << 19 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 26;

/// What user programs are told about the processor, in AT_HWCAP.
pub fn hwcap() -> u32 {
    // SAFETY-free: CPUID is a safe intrinsic on x86-64.
    core::arch::x86_64::__cpuid(1).edx & USER_FEATURES
}

/// What CPUID says of a leaf, from EAX to EDX: a program's own CPUID says the same.
pub fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    // SAFETY-free: CPUID is a safe intrinsic on x86-64.
    let said = core::arch::x86_64::__cpuid_count(leaf, subleaf);
    [said.eax, said.ebx, said.ecx, said.edx]
}

/// Turns on what Reprise needs and every protection that the processor has.
///
/// TSD makes RDTSC a delimiter; PCE stays off, so RDPMC is a #GP. FSGSBASE stays off:
/// with WRFSBASE a program could set bases that nobody has checked, and QEMU 7.2 takes
/// also those that are not canonical.
pub fn init() -> Result<(), ProcessorLack> {
    let cpuid = CpuId::new();
    let features = cpuid.get_feature_info();
    let has = |check: fn(&raw_cpuid::FeatureInfo) -> bool| features.as_ref().is_some_and(check);
    let extended = cpuid.get_extended_processor_and_feature_identifiers();
    if !has(|f| f.has_xsave()) {
        return Err(ProcessorLack::Xsave);
    }
    if !has(|f| f.has_avx()) {
        return Err(ProcessorLack::Avx);
    }
    if !has(|f| f.has_apic()) {
        return Err(ProcessorLack::Apic);
    }
    if !extended.as_ref().is_some_and(|e| e.has_execute_disable()) {
        return Err(ProcessorLack::NoExecute);
    }
    if !extended.as_ref().is_some_and(|e| e.has_syscall_sysret()) {
        return Err(ProcessorLack::Syscall);
    }
    let mut cr4 = Cr4Flags::PHYSICAL_ADDRESS_EXTENSION
        | Cr4Flags::OSFXSR
        | Cr4Flags::OSXMMEXCPT_ENABLE
        | Cr4Flags::OSXSAVE
        | Cr4Flags::MACHINE_CHECK_EXCEPTION
        | Cr4Flags::TIMESTAMP_DISABLE;
    if let Some(more) = cpuid.get_extended_feature_info() {
        cr4.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, more.has_smep());
        cr4.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, more.has_smap());
        cr4.set(Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION, more.has_umip());
    }
    let cr0 = Cr0Flags::PROTECTED_MODE_ENABLE
        | Cr0Flags::MONITOR_COPROCESSOR
        | Cr0Flags::EXTENSION_TYPE
        | Cr0Flags::NUMERIC_ERROR
        | Cr0Flags::WRITE_PROTECT
        | Cr0Flags::ALIGNMENT_MASK
        | Cr0Flags::PAGING;
    // SAFETY: the processor has what is turned on; the kernel touches user memory
    // only through the direct map, so SMEP and SMAP do not concern it.
    unsafe {
        Cr0::write(cr0);
        Cr4::write(cr4);
        XCr0::write(XCr0Flags::from_bits_truncate(XCR0));
    }
    Ok(())
}

/// How many bits a physical address has.
pub fn physical_bits() -> u8 {
    const DEFAULT: u8 = 36;
    let capacity = CpuId::new().get_processor_capacity_feature_info();
    capacity.map_or(DEFAULT, |capacity| capacity.physical_address_bits())
}

/// The MXCSR bits that this processor has (Intel SDM vol. 1, 11.6.6).
pub fn mxcsr_mask() -> u32 {
    #[repr(C, align(16))]
    struct Area([u8; 512]);
    const MASK: usize = pe_replay::user::xsave::MXCSR_MASK;
    let mut area = Area([0; 512]);
    // SAFETY: FXSAVE writes 512 bytes to a 16-byte aligned area.
    unsafe { core::arch::x86_64::_fxsave64(area.0.as_mut_ptr()) };
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&area.0[MASK..MASK + 4]);
    match u32::from_le_bytes(bytes) {
        0 => DEFAULT_MXCSR_MASK,
        mask => mask,
    }
}
