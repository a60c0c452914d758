// SPDX-License-Identifier: MIT
//! The BIOS data area: where a system finds its serial ports, filled in where firmware has not done that.

use crate::mem::shared::SharedFrame;

/// Ports of the four serial ports, a word each.
const PORTS: usize = 0x400;
/// A word about devices, three bits of which count serial ports.
const EQUIPMENT: usize = 0x410;
const COUNT_SHIFT: u32 = 9;
const COUNT: u16 = 7 << COUNT_SHIFT;
/// Where a PC's serial ports are, in their order.
const USUAL: [u16; 4] = [0x3f8, 0x2f8, 0x3e8, 0x2e8];

/// Fills in the serial ports of which `is_there` says so, if firmware has left none in the first page.
pub fn fill(page: &SharedFrame, is_there: impl Fn(u16) -> bool) {
    let word = |offset| {
        let mut bytes = [0; 2];
        page.read(offset, &mut bytes);
        u16::from_le_bytes(bytes)
    };
    let equipment = word(EQUIPMENT);
    if equipment & COUNT != 0 && word(PORTS) != 0 {
        return;
    }
    let mut count = 0;
    for port in USUAL.into_iter().filter(|port| is_there(*port)) {
        page.write(PORTS + 2 * usize::from(count), &port.to_le_bytes());
        count += 1;
    }
    let equipment = equipment & !COUNT | count << COUNT_SHIFT;
    page.write(EQUIPMENT, &equipment.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::frame;

    fn read(page: &SharedFrame) -> ([u8; 8], [u8; 2]) {
        let (mut ports, mut equipment) = ([0; 8], [0; 2]);
        page.read(PORTS, &mut ports);
        page.read(EQUIPMENT, &mut equipment);
        (ports, equipment)
    }

    #[test]
    fn ports_are_filled_in_where_firmware_has_left_none() {
        frame::set_free(1);
        let page = SharedFrame::zeroed().unwrap();
        page.write(EQUIPMENT, &[0x25, 0xc0]);
        fill(&page, |port| port != 0x2f8);
        assert_eq!(read(&page), ([0xf8, 3, 0xe8, 3, 0xe8, 2, 0, 0], [0x25, 0xc6]));
        fill(&page, |_| unreachable!("they are there"));
    }

    #[test]
    fn no_port_is_no_count() {
        frame::set_free(1);
        let page = SharedFrame::zeroed().unwrap();
        fill(&page, |_| false);
        assert_eq!(read(&page), ([0; 8], [0; 2]));
    }
}
