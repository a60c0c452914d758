// SPDX-License-Identifier: MIT
//! System calls that name files by path.

use linux_raw_sys::general::{
    AT_EMPTY_PATH, AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW, O_ACCMODE, O_CLOEXEC,
    O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_TMPFILE, O_TRUNC, R_OK, RENAME_NOREPLACE,
    S_IFDIR, W_OK, X_OK,
};

use super::Linux;
use super::content::Content;
use super::descriptor::{Description, Object, Vacancy};
use super::errno::{
    EACCES, EEXIST, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, EOPNOTSUPP, EPERM, ERANGE, EROFS, Errno, Failure,
    Reply,
};
use super::fs::{Beyond as _, Device, Directory, Follow, Fs, InodeId, MAX_NAME_LEN, Node, Place};
use super::layout::{Layout, get_u64};
use super::proc::{Entry, Kind, Listed};
use super::time_calls::nanoseconds;
use crate::mem::fallible;
use crate::mem::space::Space;

/// A directory descriptor and the path seen from it, as the `...at` calls take them.
#[derive(Clone, Copy)]
pub struct PathAt {
    /// The directory, or AT_FDCWD.
    pub directory: i32,
    /// Where the path is.
    pub path: u64,
}

impl PathAt {
    /// A path seen from the working directory.
    pub fn here(path: u64) -> Self {
        Self { directory: AT_FDCWD, path }
    }
}

impl Linux {
    /// The directory that a relative path starts from.
    fn base(&self, directory: i32, path: &[u8]) -> Result<InodeId, Errno> {
        if directory == AT_FDCWD || path.starts_with(b"/") {
            return Ok(self.places[self.process.place].directory);
        }
        match self.files[self.process.files].get(directory)?.object {
            Object::Inode(id) => self.fs.check_directory(id).map(|()| id),
            Object::Output(_)
            | Object::Pipe(..)
            | Object::Event(_)
            | Object::Timer(_)
            | Object::Epoll(_)
            | Object::Text(_)
            | Object::Socket(_) => Err(ENOTDIR),
        }
    }

    pub(super) fn locate(&mut self, space: &mut Space, at: PathAt, follow: Follow) -> Result<Place, Failure> {
        let path = self.user(space).path(at.path)?;
        Ok(self.fs.locate(self, self.base(at.directory, &path)?, &path, follow)?)
    }

    /// What a path names, or with AT_EMPTY_PATH and an empty path the descriptor itself.
    pub(super) fn object(&mut self, space: &mut Space, at: PathAt, flags: u32) -> Result<Object, Failure> {
        let path = self.user(space).path(at.path)?;
        if path.is_empty() && flags & AT_EMPTY_PATH != 0 {
            return Ok(match at.directory {
                AT_FDCWD => Object::Inode(self.places[self.process.place].directory),
                fd => self.files[self.process.files].get(fd)?.object,
            });
        }
        let follow = if flags & AT_SYMLINK_NOFOLLOW != 0 { Follow::No } else { Follow::Yes };
        let found = self.fs.find(self, self.base(at.directory, &path)?, &path, follow)?;
        Ok(match follow {
            Follow::Yes => self.followed(found)?,
            Follow::No => Object::Inode(found),
        })
    }

    /// What is meant by a file that was found by following links: that of a descriptor may lead
    /// to what no path leads to.
    fn followed(&self, found: InodeId) -> Result<Object, Errno> {
        match found.entry() {
            Some(Entry::Descriptor(scope, id, descriptor)) => {
                Ok(self.description_of(scope, id, descriptor)?.object)
            }
            Some(_) | None => Ok(Object::Inode(found)),
        }
    }

