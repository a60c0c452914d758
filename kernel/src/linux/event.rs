// SPDX-License-Identifier: MIT
//! `eventfd`: a count that is added to and taken away.

use linux_raw_sys::general::{
    EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, O_CLOEXEC, O_NONBLOCK, O_RDWR, POLLERR, POLLIN, POLLOUT,
};

use super::Linux;
use super::buffers::Buffers;
use super::descriptor::{Description, Object};
use super::errno::{EAGAIN, EINVAL, ENFILE, Failure, Reply};
use super::pipe::wake_pollers;
use super::user::User;
use super::view::View;
use crate::object::queue::Key;
use crate::object::table::{Name as _, Table, name};

/// The most counts at a time.
const MAX_EVENTS: usize = 4096;
/// The highest count.
const MAX_COUNT: u64 = u64::MAX - 1;
/// Length of a count.
const LEN: usize = 8;

name! {
    /// Names a count.
    EventId
}

impl EventId {
    /// Where those wait who need something to happen to it.
    fn key(self) -> Key {
        Key::Event { name: "eventfd", number: self.place() as u64 }
    }
}

/// A count.
pub struct Event {
    count: u64,
    /// A read takes one away, not all.
    is_semaphore: bool,
    /// How often it was added to, and how often taken from.
    changes: [u64; 2],
}

/// All counts.
pub type Events = Table<EventId, Event>;

impl Event {
    /// What `poll` reports.
    pub fn readiness(&self) -> u32 {
        let input = if self.count > 0 { POLLIN } else { 0 };
        let output = if self.count < MAX_COUNT { POLLOUT } else { 0 };
        let full = if self.count > MAX_COUNT { POLLERR } else { 0 };
        input | output | full
    }

    /// How often something has happened that readers wait for, and that writers wait for.
    pub fn changes(&self) -> [u64; 2] {
        self.changes
    }
}

impl Linux {
    /// `eventfd` and `eventfd2`.
    pub(super) fn eventfd(&mut self, count: u32, flags: u32) -> Reply {
        const _: () = assert!(EFD_CLOEXEC == O_CLOEXEC && EFD_NONBLOCK == O_NONBLOCK);
        if flags & !(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE) != 0 {
            return Err(EINVAL.into());
        }
        if self.events.count() >= MAX_EVENTS {
            return Err(ENFILE.into());
        }
        self.events.reserve()?;
        let files = &mut self.files[self.process.files];
        let vacancy = files.vacancy()?;
        let event = Event { count: count.into(), is_semaphore: flags & EFD_SEMAPHORE != 0, changes: [0; 2] };
        let object = Object::Event(self.events.insert_reserved(event));
        let description = Description { object, offset: 0, flags: O_RDWR | flags & O_NONBLOCK };
        Ok(files.fill(vacancy, description, flags & EFD_CLOEXEC != 0) as u64)
    }

    /// Takes the count, or one of it; waits if there is nothing.
    pub(super) fn read_event(
        &mut self,
        view: &mut View,
        id: EventId,
        nonblocking: bool,
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        if buffers.left() < LEN as u64 {
            return Err(EINVAL.into());
        }
        let event = &mut self.events[id];
        let taken = match (event.count, event.is_semaphore) {
            (0, _) if nonblocking => return Err(EAGAIN.into()),
            (0, _) => return Err(Failure::Wait(id.key())),
            (_, true) => 1,
            (count, false) => count,
        };
        let mut user = User::new(view.space, &mut self.memories[self.process.memory]);
        let written = buffers.whole(LEN, |buffers| buffers.scatter(&mut user, &taken.to_le_bytes()));
        // As on Linux, what the program cannot take is gone.
        if let Err(failure @ (Failure::End(_) | Failure::Wait(_))) = written {
            return Err(failure);
        }
        event.count -= taken;
        event.changes[1] += 1;
        view.scheduler.wake_all(id.key());
        wake_pollers(view.scheduler);
        written
    }

    /// Adds to the count; waits until there is room.
    pub(super) fn write_event(
        &mut self,
        view: &mut View,
        id: EventId,
        nonblocking: bool,
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        if buffers.left() < LEN as u64 {
            return Err(EINVAL.into());
        }
        let before = buffers.place();
        let mut bytes = [0; LEN];
        let mut user = User::new(view.space, &mut self.memories[self.process.memory]);
        buffers.whole(LEN, |buffers| buffers.gather(&mut user, &mut bytes))?;
        let added = u64::from_le_bytes(bytes);
        let event = &mut self.events[id];
        if added > MAX_COUNT || added > MAX_COUNT - event.count {
            buffers.go_back(before, 0)?;
            return Err(match added > MAX_COUNT {
                true => EINVAL.into(),
                false if nonblocking => EAGAIN.into(),
                false => Failure::Wait(id.key()),
            });
        }
        event.count += added;
        event.changes[0] += 1;
        view.scheduler.wake_all(id.key());
        wake_pollers(view.scheduler);
        Ok(())
    }
}
