// SPDX-License-Identifier: MIT
//! Flushing caches, by line or as a whole.

use core::sync::atomic::{AtomicBool, Ordering};

use pages::Page;
use raw_cpuid::CpuId;

/// Bytes that one flush takes out. The instruction's own unit (CPUID.1:EBX\[15:8\])
/// has been this on all 64-bit processors.
const LINE: usize = 64;

/// CLFLUSHOPT is there: weakly ordered, so the flushes of a page overlap.
static OPTIMISED: AtomicBool = AtomicBool::new(false);

/// Finds out what the processor offers.
pub fn init() {
    let features = CpuId::new().get_extended_feature_info();
    OPTIMISED.store(features.is_some_and(|it| it.has_clflushopt()), Ordering::Relaxed);
}

/// Flushes a page's lines, at all levels of the caches; returns how many.
///
/// Caches go by physical addresses, so it does not matter under which address the
/// lines were filled (Intel SDM vol. 2A, CLFLUSHOPT).
pub fn flush_page(page: &Page) -> u64 {
    let optimised = OPTIMISED.load(Ordering::Relaxed);
    let lines = page.chunks_exact(LINE);
    let count = lines.len() as u64;
    for line in lines {
        // SAFETY: a flush changes no content, and the address is mapped;
        // CLFLUSHOPT was seen in CPUID, CLFLUSH belongs to the architecture.
        unsafe {
            if optimised {
                core::arch::asm!("clflushopt [{}]", in(reg) line.as_ptr(), options(nostack, preserves_flags));
            } else {
                core::arch::x86_64::_mm_clflush(line.as_ptr());
            }
        }
    }
    count
}

/// Waits until all lines that were flushed are out.
pub fn fence() {
    // SAFETY: SFENCE orders stores and flushes, nothing else.
    unsafe { core::arch::x86_64::_mm_sfence() };
}

/// Writes all caches back and empties them.
pub fn flush_all() {
    // SAFETY: WBINVD changes no content.
    unsafe { core::arch::asm!("wbinvd", options(nostack, preserves_flags)) };
}
