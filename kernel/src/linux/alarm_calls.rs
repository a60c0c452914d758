// SPDX-License-Identifier: MIT
//! `alarm`, `setitimer`, `timer_create` and their relatives.

use linux_raw_sys::general::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, ITIMER_REAL, SIGALRM, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID,
    TIMER_ABSTIME,
};

use super::Linux;
use super::alarms::{AlarmId, Listener, Setting};
use super::clock::NANOSECONDS;
use super::errno::{EINVAL, EOPNOTSUPP, Errno, Failure, Reply};
use super::layout::{Layout, get_u32, get_u64};
use super::pipe::wake_pollers;
use super::process::Process;
use super::signal::handlers::Handlers;
use super::signal::{Detail, Disposition, Info};
use super::signal_calls::{BY_KERNEL, BY_TIMER};
use super::time_calls::nanoseconds;
use crate::mem::space::Space;
use crate::object::scheduler::Scheduler;

/// Microseconds have so many nanoseconds.
const MICROSECOND: u64 = 1000;
/// `sizeof(struct sigevent)`, of which the end is for the C library.
const SIGEVENT_LEN: usize = 64;

/// What a clock shows when monotonic time begins; an error if no alarm can be set to it.
pub(super) fn start_of(clock: u32, start_ns: u64) -> Result<u64, Errno> {
    match clock {
        CLOCK_REALTIME | CLOCK_TAI => Ok(start_ns),
        CLOCK_MONOTONIC | CLOCK_BOOTTIME => Ok(0),
        // Nobody counts processor time ahead.
        CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID => Err(EOPNOTSUPP),
        clock if (clock as i32) < 0 => Err(EOPNOTSUPP),
        _ => Err(EINVAL),
    }
}

impl Linux {
    /// Whether somebody is told when an alarm rings.
    fn hears(&self, listener: Listener) -> bool {
        let (process, signal) = match listener {
            Listener::File => return true,
            Listener::Process(process) => (process, SIGALRM),
            Listener::Timer { signal: None, .. } => return false,
            Listener::Timer { process, signal: Some(signal), .. } => (process, signal),
        };
        let ignores = |it: &Process| self.handlers[it.handlers].fate(signal) == Disposition::Ignore;
        self.processes().any(|it| it.id() == process && !ignores(it))
    }

    /// Has the executive tell when the next alarm rings that somebody hears.
    #[cold]
    pub(super) fn set_alarm(&self, scheduler: &mut Scheduler) {
        scheduler.set_alarm(self.alarms.next(|listener| self.hears(listener)));
    }

    /// Has those alarms ring whose time has come.
    pub(super) fn ring_alarms(&mut self, scheduler: &mut Scheduler) {
        let now_ns = self.clock.monotonic_ns();
        let mut alarms = core::mem::take(&mut self.alarms);
        while let Some((id, listener)) = alarms.ring(now_ns, |listener| self.hears(listener)) {
            // There are such signals.
            let _ = match listener {
                Listener::File => {
                    scheduler.wake_all(id.key());
                    wake_pollers(scheduler);
                    Ok(())
                }
                Listener::Process(process) => {
                    let info = Info { signal: SIGALRM, code: BY_KERNEL, detail: Detail::None };
                    self.send(scheduler, process, info)
                }
                Listener::Timer { process, number, signal, thread, value } => {
                    let detail = Detail::Timer { number, overrun: 0, value };
                    let info = Info { signal: signal.unwrap_or(0), code: BY_TIMER, detail };
                    match thread {
                        Some(thread) => self.send_to_thread(scheduler, (process, thread), info),
                        None => self.send(scheduler, process, info),
                    }
                }
            };
        }
        self.alarms = alarms;
    }

    /// The current process has taken a signal: if it was an alarm's, that can ring again.
    pub(super) fn notice_alarm(&mut self, info: &mut Info) {
        let own = self.process.id();
        let now_ns = self.clock.monotonic_ns();
        match &mut info.detail {
            Detail::Timer { number, overrun, .. } => {
                if let Some(id) = self.timer_of(*number) {
                    self.alarms.notice(id, now_ns);
                    *overrun = self.alarms.overrun(id).min(i32::MAX as u64) as u32;
                }
            }
            _ if info.signal == SIGALRM => {
                if let Some(id) = self.alarms.find(|listener| listener == Listener::Process(own)) {
                    self.alarms.notice(id, now_ns);
                }
            }
            _ => {}
        }
    }

