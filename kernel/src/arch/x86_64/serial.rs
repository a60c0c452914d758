// SPDX-License-Identifier: MIT
//! Serial ports, as far as the kernel looks at those that programs use (16550 data sheet).

use super::port;

/// The first serial port of a PC.
const FIRST: u16 = 0x3f8;
/// The register that keeps what is written to it, and does nothing.
const SCRATCH: u16 = 7;
/// The register that says how far transmission is.
const LINE_STATUS: u16 = 5;
/// Its bit that says that everything is out.
const IS_EMPTY: u8 = 1 << 6;
/// How often that is looked at: far longer than sixteen bytes take.
const PATIENCE: u32 = 1 << 18;

/// Whether there is a serial port.
pub fn is_there(base: u16) -> bool {
    [0x5a, 0xa5].into_iter().all(|value| {
        port::write_byte(base + SCRATCH, value);
        port::read_byte(base + SCRATCH) == value
    })
}

/// Waits until the first one has sent what was written to it.
pub fn drain() {
    // Where there is none, all bits are one.
    for _ in 0..PATIENCE {
        if port::read_byte(FIRST + LINE_STATUS) & IS_EMPTY != 0 {
            return;
        }
    }
}
