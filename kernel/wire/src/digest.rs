// SPDX-License-Identifier: MIT
//! Digests: what a PE left behind, in two numbers.
//!
//! They depend on nothing else: not on how often the PE was run, on how results were compared, on the order in which
//! pages joined the written set, or on who built the engine. So the PEs of two modes, machines or builds can be held
//! against each other. What goes in, in which order and under which numbers, stands still: `tests/wire/digest.rs`
//! pins it.

use core::fmt;

use pe_replay::{End, UserRegisters};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};
use zerocopy::IntoBytes;

/// What a PE left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Encoded", into = "Encoded")]
pub struct Digest {
    /// Of delimiter, count, and the registers in the normal form.
    pub state: u128,
    /// Of address and content of each page written; 0 where none was, or none is tracked
    /// ([`Mode::Off`](pe_replay::Mode::Off)).
    pub pages: u128,
}

/// Both numbers of a [`Digest`], with the least significant byte first.
pub type Encoded = [[u8; size_of::<u128>()]; 2];

impl From<Digest> for Encoded {
    fn from(digest: Digest) -> Self {
        [digest.state, digest.pages].map(u128::to_le_bytes)
    }
}

impl From<Encoded> for Digest {
    fn from(encoded: Encoded) -> Self {
        let [state, pages] = encoded.map(u128::from_le_bytes);
        Self { state, pages }
    }
}

impl Digest {
    /// The digest of an end and what is there then. `registers` are in the normal form; of
    /// each page written there are its address and the XXH3 of its content.
    pub fn new(registers: &UserRegisters, end: End, pages: impl Iterator<Item = (u64, u128)>) -> Self {
        // The order is that of `RegisterSet::parts`. To ask that for each field by itself would be much of what a
        // short PE costs where digests are asked for.
        let UserRegisters {
            fs_base, gs_base, padding, entry_vector, entry_error, rip, cs, rflags, ss, ..
        } = *registers;
        let mut state = Xxh3::new();
        state.update(end.delimiter.words().as_bytes());
        state.update(end.count.as_bytes());
        state.update(registers.gprs().as_bytes());
        state.update([registers.selectors(), fs_base, gs_base].as_bytes());
        state.update([padding, entry_vector, entry_error, rip, cs, rflags, ss].as_bytes());
        state.update(&registers.extended.0);
        let pages = pages.map(|(address, content)| page(address, content));
        Self { state: state.digest128(), pages: pages.fold(0, u128::wrapping_add) }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}-{:032x}", self.state, self.pages)
    }
}

/// One page's part. They are added up, so that their order does not matter.
fn page(address: u64, content: u128) -> u128 {
    let [low, high] = [content as u64, (content >> u64::BITS) as u64];
    xxh3_128([address, low, high].as_bytes())
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn a_digest_is_encoded_from_its_least_byte_on_and_back() {
        let digest = Digest { state: 0x0102, pages: u128::MAX - 1 };
        let encoded = Encoded::from(digest);
        assert_eq!((&encoded[0][..3], encoded[1][0]), (&[2, 1, 0][..], 0xfe));
        assert_eq!(Digest::from(encoded), digest);
        let text = "00000000000000000000000000000102-fffffffffffffffffffffffffffffffe";
        assert_eq!(digest.to_string(), text);
    }

    #[test]
    fn a_page_counts_by_its_address_and_all_of_its_content() {
        let content = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210_u128;
        let bytes = [&0x5000_u64.to_le_bytes()[..], &content.to_le_bytes()].concat();
        assert_eq!(page(0x5000, content), xxh3_128(&bytes));
    }
}
