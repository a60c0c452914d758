// SPDX-License-Identifier: MIT
//! The battery-backed memory of Bochs, for a BIOS that does not wait three seconds for somebody to press F12.

/// Its size.
pub const LEN: usize = 128;

/// The largest size of memory that the BIOS takes in KiB, and in units of 64 KiB.
const MOST: (u32, u32) = (0xfc00, 0xbf00);

/// What is in it for a machine with so much memory.
pub fn cmos(memory_mib: u32) -> [u8; LEN] {
    let mut cmos = [0; LEN];
    // The clock's rate, its mode, and that its battery is good (data sheet of the MC146818).
    (cmos[0x0a], cmos[0x0b], cmos[0x0d]) = (0x26, 0x02, 0x80);
    // Memory below 1 MiB, and above that twice, in KiB; above 16 MiB in units of 64 KiB.
    let above = (memory_mib.saturating_sub(1) << 10).min(MOST.0);
    let far_above = (memory_mib.saturating_sub(16) << 4).min(MOST.1);
    for (at, size) in [(0x15, 640), (0x17, above), (0x30, above), (0x34, far_above)] {
        let [low, high, ..] = size.to_le_bytes();
        (cmos[at], cmos[at + 1]) = (low, high);
    }
    // The first drive to boot from is the CD-ROM.
    cmos[0x3d] = 0x03;
    // Nobody is asked.
    cmos[0x3f] = 0x01;
    cmos
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_stands_in_the_cmos() {
        let cmos = cmos(323);
        let word = |at: usize| u16::from_le_bytes([cmos[at], cmos[at + 1]]);
        assert_eq!((word(0x15), word(0x17), word(0x30)), (640, 0xfc00, 0xfc00));
        assert_eq!(word(0x34), (323 - 16) * 16);
    }
}
