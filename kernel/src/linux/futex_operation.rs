// SPDX-License-Identifier: MIT
//! What FUTEX_WAKE_OP does to a word, and asks of it (include/uapi/linux/futex.h).

use linux_raw_sys::general::{
    FUTEX_OP_ADD, FUTEX_OP_ANDN, FUTEX_OP_CMP_EQ, FUTEX_OP_CMP_GE, FUTEX_OP_CMP_GT, FUTEX_OP_CMP_LE,
    FUTEX_OP_CMP_LT, FUTEX_OP_CMP_NE, FUTEX_OP_OPARG_SHIFT, FUTEX_OP_OR, FUTEX_OP_SET, FUTEX_OP_XOR,
};

/// Bits of each of the two arguments, which have a sign.
const ARGUMENT_BITS: u32 = 12;

/// A change of a word, and a comparison of what it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    change: u32,
    argument: u32,
    comparison: u32,
    compared: i32,
}

/// An argument with its sign.
fn signed(bits: u32) -> i32 {
    (bits << (32 - ARGUMENT_BITS)) as i32 >> (32 - ARGUMENT_BITS)
}

impl Operation {
    /// As the program encodes it; `None` if there is no such change or comparison.
    pub fn read(encoded: u32) -> Option<Self> {
        let change = encoded >> 28 & 7;
        let comparison = encoded >> 24 & 15;
        if change > FUTEX_OP_XOR || comparison > FUTEX_OP_CMP_GE {
            return None;
        }
        let argument = signed(encoded >> ARGUMENT_BITS) as u32;
        let is_shift = encoded >> 28 & FUTEX_OP_OPARG_SHIFT != 0;
        let argument = if is_shift { 1 << (argument & 31) } else { argument };
        Some(Self { change, argument, comparison, compared: signed(encoded) })
    }

    /// What the word becomes.
    pub fn apply(self, word: u32) -> u32 {
        match self.change {
            FUTEX_OP_SET => self.argument,
            FUTEX_OP_ADD => word.wrapping_add(self.argument),
            FUTEX_OP_OR => word | self.argument,
            FUTEX_OP_ANDN => word & !self.argument,
            _ => word ^ self.argument,
        }
    }

    /// Whether what the word was is as asked for.
    pub fn holds(self, word: u32) -> bool {
        let word = word as i32;
        match self.comparison {
            FUTEX_OP_CMP_EQ => word == self.compared,
            FUTEX_OP_CMP_NE => word != self.compared,
            FUTEX_OP_CMP_LT => word < self.compared,
            FUTEX_OP_CMP_LE => word <= self.compared,
            FUTEX_OP_CMP_GT => word > self.compared,
            _ => word >= self.compared,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(change: u32, comparison: u32, argument: i32, compared: i32) -> u32 {
        change << 28 | comparison << 24 | (argument as u32 & 0xfff) << 12 | compared as u32 & 0xfff
    }

    #[test]
    fn words_are_changed_and_compared_as_linux_does() {
        let changes = [
            (FUTEX_OP_SET, 6),
            (FUTEX_OP_ADD, 18),
            (FUTEX_OP_OR, 14),
            (FUTEX_OP_ANDN, 8),
            (FUTEX_OP_XOR, 10),
        ];
        for (change, after) in changes {
            let operation = Operation::read(encode(change, FUTEX_OP_CMP_EQ, 6, 0)).unwrap();
            assert_eq!(operation.apply(12), after, "{change}");
        }
        let minus = Operation::read(encode(FUTEX_OP_ADD, FUTEX_OP_CMP_EQ, -1, 0)).unwrap();
        assert_eq!(minus.apply(0), u32::MAX);
        let shifted = Operation::read(encode(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, FUTEX_OP_CMP_EQ, 31, 0));
        assert_eq!(shifted.unwrap().apply(1), 0x8000_0001);
        let comparisons = [
            (FUTEX_OP_CMP_EQ, [false, true, false]),
            (FUTEX_OP_CMP_NE, [true, false, true]),
            (FUTEX_OP_CMP_LT, [true, false, false]),
            (FUTEX_OP_CMP_GE, [false, true, true]),
            (FUTEX_OP_CMP_LE, [true, true, false]),
            (FUTEX_OP_CMP_GT, [false, false, true]),
        ];
        for (comparison, held) in comparisons {
            let operation = Operation::read(encode(FUTEX_OP_SET, comparison, 0, -2)).unwrap();
            assert_eq!([-3_i32, -2, 1].map(|word| operation.holds(word as u32)), held, "{comparison}");
        }
        for encoded in [encode(5, 0, 0, 0), encode(0, 6, 0, 0)] {
            assert_eq!(Operation::read(encoded), None);
        }
    }
}
