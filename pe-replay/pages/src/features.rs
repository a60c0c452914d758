// SPDX-License-Identifier: MIT
//! Which of the features that matter here the processor has and the system enabled.

use core::arch::x86_64::_xgetbv;

use raw_cpuid::CpuId;

/// XCR0: the system saves XMM (bit 1) and the upper halves of YMM (bit 2);
/// Intel SDM volume 1, 13.3.
const XCR0_SSE_AVX: u64 = 0b110;

#[derive(Clone, Copy, Default)]
pub(crate) struct Features {
    /// AVX2 may be executed: the processor has it and XCR0 enables its registers.
    pub(crate) avx2: bool,
    /// REP MOVSB is fast (CPUID.7.EBX\[9\]).
    pub(crate) erms: bool,
}

impl Features {
    /// Asks the processor. Under Miri, which has no CPUID, there are none.
    pub(crate) fn detect() -> Self {
        if cfg!(miri) {
            return Self::default();
        }
        let cpuid = CpuId::new();
        let avx = cpuid.get_feature_info().is_some_and(|info| info.has_avx() && info.has_oxsave());
        // SAFETY: OSXSAVE, asked first, says that XGETBV may be executed.
        let enabled = avx && unsafe { xcr0() } & XCR0_SSE_AVX == XCR0_SSE_AVX;
        let extended = cpuid.get_extended_feature_info();
        Self {
            avx2: enabled && extended.as_ref().is_some_and(|info| info.has_avx2()),
            erms: extended.as_ref().is_some_and(|info| info.has_rep_movsb_stosb()),
        }
    }
}

/// # Safety
/// CPUID reports OSXSAVE.
#[target_feature(enable = "xsave")]
unsafe fn xcr0() -> u64 {
    // SAFETY: the caller's promise; XCR0 always exists where XGETBV does.
    unsafe { _xgetbv(0) }
}
