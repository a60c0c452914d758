// SPDX-License-Identifier: MIT
//! What the links lead to, and what they say.

use alloc::vec::Vec;

use super::super::Linux;
use super::super::descriptor::Object;
use super::super::errno::{EINVAL, ENOENT, Errno};
use super::super::fs::{Beyond as _, InodeId, Node};
use super::super::stat::{NAMELESS_NUMBER, PIPE_NUMBERS, SOCKET_NUMBERS};
use super::text::Text;
use super::{Entry, Fixed, Kind, What};
use crate::object::table::Name as _;

/// What a link leads to.
pub enum Target {
    /// What this path leads to.
    Path(Vec<u8>),
    /// This file, whatever path leads to it.
    File(InodeId),
    /// Something that no path leads to.
    Elsewhere,
}

impl Linux {
    /// What a link leads to.
    pub(super) fn link_target(&self, link: Entry) -> Result<Target, Errno> {
        let mut text = Text::new();
        match link {
            Entry::Fixed(Fixed::Mounts) => text.str("self/mounts"),
            Entry::Fixed(Fixed::Own) => text.number(self.process.id()),
            Entry::Fixed(Fixed::OwnThread) => {
                text.number(self.process.id()).str("/task/").number(self.thread.id)
            }
            Entry::Of(scope, id, what) => {
                let process = self.process_of(scope, id).map_err(|_| ENOENT)?;
                return Ok(Target::File(match what {
                    What::Cwd => self.places[process.place].directory,
                    What::Exe => process.executable.ok_or(ENOENT)?,
                    _ => InodeId::ROOT,
                }));
            }
            Entry::Descriptor(scope, id, descriptor) => {
                return Ok(match self.description_of(scope, id, descriptor)?.object {
                    Object::Inode(id) => Target::File(id),
                    Object::Text(id) => Target::File(InodeId::of(self.texts.entry(id))),
                    Object::Output(_)
                    | Object::Pipe(..)
                    | Object::Event(_)
                    | Object::Timer(_)
                    | Object::Epoll(_)
                    | Object::Socket(_) => Target::Elsewhere,
                });
            }
            Entry::Fixed(_) => return Err(EINVAL),
        };
        Ok(Target::Path(text.finish()?))
    }

    /// What a link says.
    pub(in super::super) fn link_text(&self, link: Entry) -> Result<Vec<u8>, Errno> {
        if link.kind() != Kind::Link {
            return Err(EINVAL);
        }
        match (self.link_target(link)?, link) {
            (Target::Path(path), _) => Ok(path),
            (Target::File(id), _) => self.path_of(id),
            (Target::Elsewhere, Entry::Descriptor(scope, id, descriptor)) => {
                self.nameless(self.description_of(scope, id, descriptor)?.object)
            }
            (Target::Elsewhere, _) => Err(ENOENT),
        }
    }

    /// How that is called which no path leads to.
    fn nameless(&self, object: Object) -> Result<Vec<u8>, Errno> {
        let mut text = Text::new();
        match object {
            Object::Output(stream) => text.str("pipe:[").number(stream.into()).str("]"),
            Object::Pipe(id, _) => text.str("pipe:[").number(PIPE_NUMBERS + id.number()).str("]"),
            Object::Socket(id) => text.str("socket:[").number(SOCKET_NUMBERS + id.place() as u64).str("]"),
            Object::Event(_) => text.str("anon_inode:[eventfd]"),
            Object::Timer(_) => text.str("anon_inode:[timerfd]"),
            Object::Epoll(_) => text.str("anon_inode:[eventpoll]"),
            Object::Inode(_) | Object::Text(_) => text.str("anon_inode:[").number(NAMELESS_NUMBER).str("]"),
        };
        Ok(text.finish()?)
    }

    /// A path that leads to a file. One without a name is called by its number, as files of
    /// O_TMPFILE are on Linux.
    pub(in super::super) fn path_of(&self, id: InodeId) -> Result<Vec<u8>, Errno> {
        if let Some(entry) = id.entry() {
            return self.entry_path(entry);
        }
        let inode = self.fs.inode(id)?;
        if inode.links == 0 {
            let mut text = Text::new();
            text.str("/#").number(id.number()).str(" (deleted)");
            return Ok(text.finish()?);
        }
        match inode.node {
            Node::Directory(_) => self.fs.path_of(id),
            Node::File(_) | Node::Link(_) | Node::Device(_) => self.fs.names(&[id])?.path(id),
        }
    }

    /// The path of an entry.
    fn entry_path(&self, entry: Entry) -> Result<Vec<u8>, Errno> {
        let name = Self::listed_name(entry)?;
        if matches!(entry, Entry::Fixed(fixed) if fixed.parent() == fixed) {
            return Ok(name);
        }
        let above = self.parent(entry)?.entry().ok_or(ENOENT)?;
        let mut path = self.entry_path(above)?;
        Entry::extend(&mut path, &name)?;
        Ok(path)
    }
}
