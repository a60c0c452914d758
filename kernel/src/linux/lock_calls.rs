// SPDX-License-Identifier: MIT
//! System calls that lock files: `flock`, and the record locks of `fcntl`.

use linux_raw_sys::general::{
    F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_RDLCK, F_SETLKW, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_NB,
    LOCK_SH, LOCK_UN, O_PATH, SEEK_CUR, SEEK_END, SEEK_SET,
};

use super::Linux;
use super::content::MAX_LEN;
use super::descriptor::{Closed, Description, Object};
use super::errno::{EAGAIN, EBADF, EDEADLK, EINVAL, EOVERFLOW, Errno, Failure, Reply};
use super::layout::{Layout, get_u32, get_u64};
use super::locks::{Lock, Mode, Owner};
use super::pipe::End;
use super::process::MAX_PROCESSES;
use super::view::View;
use crate::object::queue::Key;
use crate::object::scheduler::Scheduler;

/// The first offset that no file has.
const END: u64 = MAX_LEN + 1;
/// Where those wait who want a lock that others have.
const LOCKS: Key = Key::Event { name: "file lock", number: 0 };
/// Length of a `struct flock`.
const FLOCK_LEN: usize = 32;

/// The file behind an object: both ends of a pipe are one.
pub(super) fn file(object: Object) -> Object {
    match object {
        Object::Pipe(id, _) => Object::Pipe(id, End::Read),
        Object::Inode(_)
        | Object::Output(_)
        | Object::Event(_)
        | Object::Timer(_)
        | Object::Epoll(_)
        | Object::Text(_)
        | Object::Socket(_) => object,
    }
}

/// The part of a file that a length at an offset means (Linux's `flock64_to_posix_lock`).
fn part(base: u64, start: i64, length: i64) -> Result<(u64, u64), Errno> {
    let start = (base as i64).checked_add(start).ok_or(EOVERFLOW)?;
    if start < 0 {
        return Err(EINVAL);
    }
    let (start, end) = match length {
        0 => (start as u64, END),
        1.. => (start as u64, start as u64 + length as u64),
        _ => {
            let first = start.checked_add(length).filter(|first| *first >= 0).ok_or(EINVAL)?;
            (first as u64, start as u64)
        }
    };
    if end > END { Err(EOVERFLOW) } else { Ok((start, end)) }
}

impl Linux {
    /// `flock`.
    pub(super) fn flock(&mut self, scheduler: &mut Scheduler, fd: i32, operation: u32) -> Reply {
        let description = self.description_of_call(fd)?;
        let mode = match operation & !LOCK_NB {
            LOCK_SH => Some(Mode::Shared),
            LOCK_EX => Some(Mode::Exclusive),
            LOCK_UN => None,
            _ => return Err(EINVAL.into()),
        };
        if description.flags & O_PATH != 0 {
            return Err(EBADF.into());
        }
        let file = file(description.object);
        let owner = Owner::Whole(self.identity_of_call(fd)?);
        let before = self.locks.mode_of(file, owner);
        if before == mode {
            return Ok(0);
        }
        // As on Linux, to change a lock is to give it up first.
        if before.is_some() {
            self.locks.set(file, owner, 0..u64::MAX, None)?;
            scheduler.wake_all(LOCKS);
        }
        let Some(mode) = mode else { return Ok(0) };
        let wanted = Lock { file, owner, mode, start: 0, end: u64::MAX };
        if self.locks.conflicts(wanted).next().is_some() {
            if operation & LOCK_NB != 0 {
                return Err(EAGAIN.into());
            }
            self.keep_description(fd)?;
            return Err(Failure::Wait(LOCKS));
        }
        self.locks.set(file, owner, 0..u64::MAX, Some(mode))?;
        Ok(0)
    }

    /// The commands of `fcntl` on record locks.
    pub(super) fn record_lock(&mut self, view: &mut View, fd: i32, command: u32, address: u64) -> Reply {
        let description = self.description_of_call(fd)?;
        if description.flags & O_PATH != 0 {
            return Err(EBADF.into());
        }
        let flock: [u8; FLOCK_LEN] = self.user(view.space).structure(address)?;
        let word = |at| u32::from(u16::from_le_bytes([flock[at], flock[at + 1]]));
        let (kind, whence) = (word(0), word(2));
        let asks = matches!(command, F_GETLK | F_OFD_GETLK);
        let is_description = matches!(command, F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW);
        let mode = match kind {
            F_RDLCK => Some(Mode::Shared),
            F_WRLCK => Some(Mode::Exclusive),
            F_UNLCK if command != F_GETLK => None,
            _ => return Err(EINVAL.into()),
        };
        let base = match whence {
            SEEK_SET => 0,
            SEEK_CUR => description.offset,
            SEEK_END => self.length_of(&description),
            _ => return Err(EINVAL.into()),
        };
        let (start, end) = part(base, get_u64(&flock, 8) as i64, get_u64(&flock, 16) as i64)?;
        if is_description && get_u32(&flock, 24) != 0 {
            return Err(EINVAL.into());
        }
        let owner = match is_description {
            true => Owner::Description(self.identity_of_call(fd)?),
            false => Owner::Files(self.process.files),
        };
        let file = file(description.object);
        let wanted = mode.map(|mode| Lock { file, owner, mode, start, end });
        if asks {
            let found = wanted.and_then(|wanted| self.locks.conflicts(wanted).next());
            let told = found.map_or(Layout(flock).u16(0, F_UNLCK as u16), |found| self.told(found));
            self.user(view.space).write(address, &told.0)?;
            return Ok(0);
        }
        match mode {
            Some(Mode::Shared) => description.check_readable()?,
            Some(Mode::Exclusive) => description.check_writable()?,
            None => {}
        }
        let waits = matches!(command, F_SETLKW | F_OFD_SETLKW);
        self.thread.wanted = None;
        if let Some(wanted) = wanted
            && self.locks.conflicts(wanted).next().is_some()
        {
            if !waits {
                return Err(EAGAIN.into());
            }
            if self.closes_circle(wanted) {
                return Err(EDEADLK.into());
            }
            self.keep_description(fd)?;
            self.thread.wanted = Some(wanted);
            return Err(Failure::Wait(LOCKS));
        }
        let is_closed = || self.files[self.process.files].identity(fd) != self.identity_of_call(fd);
        if mode.is_some() && !is_description && is_closed() {
            // Another thread has closed the descriptor while this one waited, which gave up
            // all locks of the process on the file.
            return Err(EBADF.into());
        }
        self.locks.set(file, owner, start..end, mode)?;
        view.scheduler.wake_all(LOCKS);
        Ok(0)
    }

