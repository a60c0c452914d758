// SPDX-License-Identifier: MIT
//! Ports of devices, for accesses that a personality has allowed a program.
//!
//! The kernel's own devices are not among them: to a program their ports are empty.

use x86_64::instructions::port::{Port, PortRead, PortWrite};

use super::watchdog;

/// What is read where there is no device: all ones.
const EMPTY: u32 = u32::MAX;

/// The timer that the watchdog uses until a program does.
const PIT: [(u16, u16); 1] = [(0x40, 4)];
/// Devices that the kernel keeps for itself: the ports that end the machine, and the debug consoles.
const KERNELS: [(u16, u16); 3] = [(0xe9, 2), (0xf4, 4), (0x8900, 1)];

/// Whether some of these ports are a device's.
fn meets(devices: &[(u16, u16)], first: u16, length: u16) -> bool {
    let (first, length) = (u32::from(first), u32::from(length));
    devices.iter().any(|(port, count)| {
        let (port, count) = (u32::from(*port), u32::from(*count));
        first < port + count && port < first + length
    })
}

/// Whether a device of the kernel's is among these ports.
fn is_kernels(first: u16, length: u16) -> bool {
    meets(&KERNELS, first, length)
}

fn read<T: PortRead>(port: u16, empty: T) -> T {
    if is_kernels(port, size_of::<T>() as u16) {
        return empty;
    }
    // SAFETY: none of the kernel's devices is meant; what the device does to others, whoever gave
    // the program this port answers for.
    unsafe { Port::new(port).read() }
}

fn write<T: PortWrite>(port: u16, value: T) {
    if is_kernels(port, size_of::<T>() as u16) {
        return;
    }
    if meets(&PIT, port, size_of::<T>() as u16) {
        watchdog::leave_pit();
    }
    // SAFETY: as in `read`.
    unsafe { Port::new(port).write(value) }
}

/// Reads a byte.
pub fn read_byte(port: u16) -> u8 {
    read(port, EMPTY as u8)
}

/// Reads two bytes.
pub fn read_word(port: u16) -> u16 {
    read(port, EMPTY as u16)
}

/// Reads four bytes.
pub fn read_double(port: u16) -> u32 {
    read(port, EMPTY)
}

/// Writes a byte.
pub fn write_byte(port: u16, value: u8) {
    write(port, value);
}

/// Writes two bytes.
pub fn write_word(port: u16, value: u16) {
    write(port, value);
}

/// Writes four bytes.
pub fn write_double(port: u16, value: u32) {
    write(port, value);
}
