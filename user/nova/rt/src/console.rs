// SPDX-License-Identifier: MIT
//! Output on the first serial port, found where the firmware says it is.

use core::fmt;
use core::sync::atomic::{AtomicU16, Ordering};

use crate::access::{self, input, output};
use crate::crd::READ;
use crate::start::Root;
use crate::{Status, grants, supply};

/// The port of the console, 0 before it is open.
static PORT: AtomicU16 = AtomicU16::new(0);

/// Where the firmware lists the serial ports, in the first page.
const PORT_LIST: u64 = 0x400;
/// Where the firmware says how many there are, in bits 11 to 9.
const EQUIPMENT: u64 = 0x410;
/// How many bytes the port takes at once.
const FIFO: usize = 16;

/// Opens the console as a booting core does: ports from the kernel's domain, page 0, the port's settings.
///
/// # Panics
/// It panics, without a word, if ports or page are refused or no serial port is listed.
pub fn open(root: Root) {
    assert_eq!(grants::ports(root), Status::SUCCESS, "ports are delegated");
    let page = supply::pages(0);
    assert_eq!(grants::map(root, 0, page, 0, READ), Status::SUCCESS, "page 0 is delegated");
    assert_ne!(access::read(page + EQUIPMENT) >> 9 & 7, 0, "a serial port is listed");
    let port = access::read(page + PORT_LIST) as u16;
    // No interrupts; 115,200 baud, eight bits, no parity, one stop bit; the FIFO on and empty.
    for (register, value) in [(1, 0), (3, 0x80), (0, 1), (1, 0), (3, 3), (2, 7)] {
        output(port + register, value);
    }
    PORT.store(port, Ordering::Relaxed);
}

struct Console(u16);

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for bytes in text.as_bytes().chunks(FIFO) {
            while input(self.0 + 5) & 0x20 == 0 {}
            bytes.iter().for_each(|byte| output(self.0, *byte));
        }
        Ok(())
    }
}

/// Prints text; before the console is open, it is lost.
pub fn print(text: fmt::Arguments<'_>) {
    use fmt::Write;
    let port = PORT.load(Ordering::Relaxed);
    if port != 0 {
        let _ = Console(port).write_fmt(text);
    }
}

/// Prints a line.
#[macro_export]
macro_rules! line {
    ($($text:tt)*) => {
        $crate::console::print(format_args!("{}\n", format_args!($($text)*)))
    };
}
