// SPDX-License-Identifier: MIT
//! Paths of the files that a program is given, as the guest has them.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};

/// The longest name of a file, and the longest path with its terminating NUL, as Linux has them.
const MAX_NAME_LEN: usize = 255;
const MAX_PATH_LEN: usize = 4096;

/// Folders that the kernel puts something into; a file in their place would keep that out.
const OWN_FOLDERS: [&str; 4] = ["/dev", "/proc", "/sys", "/tmp"];
/// Where files would be hidden by those of the kernel.
const COVERED: [&str; 2] = ["/proc/", "/sys/"];

/// Checks one path: absolute, plain, not the root, not too long, and no folder of the kernel's.
pub fn checked(path: &str) -> Result<String> {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    match path.strip_prefix('/') {
        Some(rest) if rest.split('/').all(plain) => {}
        _ => bail!("{path}: a path in the guest is absolute, without empty parts, `.` and `..`"),
    }
    let longest = path.split('/').map(str::len).max().unwrap_or_default();
    ensure!(longest <= MAX_NAME_LEN, "{path}: a name has {MAX_NAME_LEN} bytes at most");
    ensure!(path.len() < MAX_PATH_LEN, "a path of {} bytes; the limit is {}", path.len(), MAX_PATH_LEN - 1);
    ensure!(!OWN_FOLDERS.contains(&path), "{path}: the kernel has a folder there");
    let covered = COVERED.iter().find(|folder| path.starts_with(**folder));
    ensure!(covered.is_none(), "{path}: the files below {} are the kernel's", covered.unwrap_or(&""));
    Ok(path.to_owned())
}

/// Checks the file name of a program, which the guest has below its root.
pub fn check_program(name: &[u8]) -> Result<()> {
    let taken = OWN_FOLDERS.iter().find(|folder| folder.as_bytes()[1..] == *name);
    ensure!(
        taken.is_none(),
        "a program cannot be at {}: the kernel has a folder there",
        taken.unwrap_or(&"")
    );
    Ok(())
}

/// Checks that all paths can be there together: each once, and none where another one needs a folder.
pub fn fit_together<'a>(paths: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for path in paths {
        ensure!(seen.insert(path), "--file: {path} is given twice");
    }
    for path in &seen {
        let mut folders = path.rmatch_indices('/').map(|(at, _)| &path[..at]);
        if let Some(file) = folders.find(|folder| seen.contains(folder)) {
            bail!("--file: {path} needs a folder where {file} is a file");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_takes_no_folder_of_the_kernels() {
        for bad in ["dev", "proc", "sys", "tmp"] {
            assert!(check_program(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(check_program(b"process").is_ok());
    }

    #[test]
    fn paths_are_plain_and_not_too_long() {
        let long = |length: usize| format!("/{}", "x".repeat(length));
        for good in ["/a/b", "/dev/null", "/tmp/a", "/dev/x/y", &long(255)] {
            assert_eq!(checked(good).unwrap(), good);
        }
        for bad in ["", "a", "/", "/a/", "//a", "/../a", "/a/./b", &long(256), &"/abc".repeat(1024)] {
            assert!(checked(bad).is_err(), "{bad}");
        }
        assert!(checked(&"/abc".repeat(1023)).is_ok());
    }

    #[test]
    fn the_kernels_folders_are_not_replaced() {
        for bad in ["/dev", "/proc", "/sys", "/tmp"] {
            assert!(checked(bad).unwrap_err().to_string().contains("has a folder there"), "{bad}");
        }
        for hidden in ["/proc/self", "/proc/1/x", "/sys/devices"] {
            assert!(checked(hidden).unwrap_err().to_string().contains("are the kernel's"), "{hidden}");
        }
        assert!(checked("/processes").is_ok());
    }

    #[test]
    fn files_do_not_lie_in_files() {
        fit_together(["/a/b", "/a/c", "/ab", "/a.b/c"]).unwrap();
        let error = fit_together(["/x/y", "/z", "/x"]).unwrap_err().to_string();
        assert_eq!(error, "--file: /x/y needs a folder where /x is a file");
        assert_eq!(fit_together(["/x", "/x"]).unwrap_err().to_string(), "--file: /x is given twice");
    }
}
