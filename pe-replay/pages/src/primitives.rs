// SPDX-License-Identifier: MIT
//! The choice among the variants, and the one interface to all of them.

use xxhash_rust::xxh3::xxh3_128;

use super::features::Features;
use super::{Page, Registers, avx2, erms, plain, sse2};

/// One variant of each page primitive.
///
/// Instructions a page, for equal pages at aligned addresses:
///
/// | variant | copy | equal | compare_and_copy | equal_registers |
/// |---|---|---|---|---|
/// | `avx2` | 258 | 418 | 528 | 106 |
/// | `sse2` | 539 | 841 | 1,058 | 268 |
/// | `+erms` | 4,102 | as above | as above | as above |
///
/// A method adds 3 to 5 for the indirect call, the hash is 2,897 in all of them, and
/// `first_difference` of equal pages costs what `equal` does. Counted by callgrind over
/// `examples/each_once.rs`, built with the profile that builds the kernel; it counts
/// REP MOVSB as the emulators do, each byte one instruction.
#[derive(Clone, Copy)]
pub struct Primitives {
    name: &'static str,
    // Invariant of them all: the processor that runs this can execute them.
    copy: unsafe fn(&Page, &mut Page),
    equal: unsafe fn(&Page, &Page) -> bool,
    equal_registers: unsafe fn(&Registers, &Registers) -> bool,
    copy_registers: unsafe fn(&Registers, &mut Registers),
    compare_and_copy: unsafe fn(&Page, &Page, &mut Page) -> bool,
}

const PLAIN: Primitives = Primitives {
    name: "plain",
    copy: plain::copy,
    equal: plain::equal,
    equal_registers: plain::equal_registers,
    copy_registers: plain::copy_registers,
    compare_and_copy: plain::compare_and_copy,
};

const SSE2: Primitives = Primitives {
    name: "sse2",
    copy: sse2::copy,
    equal: sse2::equal,
    equal_registers: sse2::equal_registers,
    copy_registers: sse2::copy_registers,
    compare_and_copy: sse2::compare_and_copy,
};

const SSE2_ERMS: Primitives = Primitives { name: "sse2+erms", copy: erms::copy, ..SSE2 };

/// Only for a processor with AVX2.
const AVX2: Primitives = Primitives {
    name: "avx2",
    copy: avx2::copy,
    equal: avx2::equal,
    equal_registers: avx2::equal_registers,
    copy_registers: avx2::copy_registers,
    compare_and_copy: avx2::compare_and_copy,
};

/// Only for a processor with AVX2.
const AVX2_ERMS: Primitives = Primitives { name: "avx2+erms", copy: erms::copy, ..AVX2 };

impl Primitives {
    /// The best for this processor.
    ///
    /// To be asked after the system has set XCR0: AVX2 counts only where it may be
    /// executed. ERMS is taken where there are 16-byte vectors only; beside AVX2 it
    /// is no gain at this size (`benches/README.md`).
    pub fn detect() -> Self {
        match Features::detect() {
            Features { avx2: true, .. } => AVX2,
            Features { avx2: false, erms: true } => SSE2_ERMS,
            Features { avx2: false, erms: false } => SSE2,
        }
    }

    /// The reference, for any processor.
    pub const fn plain() -> Self {
        PLAIN
    }

    /// All that this processor can execute, for tests and benchmarks.
    ///
    /// Under Miri it is the plain one only.
    pub fn available() -> impl Iterator<Item = Self> {
        let Features { avx2, erms } = Features::detect();
        [(PLAIN, true), (SSE2, !cfg!(miri)), (SSE2_ERMS, erms), (AVX2, avx2), (AVX2_ERMS, avx2 && erms)]
            .into_iter()
            .filter_map(|(variant, here)| here.then_some(variant))
    }

    /// The variant's name: `plain`, `sse2`, `avx2`, the latter two also with `+erms`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Copies a page.
    pub fn copy(&self, from: &Page, to: &mut Page) {
        // SAFETY: the type's invariant; all constructors ask the processor.
        unsafe { (self.copy)(from, to) }
    }

    /// Whether two pages hold the same bytes.
    pub fn equal(&self, a: &Page, b: &Page) -> bool {
        // SAFETY: the type's invariant; all constructors ask the processor.
        unsafe { (self.equal)(a, b) }
    }

    /// Copies saved registers.
    pub fn copy_registers(&self, from: &Registers, to: &mut Registers) {
        // SAFETY: the type's invariant; all constructors ask the processor.
        unsafe { (self.copy_registers)(from, to) }
    }

    /// Whether two sets of saved registers hold the same bytes.
    pub fn equal_registers(&self, a: &Registers, b: &Registers) -> bool {
        // SAFETY: the type's invariant; all constructors ask the processor.
        unsafe { (self.equal_registers)(a, b) }
    }

    /// Copies `a` to `to` in the pass that compares it with `b`; whether `a` and `b`
    /// hold the same bytes. Where they do not, `to` may hold anything afterwards.
    pub fn compare_and_copy(&self, a: &Page, b: &Page, to: &mut Page) -> bool {
        // SAFETY: the type's invariant; all constructors ask the processor.
        unsafe { (self.compare_and_copy)(a, b, to) }
    }

    /// The 128-bit XXH3 of the page (seed 0), the same whatever the variant.
    ///
    /// A hash against accidents, not against an adversary: nothing better than about
    /// 2^-128 a pair of unequal pages is to be had, and no bound is proven.
    pub fn hash(&self, page: &Page) -> u128 {
        xxh3_128(page)
    }

    /// Where two pages differ first, as a byte offset.
    pub fn first_difference(&self, a: &Page, b: &Page) -> Option<u16> {
        // Equality is the normal case.
        if self.equal(a, b) { None } else { plain::locate(a, b) }
    }
}
