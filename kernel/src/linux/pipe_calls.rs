// SPDX-License-Identifier: MIT
//! System calls on pipes.

use linux_raw_sys::general::{
    O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM,
    POLLWRNORM, SIGPIPE,
};

use super::Linux;
use super::descriptor::{Description, Object};
use super::errno::{EAGAIN, EFAULT, EINVAL, EPIPE, Failure, Reply};
use super::pipe::{ATOMIC_LEN, End, Pipe, PipeId};
use super::signal::{Detail, Info};
use super::signal_calls::BY_KILL;
use super::user::User;
use crate::mem::space::Space;

/// Bytes copied at a time.
const CHUNK_LEN: usize = 512;

impl Linux {
    /// `pipe` and `pipe2`.
    pub(super) fn pipe(&mut self, space: &mut Space, descriptors: u64, flags: u32) -> Reply {
        if flags & !(O_CLOEXEC | O_NONBLOCK | O_DIRECT) != 0 {
            return Err(EINVAL.into());
        }
        let id = self.pipes.open()?;
        let ends = [(End::Read, O_RDONLY), (End::Write, O_WRONLY)];
        let mut numbers = [0; 8];
        let mut open = [None; 2];
        for (index, (end, mode)) in ends.into_iter().enumerate() {
            let description = Description {
                object: Object::Pipe(id, end),
                offset: 0,
                flags: mode | flags & (O_NONBLOCK | O_DIRECT),
            };
            match self.task.descriptors.open(description, flags & O_CLOEXEC != 0) {
                Ok(number) => {
                    open[index] = Some(number);
                    numbers[4 * index..4 * index + 4].copy_from_slice(&number.to_le_bytes());
                }
                Err(errno) => {
                    self.take_back(id, open);
                    return Err(errno.into());
                }
            }
        }
        self.user(space).write(descriptors, &numbers).inspect_err(|_| self.take_back(id, open))?;
        Ok(0)
    }

    /// Closes those ends of a new pipe that are open, and drops the others.
    fn take_back(&mut self, id: PipeId, open: [Option<i32>; 2]) {
        for (number, end) in open.into_iter().zip([End::Read, End::Write]) {
            if let Some(number) = number {
                let _ = self.task.descriptors.close(number);
            }
            self.pipes.release(id, end);
        }
    }

    /// What `poll` reports of an end.
    pub(super) fn pipe_readiness(&self, pipe: &Pipe, end: End) -> u32 {
        let mut ready = 0;
        match end {
            End::Read => {
                ready |= if pipe.length() > 0 { POLLIN | POLLRDNORM } else { 0 };
                ready |= if pipe.has_writers() { 0 } else { POLLHUP };
            }
            End::Write => {
                ready |= if pipe.room() >= ATOMIC_LEN { POLLOUT | POLLWRNORM } else { 0 };
                ready |= if pipe.has_readers() { 0 } else { POLLERR };
            }
        }
        ready
    }

    /// Reads what is there; waits if there is nothing yet.
    pub(super) fn read_pipe(
        &mut self,
        space: &mut Space,
        id: PipeId,
        flags: u32,
        address: u64,
        length: u64,
    ) -> Reply {
        let mut user = User::new(space, &mut self.task.memory);
        let mut done = 0;
        let pipe = self.pipes.get_mut(id)?;
        while done < length && pipe.length() > 0 {
            let front = pipe.front();
            let part = &front[..front.len().min((length - done) as usize)];
            let written = user.write_some(address + done, part)?;
            let wanted = part.len();
            pipe.consume(written);
            done += written as u64;
            if written < wanted {
                break;
            }
        }
        if done > 0 {
            self.events += 1;
            return Ok(done);
        }
        match pipe {
            _ if length == 0 => Ok(0),
            pipe if pipe.length() > 0 => Err(EFAULT.into()),
            pipe if !pipe.has_writers() => Ok(0),
            _ if flags & O_NONBLOCK != 0 => Err(EAGAIN.into()),
            _ => Err(Self::wait_for_event()),
        }
    }

    /// Writes all; waits for room in between.
    pub(super) fn write_pipe(
        &mut self,
        space: &mut Space,
        id: PipeId,
        flags: u32,
        address: u64,
        length: u64,
    ) -> Reply {
        let mut done = self.task.transferred.min(length);
        let mut chunk = [0; CHUNK_LEN];
        loop {
            let pipe = self.pipes.get_mut(id)?;
            if !pipe.has_readers() {
                self.task.signals.send(Info { signal: SIGPIPE, code: BY_KILL, detail: Detail::None })?;
                return if done > 0 { Ok(done) } else { Err(EPIPE.into()) };
            }
            if done == length {
                return Ok(done);
            }
            let left = length - done;
            let whole = left <= ATOMIC_LEN as u64 && done == 0;
            let room = pipe.room();
            if room == 0 || whole && (room as u64) < left {
                if flags & O_NONBLOCK != 0 {
                    return if done > 0 { Ok(done) } else { Err(EAGAIN.into()) };
                }
                self.task.transferred = done;
                return Err(Self::wait_for_event());
            }
            let part = &mut chunk[..left.min(room as u64).min(CHUNK_LEN as u64) as usize];
            let mut user = User::new(space, &mut self.task.memory);
            let read = user.read_some(address + done, part)?;
            pipe.push(&part[..read]);
            self.events += 1;
            done += read as u64;
            if read < part.len() {
                return if done > 0 { Ok(done) } else { Err(EFAULT.into()) };
            }
        }
    }

    /// What a call that cannot go on fails with: others have to do something first.
    pub(super) fn wait_for_event() -> Failure {
        Failure::End(super::Next::Deadlock)
    }
}
