// SPDX-License-Identifier: MIT
//! Each variant that this processor can execute against the plain one: random
//! pages at any alignment, and every single flipped bit.

use pages::{PAGE_LEN, Page, Primitives, REGISTERS_LEN};
use proptest::prelude::*;

/// Every bit of a page; under Miri a few of each kind of position.
fn bits() -> impl Iterator<Item = (usize, u32)> {
    (0..PAGE_LEN * 8).step_by(if cfg!(miri) { 4099 } else { 1 }).map(|bit| (bit / 8, bit as u32 % 8))
}

/// A page of noise.
fn noise(seed: u64) -> Page {
    let mut state = seed | 1;
    core::array::from_fn(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    })
}

/// A page at a chosen distance from an aligned address, with its surroundings.
#[repr(align(4096))]
struct Placed {
    bytes: [u8; PAGE_LEN + 64],
    offset: usize,
}

impl Placed {
    fn new(page: &Page, offset: usize) -> Self {
        let mut placed = Self { bytes: [0xa5; _], offset };
        *placed.page() = *page;
        placed
    }

    fn page(&mut self) -> &mut Page {
        self.bytes[self.offset..].first_chunk_mut().expect("at most 64 bytes off")
    }

    fn surroundings_are_untouched(&self) -> bool {
        let (before, after) = (&self.bytes[..self.offset], &self.bytes[self.offset + PAGE_LEN..]);
        before.iter().chain(after).all(|byte| *byte == 0xa5)
    }
}

#[test]
fn the_plain_variant_is_first_and_detection_finds_one_of_the_list() {
    let names: Vec<_> = Primitives::available().map(|variant| variant.name()).collect();
    assert_eq!(names[0], Primitives::plain().name());
    assert!(cfg!(miri) || names.contains(&"sse2"), "{names:?}");
    assert!(cfg!(miri) || names.contains(&Primitives::detect().name()), "{names:?}");
}

#[test]
fn every_flipped_bit_is_seen_where_it_is() {
    let page = noise(0x0072_6570_7269_7365);
    for variant in Primitives::available() {
        let (mut other, mut target) = (page, [0; PAGE_LEN]);
        for (at, bit) in bits() {
            other[at] ^= 1 << bit;
            let seen = variant.equal(&page, &other) || variant.compare_and_copy(&page, &other, &mut target);
            assert!(!seen, "{}: bit {bit} of byte {at} is overlooked", variant.name());
            other[at] ^= 1 << bit;
        }
        assert!(variant.compare_and_copy(&page, &other, &mut target) && target == page, "{}", variant.name());
    }
}

#[test]
fn every_flipped_bit_of_registers_is_seen() {
    let page = noise(0x0073_7461_7465);
    for variant in Primitives::available() {
        for offset in [0, 1, 8, 24] {
            let registers: [u8; REGISTERS_LEN] =
                page[..REGISTERS_LEN].try_into().expect("shorter than a page");
            // Beside an equal copy, at another alignment, with other bytes around it.
            let mut around = [0xff; REGISTERS_LEN + 64];
            let copy = around[offset..].first_chunk_mut().expect("at most 64 bytes off");
            *copy = registers;
            assert!(variant.equal_registers(&registers, copy), "{}", variant.name());
            copy.fill(0);
            variant.copy_registers(&registers, copy);
            assert!(registers == *copy, "{}", variant.name());
            for (at, bit) in bits().take_while(|(at, _)| *at < REGISTERS_LEN) {
                copy[at] ^= 1 << bit;
                let seen = !variant.equal_registers(&registers, copy);
                assert!(seen, "{}: bit {bit} of byte {at} is overlooked", variant.name());
                copy[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn the_first_difference_is_named_and_the_hash_differs() {
    let page = noise(1);
    let hash = Primitives::plain().hash(&page);
    let mut other = page;
    for (at, bit) in bits() {
        other[at] ^= 1 << bit;
        assert_ne!(Primitives::plain().hash(&other), hash, "bit {bit} of byte {at}");
        // A second difference behind it; the last byte has none.
        other[PAGE_LEN - 1] ^= if at == PAGE_LEN - 1 { 0 } else { 0x80 };
        let first = Primitives::detect().first_difference(&page, &other);
        assert_eq!(first, Some(at as u16));
        other = page;
    }
}

#[test]
fn differences_at_the_same_place_of_two_vectors_do_not_cancel() {
    let page = noise(2);
    for variant in Primitives::available() {
        for distance in [16, 32, 64, 256, 512, 1024, 2048] {
            let mut other = page;
            other[7] ^= 0x10;
            other[7 + distance] ^= 0x10;
            assert!(!variant.equal(&page, &other), "{}, {distance}", variant.name());
            assert!(!variant.compare_and_copy(&page, &other, &mut [0; _]), "{}, {distance}", variant.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 512 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn all_variants_agree_with_the_plain_one_at_any_alignment(
        seed: u64,
        flip in proptest::option::of((0..PAGE_LEN, 1..=u8::MAX)),
        offsets in [0..=64_usize, 0..=64, 0..=64],
    ) {
        let page = noise(seed);
        let mut changed = page;
        if let Some((at, mask)) = flip {
            changed[at] ^= mask;
        }
        let plain = Primitives::plain();
        for variant in Primitives::available() {
            let mut a = Placed::new(&page, offsets[0]);
            let mut b = Placed::new(&changed, offsets[1]);
            let (a, b) = (a.page(), b.page());
            let mut to = Placed::new(&noise(!seed), offsets[2]);

            variant.copy(a, to.page());
            prop_assert!(*to.page() == page && to.surroundings_are_untouched(), "{} copies", variant.name());

            *to.page() = noise(!seed);
            let same = variant.compare_and_copy(a, b, to.page());
            prop_assert_eq!(same, flip.is_none(), "{} compares and copies", variant.name());
            prop_assert!(!same || *to.page() == page, "{} copies what it compared", variant.name());
            prop_assert!(to.surroundings_are_untouched());

            prop_assert_eq!(variant.equal(a, b), plain.equal(&page, &changed), "{}", variant.name());
            let first = variant.first_difference(a, b);
            prop_assert_eq!(first, flip.map(|(at, _)| at as u16), "{}", variant.name());
            prop_assert_eq!(variant.hash(b), plain.hash(&changed), "{}", variant.name());
            prop_assert!(*a == page && *b == changed, "{} leaves its sources", variant.name());
        }
    }
}