    /// The timer of the current process that has this number.
    fn timer_of(&self, wanted: i32) -> Option<AlarmId> {
        let own = self.process.id();
        self.alarms.find(|listener| {
            matches!(listener, Listener::Timer { process, number, .. } if process == own && number == wanted)
        })
    }

    /// A process is gone, or executes another program: what it has set is, too.
    pub(super) fn drop_alarms(&mut self, process: u64, also_real: bool) {
        self.alarms.remove_all(|listener| match listener {
            Listener::File => false,
            Listener::Process(it) => also_real && it == process,
            Listener::Timer { process: it, .. } => it == process,
        });
    }

    /// The real timer of the current process, which is made if `makes`.
    fn real_timer(&mut self, makes: bool) -> Result<Option<AlarmId>, Errno> {
        let own = Listener::Process(self.process.id());
        match self.alarms.find(|listener| listener == own) {
            None if makes => Ok(Some(self.alarms.add(own, CLOCK_MONOTONIC)?)),
            found => Ok(found),
        }
    }

    fn real_left(&mut self, timer: Option<AlarmId>) -> (u64, u64) {
        let now_ns = self.clock.monotonic_ns();
        timer.map_or((0, 0), |id| self.alarms.left(id, now_ns))
    }

    /// Sets the real timer to ring after a time; returns how it was set before.
    fn set_real(&mut self, value_ns: u64, period_ns: u64) -> Result<(u64, u64), Errno> {
        let timer = self.real_timer(value_ns != 0)?;
        let before = self.real_left(timer);
        if let Some(id) = timer {
            let due_ns = self.clock.monotonic_ns().saturating_add(value_ns);
            let due_ns = (value_ns != 0).then_some(due_ns);
            self.alarms.set(id, Setting { due_ns, period_ns });
        }
        Ok(before)
    }

    /// `alarm`.
    pub(super) fn alarm(&mut self, seconds: u32) -> Reply {
        let (left_ns, _) = self.set_real(u64::from(seconds) * NANOSECONDS, 0)?;
        let (seconds, fraction) = (left_ns / NANOSECONDS, left_ns % NANOSECONDS);
        // Rounded as Linux does, and never to nothing.
        let more = fraction >= NANOSECONDS / 2 || seconds == 0 && fraction > 0;
        Ok(seconds + u64::from(more))
    }

    /// `getitimer`.
    pub(super) fn getitimer(&mut self, space: &mut Space, which: u32, current: u64) -> Reply {
        self.check_itimer(which)?;
        let timer = self.real_timer(false)?;
        let left = self.real_left(timer);
        self.write_times(space, current, left, MICROSECOND)
    }

    /// `setitimer`.
    pub(super) fn setitimer(&mut self, space: &mut Space, which: u32, new: u64, old: u64) -> Reply {
        let (mut value_ns, mut period_ns) = (0, 0);
        // As on Linux, null stops it.
        if new != 0 {
            (value_ns, period_ns) = self.read_times(space, new, MICROSECOND)?;
        }
        self.check_itimer(which)?;
        self.user(space).prepare(old, 32)?;
        let before = self.set_real(value_ns, period_ns)?;
        if old == 0 { Ok(0) } else { self.write_times(space, old, before, MICROSECOND) }
    }

