// SPDX-License-Identifier: MIT
//! Formatted output, unbuffered.

use core::fmt;

/// A file descriptor to format onto.
pub struct Descriptor(u64);

/// Standard output.
pub const STDOUT: Descriptor = Descriptor(1);
/// Standard error.
pub const STDERR: Descriptor = Descriptor(2);

impl fmt::Write for Descriptor {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        crate::sys::write(self.0, text.as_bytes());
        Ok(())
    }
}

/// Prints a line to a descriptor; an error of the descriptor is nobody's to handle here.
pub fn line(mut to: Descriptor, text: fmt::Arguments<'_>) {
    use fmt::Write;
    let _ = writeln!(to, "{text}");
}
