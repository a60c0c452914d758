// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/arch/x86_64/processor.rs`.

/// What user programs are told about the processor, in AT_HWCAP.
pub fn hwcap() -> u32 {
    0x0178_bfbf
}

/// The bits of MXCSR that the processor knows.
pub fn mxcsr_mask() -> u32 {
    0xffff
}

/// What CPUID says of a leaf, from EAX to EDX.
pub fn cpuid(leaf: u32, _subleaf: u32) -> [u32; 4] {
    match leaf {
        0 => [1, 0x756e_6547, 0x6c65_746e, 0x4965_6e69],
        1 => [0x0083_0f10, 0x800, 0x0000_2201, 0x0788_8111],
        _ => [0; 4],
    }
}
