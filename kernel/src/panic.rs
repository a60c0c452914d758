// SPDX-License-Identifier: MIT
//! The kernel's one bad end.

use core::fmt::Write;
use core::panic::PanicInfo;

use wire::channel::PANIC_MARK;

use crate::arch::debugcon::{self, Debugcon};
use crate::arch::machine::{self, Exit};

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    debugcon::write(PANIC_MARK);
    // Debugcon takes everything; there is nobody to tell if it did not.
    let _ = match info.location() {
        Some(location) => {
            writeln!(Debugcon, "{} ({}:{})", info.message(), location.file(), location.line())
        }
        None => writeln!(Debugcon, "{}", info.message()),
    };
    machine::exit(Exit::Panic)
}
