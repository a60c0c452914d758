// SPDX-License-Identifier: MIT
//! What goes into a digest, in which order and under which numbers: lists of them are compared over modes, machines
//! and builds. A golden that has to change here makes every list of every program another one.

use pe_replay::stop::DEBUG_STEP;
use pe_replay::user::{Extended, xsave};
use pe_replay::{Delimiter, End, RegisterSet, UserRegisters};
use wire::DelimiterKind;
use wire::Digest;
use wire::digest::Encoded;
use xxhash_rust::xxh3::xxh3_128;

use crate::samples::hex;

/// Registers that differ from each other in every byte, as far as they can.
fn registers() -> UserRegisters {
    let word = |number: u8| u64::from_le_bytes(core::array::from_fn(|at| number ^ (at as u8) << 5));
    let mut user = UserRegisters::new(0x33, 0x2b);
    for number in 0..16 {
        *user.gpr_mut(number) = word(number);
    }
    (user.ds, user.es, user.fs, user.gs) = (0x2b, 0x33, 0x3b, 0x43);
    (user.fs_base, user.gs_base) = (word(17), word(18));
    (user.padding, user.entry_vector, user.entry_error) = (word(19), word(20), word(21));
    (user.rip, user.cs, user.rflags, user.ss) = (word(22), word(23), word(24), word(25));
    user.extended = Extended(core::array::from_fn(|at| (at % 251) as u8));
    user
}

/// What is hashed for the state, put together by hand.
fn hashed([kind, error, address, count]: [u64; 4], user: &UserRegisters) -> Vec<u8> {
    let UserRegisters {
        rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15, ..
    } = *user;
    let selectors =
        [user.gs, user.fs, user.es, user.ds].iter().fold(0, |word, it| word << 16 | u64::from(*it));
    let UserRegisters { fs_base, gs_base, padding, entry_vector, entry_error, rip, cs, rflags, ss, .. } =
        *user;
    let end = [kind, error, address, count];
    let general = [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];
    let others = [selectors, fs_base, gs_base, padding, entry_vector, entry_error, rip, cs, rflags, ss];
    let words = end.into_iter().chain(general).chain(others);
    words.flat_map(u64::to_le_bytes).chain(user.extended.0).collect()
}

fn state(delimiter: Delimiter, count: u64) -> u128 {
    Digest::new(&registers(), End { delimiter, count }, core::iter::empty()).state
}

#[test]
fn every_delimiter_has_its_number_and_its_details() {
    let kinds = [
        (Delimiter::Syscall, [0x100, 0, 0]),
        (Delimiter::Limit, [0x101, 0, 0]),
        (Delimiter::Watchdog, [0x102, 0, 0]),
        (Delimiter::DirtyLimit { address: 0x1_2345_6789 }, [0x103, 0, 0x1_2345_6789]),
        (Delimiter::PageFault { address: u64::MAX, error: 7 }, [14, 7, u64::MAX]),
        (Delimiter::Exception { vector: 13, error: 0xffff }, [13, 0xffff, 0]),
        (Delimiter::Exception { vector: 1, error: DEBUG_STEP }, [1, 0x4000, 0]),
    ];
    for (delimiter, [kind, error, address]) in kinds {
        let expected = xxh3_128(&hashed([kind, error, address, 99_999], &registers()));
        assert_eq!(state(delimiter, 99_999), expected, "{delimiter:?}");
    }
}

#[test]
fn every_word_and_byte_has_its_place() {
    let bytes = hashed([0x101, 0, 0, 99_999], &registers());
    assert_eq!((bytes.len(), xsave::LEN), (30 * 8 + 832, 832));
    // Behind the end, the order is that in which registers are compared.
    assert_eq!(registers().parts().flat_map(|(_, bytes)| bytes.to_vec()).collect::<Vec<_>>(), bytes[32..]);
    // The first words, and the selectors with the bases behind them.
    assert_eq!(
        hex(&bytes[..40]),
        "0101000000000000000000000000000000000000000000009f860100000000000020406080a0c0e0"
    );
    assert_eq!(hex(&bytes[160..184]), "2b0033003b0043001131517191b1d1f11232527292b2d2f2");
    assert_eq!(format!("{:032x}", state(Delimiter::Limit, 99_999)), "9ce92308cb9114ee0b3d2bb4022e98f8");
}

#[test]
fn pages_are_added_up_in_any_order() {
    let pages = [(0x40_1000, DIGEST_OF_A_PAGE), (0x7fff_ffff_e000, !DIGEST_OF_A_PAGE)];
    let of = |pages: &[(u64, u128)]| {
        Digest::new(&registers(), End { delimiter: Delimiter::Limit, count: 1 }, pages.iter().copied()).pages
    };
    let part = |(address, content): (u64, u128)| {
        xxh3_128(&[&address.to_le_bytes()[..], &content.to_le_bytes()].concat())
    };
    assert_eq!(of(&[]), 0);
    assert_eq!(of(&pages[..1]), part(pages[0]));
    assert_eq!(of(&pages), part(pages[0]).wrapping_add(part(pages[1])));
    assert_eq!(of(&[pages[1], pages[0]]), of(&pages));
    assert_eq!(format!("{:032x}", of(&pages)), "b105fb3674bf831f41bfa2bd54b489e2");
}

const DIGEST_OF_A_PAGE: u128 = 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10;

#[test]
fn a_digest_is_printed_in_two_parts() {
    let digest = Digest { state: 0x12, pages: DIGEST_OF_A_PAGE };
    assert_eq!(digest.to_string(), "00000000000000000000000000000012-0102030405060708090a0b0c0d0e0f10");
    let bytes = postcard::to_slice(&digest, &mut [0; 64]).map(|bytes| hex(bytes)).unwrap();
    assert_eq!(bytes, hex(Encoded::from(digest).as_flattened()));
}

/// The names stand in lists, too.
#[test]
fn every_kind_of_end_has_its_name() {
    let names = ["syscall", "page_fault", "exception", "port_io", "rdtsc", "limit", "dirty_limit", "mmio"];
    assert_eq!(DelimiterKind::ALL.map(DelimiterKind::name), names);
}
