// SPDX-License-Identifier: MIT
//! The keyboard's controller, which interrupts whenever it is told to, as if a key were pressed.

use nova_rt::access::{input, output};

/// The controller's line.
pub const LINE: u64 = 1;
/// The port of what is read and written.
pub const DATA: u16 = 0x60;
const COMMAND: u16 = 0x64;
const READ_MODE: u8 = 0x20;
const WRITE_MODE: u8 = 0x60;
/// The next byte comes as if it were the keyboard's.
const LIKE_A_KEY: u8 = 0xd2;
const FULL: u8 = 1 << 0;
const BUSY: u8 = 1 << 1;
/// Keys interrupt.
const INTERRUPTS: u8 = 1 << 0;

fn tell(port: u16, value: u8) {
    while input(COMMAND) & BUSY != 0 {}
    output(port, value);
}

/// Has the controller interrupt, and returns its mode before.
#[must_use]
pub fn open() -> u8 {
    while input(COMMAND) & FULL != 0 {
        let _ = input(DATA);
    }
    tell(COMMAND, READ_MODE);
    while input(COMMAND) & FULL == 0 {}
    let mode = input(DATA);
    close(mode | INTERRUPTS);
    mode
}

/// Gives the controller its mode.
pub fn close(mode: u8) {
    tell(COMMAND, WRITE_MODE);
    tell(DATA, mode);
}

/// Announces a key: the next byte that is written to [`DATA`] comes as one, and interrupts.
pub fn announce() {
    tell(COMMAND, LIKE_A_KEY);
    while input(COMMAND) & BUSY != 0 {}
}
