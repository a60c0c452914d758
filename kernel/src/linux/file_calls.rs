// SPDX-License-Identifier: MIT
//! System calls on open files that move no data: offsets, lengths, flags, closing.

use linux_raw_sys::general::{
    FASYNC, O_ACCMODE, O_APPEND, O_DIRECT, O_NONBLOCK, O_PATH, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM,
    POSIX_FADV_NOREUSE, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET,
};

use super::Linux;
use super::content::MAX_LEN;
use super::descriptor::{Description, Object};
use super::errno::{EBADF, EINVAL, EISDIR, ENXIO, ESPIPE, Errno, Reply};
use super::fs::{InodeId, Node};
use super::pipe::notify;
use super::proc::Kind;
use crate::object::scheduler::Scheduler;

/// Flags of `close_range` (include/uapi/linux/close_range.h).
const CLOSE_RANGE_UNSHARE: u32 = 2;
const CLOSE_RANGE_CLOEXEC: u32 = 4;

impl Linux {
    /// `lseek`.
    pub(super) fn lseek(&mut self, fd: i32, offset: u64, whence: u32) -> Reply {
        let description = self.files[self.process.files].get(fd)?;
        if description.flags & O_PATH != 0 {
            return Err(EBADF.into());
        }
        let id = match description.object {
            Object::Inode(id) => id,
            // These have a place that nothing moves.
            Object::Event(_) | Object::Timer(_) | Object::Epoll(_) => return Ok(0),
            Object::Pipe(..) | Object::Output(_) | Object::Socket(_) => return Err(ESPIPE.into()),
            Object::Text(_) => return self.seek_unmeasured(fd, offset, whence),
        };
        if id.entry().is_some() {
            return self.seek_unmeasured(fd, offset, whence);
        }
        let length = match &self.fs.inode(id)?.node {
            Node::File(content) => content.length(),
            Node::Device(_) => return Ok(0),
            Node::Directory(_) | Node::Link(_) => 0,
        };
        let base = match whence {
            SEEK_SET => 0,
            SEEK_CUR => description.offset,
            SEEK_END => length,
            // Nothing is known to be a hole.
            SEEK_DATA | SEEK_HOLE if offset >= length => return Err(ENXIO.into()),
            SEEK_DATA => 0,
            SEEK_HOLE => {
                self.files[self.process.files].update(fd, |description| description.offset = length)?;
                return Ok(length);
            }
            _ => return Err(EINVAL.into()),
        };
        let target = base.checked_add_signed(offset as i64).filter(|at| *at <= MAX_LEN).ok_or(EINVAL)?;
        self.files[self.process.files].update(fd, |description| description.offset = target)?;
        Ok(target)
    }

    /// `lseek` in a file whose end nobody knows, as most below `/proc` are on Linux.
    fn seek_unmeasured(&mut self, fd: i32, offset: u64, whence: u32) -> Reply {
        let files = &self.files[self.process.files];
        let base = match whence {
            SEEK_SET => 0,
            SEEK_CUR => files.get(fd)?.offset,
            _ => return Err(EINVAL.into()),
        };
        let target = base.checked_add_signed(offset as i64).filter(|at| *at <= MAX_LEN).ok_or(EINVAL)?;
        files.update(fd, |description| description.offset = target)?;
        Ok(target)
    }

    /// `ftruncate`.
    pub(super) fn ftruncate(&mut self, fd: i32, length: u64) -> Reply {
        let description = self.files[self.process.files].get(fd)?;
        description.check_writable().map_err(|_| EINVAL)?;
        let id = match description.object {
            Object::Inode(id) => id,
            Object::Text(id) => InodeId::of(self.texts.entry(id)),
            _ => return Err(EINVAL.into()),
        };
        self.truncate_inode(id, length)
    }

    /// Sets the length of a regular file. As on Linux, one that is not stored has none to set.
    pub(super) fn truncate_inode(&mut self, id: InodeId, length: u64) -> Reply {
        if length > MAX_LEN {
            return Err(EINVAL.into());
        }
        if let Some(entry) = id.entry() {
            return if entry.kind() == Kind::Directory { Err(EISDIR.into()) } else { Ok(0) };
        }
        self.fs.resize(id, length, self.clock.realtime_ns())?;
        Ok(0)
    }

    /// `fsync`, `fdatasync`: what is in memory is where it is to be.
    pub(super) fn fsync(&self, fd: i32) -> Reply {
        let description = self.files[self.process.files].get(fd)?;
        let Object::Inode(id) = description.object else { return Err(EINVAL.into()) };
        if id.entry().is_some() {
            return Err(EINVAL.into());
        }
        match self.fs.inode(id)?.node {
            _ if description.flags & O_PATH != 0 => Err(EBADF.into()),
            Node::File(_) | Node::Directory(_) => Ok(0),
            Node::Link(_) | Node::Device(_) => Err(EINVAL.into()),
        }
    }

    /// `posix_fadvise`: advice that need not be followed, if it is any.
    pub(super) fn fadvise(&self, fd: i32, length: u64, advice: u32) -> Reply {
        match self.files[self.process.files].get(fd)?.object {
            Object::Pipe(..) | Object::Output(_) => Err(ESPIPE.into()),
            Object::Event(_) | Object::Timer(_) | Object::Epoll(_) | Object::Text(_) | Object::Socket(_) => {
                Ok(0)
            }
            Object::Inode(_) if (length as i64) < 0 || advice > POSIX_FADV_NOREUSE => Err(EINVAL.into()),
            Object::Inode(_) => Ok(0),
        }
    }

