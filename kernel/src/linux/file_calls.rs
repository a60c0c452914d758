// SPDX-License-Identifier: MIT
//! System calls that move data through descriptors.
//!
//! Data goes chunk by chunk, whatever length the program asks for; a bad buffer
//! ends a transfer early, with EFAULT only if nothing was transferred.

use linux_raw_sys::general::{
    O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM, SEEK_CUR, SEEK_DATA,
    SEEK_END, SEEK_HOLE, SEEK_SET,
};

use super::content::MAX_LEN;
use super::descriptor::{Description, Object};
use super::errno::{EBADF, EFAULT, EINVAL, EISDIR, ENOSPC, ENXIO, ESPIPE, Errno, Failure, Reply};
use super::fs::{Device, InodeId, Node};
use super::layout::get_u64;
use super::pipe::End;
use super::user::{User, check_range};
use super::{Linux, Next};
use crate::mem::space::Space;

/// The most bytes that one call transfers (Linux's `MAX_RW_COUNT`).
const MAX_TRANSFER_LEN: u64 = 0x7fff_f000;
/// The most buffers of one call.
const MAX_BUFFERS: u64 = 1024;
/// Bytes copied at a time.
const CHUNK_LEN: usize = 4096;

static ZEROS: [u8; CHUNK_LEN] = [0; CHUNK_LEN];

/// Where a transfer starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// At the description's offset, which moves.
    Current,
    /// Here; the description's offset stays.
    At(u64),
}

/// Which way data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the program.
    Read,
    /// From the program.
    Write,
}

/// The number of bytes that a transfer of `wanted` bytes moved, or EFAULT if
/// that is none.
fn transferred(done: u64, wanted: u64) -> Reply {
    if done == 0 && wanted > 0 { Err(EFAULT.into()) } else { Ok(done) }
}

impl Linux {
    /// `read`, `write`, `pread64`, `pwrite64`.
    pub(super) fn transfer(
        &mut self,
        space: &mut Space,
        direction: Direction,
        fd: i32,
        address: u64,
        length: u64,
        position: Position,
    ) -> Reply {
        let description = self.check_transfer(direction, fd, position)?;
        if (length as i64) < 0 {
            return Err(EINVAL.into());
        }
        check_range(address, length)?;
        let length = length.min(MAX_TRANSFER_LEN);
        let start = self.start_of(direction, &description, position)?;
        let done = self.transfer_one(space, direction, &description, start, address, length)?;
        self.advance(fd, position, start, done)
    }

    /// `readv`, `writev`, `preadv`, `pwritev`.
    pub(super) fn transfer_vector(
        &mut self,
        space: &mut Space,
        direction: Direction,
        fd: i32,
        vector: u64,
        count: u64,
        position: Position,
    ) -> Reply {
        let description = self.check_transfer(direction, fd, position)?;
        if count > MAX_BUFFERS {
            return Err(EINVAL.into());
        }
        for index in 0..count {
            let (address, length) = self.buffer(space, vector, index)?;
            if (length as i64) < 0 {
                return Err(EINVAL.into());
            }
            check_range(address, length)?;
        }
        let start = self.start_of(direction, &description, position)?;
        let mut done = 0;
        for index in 0..count {
            let (address, length) = self.buffer(space, vector, index)?;
            let length = length.min(MAX_TRANSFER_LEN - done);
            // A read may have written to the vector itself: what was checked may be gone.
            let at = start.saturating_add(done);
            match check_range(address, length)
                .map_err(Failure::from)
                .and_then(|()| self.transfer_one(space, direction, &description, at, address, length))
            {
                Ok(part) => {
                    done += part;
                    if part < length {
                        break;
                    }
                }
                // What would wait does so in the next call.
                Err(Failure::Errno(_) | Failure::End(Next::Deadlock)) if done > 0 => {
                    done += core::mem::take(&mut self.task.transferred);
                    break;
                }
                Err(failure) => return Err(failure),
            }
        }
        self.advance(fd, position, start, done)
    }

    /// Address and length of a vector's buffer.
    fn buffer(&mut self, space: &mut Space, vector: u64, index: u64) -> Result<(u64, u64), Failure> {
        let at = vector.checked_add(16 * index).ok_or(EFAULT)?;
        let buffer: [u8; 16] = self.user(space).structure(at)?;
        Ok((get_u64(&buffer, 0), get_u64(&buffer, 8)))
    }

