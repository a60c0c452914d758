// SPDX-License-Identifier: MIT
//! Text that grows on a program's behalf.

use alloc::vec::Vec;

use crate::mem::fallible::{self, Exhausted};

/// The most digits of a number.
const MAX_DIGITS: usize = 20;

/// Text, or that there was no room for it.
pub struct Text(Result<Vec<u8>, Exhausted>);

impl Text {
    /// No text.
    pub fn new() -> Self {
        Self(Ok(Vec::new()))
    }

    /// The text, if there was room for all of it.
    pub fn finish(self) -> Result<Vec<u8>, Exhausted> {
        self.0
    }

    /// How long it is.
    pub fn length(&self) -> usize {
        self.0.as_ref().map_or(0, Vec::len)
    }

    /// Appends bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        if let Ok(text) = &mut self.0
            && let Err(exhausted) = fallible::extend(text, bytes)
        {
            self.0 = Err(exhausted);
        }
        self
    }

    /// Appends a string.
    pub fn str(&mut self, string: &str) -> &mut Self {
        self.bytes(string.as_bytes())
    }

    /// Appends a name up to its first NUL byte.
    pub fn name(&mut self, name: &[u8]) -> &mut Self {
        self.bytes(name.split(|byte| *byte == 0).next().unwrap_or_default())
    }

    /// Appends a decimal number.
    pub fn number(&mut self, value: u64) -> &mut Self {
        self.padded(value, 10, 1, b'0')
    }

    /// Appends a decimal number, with spaces in front of it up to a width.
    pub fn wide(&mut self, value: u64, width: usize) -> &mut Self {
        self.padded(value, 10, width, b' ')
    }

    /// Appends a hexadecimal number of at least so many digits.
    pub fn hex(&mut self, value: u64, digits: usize) -> &mut Self {
        self.padded(value, 16, digits, b'0')
    }

    /// Appends spaces up to a length.
    pub fn pad(&mut self, length: usize) -> &mut Self {
        while self.0.is_ok() && self.length() < length {
            self.bytes(b" ");
        }
        self
    }

    fn padded(&mut self, mut value: u64, base: u64, width: usize, filler: u8) -> &mut Self {
        let mut digits = [filler; MAX_DIGITS];
        let mut at = MAX_DIGITS;
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdef"[(value % base) as usize];
            value /= base;
            if value == 0 {
                break;
            }
        }
        let at = at.min(MAX_DIGITS.saturating_sub(width));
        self.bytes(&digits[at..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_widths() {
        let mut text = Text::new();
        text.number(0).str(",").number(u64::MAX).str(",").wide(42, 8).str(",").hex(0x40_0000, 8).str(",");
        text.hex(0x1_2345_6789, 2).str(",").name(b"abc\0def").pad(70).str("|");
        let expected = "0,18446744073709551615,      42,00400000,123456789,abc";
        assert_eq!(text.finish().unwrap(), std::format!("{expected:70}|").into_bytes());
    }
}
