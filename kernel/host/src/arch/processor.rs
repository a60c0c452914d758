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