    /// A lock as a `struct flock`.
    fn told(&self, lock: Lock) -> Layout<FLOCK_LEN> {
        let kind = match lock.mode {
            Mode::Shared => F_RDLCK,
            Mode::Exclusive => F_WRLCK,
        };
        let length = if lock.end >= END { 0 } else { lock.end - lock.start };
        let owner = match lock.owner {
            Owner::Files(files) => {
                let holders = self.processes().filter(|process| process.files == files);
                holders.map(|process| process.id() as u32).min().unwrap_or(u32::MAX)
            }
            Owner::Description(_) | Owner::Whole(_) => u32::MAX,
        };
        Layout::new()
            .u16(0, kind as u16)
            .u16(2, SEEK_SET as u16)
            .u64(8, lock.start)
            .u64(16, length)
            .u32(24, owner)
    }

    fn length_of(&self, description: &Description) -> u64 {
        match description.object {
            Object::Inode(id) => self.fs.content(id).map_or(0, |content| content.length()),
            Object::Pipe(..)
            | Object::Output(_)
            | Object::Event(_)
            | Object::Timer(_)
            | Object::Epoll(_)
            | Object::Text(_)
            | Object::Socket(_) => 0,
        }
    }

    /// Whether somebody who has to give way to this lock waits, over however many others,
    /// for what its owner has: then all would wait for ever. Open descriptions do not wait.
    fn closes_circle(&self, wanted: Lock) -> bool {
        let Owner::Files(own) = wanted.owner else { return false };
        // Those that are waited for; each is looked at once.
        let mut reached = [own; MAX_PROCESSES];
        let mut count = 1;
        let mut looked_at = 0;
        while looked_at < count {
            let owner = Owner::Files(reached[looked_at]);
            let waiting = self.all_threads().filter(|thread| thread.waiting.is_some());
            let locks = waiting.filter_map(|thread| thread.wanted).filter(|lock| lock.owner == owner);
            let begins = (looked_at == 0).then_some(wanted);
            for conflict in begins.into_iter().chain(locks).flat_map(|lock| self.locks.conflicts(lock)) {
                match conflict.owner {
                    Owner::Files(files) if files == own => return true,
                    Owner::Files(files) if count < MAX_PROCESSES && !reached[..count].contains(&files) => {
                        reached[count] = files;
                        count += 1;
                    }
                    Owner::Files(_) | Owner::Description(_) | Owner::Whole(_) => {}
                }
            }
            looked_at += 1;
        }
        false
    }

    /// A descriptor of the current process has been closed: with any of a file, all of the
    /// process's record locks on it go; with the last of a description, those of that.
    pub(super) fn after_close(&mut self, scheduler: &mut Scheduler, closed: Closed) {
        if !self.locks.is_empty() {
            let own = Owner::Files(self.process.files);
            let of = file(closed.object);
            let gone = self.locks.release(|file, owner| match owner {
                Owner::Files(_) => closed.is_open && owner == own && file == of,
                Owner::Description(it) | Owner::Whole(it) => it == closed.identity && closed.last.is_some(),
            });
            if gone {
                scheduler.wake_all(LOCKS);
            }
        }
        if closed.last.is_some() && self.epolls.count() > 0 {
            for epoll in self.epolls.iter_mut() {
                epoll.forget(closed.identity);
            }
        }
        self.drop_description(scheduler, closed.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_what_linux_makes_of_them() {
        assert_eq!(part(0, 100, 50), Ok((100, 150)));
        assert_eq!(part(10, -10, 0), Ok((0, END)));
        assert_eq!(part(0, 5, -5), Ok((0, 5)));
        assert_eq!(part(0, 5, -6), Err(EINVAL));
        assert_eq!(part(0, -1, 1), Err(EINVAL));
        assert_eq!(part(0, i64::MAX, 1), Ok((MAX_LEN, END)));
        assert_eq!(part(0, i64::MAX, 2), Err(EOVERFLOW));
        assert_eq!(part(1, i64::MAX, 1), Err(EOVERFLOW));
    }
}
