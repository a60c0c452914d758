// SPDX-License-Identifier: MIT
//! Names of commands that are looked for as signs of their packages, and started elsewhere.

/// The emulator that counts instructions.
pub const QEMU: &str = "qemu-system-x86_64";
/// The second emulator.
pub const BOCHS: &str = "bochs";
/// The maker of boot images.
pub const MKRESCUE: &str = "grub-mkrescue";
/// The debugger that counts instructions by stepping.
pub const GDB: &str = "gdb";
