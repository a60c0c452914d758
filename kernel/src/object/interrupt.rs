// SPDX-License-Identifier: MIT
//! Interrupt lines: which of them somebody waits for.

/// Lines by their bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines(u32);

impl Lines {
    /// Whether a PE has to be followed by a look at them.
    #[inline]
    pub fn any(self) -> bool {
        self.0 != 0
    }

    /// Adds a line.
    pub fn insert(&mut self, line: u8) {
        self.0 |= 1 << line;
    }

    /// Takes a line away.
    pub fn remove(&mut self, line: u8) {
        self.0 &= !(1 << line);
    }

    /// Takes the lines away that `others` names too, and returns them in ascending order.
    pub fn take(&mut self, others: u32) -> impl Iterator<Item = u8> + use<> {
        let taken = self.0 & others;
        self.0 &= !others;
        (0..u32::BITS as u8).filter(move |line| taken & 1 << line != 0)
    }
}