    /// `open`, `openat`, `creat`.
    pub(super) fn open(&mut self, space: &mut Space, at: PathAt, flags: u32, mode: u32) -> Reply {
        if flags & O_TMPFILE == O_TMPFILE {
            return Err(EOPNOTSUPP.into());
        }
        if flags & (O_CREAT | O_DIRECTORY) == O_CREAT | O_DIRECTORY {
            return Err(EINVAL.into());
        }
        let exclusive = flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL;
        let follow = if flags & O_NOFOLLOW != 0 || exclusive { Follow::No } else { Follow::Yes };
        // As on Linux, whoever has no number left is told so, whatever he names; nothing is made or cut.
        let vacancy = self.files[self.process.files].vacancy()?;
        let place = self.locate(space, at, follow)?;
        let id = match place.target {
            Some(_) if exclusive => return Err(EEXIST.into()),
            Some(id) if id.entry().is_some() => {
                let object = if follow == Follow::Yes { self.followed(id)? } else { Object::Inode(id) };
                return self.open_unstored(vacancy, object, flags);
            }
            Some(id) => self.check_open(id, flags)?,
            None if flags & O_CREAT == 0 => return Err(ENOENT.into()),
            None if place.wants_directory => return Err(EISDIR.into()),
            None => {
                let node = Node::File(Content::default());
                self.fs.create(
                    &place,
                    node,
                    mode & !self.places[self.process.place].umask,
                    self.clock.realtime_ns(),
                )?
            }
        };
        let object = match self.fs.inode(id)?.node {
            Node::Device(Device::Descriptor(fd)) => {
                self.files[self.process.files].get(fd).map_err(|_| ENOENT)?.object
            }
            Node::Directory(_) | Node::File(_) | Node::Link(_) | Node::Device(_) => Object::Inode(id),
        };
        self.fill(vacancy, object, flags)
    }

    /// Opens what is not stored, or what no path leads to.
    fn open_unstored(&mut self, vacancy: Vacancy, object: Object, flags: u32) -> Reply {
        let entry = match object {
            Object::Text(id) => Some(self.texts.entry(id)),
            Object::Inode(id) => id.entry(),
            _ => None,
        };
        let Some(entry) = entry else { return self.fill(vacancy, object, flags) };
        match entry.kind() {
            Kind::Link if flags & O_PATH == 0 => return Err(ELOOP.into()),
            Kind::Directory if flags & O_PATH == 0 && flags & (O_ACCMODE | O_TRUNC | O_CREAT) != O_RDONLY => {
                return Err(EISDIR.into());
            }
            Kind::File | Kind::Link if flags & O_DIRECTORY != 0 => return Err(ENOTDIR.into()),
            Kind::Directory | Kind::File | Kind::Link => {}
        }
        let object = self.open_entry(entry, flags)?;
        Ok(self.describe(vacancy, object, flags))
    }

    /// Opens an object anew that others may have open.
    fn fill(&mut self, vacancy: Vacancy, object: Object, flags: u32) -> Reply {
        self.hold_object(object)?;
        Ok(self.describe(vacancy, object, flags))
    }

    /// Gives an object that is held its descriptor.
    fn describe(&mut self, vacancy: Vacancy, object: Object, flags: u32) -> u64 {
        let kept = flags & !(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);
        let description = Description { object, offset: 0, flags: kept };
        self.files[self.process.files].fill(vacancy, description, flags & O_CLOEXEC != 0) as u64
    }

    /// Checks that what is there may be opened so, and truncates it if asked to.
    fn check_open(&mut self, id: InodeId, flags: u32) -> Result<InodeId, Errno> {
        let writes = flags & O_ACCMODE != O_RDONLY || flags & O_TRUNC != 0;
        match &self.fs.inode(id)?.node {
            Node::Link(_) if flags & O_PATH == 0 => return Err(ELOOP),
            Node::Directory(_) if flags & O_PATH == 0 && (writes || flags & O_CREAT != 0) => {
                return Err(EISDIR);
            }
            Node::File(_) | Node::Device(_) | Node::Link(_) if flags & O_DIRECTORY != 0 => {
                return Err(ENOTDIR);
            }
            Node::File(_) if flags & O_TRUNC != 0 && flags & O_PATH == 0 => {
                self.fs.resize(id, 0, self.clock.realtime_ns())?;
            }
            Node::Directory(_) | Node::File(_) | Node::Device(_) | Node::Link(_) => {}
        }
        Ok(id)
    }