    /// Refuses what is no timer, and those of processor time: they are not there.
    fn check_itimer(&mut self, which: u32) -> Result<(), Errno> {
        if which != ITIMER_REAL {
            self.count_unsupported(syscalls::Sysno::setitimer as u32);
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Two times as programs pass them, the period first; `unit` is that of the fractions.
    pub(super) fn read_times(
        &mut self,
        space: &mut Space,
        address: u64,
        unit: u64,
    ) -> Result<(u64, u64), Failure> {
        let bytes: [u8; 32] = self.user(space).structure(address)?;
        let time = |at: usize| {
            let fraction = get_u64(&bytes, at + 8).checked_mul(unit).ok_or(EINVAL)?;
            nanoseconds(get_u64(&bytes, at), fraction)
        };
        Ok((time(16)?, time(0)?))
    }

    /// Writes what is left and the period as programs get them.
    pub(super) fn write_times(
        &mut self,
        space: &mut Space,
        address: u64,
        (left_ns, period_ns): (u64, u64),
        unit: u64,
    ) -> Reply {
        // What is left is never told as nothing.
        let left_ns = if left_ns == 0 { 0 } else { left_ns.max(unit) };
        let mut times = Layout::<32>::new();
        for (at, time_ns) in [(0, period_ns), (16, left_ns)] {
            times = times.u64(at, time_ns / NANOSECONDS).u64(at + 8, time_ns % NANOSECONDS / unit);
        }
        self.user(space).write(address, &times.0)?;
        Ok(0)
    }

    /// When an alarm rings that is set to a value of a clock, in monotonic time.
    pub(super) fn setting(
        &self,
        clock: u32,
        flags: u32,
        (value_ns, period_ns): (u64, u64),
    ) -> Result<Setting, Errno> {
        let start_ns = start_of(clock, self.clock.start_ns())?;
        let due_ns = match flags & TIMER_ABSTIME {
            0 => self.clock.monotonic_ns().saturating_add(value_ns),
            _ => value_ns.saturating_sub(start_ns),
        };
        Ok(Setting { due_ns: (value_ns != 0).then_some(due_ns), period_ns })
    }

    /// `timer_create`.
    pub(super) fn timer_create(&mut self, space: &mut Space, clock: u32, event: u64, id: u64) -> Reply {
        start_of(clock, 0)?;
        let number = self.process.next_timer;
        let process = self.process.id();
        let (mut value, mut signal, mut thread) = (number as u64, Some(SIGALRM), None);
        if event != 0 {
            let event: [u8; SIGEVENT_LEN] = self.user(space).structure(event)?;
            value = get_u64(&event, 0);
            let named = get_u32(&event, 8);
            match get_u32(&event, 12) {
                SIGEV_NONE => signal = None,
                SIGEV_SIGNAL | SIGEV_THREAD => signal = Some(named),
                kind if kind == SIGEV_SIGNAL | SIGEV_THREAD_ID => {
                    let wanted = u64::from(get_u32(&event, 16));
                    let is_meant = |it: &super::thread::Thread| it.id == wanted && it.process == process;
                    if !self.all_threads().any(is_meant) {
                        return Err(EINVAL.into());
                    }
                    (signal, thread) = (Some(named), Some(wanted));
                }
                _ => return Err(EINVAL.into()),
            }
            if signal.is_some_and(|signal| Handlers::index(signal).is_err()) {
                return Err(EINVAL.into());
            }
        }
        let alarm = self.alarms.add(Listener::Timer { process, number, signal, thread, value }, clock)?;
        self.user(space).write(id, &number.to_le_bytes()).inspect_err(|_| self.alarms.remove(alarm))?;
        self.process.next_timer += 1;
        Ok(0)
    }

    /// The timer that a program names.
    fn timer(&self, number: u64) -> Result<AlarmId, Errno> {
        self.timer_of(number as i32).ok_or(EINVAL)
    }

    /// `timer_settime`.
    pub(super) fn timer_settime(
        &mut self,
        space: &mut Space,
        number: u64,
        flags: u32,
        new: u64,
        old: u64,
    ) -> Reply {
        if new == 0 {
            return Err(EINVAL.into());
        }
        let times = self.read_times(space, new, 1)?;
        let id = self.timer(number)?;
        let setting = self.setting(self.alarms.clock(id), flags, times)?;
        self.user(space).prepare(old, 32)?;
        let before = self.alarms.left(id, self.clock.monotonic_ns());
        self.alarms.set(id, setting);
        if old == 0 { Ok(0) } else { self.write_times(space, old, before, 1) }
    }

    /// `timer_gettime`.
    pub(super) fn timer_gettime(&mut self, space: &mut Space, number: u64, current: u64) -> Reply {
        let id = self.timer(number)?;
        let left = self.alarms.left(id, self.clock.monotonic_ns());
        self.write_times(space, current, left, 1)
    }

    /// `timer_getoverrun`.
    pub(super) fn timer_getoverrun(&self, number: u64) -> Reply {
        let id = self.timer(number)?;
        Ok(self.alarms.overrun(id).min(i32::MAX as u64))
    }

    /// `timer_delete`.
    pub(super) fn timer_delete(&mut self, number: u64) -> Reply {
        let id = self.timer(number)?;
        self.alarms.remove(id);
        Ok(0)
    }
}
