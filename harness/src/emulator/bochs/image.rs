// SPDX-License-Identifier: MIT
//! The image that Bochs boots from: GRUB, the kernel, the archive, and nothing that is not used.
//!
//! A boot is most of what a short run costs on Bochs, and GRUB is most of a boot: it takes some 25 instructions for
//! each byte that it loads, and over a hundred for each one that it has to unpack. So its core has no more than it
//! needs to find its modules, which are not packed, and it does at once what it is told, without a menu.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::super::ending::said;
use super::super::loaded::loaded;
use super::super::{Boot, put};
use crate::host::children;
use crate::host::packages::command::{MKIMAGE, MULTIBOOT, XORRISO};

/// The image.
pub const IMAGE: &str = "image.iso";

const FORMAT: &str = "i386-pc-eltorito";
const MODULES: &str = "i386-pc";
/// Which modules need which others: a line for each.
const NEEDS: &str = "moddep.lst";
const TREE: &str = "image";
const CORE: &str = "boot/core";
const COMMANDS: &str = "commands";
const WHAT_TO_DO: &[u8] = b"insmod multiboot2\nmultiboot2 /boot/kernel\nmodule2 /boot/archive\nboot\n";

/// Makes the image in a directory.
pub fn make(boot: &Boot, directory: &Path) -> Result<()> {
    let tree = directory.join(TREE);
    let modules = tree.join("boot/grub").join(MODULES);
    fs::create_dir_all(&modules).context("cannot make the image's directory")?;
    put(&tree.join("boot/archive"), &boot.archive)?;
    let kernel = fs::read(&boot.kernel).map_err(anyhow::Error::from).and_then(loaded);
    put(&tree.join("boot/kernel"), &kernel.with_context(|| boot.kernel.display().to_string())?)?;

    let multiboot = Path::new(MULTIBOOT);
    let needs = fs::read_to_string(multiboot.with_file_name(NEEDS));
    let needs = needs.with_context(|| format!("cannot read GRUB's {NEEDS}"))?;
    let name = multiboot.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    for name in with_needed(&needs, name) {
        let file = format!("{name}.mod");
        let from = multiboot.with_file_name(&file);
        fs::copy(&from, modules.join(file)).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    put(&directory.join(COMMANDS), WHAT_TO_DO)?;
    let core = format!("{TREE}/{CORE}");
    let words = ["-O", FORMAT, "-o", &core, "-p", "(cd)/boot/grub", "-c", COMMANDS, "biosdisk", "iso9660"];
    run(directory, MKIMAGE, &words)?;
    // The BIOS reads the first four sectors, and these find the rest by a table that is written into them.
    let boots = ["-b", CORE, "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"];
    // xorriso puts its directory before a relative path, and loses a file if there is a backslash in that.
    let tree = format!("/proc/self/cwd/{TREE}");
    let words = [&["-as", "mkisofs", "-quiet", "-o", IMAGE], &boots[..], &[tree.as_str()]].concat();
    run(directory, XORRISO, &words)
}

/// Runs a command in a directory, where it also has what it makes for itself.
fn run(directory: &Path, name: &str, words: &[&str]) -> Result<()> {
    let mut command = Command::new(name);
    command.current_dir(directory).env("TMPDIR", ".").args(words);
    let made = children::output(&mut command).with_context(|| format!("cannot start {name}"))?;
    ensure!(made.status.success(), "{name}: {}; {}", made.status, said(&made.stderr));
    Ok(())
}

/// A module and all that it needs, by GRUB's list.
fn with_needed<'a>(list: &'a str, module: &'a str) -> BTreeSet<&'a str> {
    let mut all = BTreeSet::new();
    let mut new = vec![module];
    while let Some(module) = new.pop() {
        if all.insert(module) {
            let needed =
                list.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| *name == module);
            new.extend(needed.map_or("", |(_, needed)| needed).split_whitespace());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_with_what_they_need() {
        let list = "a: b c\nb:\nc: d a\nd: b\ne: a\n";
        assert_eq!(with_needed(list, "c"), BTreeSet::from(["a", "b", "c", "d"]));
        assert_eq!(with_needed(list, "b"), BTreeSet::from(["b"]));
    }
}