    /// `access`, `faccessat`, `faccessat2`: root may do everything but execute
    /// what nobody may execute.
    pub(super) fn access(&mut self, space: &mut Space, at: PathAt, wanted: u32, flags: u32) -> Reply {
        if wanted & !(R_OK | W_OK | X_OK) != 0 {
            return Err(EINVAL.into());
        }
        let object = self.object(space, at, flags)?;
        if let Object::Inode(id) = object
            && let Some(entry) = id.entry()
        {
            return match entry.kind() {
                Kind::File if wanted & X_OK != 0 => Err(EACCES.into()),
                Kind::File if wanted & W_OK != 0 && entry.is_setting() => Err(EROFS.into()),
                Kind::Directory | Kind::File | Kind::Link => Ok(0),
            };
        }
        if let Object::Inode(id) = object {
            let inode = self.fs.inode(id)?;
            let executable = inode.mode & 0o111 != 0 || matches!(inode.node, Node::Directory(_));
            if wanted & X_OK != 0 && !executable {
                return Err(EACCES.into());
            }
        }
        Ok(0)
    }

    /// `mkdir`, `mkdirat`.
    pub(super) fn mkdir(&mut self, space: &mut Space, at: PathAt, mode: u32) -> Reply {
        let place = self.locate(space, at, Follow::No)?;
        let mode = mode & !self.places[self.process.place].umask & 0o1777;
        self.fs.create(&place, Fs::new_directory(), mode, self.clock.realtime_ns())?;
        Ok(0)
    }

    /// `unlink`, `rmdir`, `unlinkat`.
    pub(super) fn unlink(&mut self, space: &mut Space, at: PathAt, flags: u32) -> Reply {
        if flags & !AT_REMOVEDIR != 0 {
            return Err(EINVAL.into());
        }
        let place = self.locate(space, at, Follow::No)?;
        let now_ns = self.clock.realtime_ns();
        if flags & AT_REMOVEDIR != 0 {
            self.fs.remove_directory(&place, now_ns)?;
        } else {
            self.fs.unlink(&place, now_ns)?;
        }
        Ok(0)
    }

    /// `rename`, `renameat`, `renameat2`.
    pub(super) fn rename(&mut self, space: &mut Space, from: PathAt, to: PathAt, flags: u32) -> Reply {
        if flags & !RENAME_NOREPLACE != 0 {
            return Err(EINVAL.into());
        }
        let from = self.locate(space, from, Follow::No)?;
        let to = self.locate(space, to, Follow::No)?;
        if flags & RENAME_NOREPLACE != 0 && to.target.is_some() {
            return Err(EEXIST.into());
        }
        self.fs.rename(&from, &to, self.clock.realtime_ns())?;
        Ok(0)
    }

    /// `link`, `linkat`.
    pub(super) fn link(&mut self, space: &mut Space, old: PathAt, new: PathAt, flags: u32) -> Reply {
        // Links are not followed unless asked for: the other way round than elsewhere.
        let follow = if flags & AT_SYMLINK_FOLLOW != 0 { 0 } else { AT_SYMLINK_NOFOLLOW };
        let Object::Inode(target) = self.object(space, old, flags & AT_EMPTY_PATH | follow)? else {
            return Err(EINVAL.into());
        };
        let place = self.locate(space, new, Follow::No)?;
        self.fs.link(target, &place, self.clock.realtime_ns())?;
        Ok(0)
    }

    /// `symlink`, `symlinkat`.
    pub(super) fn symlink(&mut self, space: &mut Space, target: u64, at: PathAt) -> Reply {
        let target = self.user(space).path(target)?;
        if target.is_empty() {
            return Err(ENOENT.into());
        }
        let place = self.locate(space, at, Follow::No)?;
        self.fs.create(&place, Node::Link(target), 0o777, self.clock.realtime_ns())?;
        Ok(0)
    }

    /// `readlink`, `readlinkat`.
    pub(super) fn readlink(&mut self, space: &mut Space, at: PathAt, buffer: u64, length: u64) -> Reply {
        if (length as i32) <= 0 {
            return Err(EINVAL.into());
        }
        let place = self.locate(space, at, Follow::No)?;
        let id = place.target.ok_or(ENOENT)?;
        let target = match id.entry() {
            Some(entry) => self.link_text(entry)?,
            None => match &self.fs.inode(id)?.node {
                Node::Link(target) => fallible::copy(target)?,
                Node::Directory(_) | Node::File(_) | Node::Device(_) => return Err(EINVAL.into()),
            },
        };
        let part = &target[..target.len().min(length as u32 as usize)];
        self.user(space).write(buffer, part)?;
        Ok(part.len() as u64)
    }

