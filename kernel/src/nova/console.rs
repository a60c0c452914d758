// SPDX-License-Identifier: MIT
//! The system's console, as far as the kernel looks at it: the first serial port, on which a text may end the run.

use alloc::vec::Vec;

use crate::mem::fallible::{self, Exhausted};
use crate::object::processor::Width;

/// The first serial port (16550 data sheet).
pub const PORT: u16 = 0x3f8;
/// The register whose highest bit makes the first one that of the rate.
const LINE_CONTROL: u16 = PORT + 3;
/// That bit.
const DIVISOR: u32 = 1 << 7;

/// What is looked for on the console.
#[derive(Default)]
pub struct Console {
    /// The text; nothing is looked for if it is empty.
    text: &'static [u8],
    /// The last bytes that were written, as many as the text has at most.
    last: Vec<u8>,
    /// Whether what is written to the first register is a rate.
    is_rate: bool,
}

impl Console {
    /// A console on which a text is looked for.
    pub fn new(text: &'static [u8]) -> Result<Self, Exhausted> {
        let mut last = Vec::new();
        fallible::reserve_exact(&mut last, text.len())?;
        Ok(Self { text, last, is_rate: false })
    }

    /// Looks at what was written to a port; returns whether it completes the text.
    pub fn completes(&mut self, port: u16, width: Width, value: u32) -> bool {
        if width != Width::Byte {
            return false;
        }
        match port {
            LINE_CONTROL => self.is_rate = value & DIVISOR != 0,
            PORT if !self.is_rate && !self.text.is_empty() => {
                if self.last.len() == self.text.len() {
                    self.last.remove(0);
                }
                fallible::push_reserved(&mut self.last, value as u8);
                return self.last == self.text;
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(console: &mut Console, port: u16, bytes: &[u8]) -> Vec<bool> {
        bytes.iter().map(|byte| console.completes(port, Width::Byte, (*byte).into())).collect()
    }

    #[test]
    fn the_text_is_found_wherever_it_begins() {
        let mut console = Console::new(b"aab").unwrap();
        assert_eq!(write(&mut console, PORT, b"aaab-aab"), [0, 0, 0, 1, 0, 0, 0, 1].map(|it| it == 1));
    }

    #[test]
    fn a_rate_is_no_text_and_no_text_is_never_found() {
        let mut console = Console::new(b"\x01").unwrap();
        write(&mut console, LINE_CONTROL, &[0x83]);
        assert_eq!(write(&mut console, PORT, &[1]), [false]);
        write(&mut console, LINE_CONTROL, &[0x03]);
        assert_eq!(write(&mut console, PORT + 8, &[1]), [false]);
        assert_eq!(write(&mut console, PORT, &[1]), [true]);
        assert!(!console.completes(PORT, Width::Word, 1));
        assert_eq!(write(&mut Console::default(), PORT, b"\0"), [false]);
    }
}
