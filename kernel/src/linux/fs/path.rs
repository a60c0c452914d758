// SPDX-License-Identifier: MIT
//! From a path to the place that it names.

use alloc::vec::Vec;

use super::super::errno::{ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, Errno};
use super::super::proc::{Entry, Kind, Target};
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

/// What paths lead through that is not stored.
pub trait Beyond {
    /// What a name leads to in a directory that is not stored; `.` and `..` are no names.
    fn find(&self, directory: Entry, name: &[u8]) -> Result<Entry, Errno>;
    /// The directory that one is in.
    fn parent(&self, directory: Entry) -> Result<InodeId, Errno>;
    /// What a link leads to that is not stored.
    fn target(&self, link: Entry) -> Result<Target, Errno>;
}

/// What a link in the middle of a path, or at its end, is to be replaced by.
enum Step {
    /// Another path.
    Path(Vec<u8>),
    /// This file itself.
    File(InodeId),
}

impl Fs {
    /// Finds the place that `path` names, seen from the directory `base`, where nothing is
    /// mounted yet.
    pub fn locate_stored(&self, base: InodeId, path: &[u8], follow: Follow) -> Result<Place, Errno> {
        struct Nothing;
        impl Beyond for Nothing {
            fn find(&self, _: Entry, _: &[u8]) -> Result<Entry, Errno> {
                Err(ENOENT)
            }
            fn parent(&self, _: Entry) -> Result<InodeId, Errno> {
                Err(ENOENT)
            }
            fn target(&self, _: Entry) -> Result<Target, Errno> {
                Err(ENOENT)
            }
        }
        self.locate(&Nothing, base, path, follow)
    }

    /// Refuses what is no directory.
    pub fn check_directory(&self, id: InodeId) -> Result<(), Errno> {
        match id.entry() {
            Some(entry) if entry.kind() == Kind::Directory => Ok(()),
            Some(_) => Err(ENOTDIR),
            None => self.directory(id).map(drop),
        }
    }

    /// What a name leads to in a directory.
    fn child(&self, beyond: &impl Beyond, at: InodeId, name: &[u8]) -> Result<Option<InodeId>, Errno> {
        if let Some(entry) = at.entry() {
            // Nothing can be made there, so what is not there has no place.
            return beyond.find(entry, name).map(|found| Some(InodeId::of(found)));
        }
        let Some(entry) = self.directory(at)?.find(name) else { return Ok(None) };
        let mounted = self.directory(entry.inode).ok().and_then(|directory| directory.mounted);
        Ok(Some(mounted.map_or(entry.inode, |root| InodeId::of(Entry::Fixed(root)))))
    }

    /// The directory that a directory is in.
    fn above(&self, beyond: &impl Beyond, at: InodeId) -> Result<InodeId, Errno> {
        match at.entry() {
            Some(entry) => beyond.parent(entry),
            None => Ok(self.directory(at)?.parent),
        }
    }

    /// What takes the place of a link; `None` if it is none, or one that no path leads through.
    fn step(&self, beyond: &impl Beyond, id: InodeId) -> Result<Option<Step>, Errno> {
        let Some(entry) = id.entry() else {
            return Ok(match &self.inode(id)?.node {
                Node::Link(target) => Some(Step::Path(fallible::copy(target)?)),
                Node::Directory(_) | Node::File(_) | Node::Device(_) => None,
            });
        };
        if entry.kind() != Kind::Link {
            return Ok(None);
        }
        Ok(match beyond.target(entry)? {
            Target::Path(path) => Some(Step::Path(path)),
            Target::File(id) => Some(Step::File(id)),
            Target::Elsewhere => None,
        })
    }

    /// Finds the place that `path` names, seen from the directory `base`. A link that leads to no
    /// file is what is found, whether it is followed or not.
    pub fn locate(
        &self,
        beyond: &impl Beyond,
        base: InodeId,
        path: &[u8],
        follow: Follow,
    ) -> Result<Place, Errno> {
        if path.is_empty() {
            return Err(ENOENT);
        }
        let mut links = 0;
        // What is left of the path is `text` from `from` on.
        let (mut text, mut from) = (fallible::copy(path)?, 0);
        let mut at = if path.starts_with(b"/") { InodeId::ROOT } else { base };
        loop {
            let slashes = text[from..].iter().position(|byte| *byte != b'/');
            self.check_directory(at)?;
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
            let mut next = match name {
                b"." => Some(at),
                b".." => Some(self.above(beyond, at)?),
                _ => self.child(beyond, at, name)?,
            };
            if let Some(id) = next
                && (!is_last || wants_directory || follow == Follow::Yes)
                && let Some(step) = self.step(beyond, id)?
            {
                links += 1;
                if links > MAX_LINKS {
                    return Err(ELOOP);
                }
                match step {
                    Step::Path(mut target) => {
                        if target.starts_with(b"/") {
                            at = InodeId::ROOT;
                        }
                        fallible::extend(&mut target, rest)?;
                        (text, from) = (target, 0);
                        continue;
                    }
                    Step::File(id) => next = Some(id),
                }
            }
            if is_last && name != b"." && name != b".." {
                if wants_directory && let Some(id) = next {
                    self.check_directory(id)?;
                }
                let name = fallible::copy(name)?;
                return Ok(Place { parent: at, name, target: next, wants_directory });
            }
            at = next.ok_or(ENOENT)?;
            from += slashes + length;
        }
    }

    /// What `path` names.
    pub fn find(
        &self,
        beyond: &impl Beyond,
        base: InodeId,
        path: &[u8],
        follow: Follow,
    ) -> Result<InodeId, Errno> {
        self.locate(beyond, base, path, follow)?.target.ok_or(ENOENT)
    }

    /// Makes the directories above an absolute path that are missing.
    pub fn create_parents(&mut self, path: &[u8], now_ns: u64) -> Result<(), Errno> {
        let mut directory = InodeId::ROOT;
        let Some(end) = path.iter().rposition(|byte| *byte == b'/') else { return Ok(()) };
        for name in path[..end].split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            let place = self.locate_stored(directory, name, Follow::Yes)?;
            directory = match place.target {
                Some(id) => self.directory(id).map(|_| id).map_err(|_| ENOTDIR)?,
                None => self.create(&place, Self::new_directory(), 0o755, now_ns)?,
            };
        }
        Ok(())
    }
}
