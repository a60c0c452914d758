// SPDX-License-Identifier: MIT
//! System calls on descriptors that move no data: `fcntl`, `ioctl`, `poll`, `select`.
//!
//! Files and the pipes to the host are always ready; pipes when another process has
//! made them so.

use linux_raw_sys::general::{
    F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETFD,
    F_SETFL, F_SETLK, F_SETLKW, FD_CLOEXEC, O_LARGEFILE, O_NONBLOCK, POLLERR, POLLHUP, POLLIN, POLLNVAL,
    POLLOUT,
};
use linux_raw_sys::ioctl::{FIOCLEX, FIONBIO, FIONCLEX, FIONREAD};

use super::Linux;
use super::descriptor::Object;
use super::errno::{EBADF, EFAULT, EINVAL, ENOTTY, Failure, Reply};
use super::fs::Node;
use super::layout::{get_u32, get_u64};
use super::pipe::ANY;
use super::thread::Late;
use super::time_calls::nanoseconds;
use super::view::View;
use crate::mem::space::Space;

/// Descriptors in a word of an `fd_set`.
const WORD_BITS: u64 = 64;
/// The longest `fd_set` looked at; beyond any limit on open files.
const MAX_SET_BITS: u64 = 1 << 20;

impl Linux {
    /// `fcntl`.
    pub(super) fn fcntl(&mut self, view: &mut View, fd: i32, command: u32, argument: u64) -> Reply {
        match command {
            F_DUPFD | F_DUPFD_CLOEXEC => {
                let lowest = u64::from(argument as u32);
                if lowest >= self.files[self.process.files].limit {
                    return Err(EINVAL.into());
                }
                Ok(self.files[self.process.files].duplicate(fd, lowest, command == F_DUPFD_CLOEXEC)? as u64)
            }
            F_GETFD => Ok(u64::from(self.files[self.process.files].close_on_exec(fd)?)),
            F_SETFD => {
                self.files[self.process.files]
                    .set_close_on_exec(fd, argument & u64::from(FD_CLOEXEC) != 0)?;
                Ok(0)
            }
            F_GETFL => Ok(u64::from(self.files[self.process.files].get(fd)?.flags | O_LARGEFILE)),
            F_SETFL => self.set_flags(fd, argument as u32),
            F_GETLK | F_OFD_GETLK | F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW => {
                self.record_lock(view, fd, command, argument)
            }
            _ => self.files[self.process.files].get(fd).map(|_| Err(EINVAL.into()))?,
        }
    }

    /// `ioctl`: nothing here is a terminal.
    pub(super) fn ioctl(&mut self, space: &mut Space, fd: i32, command: u32, argument: u64) -> Reply {
        let description = self.files[self.process.files].get(fd)?;
        match command {
            FIOCLEX | FIONCLEX => {
                self.files[self.process.files].set_close_on_exec(fd, command == FIOCLEX)?;
                Ok(0)
            }
            FIONBIO => {
                let flag = if self.user(space).u32(argument)? != 0 { O_NONBLOCK } else { 0 };
                self.set_flags(fd, description.flags & !O_NONBLOCK | flag)
            }
            FIONREAD => {
                let left = match description.object {
                    Object::Pipe(id, _) => self.pipes.get(id)?.length() as u64,
                    Object::Socket(id) => self.pipes.get(self.sockets[id].input)?.length() as u64,
                    Object::Inode(id) if id.entry().is_some() => return Err(ENOTTY.into()),
                    Object::Inode(id) => {
                        let Node::File(content) = &self.fs.inode(id)?.node else { return Err(ENOTTY.into()) };
                        content.length().saturating_sub(description.offset)
                    }
                    Object::Output(_)
                    | Object::Event(_)
                    | Object::Timer(_)
                    | Object::Epoll(_)
                    | Object::Text(_) => {
                        return Err(ENOTTY.into());
                    }
                };
                self.user(space).write(argument, &(left as u32).to_le_bytes())?;
                Ok(0)
            }
            _ => Err(ENOTTY.into()),
        }
    }

