// SPDX-License-Identifier: MIT
//! A panic prints itself and ends the root task by an exception that nobody handles.

use core::panic::PanicInfo;

use crate::{line, start};

#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    line!("{info}");
    start::die()
}

/// The precompiled `core` names this symbol; with panic=abort nothing calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
