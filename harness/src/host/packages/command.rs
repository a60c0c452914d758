// SPDX-License-Identifier: MIT
//! Names of commands that are looked for as signs of their packages, and started elsewhere.

/// The emulator that counts instructions.
pub const QEMU: &str = "qemu-system-x86_64";
/// The second emulator.
pub const BOCHS: &str = "bochs";
/// What makes the core of the boot loader for Bochs.
pub const MKIMAGE: &str = "grub-mkimage";
/// The module of GRUB that starts the kernel.
pub const MULTIBOOT: &str = "/usr/lib/grub/i386-pc/multiboot2.mod";
/// What makes boot images.
pub const XORRISO: &str = "xorriso";
/// The debugger that counts instructions by stepping.
pub const GDB: &str = "gdb";
/// The browser that opens pages without a screen.
pub const CHROMIUM: &str = "chromium";
/// What fetches packages of Python.
pub const PIP: &str = "pip3";
