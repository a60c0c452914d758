// SPDX-License-Identifier: MIT
//! Ports of devices, for accesses that a personality has allowed a program.
//!
//! The kernel's own devices are not among them: to a program their ports are empty.

use x86_64::instructions::port::{Port, PortRead, PortWrite};

/// What is read where there is no device: all ones.
const EMPTY: u32 = u32::MAX;

/// Whether a port belongs to a device that the kernel keeps for itself: the interrupt controllers,
/// the timer that is the watchdog, the ports that end the machine, and the debug console.
fn is_kernels(first: u16, length: u16) -> bool {
    const KERNELS: [(u16, u16); 7] =
        [(0x20, 2), (0x40, 4), (0xa0, 2), (0xe9, 1), (0xf4, 4), (0x4d0, 2), (0x8900, 1)];
    KERNELS.iter().any(|(port, count)| first < port + count && *port < first.saturating_add(length))
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
