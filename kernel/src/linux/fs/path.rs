// SPDX-License-Identifier: MIT
//! From a path to the place that it names.

use alloc::vec::Vec;

use super::super::errno::{ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, Errno};
use super::{Fs, InodeId, MAX_NAME_LEN, Node};
use crate::mem::fallible;

/// The most symbolic links followed for one path (Linux's `MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// Whether a symbolic link in last place is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// It is.
    Yes,
    /// The link itself is meant.
    No,
}

/// A place in the tree, with or without something in it.
#[derive(Debug)]
pub struct Place {
    /// The directory that it is in.
    pub parent: InodeId,
    /// Its name there; empty for `/` and paths that end in `.` or `..`.
    pub name: Vec<u8>,
    /// What is there.
    pub target: Option<InodeId>,
    /// Whether the path ends in a slash.
    pub wants_directory: bool,
}

impl Fs {
    /// Finds the place that `path` names, seen from the directory `base`.
    pub fn locate(&self, base: InodeId, path: &[u8], follow: Follow) -> Result<Place, Errno> {
        if path.is_empty() {
            return Err(ENOENT);
        }
        let mut links = 0;
        // What is left of the path is `text` from `from` on.
        let (mut text, mut from) = (fallible::copy(path)?, 0);
        let mut at = if path.starts_with(b"/") { InodeId::ROOT } else { base };
        loop {
            let slashes = text[from..].iter().position(|byte| *byte != b'/');
            self.directory(at)?;
            let Some(slashes) = slashes else {
                let name = Vec::new();
                return Ok(Place { parent: at, name, target: Some(at), wants_directory: true });
            };
            let left = &text[from + slashes..];
            let length = left.iter().position(|byte| *byte == b'/').unwrap_or(left.len());
            let (name, rest) = left.split_at(length);
            if name.len() > MAX_NAME_LEN {
                return Err(ENAMETOOLONG);
            }
            let is_last = rest.iter().all(|byte| *byte == b'/');
            let wants_directory = !rest.is_empty();
            let next = match name {
                b"." => Some(at),
                b".." => Some(self.directory(at)?.parent),
                _ => self.directory(at)?.find(name).map(|entry| entry.inode),
            };
            if let Some(id) = next
                && let Node::Link(target) = &self.inode(id)?.node
                && (!is_last || wants_directory || follow == Follow::Yes)
            {
                links += 1;
                if links > MAX_LINKS {
                    return Err(ELOOP);
                }
                if target.starts_with(b"/") {
                    at = InodeId::ROOT;
                }
                let mut joined = fallible::copy(target)?;
                fallible::extend(&mut joined, rest)?;
                (text, from) = (joined, 0);
                continue;
            }
            if is_last && name != b"." && name != b".." {
                if wants_directory && let Some(id) = next {
                    self.directory(id)?;
                }
                let name = fallible::copy(name)?;
                return Ok(Place { parent: at, name, target: next, wants_directory });
            }
            at = next.ok_or(ENOENT)?;
            from += slashes + length;
        }
    }

    /// What `path` names.
    pub fn find(&self, base: InodeId, path: &[u8], follow: Follow) -> Result<InodeId, Errno> {
        self.locate(base, path, follow)?.target.ok_or(ENOENT)
    }

    /// Makes the directories above an absolute path that are missing.
    pub fn create_parents(&mut self, path: &[u8], now_ns: u64) -> Result<(), Errno> {
        let mut directory = InodeId::ROOT;
        let Some(end) = path.iter().rposition(|byte| *byte == b'/') else { return Ok(()) };
        for name in path[..end].split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            let place = self.locate(directory, name, Follow::Yes)?;
            directory = match place.target {
                Some(id) => self.directory(id).map(|_| id).map_err(|_| ENOTDIR)?,
                None => self.create(&place, Self::new_directory(), 0o755, now_ns)?,
            };
        }
        Ok(())
    }
}