    /// `getcwd`.
    pub(super) fn getcwd(&mut self, space: &mut Space, buffer: u64, length: u64) -> Reply {
        let directory = self.places[self.process.place].directory;
        let mut path = match directory.entry() {
            Some(_) => self.path_of(directory)?,
            None => self.fs.path_of(directory)?,
        };
        fallible::push(&mut path, 0)?;
        if (path.len() as u64) > length {
            return Err(ERANGE.into());
        }
        self.user(space).write(buffer, &path)?;
        Ok(path.len() as u64)
    }

    /// `chdir`.
    pub(super) fn chdir(&mut self, space: &mut Space, path: u64) -> Reply {
        let target = self.locate(space, PathAt::here(path), Follow::Yes)?.target.ok_or(ENOENT)?;
        self.enter(target)
    }

    /// `fchdir`.
    pub(super) fn fchdir(&mut self, fd: i32) -> Reply {
        match self.files[self.process.files].get(fd)?.object {
            Object::Inode(id) => self.enter(id),
            Object::Output(_)
            | Object::Pipe(..)
            | Object::Event(_)
            | Object::Timer(_)
            | Object::Epoll(_)
            | Object::Text(_)
            | Object::Socket(_) => Err(ENOTDIR.into()),
        }
    }

    fn enter(&mut self, directory: InodeId) -> Reply {
        self.fs.check_directory(directory)?;
        self.fs.hold(directory)?;
        let left = core::mem::replace(&mut self.places[self.process.place].directory, directory);
        self.fs.release(left);
        Ok(0)
    }

    /// `truncate`.
    pub(super) fn truncate(&mut self, space: &mut Space, path: u64, length: u64) -> Reply {
        let place = self.locate(space, PathAt::here(path), Follow::Yes)?;
        self.truncate_inode(place.target.ok_or(ENOENT)?, length)
    }

    /// `chmod`, `fchmodat`, `fchmod`.
    pub(super) fn chmod(&mut self, object: Object, mode: u32) -> Reply {
        if let Object::Inode(id) = object {
            self.fs.inode_mut(id)?.mode = mode & 0o7777;
        }
        Ok(0)
    }

    /// `chown` and its kin: -1 leaves user or group as it is.
    pub(super) fn chown(&mut self, object: Object, user: u32, group: u32) -> Reply {
        match object {
            Object::Inode(id) => {
                for (owner, new) in self.fs.inode_mut(id)?.owner.iter_mut().zip([user, group]) {
                    if new != u32::MAX {
                        *owner = new;
                    }
                }
                Ok(0)
            }
            Object::Pipe(..)
            | Object::Output(_)
            | Object::Event(_)
            | Object::Timer(_)
            | Object::Epoll(_)
            | Object::Text(_)
            | Object::Socket(_) => Err(EPERM.into()),
        }
    }

    /// `utimensat` and, with a null path, `futimens`.
    pub(super) fn utimensat(&mut self, space: &mut Space, at: PathAt, times: u64, flags: u32) -> Reply {
        const UTIME_NOW: u64 = linux_raw_sys::general::UTIME_NOW as u64;
        const UTIME_OMIT: u64 = linux_raw_sys::general::UTIME_OMIT as u64;
        let object = match at.path {
            0 => self.files[self.process.files].get(at.directory)?.object,
            _ => self.object(space, at, flags)?,
        };
        let mut modified_ns = Some(self.clock.realtime_ns());
        if times != 0 {
            let times: [u8; 32] = self.user(space).structure(times)?;
            match get_u64(&times, 24) {
                UTIME_NOW => {}
                UTIME_OMIT => modified_ns = None,
                fraction => modified_ns = Some(nanoseconds(get_u64(&times, 16), fraction)?),
            }
        }
        if let (Object::Inode(id), Some(modified_ns)) = (object, modified_ns) {
            self.fs.inode_mut(id)?.modified_ns = modified_ns;
        }
        Ok(0)
    }

