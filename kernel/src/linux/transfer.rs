// SPDX-License-Identifier: MIT
//! System calls that move data through descriptors.
//!
//! Each call is a cursor over its [`Buffers`] and something that takes or gives bytes.
//! Data goes chunk by chunk, whatever length the program asks for; whatever ends a
//! transfer, an error is told only if nothing was transferred.

use linux_raw_sys::general::{O_NONBLOCK, RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_NOWAIT, RWF_SYNC, SIGPIPE};
use linux_raw_sys::net::MSG_DONTWAIT;

use super::buffers::Buffers;
use super::content::MAX_LEN;
use super::descriptor::{Description, Object};
use super::errno::{
    EAGAIN, EBADF, EFAULT, EINVAL, EISDIR, ENOSPC, EOPNOTSUPP, EPIPE, ESPIPE, Errno, Failure, Reply,
};
use super::fs::{Device, InodeId, Node};
use super::pipe::{ATOMIC_LEN, End, PipeId, notify};
use super::signal::{Detail, Info};
use super::signal_calls::BY_KILL;
use super::user::User;
use super::view::View;
use super::{Linux, Next};
use crate::mem::space::Space;

/// Bytes copied at a time.
const CHUNK_LEN: usize = 4096;
const _: () = assert!(CHUNK_LEN >= ATOMIC_LEN);

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

/// What a transfer is asked to do.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Which way.
    pub direction: Direction,
    /// Through which descriptor.
    pub fd: i32,
    /// From where on.
    pub position: Position,
    /// `RWF_...`.
    pub flags: u32,
    /// `MSG_...`, of calls on sockets.
    pub message: u32,
}

impl Wanted {
    /// A transfer at the description's offset, without flags.
    pub fn here(direction: Direction, fd: i32) -> Self {
        Self { direction, fd, position: Position::Current, flags: 0, message: 0 }
    }

    /// A transfer at an offset, without flags.
    pub fn at(direction: Direction, fd: i32, offset: u64) -> Self {
        Self { position: Position::At(offset), ..Self::here(direction, fd) }
    }
}

impl Linux {
    /// `read`, `write`, `pread64`, `pwrite64`.
    pub(super) fn transfer(&mut self, view: &mut View, wanted: Wanted, address: u64, length: u64) -> Reply {
        if self.thread.transfer.is_some() {
            return self.transfer_on(view, &wanted);
        }
        let description = self.transferred_through(&wanted)?;
        let mut buffers = Buffers::one(address, length)?;
        let ended = self.go_on(view, &wanted, description, &mut buffers);
        self.conclude_transfer(&wanted, buffers, ended)
    }

    /// `readv`, `writev`, `preadv`, `pwritev`, `preadv2`, `pwritev2`.
    pub(super) fn transfer_vector(
        &mut self,
        view: &mut View,
        wanted: Wanted,
        vector: u64,
        count: u64,
    ) -> Reply {
        const KNOWN: u32 = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND;
        if self.thread.transfer.is_some() {
            return self.transfer_on(view, &wanted);
        }
        let description = self.transferred_through(&wanted)?;
        let mut buffers = Buffers::many(&mut self.user(view.space), vector, count)?;
        if buffers.done() + buffers.left() == 0 {
            return Ok(0);
        }
        if wanted.flags & !KNOWN != 0 {
            return Err(EOPNOTSUPP.into());
        }
        let ended = self.go_on(view, &wanted, description, &mut buffers);
        self.conclude_transfer(&wanted, buffers, ended)
    }

    /// Goes on with a transfer that has waited.
    #[cold]
    fn transfer_on(&mut self, view: &mut View, wanted: &Wanted) -> Reply {
        let Some(mut buffers) = self.thread.transfer.take() else { return Ok(0) };
        let description = self.description_of_call(wanted.fd)?;
        match self.go_on(view, wanted, description, &mut buffers) {
            Err(wait @ (Failure::Wait(_) | Failure::End(Next::OutOfMemory))) => {
                self.thread.transfer = Some(buffers);
                Err(wait)
            }
            ended => {
                if let (Ok(Some(end)), Some(through)) = (&ended, &self.thread.through) {
                    through.set_offset(*end);
                }
                ended.map(|_| buffers.done())
            }
        }
    }

    /// What a transfer comes to that has not waited so far.
    fn conclude_transfer(
        &mut self,
        wanted: &Wanted,
        buffers: Buffers,
        ended: Result<Option<u64>, Failure>,
    ) -> Reply {
        let files = &self.files[self.process.files];
        match ended {
            Ok(Some(end)) => files.update(wanted.fd, |description| description.offset = end)?,
            Ok(None) => {}
            Err(wait @ (Failure::Wait(_) | Failure::End(Next::OutOfMemory))) => {
                self.thread.through = Some(files.hold(wanted.fd)?);
                self.thread.transfer = Some(buffers);
                return Err(wait);
            }
            Err(failure) => return Err(failure),
        }
        Ok(buffers.done())
    }