    fn check_transfer(
        &self,
        direction: Direction,
        fd: i32,
        position: Position,
    ) -> Result<Description, Errno> {
        let description = self.task.descriptors.get(fd)?;
        match direction {
            Direction::Read => description.check_readable()?,
            Direction::Write => description.check_writable()?,
        }
        match (position, description.object) {
            (Position::At(_), Object::Output(_) | Object::Pipe(..)) => Err(ESPIPE),
            (Position::At(offset), Object::Inode(_)) if offset > MAX_LEN => Err(EINVAL),
            (_, Object::Inode(id)) if self.fs.directory(id).is_ok() => Err(EISDIR),
            (Position::Current, Object::Output(_) | Object::Pipe(..)) | (_, Object::Inode(_)) => {
                Ok(description)
            }
        }
    }

    fn start_of(
        &self,
        direction: Direction,
        description: &Description,
        position: Position,
    ) -> Result<u64, Errno> {
        match description.object {
            Object::Inode(id) if direction == Direction::Write && description.is_appending() => {
                Ok(self.fs.content(id).map_or(0, |content| content.length()))
            }
            Object::Inode(_) | Object::Output(_) | Object::Pipe(..) => Ok(match position {
                Position::Current => description.offset,
                Position::At(offset) => offset,
            }),
        }
    }

    fn advance(&mut self, fd: i32, position: Position, start: u64, done: u64) -> Reply {
        if position == Position::Current {
            self.task
                .descriptors
                .update(fd, |description| description.offset = start.saturating_add(done))?;
        }
        Ok(done)
    }

    fn transfer_one(
        &mut self,
        space: &mut Space,
        direction: Direction,
        description: &Description,
        offset: u64,
        address: u64,
        length: u64,
    ) -> Reply {
        match (description.object, direction) {
            (Object::Pipe(id, End::Read), Direction::Read) => {
                self.read_pipe(space, id, description.flags, address, length)
            }
            (Object::Pipe(id, End::Write), Direction::Write) => {
                self.write_pipe(space, id, description.flags, address, length)
            }
            (Object::Pipe(..), _) => Err(EBADF.into()),
            (Object::Output(stream), Direction::Write) => self.write_output(space, stream, address, length),
            (Object::Output(_), Direction::Read) => Err(EBADF.into()),
            (Object::Inode(id), Direction::Read) => self.read_inode(space, id, offset, address, length),
            (Object::Inode(id), Direction::Write) => self.write_inode(space, id, offset, address, length),
        }
    }

    fn read_inode(
        &mut self,
        space: &mut Space,
        id: InodeId,
        offset: u64,
        address: u64,
        length: u64,
    ) -> Reply {
        let mut user = User::new(space, &mut self.task.memory);
        let mut buffer = [0; 256];
        let mut done = 0;
        while done < length {
            let left = length - done;
            let part = match &self.fs.inode(id)?.node {
                Node::File(content) => content.at(offset.saturating_add(done), left, &mut buffer),
                Node::Device(Device::Null) => &[],
                Node::Device(Device::Zero | Device::Full) => &ZEROS[..left.min(CHUNK_LEN as u64) as usize],
                Node::Device(Device::Random) => {
                    let part = &mut buffer[..left.min(256) as usize];
                    self.random.fill(part);
                    part
                }
                Node::Directory(_) | Node::Link(_) | Node::Device(Device::Descriptor(_)) => {
                    return Err(EISDIR.into());
                }
            };
            if part.is_empty() {
                return Ok(done);
            }
            let written = user.write_some(address + done, part)?;
            done += written as u64;
            if written < part.len() {
                break;
            }
        }
        transferred(done, length)
    }

    fn write_inode(
        &mut self,
        space: &mut Space,
        id: InodeId,
        offset: u64,
        address: u64,
        length: u64,
    ) -> Reply {
        match self.fs.inode(id)?.node {
            Node::Device(Device::Null | Device::Zero | Device::Random) => return Ok(length),
            Node::Device(Device::Full) => return Err(ENOSPC.into()),
            Node::Device(Device::Descriptor(_)) | Node::Directory(_) | Node::Link(_) => {
                return Err(EINVAL.into());
            }
            Node::File(_) => {}
        }
        let now_ns = self.clock.realtime_ns();
        let mut user = User::new(space, &mut self.task.memory);
        let mut chunk = [0; CHUNK_LEN];
        let mut done = 0;
        while done < length {
            let part = &mut chunk[..(length - done).min(CHUNK_LEN as u64) as usize];
            let read = user.read_some(address + done, part)?;
            let written = match self.fs.write(id, offset.saturating_add(done), &part[..read], now_ns) {
                Ok(written) => written,
                Err(errno) if done == 0 => return Err(errno.into()),
                Err(_) => break,
            };
            if let Some(object) = self.fs.content(id)?.pages() {
                user.note_write(object, offset.saturating_add(done), written as u64);
            }
            done += written as u64;
            if written < part.len() {
                break;
            }
        }
        transferred(done, length)
    }

