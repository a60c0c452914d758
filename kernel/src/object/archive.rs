// SPDX-License-Identifier: MIT
//! The boot archive (newc cpio): program, arguments, configuration and files.
//!
//! The entries' names are those of [`wire::config::entry`]. Nothing is
//! copied: names and contents are borrowed from the archive.

use alloc::rc::Rc;
use alloc::vec::Vec;

use cpio_reader::Entry;
use wire::config::entry;

use crate::mem::fallible;

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
pub struct Archive<'a> {
    bytes: &'a [u8],
    /// The entries, once there is a heap to list them on.
    list: Option<Rc<Vec<Entry<'a>>>>,
    /// Program and arguments that stand in for the archive's own.
    stand_in: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Archive<'a> {
    /// The archive in `bytes`. Needs no heap: the configuration is read before there is one.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, list: None, stand_in: None }
    }

    /// This archive with its entries listed: to walk it costs a look at every
    /// byte, because the reader adds all of them up. Stays as it is if the heap is
    /// too small for the list.
    pub fn listed(&self) -> Self {
        let mut list = Vec::new();
        let complete = self.entries().all(|entry| fallible::push(&mut list, entry).is_ok());
        let list = if complete { fallible::shared(list).ok() } else { None };
        Self { bytes: self.bytes, list, stand_in: self.stand_in }
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'a>> {
        let listed = self.list.iter().flat_map(|list| list.iter().cloned());
        let walked = self.list.is_none().then(|| cpio_reader::iter_files(self.bytes));
        listed.chain(walked.into_iter().flatten())
    }

    /// This archive with another program and other arguments.
    pub fn with_program(&self, program: &'a [u8], arguments: &'a [u8]) -> Self {
        Self { bytes: self.bytes, list: self.list.clone(), stand_in: Some((program, arguments)) }
    }

    /// The content of the entry called `name`.
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        match (name, self.stand_in) {
            (entry::PROGRAM, Some((program, _))) => return Some(program),
            (entry::ARGV, Some((_, arguments))) => return Some(arguments),
            (_, Some(_) | None) => {}
        }
        self.entries().find(|entry| entry.name() == name).map(|entry| entry.file())
    }

    /// The program of that name, of those for a batch.
    pub fn program(&self, name: &str) -> Option<&'a [u8]> {
        let found = |file: &Entry| file.name().strip_prefix(entry::PROGRAMS) == Some(name);
        self.entries().find(found).map(|file| file.file())
    }

    /// The files that the program finds, in archive order.
    pub fn files(&self) -> impl Iterator<Item = ArchivedFile<'a>> {
        self.entries().filter_map(|entry| {
            // Of the prefix `files/` the slash stays: it makes the path absolute.
            let path = entry.name().strip_prefix(entry::FILES.trim_end_matches('/'))?;
            let path = path.starts_with('/').then_some(path)?;
            Some(ArchivedFile { path, bytes: entry.file(), mode: entry.mode().bits() })
        })
    }
}
