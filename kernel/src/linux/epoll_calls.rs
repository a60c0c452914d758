// SPDX-License-Identifier: MIT
//! System calls on `epoll`.

use alloc::vec::Vec;

use linux_raw_sys::general::{
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLEXCLUSIVE, EPOLLONESHOT, O_ACCMODE,
    O_CLOEXEC, O_RDWR, POLLIN, POLLRDNORM,
};

use super::Linux;
use super::descriptor::{Description, Object};
use super::epoll::{Entry, Epoll, EpollId, Seen};
use super::errno::{EFAULT, EINVAL, ELOOP, ENFILE, EPERM, Errno, Failure, Reply};
use super::fs::{Device, Node};
use super::layout::{Layout, get_u32, get_u64};
use super::pipe::ANY;
use super::thread::Late;
use crate::mem::fallible;
use crate::mem::space::Space;

/// In how many others an `epoll` may be, one in the other (Linux's `EP_MAX_NESTS`).
const MAX_NESTS: usize = 4;
/// The most `epoll`s at a time.
const MAX_EPOLLS: usize = 1024;
/// `sizeof(struct epoll_event)`, which has no gap on x86-64.
const EVENT_LEN: usize = 12;
/// The most events of one call (Linux's `EP_MAX_EVENTS`).
const MAX_EVENTS: i32 = i32::MAX / EVENT_LEN as i32;

impl Linux {
    /// `epoll_create` (the size is a hint that was once) and `epoll_create1`.
    pub(super) fn epoll_create(&mut self, size: i32, flags: u32) -> Reply {
        const _: () = assert!(EPOLL_CLOEXEC == O_CLOEXEC);
        if size <= 0 || flags & !EPOLL_CLOEXEC != 0 {
            return Err(EINVAL.into());
        }
        if self.epolls.count() >= MAX_EPOLLS {
            return Err(ENFILE.into());
        }
        self.epolls.reserve()?;
        let files = &mut self.files[self.process.files];
        let vacancy = files.vacancy()?;
        let object = Object::Epoll(self.epolls.insert_reserved(Epoll::default()));
        let description = Description { object, offset: 0, flags: O_RDWR };
        Ok(files.fill(vacancy, description, flags & EPOLL_CLOEXEC != 0) as u64)
    }

    /// The `epoll` behind a descriptor.
    fn epoll_of(&self, fd: i32) -> Result<EpollId, Errno> {
        match self.files[self.process.files].get(fd)?.object {
            Object::Epoll(id) => Ok(id),
            _ => Err(EINVAL),
        }
    }

    /// `epoll_ctl`.
    pub(super) fn epoll_ctl(
        &mut self,
        space: &mut Space,
        epoll: i32,
        operation: u32,
        fd: i32,
        event: u64,
    ) -> Reply {
        let event = match operation {
            EPOLL_CTL_DEL => [0; EVENT_LEN],
            _ => self.user(space).structure(event)?,
        };
        let (events, data) = (get_u32(&event, 0), get_u64(&event, 4));
        let files = &self.files[self.process.files];
        let description = files.get(fd)?;
        let identity = files.identity(fd)?;
        files.get(epoll)?;
        if !self.is_pollable(&description)? {
            return Err(EPERM.into());
        }
        let id = self.epoll_of(epoll)?;
        let is_exclusive = events & EPOLLEXCLUSIVE != 0;
        if let Object::Epoll(other) = description.object {
            if other == id || is_exclusive {
                return Err(EINVAL.into());
            }
            if operation == EPOLL_CTL_ADD && self.nests_too_deep(id, other)? {
                return Err(ELOOP.into());
            }
        }
        if is_exclusive && (operation == EPOLL_CTL_MOD || events & EPOLLONESHOT != 0) {
            return Err(EINVAL.into());
        }
        let mode = description.flags & O_ACCMODE;
        let entry = Entry::new((fd, identity), (description.object, mode), (events, data));
        match operation {
            EPOLL_CTL_ADD => self.epolls[id].add(entry)?,
            EPOLL_CTL_MOD => self.epolls[id].change(entry)?,
            EPOLL_CTL_DEL => self.epolls[id].remove(fd, identity)?,
            _ => return Err(EINVAL.into()),
        }
        Ok(0)
    }

    /// Whether anything ever happens to what a description leads to: files are always ready.
    fn is_pollable(&self, description: &Description) -> Result<bool, Errno> {
        Ok(match description.object {
            Object::Text(_) => false,
            Object::Inode(id) if id.entry().is_some() => false,
            Object::Inode(id) => matches!(self.fs.inode(id)?.node, Node::Device(Device::Random)),
            Object::Output(_)
            | Object::Pipe(..)
            | Object::Event(_)
            | Object::Timer(_)
            | Object::Epoll(_)
            | Object::Socket(_) => true,
        })
    }

    /// `epoll_wait`, `epoll_pwait`, `epoll_pwait2`, with the timeout in nanoseconds.
    pub(super) fn epoll_wait(
        &mut self,
        space: &mut Space,
        epoll: i32,
        list: u64,
        most: i32,
        timeout_ns: Option<u64>,
    ) -> Reply {
        if !(1..=MAX_EVENTS).contains(&most) {
            return Err(EINVAL.into());
        }
        let Object::Epoll(id) = self.description_of_call(epoll)?.object else { return Err(EINVAL.into()) };
        let told = self.tell(space, id, list, most as usize)?;
        if told == 0
            && let Err(wait) = self.pass(timeout_ns, ANY, Late::Again)
        {
            self.keep_description(epoll)?;
            return Err(wait);
        }
        Ok(told)
    }

