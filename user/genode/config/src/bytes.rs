// SPDX-License-Identifier: MIT
//! Amounts of memory as configurations and session arguments write them: `4M`, `320K`, `0x1000`.

use core::fmt::{self, Display, Formatter};
use core::str::FromStr;

/// The suffixes, each with the power of two that it stands for, from the largest one.
const SUFFIXES: [(char, u32); 3] = [('G', 30), ('M', 20), ('K', 10)];

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl Bytes {
    /// A number of KiB.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// What is left when an amount is taken away, at least nothing.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// A text is no amount, or one that does not fit 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAmount;

/// Reads a number, decimal or hexadecimal with `0x`, without a sign.
///
/// # Errors
/// It fails if the text is anything else, or too large.
pub fn number(text: &str) -> Result<u64, NoAmount> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    if digits.starts_with('+') {
        return Err(NoAmount);
    }
    u64::from_str_radix(digits, radix).map_err(|_| NoAmount)
}

impl FromStr for Bytes {
    type Err = NoAmount;

    fn from_str(text: &str) -> Result<Self, NoAmount> {
        let suffix = SUFFIXES.iter().find_map(|&(letter, power)| Some((text.strip_suffix(letter)?, power)));
        let (digits, power) = suffix.unwrap_or((text, 0));
        number(digits)?.checked_mul(1 << power).map(Self).ok_or(NoAmount)
    }
}

impl Display for Bytes {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let whole = |power: u32| self.0 != 0 && self.0.is_multiple_of(1 << power);
        match SUFFIXES.iter().find(|&&(_, power)| whole(power)) {
            Some((letter, power)) => write!(out, "{}{letter}", self.0 >> power),
            None => write!(out, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::{Bytes, NoAmount, number};

    #[test]
    fn amounts_are_read() {
        for (text, bytes) in
            [("0", 0), ("17", 17), ("4K", 4096), ("2M", 2 << 20), ("8G", 8 << 30), ("0x10K", 16 << 10)]
        {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "K",
            "-1",
            "+1",
            "1k",
            "1 M",
            "1T",
            "0x",
            "0x+1",
            "1.5M",
            "18446744073709551616",
            "17179869184G",
        ] {
            assert_eq!(text.parse::<Bytes>(), Err(NoAmount), "{text}");
        }
        assert_eq!(number("18446744073709551615"), Ok(u64::MAX));
    }

    #[test]
    fn amounts_are_written_in_the_largest_whole_unit() {
        for (bytes, text) in
            [(0, "0"), (1000, "1000"), (1800 << 10, "1800K"), (2 << 20, "2M"), (8 << 30, "8G")]
        {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }
}
