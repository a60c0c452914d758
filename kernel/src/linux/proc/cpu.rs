// SPDX-License-Identifier: MIT
//! What `/proc/cpuinfo` says: what CPUID says, by Linux's names.
//!
//! Of the features, those that a program can use here. How fast the processor is, nobody knows.

use super::text::Text;
use crate::arch::processor::cpuid;

/// A word of what CPUID says: leaf, subleaf, and register from EAX to EDX.
type Word = (u32, u32, usize);

/// Bits of a word, and what Linux calls them (arch/x86/include/asm/cpufeatures.h; Intel SDM
/// vol. 2A, table 3-8; AMD manual vol. 3, appendix E).
const FEATURES: &[(Word, &[(u32, &str)])] = &[
    (
        (1, 0, 3),
        &[
            (0, "fpu"),
            (4, "tsc"),
            (8, "cx8"),
            (15, "cmov"),
            (19, "clflush"),
            (23, "mmx"),
            (24, "fxsr"),
            (25, "sse"),
            (26, "sse2"),
        ],
    ),
    (
        (EXTENDED, 0, 3),
        &[
            (11, "syscall"),
            (20, "nx"),
            (22, "mmxext"),
            (25, "fxsr_opt"),
            (27, "rdtscp"),
            (29, "lm"),
            (30, "3dnowext"),
            (31, "3dnow"),
        ],
    ),
    (
        (1, 0, 2),
        &[
            (0, "pni"),
            (1, "pclmulqdq"),
            (9, "ssse3"),
            (12, "fma"),
            (13, "cx16"),
            (19, "sse4_1"),
            (20, "sse4_2"),
            (22, "movbe"),
            (23, "popcnt"),
            (25, "aes"),
            (26, "xsave"),
            (28, "avx"),
            (29, "f16c"),
            (30, "rdrand"),
            (31, "hypervisor"),
        ],
    ),
    (
        (EXTENDED, 0, 2),
        &[
            (0, "lahf_lm"),
            (5, "abm"),
            (6, "sse4a"),
            (7, "misalignsse"),
            (8, "3dnowprefetch"),
            (11, "xop"),
            (16, "fma4"),
            (21, "tbm"),
        ],
    ),
    (
        (7, 0, 1),
        &[
            (3, "bmi1"),
            (5, "avx2"),
            (8, "bmi2"),
            (9, "erms"),
            (18, "rdseed"),
            (19, "adx"),
            (23, "clflushopt"),
            (24, "clwb"),
            (29, "sha_ni"),
        ],
    ),
    ((13, 1, 0), &[(0, "xsaveopt"), (1, "xsavec"), (2, "xgetbv1")]),
    ((7, 0, 2), &[(8, "gfni"), (9, "vaes"), (10, "vpclmulqdq"), (22, "rdpid")]),
    ((7, 0, 3), &[(4, "fsrm")]),
];

/// The leaf of AMD's features, and those of the processor's name.
const EXTENDED: u32 = 0x8000_0001;
const NAME: core::ops::RangeInclusive<u32> = 0x8000_0002..=0x8000_0004;

/// Family, model and stepping of EAX of leaf 1 (Intel SDM vol. 2A, figure 3-6).
fn signature(word: u32) -> [u32; 3] {
    let family = word >> 8 & 0xf;
    let model = word >> 4 & 0xf;
    let family_and_more = if family == 0xf { family + (word >> 20 & 0xff) } else { family };
    let model_and_more = if family >= 6 { model | word >> 12 & 0xf0 } else { model };
    [family_and_more, model_and_more, word & 0xf]
}

/// Writes what there is to say about the one processor.
pub fn write(text: &mut Text) {
    let basic = cpuid(0, 0);
    let [family, model, stepping] = signature(cpuid(1, 0)[0]);
    text.str("processor\t: 0\nvendor_id\t: ");
    for register in [1, 3, 2] {
        text.name(&basic[register].to_le_bytes());
    }
    text.str("\ncpu family\t: ").number(family.into());
    text.str("\nmodel\t\t: ").number(model.into()).str("\nmodel name\t: ");
    if cpuid(EXTENDED - 1, 0)[0] >= *NAME.end() {
        // It ends with its first NUL byte, which may be in any of its words.
        let mut name = [0; 48];
        let words = NAME.flat_map(|leaf| cpuid(leaf, 0));
        for (bytes, word) in name.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        text.name(name.trim_ascii_start());
    }
    text.str("\nstepping\t: ").number(stepping.into());
    text.str("\nphysical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\nfpu\t\t: yes\n");
    text.str("fpu_exception\t: yes\ncpuid level\t: ")
        .number(basic[0].into())
        .str("\nwp\t\t: yes\nflags\t\t:");
    for ((leaf, subleaf, register), names) in FEATURES {
        let highest = cpuid(leaf & 0x8000_0000, 0)[0];
        let word = if *leaf <= highest { cpuid(*leaf, *subleaf)[*register] } else { 0 };
        for (_, name) in names.iter().filter(|(bit, _)| word >> bit & 1 != 0) {
            text.str(" ").str(name);
        }
    }
    text.str("\nclflush size\t: ").number(u64::from(cpuid(1, 0)[1] >> 8 & 0xff) * 8).str("\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_described_as_its_manual_says() {
        assert_eq!(signature(0x0083_0f10), [23, 49, 0]);
        assert_eq!(signature(0x0005_06e3), [6, 94, 3]);
        assert_eq!(signature(0x0000_0543), [5, 4, 3]);
        let mut text = Text::new();
        write(&mut text);
        let text = std::string::String::from_utf8(text.finish().unwrap()).unwrap();
        assert!(text.starts_with("processor\t: 0\nvendor_id\t: ") && text.ends_with("\n\n"), "{text}");
        assert!(text.contains(" sse2 "), "{text}");
    }
}