    fn write_output(&mut self, space: &mut Space, stream: u8, address: u64, length: u64) -> Reply {
        let mut user = self.user(space);
        let mut chunk = [0; CHUNK_LEN];
        let mut done = 0;
        while done < length {
            let part = &mut chunk[..(length - done).min(CHUNK_LEN as u64) as usize];
            let read = user.read_some(address + done, part)?;
            if read > 0 {
                crate::channel::output(stream, &part[..read])
                    .map_err(|full| Failure::End(Next::OutputFull { limit: full.capacity }))?;
            }
            done += read as u64;
            if read < part.len() {
                break;
            }
        }
        transferred(done, length)
    }

    /// `lseek`.
    pub(super) fn lseek(&mut self, fd: i32, offset: u64, whence: u32) -> Reply {
        let description = self.task.descriptors.get(fd)?;
        if description.flags & O_PATH != 0 {
            return Err(EBADF.into());
        }
        let Object::Inode(id) = description.object else { return Err(ESPIPE.into()) };
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
                self.task.descriptors.update(fd, |description| description.offset = length)?;
                return Ok(length);
            }
            _ => return Err(EINVAL.into()),
        };
        let target = base.checked_add_signed(offset as i64).filter(|at| *at <= MAX_LEN).ok_or(EINVAL)?;
        self.task.descriptors.update(fd, |description| description.offset = target)?;
        Ok(target)
    }

    /// `ftruncate`.
    pub(super) fn ftruncate(&mut self, fd: i32, length: u64) -> Reply {
        let description = self.task.descriptors.get(fd)?;
        description.check_writable().map_err(|_| EINVAL)?;
        let Object::Inode(id) = description.object else { return Err(EINVAL.into()) };
        self.truncate_inode(id, length)
    }

    /// Sets the length of a regular file.
    pub(super) fn truncate_inode(&mut self, id: InodeId, length: u64) -> Reply {
        if length > MAX_LEN {
            return Err(EINVAL.into());
        }
        self.fs.resize(id, length, self.clock.realtime_ns())?;
        Ok(0)
    }

    /// `close`.
    pub(super) fn close(&mut self, fd: i32) -> Reply {
        let closed = self.task.descriptors.close(fd)?;
        self.drop_description(closed);
        Ok(0)
    }

    /// Closes all descriptors, or those that `execve` closes.
    pub(super) fn close_all(&mut self, on_exec_only: bool) {
        let mut below = usize::MAX;
        while let Some((number, closed)) = self.task.descriptors.close_below(below, on_exec_only) {
            self.drop_description(closed);
            below = number;
        }
    }

    /// Lets go of what a description without descriptors led to.
    pub(super) fn drop_description(&mut self, closed: Option<Description>) {
        match closed.map(|description| description.object) {
            Some(Object::Inode(id)) => self.fs.release(id),
            Some(Object::Pipe(id, end)) => {
                self.pipes.release(id, end);
                self.events += 1;
            }
            Some(Object::Output(_)) | None => {}
        }
    }

    /// Takes hold of what a new description leads to.
    pub(super) fn hold_object(&mut self, object: Object) -> Result<(), Errno> {
        match object {
            Object::Inode(id) => self.fs.hold(id),
            Object::Pipe(id, end) => self.pipes.hold(id, end),
            Object::Output(_) => Ok(()),
        }
    }

    /// `dup2` and `dup3`.
    pub(super) fn duplicate_to(&mut self, old: i32, new: i32, close_on_exec: bool) -> Reply {
        let closed = self.task.descriptors.duplicate_to(old, new, close_on_exec)?;
        self.drop_description(closed);
        Ok(new as u64)
    }

    /// Changes the flags that `F_SETFL` may change.
    pub(super) fn set_flags(&mut self, fd: i32, flags: u32) -> Reply {
        const SETTABLE: u32 = O_APPEND | O_NONBLOCK;
        self.task.descriptors.update(fd, |description| {
            description.flags = description.flags & !SETTABLE | flags & SETTABLE;
        })?;
        Ok(0)
    }

    /// What `poll` reports of a descriptor, asked for or not.
    pub(super) fn readiness(&self, fd: i32) -> Result<u32, Errno> {
        const INPUT: u32 = POLLIN | POLLRDNORM;
        const OUTPUT: u32 = POLLOUT | POLLWRNORM;
        let description = self.task.descriptors.get(fd)?;
        Ok(match description.object {
            Object::Output(_) if description.flags & O_ACCMODE != 0 => OUTPUT,
            Object::Output(_) => 0,
            Object::Inode(_) => INPUT | OUTPUT,
            Object::Pipe(id, end) => self.pipe_readiness(self.pipes.get(id)?, end),
        })
    }
}
