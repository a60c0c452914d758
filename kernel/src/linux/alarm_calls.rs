// SPDX-License-Identifier: MIT
//! `alarm`, `setitimer`, `timer_create` and their relatives.

use linux_raw_sys::general::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME, CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID, ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, SIGALRM, SIGEV_NONE, SIGEV_SIGNAL,
    SIGEV_THREAD, SIGEV_THREAD_ID, SIGPROF, SIGVTALRM, TIMER_ABSTIME,
};

use super::Linux;
use super::alarms::{AlarmId, Base, Listener, Setting};
use super::clock::NANOSECONDS;
use super::errno::{EINVAL, Errno, Failure, Reply};
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

/// What a clock shows when monotonic time begins; an error if it does not count that.
pub(super) fn start_of(clock: u32, start_ns: u64) -> Result<u64, Errno> {
    match clock {
        CLOCK_REALTIME | CLOCK_TAI => Ok(start_ns),
        CLOCK_MONOTONIC | CLOCK_BOOTTIME => Ok(0),
        _ => Err(EINVAL),
    }
}

impl Linux {
    /// Whether somebody is told when an alarm rings.
    fn hears(&self, listener: Listener) -> bool {
        let (process, signal) = match listener {
            Listener::File => return true,
            Listener::Interval { process, signal } => (process, signal),
            Listener::Timer { signal: None, .. } => return false,
            Listener::Timer { process, signal: Some(signal), .. } => (process, signal),
        };
        let ignores = |it: &Process| self.handlers[it.handlers].fate(signal) == Disposition::Ignore;
        self.processes().any(|it| it.id() == process && !ignores(it))
    }

    /// Has the executive tell when the next alarm rings that somebody hears.
    #[cold]
    pub(super) fn set_alarm(&self, scheduler: &mut Scheduler) {
        let when = |base, due_ns| self.when(base, due_ns);
        scheduler.set_alarm(self.alarms.next(|listener| self.hears(listener), when));
    }

    /// When a time will be that an alarm counts, in monotonic time. Processor time passes as that
    /// does for whoever runs, and for nobody else: who runs next has the alarm set anew.
    fn when(&self, base: Base, due_ns: u64) -> Option<u64> {
        let passes = match base {
            Base::Monotonic => return Some(due_ns),
            Base::Process(process) => process == self.process.id(),
            Base::Thread(thread) => thread == self.thread.id,
        };
        let is_running = self.thread.waiting.is_none() && !self.process.is_stopped;
        let left_ns = due_ns.saturating_sub(self.time_of(base));
        (passes && is_running).then(|| self.clock.monotonic_ns().saturating_add(left_ns))
    }

    /// What time it is, of that which an alarm counts. The processor time of who has ended has stopped.
    pub(super) fn time_of(&self, base: Base) -> u64 {
        match base {
            Base::Monotonic => self.clock.monotonic_ns(),
            Base::Process(id) => {
                let process = self.processes().find(|process| process.id() == id);
                process.map_or(0, |process| self.cpu_ns_of(process))
            }
            Base::Thread(id) => {
                let thread = self.all_threads().find(|thread| thread.id == id);
                thread.map_or(0, |thread| self.cpu_ns_of_thread(thread))
            }
        }
    }

    /// What time it is by the clock that an alarm is set to.
    pub(super) fn time_for(&self, id: AlarmId) -> u64 {
        self.time_of(self.alarms.base(id))
    }

    /// Which time is counted for alarms of a clock.
    fn base_of(&self, clock: u32) -> Result<Base, Errno> {
        match clock {
            CLOCK_PROCESS_CPUTIME_ID => Ok(Base::Process(self.process.id())),
            CLOCK_THREAD_CPUTIME_ID => Ok(Base::Thread(self.thread.id)),
            clock if (clock as i32) < 0 => self.cpu_base(clock as i32),
            clock => start_of(clock, 0).map(|_| Base::Monotonic),
        }
    }

