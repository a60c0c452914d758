// SPDX-License-Identifier: MIT
//! The in-memory file system: directories, regular files, symbolic links, a few devices.
//!
//! A table of inodes; an inode lives as long as a name or an open description
//! holds it. Filled from the boot archive at start, gone at the end. Everybody is
//! root here: permission bits are kept and reported, not enforced. Whatever makes it
//! grow is paid for from one budget.

mod directory;
mod names;
mod path;

use alloc::vec::Vec;

pub use directory::Directory;
pub use names::Names;
pub use path::{Beyond, Follow, Place};

use super::budget::{Budget, list_len};
use super::content::Content;
use super::errno::{
    EEXIST, EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, ENOTEMPTY, EPERM, ESTALE, EXDEV, Errno,
};
use super::pages::Object;
use super::proc::{Entry, Fixed};
use crate::mem::fallible;

/// The longest name.
pub const MAX_NAME_LEN: usize = 255;
/// The most inodes.
const MAX_INODES: usize = 1 << 20;

/// What names a file: its place in the table, or the number of an [`Entry`] that is in none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InodeId(usize);

/// Set in the names of files that are not in the table.
const UNSTORED: usize = 1 << 63;

impl InodeId {
    /// The root directory.
    pub const ROOT: Self = Self(0);

    /// A file that is not in the table.
    pub fn of(entry: Entry) -> Self {
        Self(UNSTORED | entry.number() as usize)
    }

    /// Which file that is not in the table, if it is one.
    #[inline]
    pub fn entry(self) -> Option<Entry> {
        if self.0 & UNSTORED == 0 { None } else { Entry::of_number((self.0 & !UNSTORED) as u64) }
    }

    /// The inode number that programs see.
    pub fn number(self) -> u64 {
        (self.0 & !UNSTORED) as u64 + 1
    }
}

/// A device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// /dev/null.
    Null,
    /// /dev/zero.
    Zero,
    /// /dev/full.
    Full,
    /// /dev/random and /dev/urandom.
    Random,
    /// /dev/stdin, /dev/stdout or /dev/stderr: what this descriptor stands for.
    Descriptor(i32),
}

/// What an inode is.
pub enum Node {
    /// A directory.
    Directory(Directory),
    /// A regular file.
    File(Content),
    /// A symbolic link and its target.
    Link(Vec<u8>),
    /// A device.
    Device(Device),
}

impl Node {
    /// Bytes of the budget that it takes; a directory's entries are paid for one by one.
    fn cost(&self) -> u64 {
        match self {
            Self::Directory(_) | Self::Device(_) => 0,
            Self::File(content) => content.cost(),
            Self::Link(target) => list_len(target),
        }
    }
}

/// A file of any type.
pub struct Inode {
    /// What it is.
    pub node: Node,
    /// Permission bits.
    pub mode: u32,
    /// Last modification, in nanoseconds since 1970.
    pub modified_ns: u64,
    /// User and group that it belongs to.
    pub owner: [u32; 2],
    /// Names that it has, as `st_nlink`.
    pub links: u32,
    /// Open descriptions and working directories that hold it.
    holders: u32,
}

/// The file system.
pub struct Fs {
    inodes: Vec<Option<Inode>>,
    /// Unused places in the table.
    free: usize,
    budget: Budget,
    /// How often a file was cut that somebody may have mapped shared.
    cuts: u64,
}

impl Fs {
    /// A file system with an empty root, whose files may take `budget` bytes.
    pub fn new(budget: u64, now_ns: u64) -> Result<Self, Errno> {
        let mut fs = Self { inodes: Vec::new(), free: 0, budget: Budget::new(budget), cuts: 0 };
        let root = fs.allocate(Self::new_directory(), 0o755, now_ns)?;
        let inode = fs.inode_mut(root)?;
        (inode.links, inode.holders) = (2, 1);
        Ok(fs)
    }

    /// Why there is nothing in the table: nobody changes what is not stored.
    fn absence(id: InodeId) -> Errno {
        if id.entry().is_some() { EPERM } else { ESTALE }
    }