    /// Tells the program of entries that are ready; returns of how many.
    fn tell(&mut self, space: &mut Space, id: EpollId, list: u64, most: usize) -> Result<u64, Failure> {
        let (mut told, mut looked_at) = (0, 0);
        self.begin_look();
        while looked_at < self.epolls[id].count() && told < most {
            let entry = self.epolls[id].nth(looked_at);
            let (ready, changes) = self.state_of(entry.object, entry.mode)?;
            let news = self.epolls[id].news(looked_at, ready, changes);
            if news != 0 {
                let event = Layout::<EVENT_LEN>::new().u32(0, news).u64(4, entry.data);
                let at = list.checked_add((EVENT_LEN * told) as u64).ok_or(EFAULT)?;
                match self.user(space).write(at, &event.0) {
                    Err(Failure::Errno(_)) if told > 0 => break,
                    written => written?,
                }
                self.epolls[id].tell(looked_at, changes);
                told += 1;
            }
            looked_at += 1;
        }
        self.epolls[id].turn(looked_at);
        Ok(told as u64)
    }

    /// Whether there were a circle, or too many in a row, if one `epoll` looked at another one.
    fn nests_too_deep(&self, outer: EpollId, inner: EpollId) -> Result<bool, Errno> {
        let inside = |level: &[EpollId]| {
            let mut further = Vec::new();
            for id in level {
                for object in self.epolls[*id].objects() {
                    if let Object::Epoll(id) = object {
                        fallible::push(&mut further, id)?;
                    }
                }
            }
            Ok(further)
        };
        let around = |level: &[EpollId]| {
            let mut further = Vec::new();
            for (id, epoll) in self.epolls.iter() {
                let looks = |object| matches!(object, Object::Epoll(id) if level.binary_search(&id).is_ok());
                if epoll.objects().any(looks) {
                    fallible::push(&mut further, id)?;
                }
            }
            Ok(further)
        };
        let (below, above) = (Self::depth(inner, outer, inside)?, Self::depth(outer, inner, around)?);
        Ok(below.zip(above).is_none_or(|(below, above)| below + 1 + above > MAX_NESTS))
    }

    /// How far one comes from an `epoll` by steps to others; `None` if that leads to one to avoid, or
    /// too far.
    fn depth(
        from: EpollId,
        avoided: EpollId,
        step: impl Fn(&[EpollId]) -> Result<Vec<EpollId>, Errno>,
    ) -> Result<Option<usize>, Errno> {
        let mut level = Vec::new();
        fallible::push(&mut level, from)?;
        for depth in 0..=MAX_NESTS {
            let mut further = step(&level)?;
            further.sort_unstable();
            further.dedup();
            if further.binary_search(&avoided).is_ok() {
                return Ok(None);
            }
            if further.is_empty() {
                return Ok(Some(depth));
            }
            level = further;
        }
        Ok(None)
    }

    /// Begins to look anew: what was seen before may have changed.
    fn begin_look(&self) {
        self.looks.set(self.looks.get() + 1);
    }

    /// Whether anything is to be told of what an `epoll` looks at.
    pub(super) fn has_news(&self, id: EpollId) -> bool {
        self.begin_look();
        self.look_at(id).has_news
    }

    /// Looks at all that an `epoll` looks at, once in each look, however many lead to it.
    fn look_at(&self, id: EpollId) -> Seen {
        let (epoll, look) = (&self.epolls[id], self.looks.get());
        if let Some(seen) = epoll.seen_in(look) {
            return seen;
        }
        let mut seen = Seen { look, ..Seen::default() };
        for nth in 0..epoll.count() {
            let entry = epoll.nth(nth);
            if let Ok((ready, changes)) = self.state_of(entry.object, entry.mode) {
                seen.has_news |= epoll.news(nth, ready, changes) != 0;
                seen.changes = changes.iter().fold(seen.changes, |sum, more| sum.wrapping_add(*more));
            }
        }
        epoll.note(seen);
        seen
    }

    /// What `poll` reports of an object, and how often something has happened to it.
    fn state_of(&self, object: Object, mode: u32) -> Result<(u32, [u64; 2]), Errno> {
        let changes = match object {
            Object::Epoll(id) => {
                let Seen { has_news, changes, .. } = self.look_at(id);
                return Ok((if has_news { POLLIN | POLLRDNORM } else { 0 }, [changes, 0]));
            }
            Object::Pipe(id, _) => self.pipes.get(id)?.changes(),
            Object::Event(id) => self.events[id].changes(),
            Object::Timer(id) => self.alarms.changes(id),
            Object::Socket(id) => self.socket_changes(id)?,
            Object::Inode(_) | Object::Output(_) | Object::Text(_) => [0; 2],
        };
        let changes = match object {
            // Each end has its own.
            Object::Pipe(_, super::pipe::End::Read) => [changes[0], 0],
            Object::Pipe(_, super::pipe::End::Write) => [0, changes[1]],
            _ => changes,
        };
        Ok((self.readiness_of(&Description { object, offset: 0, flags: mode })?, changes))
    }
}
