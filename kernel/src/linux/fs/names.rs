// SPDX-License-Identifier: MIT
//! From files back to paths that lead to them.
//!
//! A file does not know its names. They are found by one look at all entries, however many
//! paths are asked for; a directory knows where it is, so that its own path is found sooner.

use alloc::vec::Vec;

use super::super::errno::{ENAMETOOLONG, ENOENT, Errno};
use super::super::user::MAX_PATH_LEN;
use super::{Directory, Fs, InodeId, Node};
use crate::mem::fallible;

/// The place where a file has a name.
struct Named<'a> {
    file: InodeId,
    directory: InodeId,
    name: &'a [u8],
}

/// Names of all directories, and of those files that were asked for.
pub struct Names<'a> {
    /// In the order of the files; of several names of one, the one in the first directory and made
    /// first there comes first.
    list: Vec<Named<'a>>,
}

impl Fs {
    /// All directories of the table, and what each is.
    fn directories(&self) -> impl Iterator<Item = (InodeId, &Directory)> {
        self.inodes.iter().enumerate().filter_map(|(index, inode)| match &inode.as_ref()?.node {
            Node::Directory(directory) => Some((InodeId(index), directory)),
            Node::File(_) | Node::Link(_) | Node::Device(_) => None,
        })
    }

    /// The absolute path of a directory; ENOENT if it has been removed.
    pub fn path_of(&self, directory: InodeId) -> Result<Vec<u8>, Errno> {
        let mut reversed: Vec<&[u8]> = Vec::new();
        let mut at = directory;
        while at != InodeId::ROOT {
            if self.inode(at)?.links == 0 {
                return Err(ENOENT);
            }
            let parent = self.directory(at)?.parent;
            let mut entries = self.directory(parent)?.behind(0);
            fallible::push(&mut reversed, &entries.find(|entry| entry.inode == at).ok_or(ENOENT)?.name)?;
            at = parent;
        }
        joined(&reversed)
    }

    /// The names of all directories and of `wanted` files, which are in ascending order.
    pub fn names(&self, wanted: &[InodeId]) -> Result<Names<'_>, Errno> {
        let mut list = Vec::new();
        for (directory, entries) in self.directories() {
            for entry in entries.behind(0) {
                let file = entry.inode;
                if self.directory(file).is_ok() || wanted.binary_search(&file).is_ok() {
                    fallible::push(&mut list, Named { file, directory, name: &entry.name })?;
                }
            }
        }
        // Not stable, as that would want memory: what is equal is told apart by where it is.
        list.sort_unstable_by_key(|named| (named.file, named.directory, named.name));
        Ok(Names { list })
    }

    /// Regular files whose content is pages to map, by the numbers of those, in their order.
    pub fn shared_files(&self) -> Result<Vec<(u64, InodeId)>, Errno> {
        let mut list = Vec::new();
        for (index, inode) in self.inodes.iter().enumerate() {
            if let Some(Node::File(content)) = inode.as_ref().map(|inode| &inode.node)
                && let Some(pages) = content.pages()
            {
                fallible::push(&mut list, (pages.borrow().id(), InodeId(index)))?;
            }
        }
        list.sort_unstable();
        Ok(list)
    }
}

impl Names<'_> {
    /// A path that leads to a file: ENOENT if it has none, ENAMETOOLONG if no call takes it.
    pub fn path(&self, file: InodeId) -> Result<Vec<u8>, Errno> {
        let mut reversed: Vec<&[u8]> = Vec::new();
        let (mut at, mut length) = (file, 1);
        while at != InodeId::ROOT {
            let first = self.list.partition_point(|named| named.file < at);
            let named = self.list.get(first).filter(|named| named.file == at).ok_or(ENOENT)?;
            length += 1 + named.name.len();
            if length > MAX_PATH_LEN {
                return Err(ENAMETOOLONG);
            }
            fallible::push(&mut reversed, named.name)?;
            at = named.directory;
        }
        joined(&reversed)
    }
}

/// The absolute path that leads over these names, the last one first.
fn joined(reversed: &[&[u8]]) -> Result<Vec<u8>, Errno> {
    let mut path = Vec::new();
    for name in reversed.iter().rev() {
        fallible::push(&mut path, b'/')?;
        fallible::extend(&mut path, name)?;
    }
    if path.is_empty() {
        fallible::push(&mut path, b'/')?;
    }
    Ok(path)
}
