// SPDX-License-Identifier: MIT
//! The debug console, port E9h of QEMU and Bochs: for panics, and for the
//! channel where memory cannot be shared.

use core::fmt;

use x86_64::instructions::port::PortWriteOnly;

const PORT: u16 = 0xe9;

/// Writes bytes.
pub fn write(bytes: &[u8]) {
    let mut port = PortWriteOnly::<u8>::new(PORT);
    for byte in bytes {
        // SAFETY: the port has no effect but to print; without an emulator nobody listens.
        unsafe { port.write(*byte) };
    }
}

/// Writes formatted text.
pub struct Debugcon;

impl fmt::Write for Debugcon {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(text.as_bytes());
        Ok(())
    }
}
