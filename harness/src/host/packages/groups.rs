// SPDX-License-Identifier: MIT
//! The packages, grouped by what needs them.

use super::{Package, Sign, command};

/// For boots on QEMU.
pub const QEMU: &[Package] = &[
    Package {
        name: "qemu-system-x86",
        purpose: "the emulator that counts instructions",
        sign: Sign::Command(command::QEMU),
    },
    Package {
        name: "qemu-system-data",
        purpose: "its smallest firmware",
        sign: Sign::File(&["/usr/share/qemu/qboot.rom"]),
    },
    Package {
        name: "seabios",
        purpose: "its usual firmware",
        sign: Sign::File(&["/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/bios-256k.bin"]),
    },
    Package {
        name: "ipxe-qemu",
        purpose: "its option ROMs",
        sign: Sign::File(&["/usr/lib/ipxe/qemu", "/usr/share/qemu/efi-e1000.rom"]),
    },
];

/// For boots on Bochs.
pub const BOCHS: &[Package] = &[
    Package { name: "bochs", purpose: "the second emulator", sign: Sign::Command(command::BOCHS) },
    Package {
        name: "bochsbios",
        purpose: "its firmware",
        sign: Sign::File(&["/usr/share/bochs/BIOS-bochs-latest"]),
    },
    Package {
        name: "bochs-term",
        purpose: "its display without a screen",
        sign: Sign::File(&[
            "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so",
            "/usr/lib/bochs/plugins/libbx_term_gui.so",
        ]),
    },
    Package {
        name: "grub-common",
        purpose: "makes the boot loader for images",
        sign: Sign::Command(command::MKIMAGE),
    },
    Package { name: "grub-pc-bin", purpose: "its modules", sign: Sign::File(&[command::MULTIBOOT]) },
    Package { name: "xorriso", purpose: "writes the images", sign: Sign::Command(command::XORRISO) },
];

/// For the programs of `user/c`.
pub const COMPILER: &[Package] = &[
    Package { name: "gcc", purpose: "compiles the C programs", sign: Sign::Command("gcc") },
    Package {
        name: "libc6-dev",
        purpose: "the static C library",
        sign: Sign::File(&["/usr/lib/x86_64-linux-gnu/libc.a", "/usr/lib64/libc.a", "/usr/lib/libc.a"]),
    },
];

/// For the programs of `user/go`; 81 MB to fetch, and 460 MB on the disk.
pub const GO: &[Package] =
    &[Package { name: "golang-go", purpose: "compiles the Go programs", sign: Sign::Command("go") }];

/// For the emulator tests, besides the above. Of these the browser is the largest: 117 MB to fetch with what it needs.
pub const TESTS: &[Package] = &[
    Package {
        name: "busybox-static",
        purpose: "programs that are not ours",
        sign: Sign::File(&["/bin/busybox", "/usr/bin/busybox"]),
    },
    Package { name: "g++", purpose: "compiles a C++ program of the book", sign: Sign::Command("g++") },
    Package {
        name: "chromium",
        purpose: "opens the pages of reports",
        sign: Sign::Command(command::CHROMIUM),
    },
    Package {
        name: "python3-pip",
        purpose: "fetches the page that opens traces",
        sign: Sign::Command(command::PIP),
    },
    Package { name: "faketime", purpose: "another date", sign: Sign::Command("faketime") },
    Package { name: "gdb", purpose: "counts instructions by stepping", sign: Sign::Command(command::GDB) },
    Package { name: "strace", purpose: "errors of Linux on purpose", sign: Sign::Command("strace") },
];