    /// The description that a transfer goes through, if it may go there.
    fn transferred_through(&self, wanted: &Wanted) -> Result<Description, Errno> {
        if matches!(wanted.position, Position::At(offset) if offset > MAX_LEN) {
            return Err(EINVAL);
        }
        let description = self.files[self.process.files].get(wanted.fd)?;
        match description.object {
            // Where there are no offsets comes before what the descriptor is open for.
            Object::Epoll(_) => Err(EINVAL),
            Object::Timer(_) if wanted.direction == Direction::Write => Err(EINVAL),
            Object::Output(_)
            | Object::Pipe(..)
            | Object::Event(_)
            | Object::Timer(_)
            | Object::Socket(_)
                if wanted.position != Position::Current =>
            {
                Err(ESPIPE)
            }
            Object::Output(_)
            | Object::Pipe(..)
            | Object::Inode(_)
            | Object::Event(_)
            | Object::Timer(_)
            | Object::Socket(_)
            | Object::Text(_) => {
                match wanted.direction {
                    Direction::Read => description.check_readable()?,
                    Direction::Write => description.check_writable()?,
                }
                Ok(description)
            }
        }
    }

    /// Transfers what is left, from the beginning or from where the call began to wait; returns
    /// where the description's offset is then, if it moves.
    fn go_on(
        &mut self,
        view: &mut View,
        wanted: &Wanted,
        description: Description,
        buffers: &mut Buffers,
    ) -> Result<Option<u64>, Failure> {
        let nonblocking = description.flags & O_NONBLOCK != 0
            || wanted.flags & RWF_NOWAIT != 0
            || wanted.message & MSG_DONTWAIT != 0;
        let start = self.start_of(wanted, &description);
        let ended = match (description.object, wanted.direction) {
            (Object::Pipe(id, End::Read), Direction::Read) => self.read_pipe(view, id, nonblocking, buffers),
            (Object::Pipe(id, End::Write), Direction::Write) => {
                self.write_pipe(view, id, (nonblocking, false), buffers)
            }
            (Object::Pipe(..), _) | (Object::Output(_), Direction::Read) => Err(EBADF.into()),
            (Object::Event(id), Direction::Read) => self.read_event(view, id, nonblocking, buffers),
            (Object::Event(id), Direction::Write) => self.write_event(view, id, nonblocking, buffers),
            (Object::Timer(id), Direction::Read) => self.read_timer(view, id, nonblocking, buffers),
            (Object::Timer(_), Direction::Write) | (Object::Epoll(_), _) => Err(EINVAL.into()),
            (Object::Socket(id), Direction::Read) => {
                self.read_socket(view, id, (nonblocking, wanted.message), buffers)
            }
            (Object::Socket(id), Direction::Write) => {
                self.write_socket(view, id, (nonblocking, wanted.message), buffers)
            }
            (Object::Text(id), Direction::Read) => self.read_text(view.space, id, start, buffers),
            (Object::Text(id), Direction::Write) => self.write_text(view.space, id, buffers),
            (Object::Output(stream), Direction::Write) => self.write_output(view.space, stream, buffers),
            (Object::Inode(id), Direction::Read) => self.read_inode(view.space, id, start, buffers),
            (Object::Inode(id), Direction::Write) => self.write_inode(view.space, id, start, buffers),
        };
        match ended {
            Ok(()) => {}
            Err(Failure::Errno(_) | Failure::End(Next::OutOfMemory)) if buffers.done() > 0 => {}
            Err(failure) => return Err(failure),
        }
        let end = start.saturating_add(buffers.done());
        Ok((wanted.position == Position::Current).then_some(end))
    }

    fn start_of(&self, wanted: &Wanted, description: &Description) -> u64 {
        let appends = description.is_appending() || wanted.flags & RWF_APPEND != 0;
        match (description.object, wanted.position) {
            (Object::Inode(id), _) if wanted.direction == Direction::Write && appends => {
                self.fs.content(id).map_or(0, |content| content.length())
            }
            (_, Position::Current) => description.offset,
            (_, Position::At(offset)) => offset,
        }
    }

    /// Reads what is in a pipe; waits if there is nothing yet.
    pub(super) fn read_pipe(
        &mut self,
        view: &mut View,
        id: PipeId,
        nonblocking: bool,
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        if buffers.left() == 0 {
            return Ok(());
        }
        let mut user = User::new(view.space, &mut self.memories[self.process.memory]);
        let pipe = self.pipes.get_mut(id)?;
        if pipe.length() == 0 {
            return match pipe.has_writers() {
                false => Ok(()),
                true if nonblocking => Err(EAGAIN.into()),
                true => Err(Failure::Wait(id.key())),
            };
        }
        notify(view.scheduler, id);
        while buffers.left() > 0 && pipe.length() > 0 {
            let front = pipe.front();
            let length = front.len().min(CHUNK_LEN).min(buffers.left() as usize);
            // What the program cannot take stays in the pipe.
            buffers.whole(length, |buffers| buffers.scatter(&mut user, &front[..length]))?;
            pipe.consume(length);
        }
        Ok(())
    }

