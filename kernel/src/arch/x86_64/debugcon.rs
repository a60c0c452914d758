// SPDX-License-Identifier: MIT
//! The debug console, port E9h of QEMU and Bochs: for panics, and for the
//! channel where memory cannot be shared. A second one is there where a host
//! reads the trace while the machine runs.

use core::fmt;

use x86_64::instructions::port::{Port, PortWriteOnly};

const PORT: u16 = 0xe9;

/// Writes bytes.
pub fn write(bytes: &[u8]) {
    let mut port = PortWriteOnly::<u8>::new(PORT);
    for byte in bytes {
        // SAFETY: the port has no effect but to print; without an emulator nobody listens.
        unsafe { port.write(*byte) };
    }
}

/// The host that reads the trace: at the other end of a pipe, which it empties as far as it has come.
pub mod reader {
    use wire::channel::TOKEN_LEN;

    use super::Port;

    const PORT: u16 = 0xea;
    /// What a debug console answers.
    const ANSWER: u8 = 0xe9;

    /// Whether there is one.
    pub fn is_there() -> bool {
        // SAFETY: the port has no effect but to print; where there is none, nothing answers.
        unsafe { Port::<u8>::new(PORT).read() == ANSWER }
    }

    /// Returns when the host has read all that it had been told of before, and tells it of more.
    ///
    /// The machine stands still while the pipe is full: an instruction takes the time of an instruction, however long
    /// the host is.
    pub fn wait() {
        let mut port = Port::<u8>::new(PORT);
        for _ in 0..TOKEN_LEN {
            // SAFETY: as in `is_there`.
            unsafe { port.write(0) };
        }
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