    /// `getdents64`. The offset of a directory is the serial of the last entry seen.
    pub(super) fn getdents64(&mut self, space: &mut Space, fd: i32, buffer: u64, length: u64) -> Reply {
        let description = self.files[self.process.files].get(fd)?;
        description.check_readable()?;
        let Object::Inode(id) = description.object else { return Err(ENOTDIR.into()) };
        let list = match id.entry() {
            Some(entry) => Some(self.listed(entry)?),
            None if self.fs.inode(id)?.links == 0 => {
                self.fs.directory(id)?;
                return Err(ENOENT.into());
            }
            None => None,
        };
        let mut seen = description.offset;
        let mut done: u64 = 0;
        while let Some(record) = self.next_record(id, list.as_deref(), seen)? {
            if done + record.length as u64 > length & u64::from(u32::MAX) {
                if done == 0 {
                    return Err(EINVAL.into());
                }
                break;
            }
            let at = buffer.saturating_add(done);
            match self.user(space).write(at, &record.bytes[..record.length]) {
                Ok(()) => {}
                Err(Failure::Errno(_)) if done > 0 => break,
                Err(failure) => return Err(failure),
            }
            done += record.length as u64;
            seen = record.serial;
        }
        self.files[self.process.files].update(fd, |description| description.offset = seen)?;
        Ok(done)
    }

    /// The entry behind the one with serial `seen`, in `list` if the directory is not stored.
    fn next_record(
        &self,
        directory: InodeId,
        list: Option<&[Listed]>,
        seen: u64,
    ) -> Result<Option<Record>, Errno> {
        let Some(list) = list else { return self.next_entry(directory, seen) };
        let of_directory = |id: InodeId, name, serial| Some(Record::new(id, S_IFDIR, name, serial));
        Ok(match seen {
            0 => of_directory(directory, b".", 1),
            1 => {
                let above = directory.entry().map(|entry| self.parent(entry)).ok_or(ENOENT)??;
                of_directory(above, b"..", Directory::FIRST_SERIAL - 1)
            }
            _ => match list.get(list.partition_point(|listed| listed.serial <= seen)) {
                Some(Listed { serial, entry }) => {
                    let (id, kind) = (InodeId::of(*entry), entry.kind().file_type());
                    Some(Record::new(id, kind, &Self::listed_name(*entry)?, *serial))
                }
                None => None,
            },
        })
    }

    /// The entry behind the one with serial `seen` in a directory of the table.
    fn next_entry(&self, directory: InodeId, seen: u64) -> Result<Option<Record>, Errno> {
        let listed = self.fs.directory(directory)?;
        let (name, id, serial): (&[u8], _, _) = match seen {
            0 => (b".", directory, 1),
            1 => (b"..", listed.parent, Directory::FIRST_SERIAL - 1),
            _ => match listed.behind(seen).next() {
                Some(entry) => (&entry.name, entry.inode, entry.serial),
                None => return Ok(None),
            },
        };
        let kind = self.fs.inode(id).map_or(0, |inode| inode.node.file_type());
        Ok(Some(Record::new(id, kind, name, serial)))
    }
}

/// A `linux_dirent64`.
struct Record {
    bytes: [u8; Self::MAX_LEN],
    /// How many of them it has.
    length: usize,
    /// Its entry's serial.
    serial: u64,
}

impl Record {
    const NAME_AT: usize = 19;
    /// With the longest name and its NUL byte.
    const MAX_LEN: usize = (Self::NAME_AT + MAX_NAME_LEN + 1).next_multiple_of(8);

    /// An entry of a directory; `kind` are the file type bits of `st_mode`.
    fn new(id: InodeId, kind: u32, name: &[u8], serial: u64) -> Self {
        let length = (Self::NAME_AT + name.len() + 1).next_multiple_of(8);
        let bytes = Layout::new()
            .u64(0, id.number())
            .u64(8, serial)
            .u16(16, length as u16)
            // The type is the upper part of st_mode (IFTODT).
            .bytes(18, &[(kind >> 12) as u8])
            .bytes(Self::NAME_AT, name)
            .0;
        Self { bytes, length, serial }
    }
}