    /// Writes everything to a pipe; waits for room in between. Whoever `is_quiet` gets no signal
    /// when nobody reads.
    pub(super) fn write_pipe(
        &mut self,
        view: &mut View,
        id: PipeId,
        (nonblocking, is_quiet): (bool, bool),
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        // What is written at once is not mixed with what others write.
        let at_once = match buffers.done() + buffers.left() {
            whole if whole <= ATOMIC_LEN as u64 => whole as usize,
            _ => 1,
        };
        let mut chunk = [0; CHUNK_LEN];
        while buffers.left() > 0 {
            let pipe = self.pipes.get_mut(id)?;
            if !pipe.has_readers() {
                if !is_quiet {
                    self.raise(Info { signal: SIGPIPE, code: BY_KILL, detail: Detail::None });
                }
                return Err(EPIPE.into());
            }
            let room = pipe.room();
            if room < at_once {
                return if nonblocking { Err(EAGAIN.into()) } else { Err(Failure::Wait(id.key())) };
            }
            let length = room.min(CHUNK_LEN).min(buffers.left() as usize);
            let part = &mut chunk[..length];
            let mut user = User::new(view.space, &mut self.memories[self.process.memory]);
            buffers.whole(length, |buffers| buffers.gather(&mut user, part))?;
            pipe.push(part);
            notify(view.scheduler, id);
        }
        Ok(())
    }

    fn read_inode(
        &mut self,
        space: &mut Space,
        id: InodeId,
        start: u64,
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        if id.entry().is_some() {
            return Err(EISDIR.into());
        }
        let mut user = User::new(space, &mut self.memories[self.process.memory]);
        let mut buffer = [0; 256];
        let node = &self.fs.inode(id)?.node;
        if let Node::Directory(_) | Node::Link(_) | Node::Device(Device::Descriptor(_)) = node {
            return Err(EISDIR.into());
        }
        while buffers.left() > 0 {
            let (offset, left) = (start.saturating_add(buffers.done()), buffers.left());
            let part = match node {
                Node::File(content) => content.at(offset, left, &mut buffer),
                Node::Device(Device::Zero | Device::Full) => &ZEROS[..left.min(CHUNK_LEN as u64) as usize],
                Node::Device(Device::Random) => {
                    let part = &mut buffer[..left.min(256) as usize];
                    self.random.fill(part);
                    part
                }
                Node::Device(Device::Null | Device::Descriptor(_)) | Node::Directory(_) | Node::Link(_) => {
                    &[]
                }
            };
            if part.is_empty() {
                break;
            }
            if buffers.scatter(&mut user, part)? < part.len() {
                return Err(EFAULT.into());
            }
        }
        Ok(())
    }

    fn write_inode(
        &mut self,
        space: &mut Space,
        id: InodeId,
        start: u64,
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        match self.fs.inode(id)?.node {
            Node::Device(Device::Null | Device::Zero | Device::Random) => {
                buffers.skip_all();
                return Ok(());
            }
            Node::Device(Device::Full) => return Err(ENOSPC.into()),
            Node::Device(Device::Descriptor(_)) | Node::Directory(_) | Node::Link(_) => {
                return Err(EINVAL.into());
            }
            Node::File(_) => {}
        }
        let now_ns = self.clock.realtime_ns();
        let mut user = User::new(space, &mut self.memories[self.process.memory]);
        let mut chunk = [0; CHUNK_LEN];
        while buffers.left() > 0 {
            let at = start.saturating_add(buffers.done());
            let wanted = buffers.left().min(CHUNK_LEN as u64) as usize;
            let before = buffers.place();
            let read = buffers.gather(&mut user, &mut chunk[..wanted])?;
            // There may be room for less, or for nothing: only what was written counts.
            let result = self.fs.write(id, at, &chunk[..read], now_ns);
            let written = *result.as_ref().unwrap_or(&0);
            buffers.go_back(before, written)?;
            result?;
            if let Some(object) = self.fs.content(id)?.pages() {
                user.note_write(object, at, written as u64);
            }
            if written < wanted {
                return if written < read { Err(ENOSPC.into()) } else { Err(EFAULT.into()) };
            }
        }
        Ok(())
    }

    fn write_output(&mut self, space: &mut Space, stream: u8, buffers: &mut Buffers) -> Result<(), Failure> {
        let mut user = self.user(space);
        let mut chunk = [0; CHUNK_LEN];
        while buffers.left() > 0 {
            let wanted = buffers.left().min(CHUNK_LEN as u64) as usize;
            let read = buffers.gather(&mut user, &mut chunk[..wanted])?;
            if read > 0 {
                crate::arch::channel::output(stream, &chunk[..read])
                    .map_err(|full| Failure::End(Next::OutputFull { limit: full.capacity }))?;
            }
            if read < wanted {
                return Err(EFAULT.into());
            }
        }
        Ok(())
    }
}