    /// `close`.
    pub(super) fn close(&mut self, scheduler: &mut Scheduler, fd: i32) -> Reply {
        let closed = self.files[self.process.files].close(fd)?;
        self.after_close(scheduler, closed);
        Ok(0)
    }

    /// `close_range`; threads of a process have their descriptors in common whatever they ask for.
    pub(super) fn close_range(
        &mut self,
        scheduler: &mut Scheduler,
        first: u32,
        last: u32,
        flags: u32,
    ) -> Reply {
        if first > last || flags & !(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) != 0 {
            return Err(EINVAL.into());
        }
        if flags & CLOSE_RANGE_UNSHARE != 0 {
            if self.process.threads > 1 {
                self.count_unsupported(syscalls::Sysno::close_range as u32);
                return Err(EINVAL.into());
            }
            self.unshare_files()?;
        }
        if flags & CLOSE_RANGE_CLOEXEC != 0 {
            self.files[self.process.files].close_on_exec_between(first.into(), last.into());
            return Ok(0);
        }
        let mut from = u64::from(first);
        while let Some((number, closed)) = self.files[self.process.files].close_between(from, last.into()) {
            self.after_close(scheduler, closed);
            from = number + 1;
        }
        Ok(0)
    }

    /// Closes all descriptors, or those that `execve` closes.
    pub(super) fn close_all(&mut self, scheduler: &mut Scheduler, on_exec_only: bool) {
        let mut below = usize::MAX;
        while let Some((number, closed)) = self.files[self.process.files].close_below(below, on_exec_only) {
            self.after_close(scheduler, closed);
            below = number;
        }
    }

    /// Lets go of what a description without descriptors led to.
    pub(super) fn drop_description(&mut self, scheduler: &mut Scheduler, closed: Option<Description>) {
        match closed.map(|description| description.object) {
            Some(Object::Inode(id)) => self.fs.release(id),
            Some(Object::Pipe(id, end)) => {
                self.pipes.release(id, end);
                notify(scheduler, id);
            }
            Some(Object::Event(id)) => drop(self.events.remove(id)),
            Some(Object::Timer(id)) => self.alarms.remove(id),
            Some(Object::Epoll(id)) => {
                drop(self.epolls.remove(id));
                self.unnest(Object::Epoll(id));
            }
            Some(Object::Text(id)) => self.texts.remove(id),
            Some(Object::Socket(id)) => self.close_socket(scheduler, id),
            Some(Object::Output(_)) | None => {}
        }
    }

    /// Takes hold of what a new description leads to.
    pub(super) fn hold_object(&mut self, object: Object) -> Result<(), Errno> {
        match object {
            Object::Inode(id) => self.fs.hold(id),
            Object::Pipe(id, end) => self.pipes.hold(id, end),
            Object::Output(_) => Ok(()),
            // These have no file that could be opened again, or one that is opened by itself.
            Object::Event(_) | Object::Timer(_) | Object::Epoll(_) | Object::Text(_) | Object::Socket(_) => {
                Err(ENXIO)
            }
        }
    }

    /// `dup2` and `dup3`.
    pub(super) fn duplicate_to(
        &mut self,
        scheduler: &mut Scheduler,
        old: i32,
        new: i32,
        close_on_exec: bool,
    ) -> Reply {
        if let Some(closed) = self.files[self.process.files].duplicate_to(old, new, close_on_exec)? {
            self.after_close(scheduler, closed);
        }
        Ok(new as u64)
    }

    /// Changes the flags that `F_SETFL` may change.
    pub(super) fn set_flags(&mut self, fd: i32, flags: u32) -> Reply {
        const SETTABLE: u32 = O_APPEND | O_NONBLOCK;
        // Nobody is told of input by a signal, and pipes carry no packets.
        const REFUSED: u32 = FASYNC | O_DIRECT;
        if flags & !self.files[self.process.files].get(fd)?.flags & REFUSED != 0 {
            return Err(EINVAL.into());
        }
        self.files[self.process.files].update(fd, |description| {
            description.flags = description.flags & !SETTABLE | flags & SETTABLE;
        })?;
        Ok(0)
    }

    /// What `poll` reports of a descriptor, asked for or not.
    pub(super) fn readiness(&self, fd: i32) -> Result<u32, Errno> {
        self.readiness_of(&self.files[self.process.files].get(fd)?)
    }

    /// What `poll` reports of an open description, asked for or not.
    pub(super) fn readiness_of(&self, description: &Description) -> Result<u32, Errno> {
        const INPUT: u32 = POLLIN | POLLRDNORM;
        const OUTPUT: u32 = POLLOUT | POLLWRNORM;
        Ok(match description.object {
            Object::Output(_) if description.flags & O_ACCMODE != 0 => OUTPUT,
            Object::Output(_) => 0,
            Object::Inode(_) | Object::Text(_) => INPUT | OUTPUT,
            Object::Socket(id) => self.socket_readiness(id)?,
            Object::Pipe(id, end) => self.pipe_readiness(self.pipes.get(id)?, end),
            Object::Event(id) => self.events[id].readiness(),
            Object::Timer(id) => self.timer_readiness(id),
            Object::Epoll(id) => {
                if self.has_news(id) {
                    INPUT
                } else {
                    0
                }
            }
        })
    }
}
