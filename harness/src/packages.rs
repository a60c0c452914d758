// SPDX-License-Identifier: MIT
//! The Debian packages that a command needs: found, installed by root, or named.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Set to anything but nothing, it keeps the harness from installing.
pub const NO_INSTALL: &str = "REPRISE_NO_INSTALL";

/// What a package is recognised by.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// A command in PATH.
    Command(&'static str),
    /// One of these files.
    File(&'static [&'static str]),
}

/// A Debian package.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub purpose: &'static str,
    sign: Sign,
}

/// For boots on QEMU.
pub const QEMU: &[Package] = &[
    Package {
        name: "qemu-system-x86",
        purpose: "the emulator that counts instructions",
        sign: Sign::Command(crate::machine::qemu::QEMU),
    },
    Package {
        name: "seabios",
        purpose: "its firmware",
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
    Package {
        name: "bochs",
        purpose: "the second emulator",
        sign: Sign::Command(crate::machine::bochs::BOCHS),
    },
    Package {
        name: "bochsbios",
        purpose: "its firmware",
        sign: Sign::File(&["/usr/share/bochs/BIOS-bochs-latest"]),
    },
    Package {
        name: "vgabios",
        purpose: "its display's firmware",
        sign: Sign::File(&["/usr/share/vgabios/vgabios.bin", "/usr/share/bochs/VGABIOS-lgpl-latest"]),
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
        purpose: "makes boot images",
        sign: Sign::Command(crate::machine::bochs::MKRESCUE),
    },
    Package {
        name: "grub-pc-bin",
        purpose: "the boot loader in them",
        sign: Sign::File(&["/usr/lib/grub/i386-pc/multiboot2.mod"]),
    },
    Package { name: "xorriso", purpose: "writes them", sign: Sign::Command("xorriso") },
    Package { name: "mtools", purpose: "likewise", sign: Sign::Command("mformat") },
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

/// For the emulator tests, besides the above.
pub const TESTS: &[Package] = &[
    Package {
        name: "busybox-static",
        purpose: "programs that are not ours",
        sign: Sign::File(&["/bin/busybox", "/usr/bin/busybox"]),
    },
    Package { name: "faketime", purpose: "another date", sign: Sign::Command("faketime") },
    Package {
        name: "gdb",
        purpose: "counts instructions by stepping",
        sign: Sign::Command(crate::suite::GDB),
    },
    Package { name: "strace", purpose: "errors of Linux on purpose", sign: Sign::Command("strace") },
];

impl Package {
    /// Whether it is there.
    pub fn present(&self) -> bool {
        match self.sign {
            Sign::Command(name) => in_path(name).is_some(),
            Sign::File(paths) => paths.iter().any(|path| Path::new(path).exists()),
        }
    }
}

/// Where a command is.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let executable = |path: &PathBuf| {
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&env::var_os("PATH")?).map(|directory| directory.join(name)).find(executable)
}

/// Makes sure that all packages of some groups are there: installs what is missing if we
/// may, or says what to install.
pub fn ensure_present(groups: &[&[Package]]) -> Result<()> {
    let missing = missing(groups);
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !may_install() {
        bail!("missing packages; install them with: apt-get install {names}");
    }
    apt_get(&["update"])?;
    let install = ["install", "--yes", "--no-install-recommends"];
    apt_get(&[&install[..], &missing].concat())?;
    let still = self::missing(groups);
    ensure!(still.is_empty(), "installed {names}, but cannot find what should be in {}", still.join(" "));
    Ok(())
}

fn missing(groups: &[&[Package]]) -> Vec<&'static str> {
    groups
        .iter()
        .copied()
        .flatten()
        .filter(|package| !package.present())
        .map(|package| package.name)
        .collect()
}

/// Only root with apt-get may, unless told not to.
fn may_install() -> bool {
    let refused = env::var_os(NO_INSTALL).is_some_and(|value| !value.is_empty());
    // Our own entry in /proc belongs to whom we run as.
    let root = Path::new("/proc/self").metadata().is_ok_and(|metadata| metadata.uid() == 0);
    !refused && root && in_path("apt-get").is_some()
}

/// Runs apt-get; what it says goes to our standard error.
fn apt_get(arguments: &[&str]) -> Result<()> {
    eprintln!("reprise: apt-get {}", arguments.join(" "));
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", OsStr::new("noninteractive")).stdin(Stdio::null());
    let output = command.stdout(std::io::stderr()).status().context("cannot start apt-get")?;
    ensure!(output.success(), "apt-get {} failed ({output})", arguments.join(" "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_path() {
        assert!(in_path("sh").is_some());
        assert!(in_path("no-such-command-here").is_none());
    }

    #[test]
    fn what_is_missing_is_named_once_a_package() {
        let there = Package { name: "there", purpose: "", sign: Sign::Command("sh") };
        let gone = Package { name: "gone", purpose: "", sign: Sign::File(&["/no/such/file"]) };
        assert_eq!(missing(&[&[there], &[gone, there]]), ["gone"]);
    }
}
