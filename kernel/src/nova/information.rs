// SPDX-License-Identifier: MIT
//! The page that tells a system of its machine: processors, memory, modules, the rate of the time stamp counter.

use super::root::FIRST_SELECTOR;
use crate::arch::processor;
use crate::object::interrupt::LINES;

/// Bytes of the page.
const LEN: usize = pages::PAGE_LEN;
/// The header's length.
const HEADER_LEN: usize = 0x38;
/// Processors that are described; all but the first are not there. The kernel's own domain has the first interrupt at
/// the selector of this number.
pub const PROCESSORS: u64 = 64;
/// Length of a processor's description.
const PROCESSOR_LEN: usize = 12;
/// Length of a description of memory.
const MEMORY_LEN: usize = 24;
/// Where memory is described.
const MEMORY_OFFSET: usize = HEADER_LEN + PROCESSORS as usize * PROCESSOR_LEN;
/// The most descriptions of memory.
pub const MOST: usize = (LEN - MEMORY_OFFSET) / MEMORY_LEN;
/// The version of the interface.
const VERSION: u32 = 10;
/// Selectors of objects that a domain has room for, as the original says; here there is more.
const SELECTORS: u32 = 1 << 26;
/// Where a guest's events begin among the selectors, of which there are none.
const GUEST_EVENTS: u32 = 256;
/// Interrupts that there are: the last ones have no pins, and are messages.
const INTERRUPTS: u32 = LINES as u32;

/// What a piece of memory is, beside what firmware says.
pub mod kind {
    /// Memory that the kernel keeps.
    pub const KERNEL: i32 = -1;
    /// A module.
    pub const MODULE: i32 = -2;
    /// The firmware's list of tables with addresses of 32 bits.
    pub const RSDT: i32 = -3;
    /// The firmware's list of tables with addresses of 64 bits.
    pub const XSDT: i32 = -4;
    /// Memory that nobody may use.
    pub const RESERVED: i32 = 2;
}

/// A piece of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Its physical address.
    pub address: u64,
    /// Its length in bytes.
    pub length: u64,
    /// What it is.
    pub kind: i32,
    /// The physical address of a module's command line, or 0.
    pub more: u32,
}

/// Makes the page; `None` if there are more than [`MOST`] pieces of memory.
pub fn page(khz: u32, memory: &[Memory]) -> Option<[u8; LEN]> {
    if memory.len() > MOST {
        return None;
    }
    let length = MEMORY_OFFSET + memory.len() * MEMORY_LEN;
    let mut page = [0; LEN];
    let mut put = |offset: usize, bytes: &[u8]| page[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(0, b"NOVA");
    let lengths = [length, HEADER_LEN, PROCESSOR_LEN, MEMORY_OFFSET, MEMORY_LEN];
    for (index, word) in lengths.into_iter().enumerate() {
        put(6 + 2 * index, &(word as u16).to_le_bytes());
    }
    let page_sizes = 1 << 12;
    let words = [
        0,
        VERSION,
        SELECTORS,
        FIRST_SELECTOR as u32,
        GUEST_EVENTS,
        INTERRUPTS,
        page_sizes,
        page_sizes,
        khz,
        0,
    ];
    for (index, word) in words.into_iter().enumerate() {
        put(0x10 + 4 * index, &word.to_le_bytes());
    }
    put(HEADER_LEN, &first_processor());
    for (index, Memory { address, length, kind, more }) in memory.iter().enumerate() {
        let at = MEMORY_OFFSET + index * MEMORY_LEN;
        put(at, &address.to_le_bytes());
        put(at + 8, &length.to_le_bytes());
        put(at + 16, &kind.to_le_bytes());
        put(at + 20, &more.to_le_bytes());
    }
    let sum = sum(&page[..length]).wrapping_neg();
    page[4..6].copy_from_slice(&sum.to_le_bytes());
    Some(page)
}

/// The sum of all words; it is to be zero.
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.as_chunks::<2>().0.iter();
    words.fold(0, |sum: u16, word| sum.wrapping_add(u16::from_le_bytes(*word)))
}

/// The one processor that there is: the first, which is there, and its family, model and stepping.
fn first_processor() -> [u8; PROCESSOR_LEN] {
    let [signature, ..] = processor::cpuid(1, 0);
    let part = |shift: u32, bits: u32| (signature >> shift & ((1 << bits) - 1)) as u8;
    let (family, model, stepping) = (part(8, 4), part(4, 4), part(0, 4));
    let family_more = if family == 0xf { part(20, 8) } else { 0 };
    let model_more = if family == 0xf || family == 6 { part(16, 4) << 4 } else { 0 };
    let mut bytes = [0; PROCESSOR_LEN];
    bytes[0] = 1;
    (bytes[5], bytes[6], bytes[7]) = (family.wrapping_add(family_more), model | model_more, stepping);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(page: &[u8], offset: usize) -> u64 {
        u64::from_le_bytes(page[offset..offset + 8].try_into().unwrap())
    }

    #[test]
    fn the_page_is_laid_out_as_the_interface_says() {
        let memory = [
            Memory { address: 0x10_0000, length: 0x1fe_e000, kind: 1, more: 0 },
            Memory { address: 0x180_1000, length: 0x2c_1000, kind: kind::MODULE, more: 0x180_0010 },
        ];
        let page = page(2_600_000, &memory).unwrap();
        assert_eq!(&page[..4], b"NOVA");
        let words: Vec<u16> =
            page[6..16].chunks(2).map(|word| u16::from_le_bytes([word[0], word[1]])).collect();
        assert_eq!(words, [0x338 + 48, 0x38, 12, 0x338, 24]);
        let words: Vec<u32> =
            page[16..0x38].chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        assert_eq!(words, [0, 10, 0x400_0000, 32, 256, 192, 0x1000, 0x1000, 2_600_000, 0]);
        // Family 17h, model 8: one processor, and no other.
        assert_eq!(page[0x38..0x44], [1, 0, 0, 0, 0, 0x17, 0x31, 0, 0, 0, 0, 0]);
        assert!(page[0x44..0x338].iter().all(|byte| *byte == 0));
        assert_eq!(word(&page, 0x338 + 24), 0x180_1000);
        assert_eq!(word(&page, 0x338 + 24 + 8), 0x2c_1000);
        assert_eq!(word(&page, 0x338 + 24 + 16), 0x180_0010 << 32 | 0xffff_fffe);
        assert_eq!(sum(&page[..0x338 + 48]), 0);
        assert_ne!(page[4..6], [0, 0]);
    }

    #[test]
    fn more_memory_than_there_is_room_for_is_refused() {
        let one = Memory { address: 0, length: 1, kind: 1, more: 0 };
        assert!(page(1, &[one; MOST]).is_some());
        assert!(page(1, &[one; MOST + 1]).is_none());
    }
}
