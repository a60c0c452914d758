// SPDX-License-Identifier: MIT
//! A panic prints itself and ends the program with status 101, as std's does.

use core::panic::PanicInfo;

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    crate::output::line(crate::output::STDERR, format_args!("{info}"));
    crate::sys::exit(101)
}

/// The precompiled `core` names this symbol; with panic=abort nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