    /// An inode; EPERM for what is not stored.
    pub fn inode(&self, id: InodeId) -> Result<&Inode, Errno> {
        self.inodes.get(id.0).and_then(Option::as_ref).ok_or(Self::absence(id))
    }

    /// An inode, to be changed; EPERM for what is not stored.
    pub fn inode_mut(&mut self, id: InodeId) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(id.0).and_then(Option::as_mut).ok_or(Self::absence(id))
    }

    /// A directory, or ENOTDIR.
    pub fn directory(&self, id: InodeId) -> Result<&Directory, Errno> {
        match &self.inode(id)?.node {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) | Node::Link(_) | Node::Device(_) => Err(ENOTDIR),
        }
    }

    fn directory_mut(&mut self, id: InodeId) -> Result<&mut Directory, Errno> {
        match &mut self.inode_mut(id)?.node {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) | Node::Link(_) | Node::Device(_) => Err(ENOTDIR),
        }
    }

    /// A regular file's content; EISDIR for directories, EINVAL for others.
    pub fn content(&self, id: InodeId) -> Result<&Content, Errno> {
        match &self.inode(id)?.node {
            Node::File(content) => Ok(content),
            Node::Directory(_) => Err(EISDIR),
            Node::Link(_) | Node::Device(_) => Err(EINVAL),
        }
    }

    fn content_mut(&mut self, id: InodeId) -> Result<(&mut Content, &mut Budget), Errno> {
        match self.inodes.get_mut(id.0).and_then(Option::as_mut).ok_or(Self::absence(id))?.node {
            Node::File(ref mut content) => Ok((content, &mut self.budget)),
            Node::Directory(_) => Err(EISDIR),
            Node::Link(_) | Node::Device(_) => Err(EINVAL),
        }
    }

    /// Writes to a regular file; returns how many bytes.
    pub fn write(&mut self, id: InodeId, offset: u64, bytes: &[u8], now_ns: u64) -> Result<usize, Errno> {
        let (content, budget) = self.content_mut(id)?;
        let done = content.write(offset, bytes, budget)?;
        self.inode_mut(id)?.modified_ns = now_ns;
        Ok(done)
    }

    /// A regular file's content as pages to map shared; `object` is to be their number.
    pub fn share(&mut self, id: InodeId, object: u64) -> Result<Object, Errno> {
        let (content, budget) = self.content_mut(id)?;
        content.share(object, budget)
    }

    /// How often a file was cut that somebody may have mapped shared.
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// Pages that somebody may have mapped shared are not what they were.
    pub fn note_cut(&mut self) {
        self.cuts += 1;
    }

    /// Sets a regular file's length.
    pub fn resize(&mut self, id: InodeId, length: u64, now_ns: u64) -> Result<(), Errno> {
        let (content, budget) = self.content_mut(id)?;
        let is_cut = content.pages().is_some() && length < content.length();
        content.resize(length, budget)?;
        self.cuts += u64::from(is_cut);
        self.inode_mut(id)?.modified_ns = now_ns;
        Ok(())
    }

    fn allocate(&mut self, node: Node, mode: u32, now_ns: u64) -> Result<InodeId, Errno> {
        let id = self.vacancy()?;
        self.budget.charge(node.cost()).map_err(|_| ENOSPC)?;
        let (mode, owner) = (mode & 0o7777, [0, 0]);
        let inode = Inode { node, mode, modified_ns: now_ns, owner, links: 0, holders: 0 };
        match self.inodes.get_mut(id.0) {
            Some(slot) => {
                *slot = Some(inode);
                self.free -= 1;
            }
            None => fallible::push_reserved(&mut self.inodes, Some(inode)),
        }
        Ok(id)
    }

    /// An unused place in the table, or the next one behind it, for which there is room.
    fn vacancy(&mut self) -> Result<InodeId, Errno> {
        if self.free > 0
            && let Some(index) = self.inodes.iter().position(Option::is_none)
        {
            return Ok(InodeId(index));
        }
        if self.inodes.len() >= MAX_INODES {
            return Err(ENOSPC);
        }
        // The table never shrinks, so this is paid for good.
        self.budget.reserve_one(&mut self.inodes).map_err(|_| ENOSPC)?;
        Ok(InodeId(self.inodes.len()))
    }

    /// Keeps an inode alive; what is not stored needs no holders.
    pub fn hold(&mut self, id: InodeId) -> Result<(), Errno> {
        if id.entry().is_some() {
            return Ok(());
        }
        let inode = self.inode_mut(id)?;
        inode.holders = inode.holders.saturating_add(1);
        Ok(())
    }

    /// Takes back one [`hold`](Self::hold).
    pub fn release(&mut self, id: InodeId) {
        if let Ok(inode) = self.inode_mut(id) {
            inode.holders = inode.holders.saturating_sub(1);
        }
        self.reap(id);
    }

    /// Frees an inode that nothing refers to, and with a removed directory the hold that it has
    /// on the one that it was in.
    fn reap(&mut self, id: InodeId) {
        let mut next = Some(id);
        while let Some(id) = next.take() {
            let Some(slot) = self.inodes.get_mut(id.0) else { return };
            if let Some(inode) = slot
                && inode.links == 0
                && inode.holders == 0
            {
                self.budget.refund(inode.node.cost());
                if let Node::Directory(directory) = &inode.node
                    && directory.holds_parent
                {
                    next = Some(directory.parent);
                }
                *slot = None;
                self.free += 1;
            }
            if let Some(parent) = next
                && let Ok(parent) = self.inode_mut(parent)
            {
                parent.holders = parent.holders.saturating_sub(1);
            }
        }
    }

    /// What was in `parent` has lost a name. A removed directory keeps that one, for as long
    /// as somebody has it: its `..` leads there.
    fn bury(&mut self, id: InodeId, parent: InodeId) -> Result<(), Errno> {
        if let Ok(directory) = self.directory_mut(id) {
            directory.holds_parent = true;
            self.hold(parent)?;
        }
        self.reap(id);
        Ok(())
    }

    /// Has what is not stored begin in a directory, in place of what is in there.
    pub fn mount(&mut self, id: InodeId, root: Fixed) -> Result<(), Errno> {
        self.directory_mut(id)?.mounted = Some(root);
        Ok(())
    }

    /// Gives an inode a name, beside what has it.
    fn attach(&mut self, place: &Place, inode: InodeId, now_ns: u64) -> Result<(), Errno> {
        if place.name.len() > MAX_NAME_LEN {
            return Err(ENAMETOOLONG);
        }
        if inode.entry().is_some() || place.parent.entry().is_some() {
            return Err(EXDEV);
        }
        if self.inode(place.parent)?.links == 0 {
            return Err(ENOENT);
        }
        let cost = Directory::entry_cost(&place.name);
        self.budget.charge(cost).map_err(|_| ENOSPC)?;
        let directory = self.directory_mut(place.parent)?;
        if fallible::copy(&place.name).and_then(|name| directory.insert(name, inode)).is_err() {
            self.budget.refund(cost);
            return Err(ENOSPC);
        }
        let is_directory = self.directory(inode).is_ok();
        if is_directory {
            self.directory_mut(inode)?.parent = place.parent;
        }
        // A directory counts its own `.` and the `..` of each one in it.
        self.inode_mut(inode)?.links += 1 + u32::from(is_directory);
        let holder = self.inode_mut(place.parent)?;
        holder.links += u32::from(is_directory);
        holder.modified_ns = now_ns;
        Ok(())
    }

    /// Takes a name away from what has had it longest.
    fn detach(&mut self, parent: InodeId, name: &[u8], now_ns: u64) -> Result<InodeId, Errno> {
        let inode = self.directory_mut(parent)?.remove(name).ok_or(ENOENT)?;
        self.budget.refund(Directory::entry_cost(name));
        let is_directory = self.directory(inode).is_ok();
        let named = self.inode_mut(inode)?;
        named.links = named.links.saturating_sub(1 + u32::from(is_directory));
        let holder = self.inode_mut(parent)?;
        holder.links = holder.links.saturating_sub(u32::from(is_directory));
        holder.modified_ns = now_ns;
        Ok(inode)
    }

    /// Makes something new at a place where nothing is.
    pub fn create(&mut self, place: &Place, node: Node, mode: u32, now_ns: u64) -> Result<InodeId, Errno> {
        if place.target.is_some() {
            return Err(EEXIST);
        }
        let id = self.allocate(node, mode, now_ns)?;
        self.attach(place, id, now_ns).inspect_err(|_| self.reap(id))?;
        Ok(id)
    }

    /// An empty directory, for [`create`](Self::create).
    pub fn new_directory() -> Node {
        Node::Directory(Directory::new())
    }

    /// A file without a name, which one hold keeps alive.
    pub fn create_nameless(&mut self, node: Node, mode: u32, now_ns: u64) -> Result<InodeId, Errno> {
        let id = self.allocate(node, mode, now_ns)?;
        self.hold(id)?;
        Ok(id)
    }

    /// Takes a name of something that is not a directory.
    pub fn unlink(&mut self, place: &Place, now_ns: u64) -> Result<(), Errno> {
        let target = place.target.ok_or(ENOENT)?;
        if self.directory(target).is_ok() {
            return Err(EISDIR);
        }
        if place.wants_directory {
            return Err(ENOTDIR);
        }
        let inode = self.detach(place.parent, &place.name, now_ns)?;
        self.reap(inode);
        Ok(())
    }

    /// Removes an empty directory.
    pub fn remove_directory(&mut self, place: &Place, now_ns: u64) -> Result<(), Errno> {
        let target = place.target.ok_or(ENOENT)?;
        if place.name.is_empty() {
            return Err(EINVAL);
        }
        if !self.directory(target)?.is_empty() {
            return Err(ENOTEMPTY);
        }
        let inode = self.detach(place.parent, &place.name, now_ns)?;
        self.bury(inode, place.parent)
    }

    /// Gives a file a second name.
    pub fn link(&mut self, target: InodeId, place: &Place, now_ns: u64) -> Result<(), Errno> {
        if self.directory(target).is_ok() {
            return Err(EPERM);
        }
        if place.target.is_some() {
            return Err(EEXIST);
        }
        if target.entry().is_some() {
            return Err(EXDEV);
        }
        // As on Linux, what has no name left, or never had one, gets none.
        if self.inode(target)?.links == 0 {
            return Err(ENOENT);
        }
        self.attach(place, target, now_ns)
    }

    /// Moves a name, in place of what has the new one.
    pub fn rename(&mut self, from: &Place, to: &Place, now_ns: u64) -> Result<(), Errno> {
        let source = from.target.ok_or(ENOENT)?;
        if from.name.is_empty() || to.name.is_empty() {
            return Err(EINVAL);
        }
        let is_directory = self.directory(source).is_ok();
        if (from.wants_directory || to.wants_directory) && !is_directory {
            return Err(ENOTDIR);
        }
        if is_directory && self.is_within(to.parent, source)? {
            return Err(EINVAL);
        }
        if to.target == Some(source) {
            return Ok(());
        }
        if let Some(target) = to.target {
            match (is_directory, self.directory(target)) {
                (true, Ok(directory)) if !directory.is_empty() => return Err(ENOTEMPTY),
                (true, Err(_)) => return Err(ENOTDIR),
                (false, Ok(_)) => return Err(EISDIR),
                (true, Ok(_)) | (false, Err(_)) => {}
            }
        }
        // What can fail comes first.
        self.attach(to, source, now_ns)?;
        let replaced = match to.target {
            Some(_) => Some(self.detach(to.parent, &to.name, now_ns)?),
            None => None,
        };
        self.detach(from.parent, &from.name, now_ns)?;
        match replaced {
            Some(inode) => self.bury(inode, to.parent),
            None => Ok(()),
        }
    }

    /// Whether `inner` is `outer` or lies below it.
    fn is_within(&self, inner: InodeId, outer: InodeId) -> Result<bool, Errno> {
        let mut at = inner;
        while at != outer {
            let parent = self.directory(at)?.parent;
            if parent == at {
                return Ok(false);
            }
            at = parent;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
