// SPDX-License-Identifier: MIT
//! Sets of interrupt lines, which are named by the numbers of global system interrupts.

/// Lines that there can be, those without a pin included.
pub const LINES: u8 = 192;

/// What a device writes where to interrupt without a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// The physical address.
    pub address: u64,
    /// The value.
    pub data: u32,
}

/// Lines by their bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineSet([u64; LINES as usize / 64]);

impl LineSet {
    /// The lines of these bits.
    pub const fn new(words: [u64; LINES as usize / 64]) -> Self {
        Self(words)
    }

    /// Whether there is a line among them.
    #[inline]
    pub fn any(&self) -> bool {
        self.0 != Self::default().0
    }

    /// Whether a line is among them.
    pub fn contains(&self, line: u8) -> bool {
        self.0[usize::from(line / 64)] & 1 << (line % 64) != 0
    }

    /// Adds a line, or takes it away.
    pub fn set(&mut self, line: u8, is_in: bool) {
        let word = &mut self.0[usize::from(line / 64)];
        *word = *word & !(1 << (line % 64)) | u64::from(is_in) << (line % 64);
    }

    /// The lines, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..LINES).filter(move |line| self.contains(*line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_every_line() {
        let mut set = LineSet::default();
        for line in [0, 63, 64, 100, 191] {
            set.set(line, true);
        }
        set.set(64, false);
        set.set(1, false);
        assert!(set.any() && set.contains(63) && !set.contains(64));
        assert!(set.iter().eq([0, 63, 100, 191]));
    }
}