    /// Has those alarms ring whose time has come.
    pub(super) fn ring_alarms(&mut self, scheduler: &mut Scheduler) {
        let mut alarms = core::mem::take(&mut self.alarms);
        let time_of = |linux: &Self, base| linux.time_of(base);
        while let Some((id, listener)) =
            alarms.ring(|base| time_of(self, base), |listener| self.hears(listener))
        {
            // There are such signals.
            let _ = match listener {
                Listener::File => {
                    scheduler.wake_all(id.key());
                    wake_pollers(scheduler);
                    Ok(())
                }
                Listener::Interval { process, signal } => {
                    let info = Info { signal, code: BY_KERNEL, detail: Detail::None };
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
        let interval = Listener::Interval { process: own, signal: info.signal };
        match &mut info.detail {
            Detail::Timer { number, overrun, .. } => {
                if let Some(id) = self.timer_of(*number) {
                    self.alarms.notice(id, self.time_for(id));
                    *overrun = self.alarms.overrun(id).min(i32::MAX as u64) as u32;
                }
            }
            _ => {
                if let Some(id) = self.alarms.find(|listener| listener == interval) {
                    self.alarms.notice(id, self.time_for(id));
                }
            }
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
    pub(super) fn drop_alarms(&mut self, process: u64, also_intervals: bool) {
        self.alarms.remove_all(|listener| match listener {
            Listener::File => false,
            Listener::Interval { process: it, .. } => also_intervals && it == process,
            Listener::Timer { process: it, .. } => it == process,
        });
    }

    /// An interval timer of the current process, which is made if `makes`. All processor time is
    /// user time, so that two of the three count the same.
    fn interval(&mut self, which: u32, makes: bool) -> Result<Option<AlarmId>, Errno> {
        let process = self.process.id();
        let (signal, clock, base) = match which {
            ITIMER_REAL => (SIGALRM, CLOCK_MONOTONIC, Base::Monotonic),
            ITIMER_VIRTUAL => (SIGVTALRM, CLOCK_PROCESS_CPUTIME_ID, Base::Process(process)),
            ITIMER_PROF => (SIGPROF, CLOCK_PROCESS_CPUTIME_ID, Base::Process(process)),
            _ => return Err(EINVAL),
        };
        let own = Listener::Interval { process, signal };
        match self.alarms.find(|listener| listener == own) {
            None if makes => Ok(Some(self.alarms.add(own, clock, base)?)),
            found => Ok(found),
        }
    }

    fn interval_left(&mut self, timer: Option<AlarmId>) -> (u64, u64) {
        timer.map_or((0, 0), |id| self.alarms.left(id, self.time_for(id)))
    }

    /// Sets an interval timer to ring after a time; returns how it was set before.
    fn set_interval(&mut self, which: u32, value_ns: u64, period_ns: u64) -> Result<(u64, u64), Errno> {
        let timer = self.interval(which, value_ns != 0)?;
        let before = self.interval_left(timer);
        if let Some(id) = timer {
            let due_ns = self.time_for(id).saturating_add(value_ns);
            let due_ns = (value_ns != 0).then_some(due_ns);
            self.alarms.set(id, Setting { due_ns, period_ns });
        }
        Ok(before)
    }

    /// `alarm`.
    pub(super) fn alarm(&mut self, seconds: u32) -> Reply {
        let (left_ns, _) = self.set_interval(ITIMER_REAL, u64::from(seconds) * NANOSECONDS, 0)?;
        let (seconds, fraction) = (left_ns / NANOSECONDS, left_ns % NANOSECONDS);
        // Rounded as Linux does, and never to nothing.
        let more = fraction >= NANOSECONDS / 2 || seconds == 0 && fraction > 0;
        Ok(seconds + u64::from(more))
    }

    /// `getitimer`.
    pub(super) fn getitimer(&mut self, space: &mut Space, which: u32, current: u64) -> Reply {
        let timer = self.interval(which, false)?;
        let left = self.interval_left(timer);
        self.write_times(space, current, left, MICROSECOND)
    }

    /// `setitimer`.
    pub(super) fn setitimer(&mut self, space: &mut Space, which: u32, new: u64, old: u64) -> Reply {
        let (mut value_ns, mut period_ns) = (0, 0);
        // As on Linux, null stops it.
        if new != 0 {
            (value_ns, period_ns) = self.read_times(space, new, MICROSECOND)?;
        }
        self.interval(which, false)?;
        self.user(space).prepare(old, 32)?;
        let before = self.set_interval(which, value_ns, period_ns)?;
        if old == 0 { Ok(0) } else { self.write_times(space, old, before, MICROSECOND) }
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

    /// When an alarm rings that is set to a value of its clock.
    pub(super) fn setting(
        &self,
        id: AlarmId,
        flags: u32,
        (value_ns, period_ns): (u64, u64),
    ) -> Result<Setting, Errno> {
        let start_ns = match self.alarms.base(id) {
            Base::Monotonic => start_of(self.alarms.clock(id), self.clock.start_ns())?,
            Base::Process(_) | Base::Thread(_) => 0,
        };
        let due_ns = match flags & TIMER_ABSTIME {
            0 => self.time_for(id).saturating_add(value_ns),
            _ => value_ns.saturating_sub(start_ns),
        };
        Ok(Setting { due_ns: (value_ns != 0).then_some(due_ns), period_ns })
    }

    /// `timer_create`.
    pub(super) fn timer_create(&mut self, space: &mut Space, clock: u32, event: u64, id: u64) -> Reply {
        let base = self.base_of(clock)?;
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
        let listener = Listener::Timer { process, number, signal, thread, value };
        let alarm = self.alarms.add(listener, clock, base)?;
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
        let setting = self.setting(id, flags, times)?;
        self.user(space).prepare(old, 32)?;
        let before = self.alarms.left(id, self.time_for(id));
        self.alarms.set(id, setting);
        if old == 0 { Ok(0) } else { self.write_times(space, old, before, 1) }
    }

    /// `timer_gettime`.
    pub(super) fn timer_gettime(&mut self, space: &mut Space, number: u64, current: u64) -> Reply {
        let id = self.timer(number)?;
        let left = self.alarms.left(id, self.time_for(id));
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
