// SPDX-License-Identifier: MIT
//! A panic is an error line, and the end of its thread.

use core::panic::PanicInfo;

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    crate::error!("{info}");
    crate::start::die()
}

/// The precompiled `core` names this symbol; with panic=abort nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
