// SPDX-License-Identifier: MIT
//! Instruction bytes of a space.

use super::space::{PAGE_LEN, Space};
use crate::arch::decode::MAX_INSTRUCTION_LEN;

/// The instruction bytes at `address`, as far as they are mapped; the rest is zero.
pub fn at(space: &Space, address: u64) -> [u8; MAX_INSTRUCTION_LEN] {
    let mut code = [0; MAX_INSTRUCTION_LEN];
    let in_page = MAX_INSTRUCTION_LEN.min((PAGE_LEN - address % PAGE_LEN) as usize);
    let (here, beyond) = code.split_at_mut(in_page);
    let begins = space.peek(address, here).is_ok();
    if begins && !beyond.is_empty() {
        // What is not mapped stays zero.
        let _ = space.peek(address.wrapping_add(in_page as u64), beyond);
    }
    code
}
