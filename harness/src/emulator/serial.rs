// SPDX-License-Identifier: MIT
//! The first serial port of a guest: the emulator writes it to a file, which is read as it grows.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Observer;
use crate::host::process::MOST_KEPT;

/// The file in the run's directory.
pub const NAME: &str = "serial";

/// What the first serial port has sent.
pub struct Serial {
    path: PathBuf,
    file: Option<File>,
    /// What has been passed on, as far as it is kept.
    bytes: Vec<u8>,
}

impl Serial {
    /// That of a guest that is booted in a directory.
    pub fn new(directory: &Path) -> Self {
        Self { path: directory.join(NAME), file: None, bytes: Vec::new() }
    }

    /// Passes on what is new.
    pub fn poll(&mut self, observer: &mut dyn Observer) -> Result<()> {
        if self.file.is_none() {
            // It is there when the emulator has begun, if there is such a port at all.
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut new = Vec::new();
        file.read_to_end(&mut new).with_context(|| format!("cannot read {}", self.path.display()))?;
        if !new.is_empty() {
            observer.output(1, &new);
            let room = (MOST_KEPT as usize).saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(&new[..room.min(new.len())]);
        }
        Ok(())
    }

    /// All that it has sent.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use wire::channel::Progress;

    use super::*;

    struct Heard(Vec<u8>);

    impl Observer for Heard {
        fn output(&mut self, descriptor: u8, bytes: &[u8]) {
            assert_eq!(descriptor, 1);
            self.0.extend_from_slice(bytes);
        }

        fn progress(&mut self, _: Progress) {}
    }

    #[test]
    fn what_is_sent_is_passed_on_as_it_comes() {
        let directory = tempfile::tempdir().unwrap();
        let (mut serial, mut heard) = (Serial::new(directory.path()), Heard(Vec::new()));
        serial.poll(&mut heard).unwrap();
        fs::write(directory.path().join(NAME), b"one ").unwrap();
        serial.poll(&mut heard).unwrap();
        assert_eq!(heard.0, b"one ");
        let mut file = File::options().append(true).open(directory.path().join(NAME)).unwrap();
        file.write_all(b"two").unwrap();
        serial.poll(&mut heard).unwrap();
        assert_eq!(heard.0, b"one two");
        assert_eq!(serial.into_bytes(), b"one two");
    }
}
