// SPDX-License-Identifier: MIT
//! The file behind a guest's memory: one without a name, in memory, where there is room; else one in the run's
//! directory.
//!
//! A file in memory is written to no disk, and is gone with the last process that has it open, however that ends.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process;

use rustix::fs::{MemfdFlags, memfd_create};

/// A guest may use all of its memory, and others need some, too.
const SHARE: u64 = 4;
const MEMINFO: &str = "/proc/meminfo";
/// The name of the one in the run's directory.
pub const NAME: &str = "ram";

/// The file, and where it is opened.
pub struct Ram {
    path: PathBuf,
    /// Keeps a file without a name.
    _file: Option<File>,
}

impl Ram {
    /// Memory for a guest of so many bytes.
    pub fn new(length: u64, directory: &Path) -> Self {
        match in_memory(length) {
            Some((path, file)) => Self { path, _file: Some(file) },
            None => Self { path: directory.join(NAME), _file: None },
        }
    }

    /// Where an emulator and the reader of the channel open it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn in_memory(length: u64) -> Option<(PathBuf, File)> {
    if available(&fs::read_to_string(MEMINFO).ok()?)? / SHARE < length {
        return None;
    }
    let file = File::from(memfd_create(NAME, MemfdFlags::CLOEXEC).ok()?);
    file.set_len(length).ok()?;
    let path = PathBuf::from(format!("/proc/{}/fd/{}", process::id(), file.as_raw_fd()));
    // Nobody could open it where that is not there.
    path.exists().then_some((path, file))
}

/// Bytes that can be used without anybody else's giving some back.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_available_is_read() {
        assert_eq!(available("MemFree:   7 kB\nMemAvailable:   24105 kB\n"), Some(24105 * 1024));
        assert_eq!(available("MemFree:   7 kB\n"), None);
        assert_eq!(available("MemAvailable:   many\n"), None);
    }

    #[test]
    fn memory_that_is_too_large_lies_in_the_directory() {
        let ram = Ram::new(u64::MAX, Path::new("/run/of/mine"));
        assert_eq!(ram.path(), Path::new("/run/of/mine/ram"));
    }

    #[test]
    fn a_file_in_memory_is_there_as_long_as_it_is_kept() {
        let Some((path, file)) = in_memory(4096) else { return };
        File::options().write(true).open(&path).unwrap().write_all(b"by another").unwrap();
        assert!(fs::read(&path).unwrap().starts_with(b"by another\0"));
        drop(file);
        assert!(!fs::read(&path).is_ok_and(|bytes| bytes.starts_with(b"by another")));
    }
}
