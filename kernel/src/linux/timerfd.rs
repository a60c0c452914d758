// SPDX-License-Identifier: MIT
//! `timerfd`: alarms that are read as files.

use linux_raw_sys::general::{
    O_CLOEXEC, O_NONBLOCK, O_RDWR, POLLIN, TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME,
    TFD_TIMER_CANCEL_ON_SET,
};

use super::Linux;
use super::alarm_calls::start_of;
use super::alarms::{AlarmId, Base, Listener};
use super::buffers::Buffers;
use super::descriptor::{Description, Object};
use super::errno::{EAGAIN, EINVAL, Errno, Failure, Reply};
use super::user::User;
use super::view::View;
use crate::mem::space::Space;

/// Length of what is read.
const LEN: usize = 8;

impl Linux {
    /// `timerfd_create`.
    pub(super) fn timerfd_create(&mut self, clock: u32, flags: u32) -> Reply {
        const _: () = assert!(TFD_CLOEXEC == O_CLOEXEC && TFD_NONBLOCK == O_NONBLOCK);
        if flags & !(TFD_CLOEXEC | TFD_NONBLOCK) != 0 {
            return Err(EINVAL.into());
        }
        start_of(clock, 0).map_err(|_| EINVAL)?;
        let files = &mut self.files[self.process.files];
        let vacancy = files.vacancy()?;
        let object = Object::Timer(self.alarms.add(Listener::File, clock, Base::Monotonic)?);
        let description = Description { object, offset: 0, flags: O_RDWR | flags & O_NONBLOCK };
        Ok(files.fill(vacancy, description, flags & TFD_CLOEXEC != 0) as u64)
    }

    /// The alarm behind a descriptor.
    fn timer_at(&self, fd: i32) -> Result<AlarmId, Errno> {
        match self.files[self.process.files].get(fd)?.object {
            Object::Timer(id) => Ok(id),
            _ => Err(EINVAL),
        }
    }

    /// `timerfd_settime`; nobody ever sets the clock, so that nothing is ever cancelled for that.
    pub(super) fn timerfd_settime(
        &mut self,
        space: &mut Space,
        fd: i32,
        flags: u32,
        new: u64,
        old: u64,
    ) -> Reply {
        let times = self.read_times(space, new, 1)?;
        if flags & !(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) != 0 {
            return Err(EINVAL.into());
        }
        let id = self.timer_at(fd)?;
        let setting = self.setting(id, flags & TFD_TIMER_ABSTIME, times)?;
        self.user(space).prepare(old, 32)?;
        let before = self.alarms.left(id, self.clock.monotonic_ns());
        self.alarms.set(id, setting);
        if old == 0 { Ok(0) } else { self.write_times(space, old, before, 1) }
    }

    /// `timerfd_gettime`.
    pub(super) fn timerfd_gettime(&mut self, space: &mut Space, fd: i32, current: u64) -> Reply {
        let id = self.timer_at(fd)?;
        let left = self.alarms.left(id, self.clock.monotonic_ns());
        self.write_times(space, current, left, 1)
    }

    /// Reads how often the time has come since the last read; waits if it has not.
    pub(super) fn read_timer(
        &mut self,
        view: &mut View,
        id: AlarmId,
        nonblocking: bool,
        buffers: &mut Buffers,
    ) -> Result<(), Failure> {
        if buffers.left() < LEN as u64 {
            return Err(EINVAL.into());
        }
        let now_ns = self.clock.monotonic_ns();
        self.alarms.left(id, now_ns);
        if self.alarms.passed(id) == 0 {
            return if nonblocking { Err(EAGAIN.into()) } else { Err(Failure::Wait(id.key())) };
        }
        let passed = self.alarms.passed(id);
        let mut user = User::new(view.space, &mut self.memories[self.process.memory]);
        let written = buffers.whole(LEN, |buffers| buffers.scatter(&mut user, &passed.to_le_bytes()));
        // As on Linux, what the program cannot take is gone.
        if let Err(failure @ (Failure::End(_) | Failure::Wait(_))) = written {
            return Err(failure);
        }
        self.alarms.notice(id, now_ns);
        written
    }

    /// What `poll` reports of an alarm.
    pub(super) fn timer_readiness(&self, id: AlarmId) -> u32 {
        if self.alarms.passed(id) > 0 { POLLIN } else { 0 }
    }
}
