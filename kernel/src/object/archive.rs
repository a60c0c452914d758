// SPDX-License-Identifier: MIT
//! The boot archive (newc cpio): program, arguments, configuration and files.
//!
//! The entries' names are those of [`wire::config::entry`]. Nothing is
//! copied: names and contents are borrowed from the archive.

use wire::config::entry;

use super::newc::{Entries, Entry};

/// One file for the program.
#[derive(Clone, Copy, Debug)]
pub struct ArchivedFile<'a> {
    /// Its absolute path.
    pub path: &'a str,
    /// Its content; a symbolic link's target.
    pub bytes: &'a [u8],
    /// File type and permissions, as in `st_mode`.
    pub mode: u32,
}

/// The archive, up to the first entry that is malformed.
#[derive(Clone, Copy)]
pub struct Archive<'a> {
    entries: &'a [u8],
    /// Program and arguments that stand in for the archive's own.
    stand_in: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Archive<'a> {
    /// The archive in `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { entries: bytes, stand_in: None }
    }

    /// The archive in front of the content of its entry called `name`, and that content, which may be changed.
    pub fn split(bytes: &'a mut [u8], name: &str) -> (Self, Option<&'a mut [u8]>) {
        let found = Entries::new(bytes).find(|entry| entry.name == name);
        let place = found.map(|entry| entry.content.as_ptr().addr() - bytes.as_ptr().addr());
        let length = found.map_or(0, |entry| entry.content.len());
        match place {
            Some(place) => {
                let (before, content) = bytes.split_at_mut(place);
                (Self::new(before), content.get_mut(..length))
            }
            None => (Self::new(bytes), None),
        }
    }

    fn entries(&self) -> Entries<'a> {
        Entries::new(self.entries)
    }

    /// This archive with another program and other arguments.
    pub fn with_program(&self, program: &'a [u8], arguments: &'a [u8]) -> Self {
        Self { stand_in: Some((program, arguments)), ..*self }
    }

    /// The content of the entry called `name`.
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        match (name, self.stand_in) {
            (entry::PROGRAM, Some((program, _))) => return Some(program),
            (entry::ARGV, Some((_, arguments))) => return Some(arguments),
            (_, Some(_) | None) => {}
        }
        self.entries().find(|entry| entry.name == name).map(|entry| entry.content)
    }

    /// The program of that name, of those for a batch.
    pub fn program(&self, name: &str) -> Option<&'a [u8]> {
        let found = |file: &Entry| file.name.strip_prefix(entry::PROGRAMS) == Some(name);
        self.entries().find(found).map(|file| file.content)
    }

    /// The files that the program finds, in archive order.
    pub fn files(&self) -> impl Iterator<Item = ArchivedFile<'a>> {
        self.entries().filter_map(|entry| {
            // Of the prefix `files/` the slash stays: it makes the path absolute.
            let path = entry.name.strip_prefix(entry::FILES.trim_end_matches('/'))?;
            let path = path.starts_with('/').then_some(path)?;
            Some(ArchivedFile { path, bytes: entry.content, mode: entry.mode })
        })
    }
}
