// SPDX-License-Identifier: MIT
//! Sockets: two streams of bytes between a pair of ends, which have no addresses.
//!
//! Each direction is a pipe, of which an end of the pair holds one end. Nothing else can be
//! had: no network, no names, no packets, no descriptors on their way.

use linux_raw_sys::general::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM};
use linux_raw_sys::net::{MSG_NOSIGNAL, MSG_PEEK, MSG_WAITALL};

use super::Linux;
use super::buffers::Buffers;
use super::errno::{EAGAIN, ECONNRESET, Errno, Failure};
use super::pipe::{ATOMIC_LEN, End, PipeId, notify};
use super::user::User;
use super::view::View;
use crate::object::scheduler::Scheduler;
use crate::object::table::{Table, name};

name! {
    /// Names an end of a pair of sockets.
    SocketId
}

/// One end.
#[derive(Clone, Copy, Debug)]
pub struct Socket {
    /// Whose reading end it holds.
    pub input: PipeId,
    /// Whose writing end it holds.
    pub output: PipeId,
    /// The process that has made the pair.
    pub maker: u64,
}

/// All ends.
pub type Sockets = Table<SocketId, Socket>;

impl Linux {
    /// What `poll` reports of an end.
    pub(super) fn socket_readiness(&self, id: SocketId) -> Result<u32, Errno> {
        let Socket { input, output, .. } = self.sockets[id];
        let (input, output) = (self.pipes.get(input)?, self.pipes.get(output)?);
        let mut ready = if input.length() > 0 { POLLIN | POLLRDNORM } else { 0 };
        if !input.has_writers() {
            ready |= POLLIN | POLLRDNORM | POLLRDHUP;
            ready |= if output.has_readers() { 0 } else { POLLHUP };
        }
        ready |= if input.was_cut() { POLLERR } else { 0 };
        ready |= if output.room() >= ATOMIC_LEN { POLLOUT | POLLWRNORM } else { 0 };
        Ok(ready)
    }

    /// How often something has happened that readers wait for, and that writers wait for.
    pub(super) fn socket_changes(&self, id: SocketId) -> Result<[u64; 2], Errno> {
        let Socket { input, output, .. } = self.sockets[id];
        Ok([self.pipes.get(input)?.changes()[0], self.pipes.get(output)?.changes()[1]])
    }

    /// The last description of an end is closed. As on Linux, the other end is told if
    /// something was on its way that nobody has read.
    pub(super) fn close_socket(&mut self, scheduler: &mut Scheduler, id: SocketId) {
        let Socket { input, output, .. } = self.sockets.remove(id);
        let is_unread = self.pipes.get(input).is_ok_and(|pipe| pipe.length() > 0);
        if is_unread && let Ok(pipe) = self.pipes.get_mut(output) {
            pipe.cut();
        }
        self.pipes.release(input, End::Read);
        self.pipes.release(output, End::Write);
        notify(scheduler, input);
        notify(scheduler, output);
    }

    /// Reads what has come; with MSG_WAITALL, until the buffers are full.
    pub(super) fn read_socket(
        &mut self,
        view: &mut View,
        id: SocketId,
        (nonblocking, message): (bool, u32),
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        let Socket { input, .. } = self.sockets[id];
        let waits_for_all = message & MSG_WAITALL != 0;
        loop {
            let pipe = self.pipes.get_mut(input)?;
            if pipe.length() == 0 {
                match pipe.has_writers() {
                    _ if buffers.done() > 0 && !waits_for_all => return Ok(()),
                    _ if pipe.take_cut() => return Err(ECONNRESET.into()),
                    false => return Ok(()),
                    true if nonblocking => return Err(EAGAIN.into()),
                    true => return Err(Failure::Wait(input.key())),
                }
            }
            if message & MSG_PEEK != 0 {
                let mut user = User::new(view.space, &mut self.memories[self.process.memory]);
                for part in pipe.parts() {
                    let length = part.len().min(buffers.left() as usize);
                    buffers.whole(length, |buffers| buffers.scatter(&mut user, &part[..length]))?;
                }
                return Ok(());
            }
            self.read_pipe(view, input, nonblocking, buffers)?;
            if buffers.left() == 0 || !waits_for_all {
                return Ok(());
            }
        }
    }

    /// Writes everything; waits for room in between.
    pub(super) fn write_socket(
        &mut self,
        view: &mut View,
        id: SocketId,
        (nonblocking, message): (bool, u32),
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        let Socket { output, .. } = self.sockets[id];
        let is_quiet = message & MSG_NOSIGNAL != 0 || buffers.done() > 0;
        self.write_pipe(view, output, (nonblocking, is_quiet), buffers)
    }
}