    /// `poll` and `ppoll`, with the timeout in nanoseconds.
    pub(super) fn poll(
        &mut self,
        space: &mut Space,
        list: u64,
        count: u64,
        timeout_ns: Option<u64>,
    ) -> Reply {
        if count > self.files[self.process.files].limit {
            return Err(EINVAL.into());
        }
        let mut ready = 0;
        for index in 0..count {
            let at = list.checked_add(8 * index).ok_or(EFAULT)?;
            let entry: [u8; 8] = self.user(space).structure(at)?;
            let fd = get_u32(&entry, 0) as i32;
            let wanted = u32::from(u16::from_le_bytes([entry[4], entry[5]]));
            let seen = match self.readiness(fd) {
                _ if fd < 0 => 0,
                Err(_) => POLLNVAL,
                Ok(ready) => ready & (wanted | POLLHUP | POLLERR),
            };
            ready += u64::from(seen != 0);
            self.user(space).write(at + 6, &(seen as u16).to_le_bytes())?;
        }
        if ready == 0 {
            self.pass(timeout_ns, ANY, Late::Again)?;
        }
        Ok(ready)
    }

    /// `select` and `pselect6`, with the timeout in nanoseconds.
    pub(super) fn select(
        &mut self,
        space: &mut Space,
        count: i32,
        sets: [u64; 3],
        timeout_ns: Option<u64>,
    ) -> Reply {
        let count = u64::try_from(count).map_err(|_| EINVAL)?.min(MAX_SET_BITS);
        // The sets are replaced by the answer only when there is one.
        if self.select_ready(space, count, sets, false)? == 0 {
            self.pass(timeout_ns, ANY, Late::Again)?;
        }
        self.select_ready(space, count, sets, true)
    }

    /// How many of the descriptors in the sets are ready; leaves only those there if asked to.
    fn select_ready(
        &mut self,
        space: &mut Space,
        count: u64,
        sets: [u64; 3],
        writes: bool,
    ) -> Result<u64, Failure> {
        // As on Linux, what another thread has closed meanwhile is ready for everything.
        let has_waited = self.thread.waiting.is_some();
        let meant = [POLLIN | POLLHUP | POLLERR, POLLOUT | POLLERR, 0];
        let mut ready = 0;
        for word in 0..count.div_ceil(WORD_BITS) {
            let bits = (count - word * WORD_BITS).min(WORD_BITS);
            for (set, meant) in sets.into_iter().zip(meant) {
                if set == 0 {
                    continue;
                }
                let at = set.checked_add(8 * word).ok_or(EFAULT)?;
                let wanted = self.user(space).u64(at)?;
                let mut seen = 0;
                for bit in (0..bits).filter(|bit| wanted & (1 << bit) != 0) {
                    let is_ready = match self.readiness((word * WORD_BITS + bit) as i32) {
                        Ok(found) => found & meant != 0,
                        Err(_) if has_waited => true,
                        Err(_) => return Err(EBADF.into()),
                    };
                    seen |= u64::from(is_ready) << bit;
                }
                ready += u64::from(seen.count_ones());
                if writes {
                    self.user(space).write(at, &seen.to_le_bytes())?;
                }
            }
        }
        Ok(ready)
    }

    /// The timeout of `poll`: milliseconds, negative for none.
    pub(super) fn poll_timeout(timeout_ms: i32) -> Option<u64> {
        u64::try_from(timeout_ms).ok().map(|timeout_ms| timeout_ms * 1_000_000)
    }

    /// The timeout of `select`: a `struct timeval`, or none.
    pub(super) fn select_timeout(&mut self, space: &mut Space, address: u64) -> Result<Option<u64>, Failure> {
        if address == 0 {
            return Ok(None);
        }
        let timeval: [u8; 16] = self.user(space).structure(address)?;
        let fraction = get_u64(&timeval, 8).checked_mul(1000).ok_or(EINVAL)?;
        Ok(Some(nanoseconds(get_u64(&timeval, 0), fraction)?))
    }

    /// The timeout of `ppoll` and `pselect6`: a `struct timespec`, or none.
    pub(super) fn optional_timespec(
        &mut self,
        space: &mut Space,
        address: u64,
    ) -> Result<Option<u64>, Failure> {
        if address == 0 { Ok(None) } else { self.timespec(space, address).map(Some) }
    }
}
