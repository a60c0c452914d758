// SPDX-License-Identifier: MIT
//! System calls on pipes.

use linux_raw_sys::general::{
    O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_WRONLY, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM,
};

use super::Linux;
use super::descriptor::{Description, Object};
use super::errno::{EINVAL, Reply};
use super::pipe::{ATOMIC_LEN, End, Pipe, PipeId};
use crate::mem::space::Space;

impl Linux {
    /// `pipe` and `pipe2`.
    pub(super) fn pipe(&mut self, space: &mut Space, descriptors: u64, flags: u32) -> Reply {
        // Pipes carry no packets (O_DIRECT).
        if flags & !(O_CLOEXEC | O_NONBLOCK) != 0 {
            return Err(EINVAL.into());
        }
        let id = self.pipes.open()?;
        let ends = [(End::Read, O_RDONLY), (End::Write, O_WRONLY)];
        let mut numbers = [0; 8];
        let mut open = [None; 2];
        for (index, (end, mode)) in ends.into_iter().enumerate() {
            let description =
                Description { object: Object::Pipe(id, end), offset: 0, flags: mode | flags & O_NONBLOCK };
            match self.files[self.process.files].open(description, flags & O_CLOEXEC != 0) {
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
                let _ = self.files[self.process.files].close(number);
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
}
