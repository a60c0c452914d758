// SPDX-License-Identifier: MIT
//! Times that programs want to be told of: of the `setitimer` family, of `timer_create`, and of
//! `timerfd`.
//!
//! An alarm rings once, and not again before that was noticed: a signal of it was taken, or
//! the descriptor was read. What has passed meanwhile is counted then. So nothing rings for
//! ever that nobody hears.

use super::errno::{EAGAIN, Errno};
use crate::object::queue::Key;
use crate::object::table::{Name as _, Table, name};

/// The most alarms at a time.
const MAX_ALARMS: usize = 1024;

name! {
    /// Names an alarm.
    AlarmId
}

impl AlarmId {
    /// Where those wait who read it as a file.
    pub fn key(self) -> Key {
        Key::Event { name: "timerfd", number: self.place() as u64 }
    }
}

/// Which time an alarm counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Monotonic time.
    Monotonic,
    /// Processor time of the process of this number.
    Process(u64),
    /// Processor time of the thread of this number.
    Thread(u64),
}

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Whoever reads the descriptor.
    File,
    /// A process, by this signal: one of its interval timers.
    Interval {
        /// Whose.
        process: u64,
        /// SIGALRM, SIGVTALRM or SIGPROF.
        signal: u32,
    },
    /// A process, or one of its threads, as it has asked for.
    Timer {
        /// Whose.
        process: u64,
        /// Its number among the process's.
        number: i32,
        /// The signal, if it is told at all.
        signal: Option<u32>,
        /// The thread, if that is told alone.
        thread: Option<u64>,
        /// What the program wants to be told with it.
        value: u64,
    },
}

/// A time that is to come, and again and again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// When it rings, in the time that it counts.
    pub due_ns: Option<u64>,
    /// After which time again; 0 is never.
    pub period_ns: u64,
}

/// An alarm.
#[derive(Clone, Copy, Debug)]
struct Alarm {
    /// Who is told.
    listener: Listener,
    /// The clock that it is set to, `CLOCK_...`.
    clock: u32,
    /// Which time it counts.
    base: Base,
    setting: Setting,
    /// It has rung, and that was not noticed yet.
    is_heard: bool,
    /// How often its time has come since it was noticed last.
    passed: u64,
    /// How often it had come more than once when it was noticed last.
    overrun: u64,
    /// How often it has rung.
    rings: u64,
}

impl Alarm {
    /// Counts how often its time has come up to now.
    fn advance(&mut self, now_ns: u64) {
        let Setting { due_ns: Some(due_ns), period_ns } = self.setting else { return };
        if due_ns > now_ns {
            return;
        }
        let more = (now_ns - due_ns).checked_div(period_ns).unwrap_or(0);
        self.passed = self.passed.saturating_add(more + 1);
        let next_ns = (more + 1).checked_mul(period_ns).and_then(|passed_ns| due_ns.checked_add(passed_ns));
        self.setting.due_ns = next_ns.filter(|_| period_ns != 0);
    }
}

/// All alarms.
#[derive(Default)]
pub struct Alarms(Table<AlarmId, Alarm>);

impl Alarms {
    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.count() == 0
    }

    /// Makes an alarm that is not set.
    pub fn add(&mut self, listener: Listener, clock: u32, base: Base) -> Result<AlarmId, Errno> {
        if self.0.count() >= MAX_ALARMS {
            return Err(EAGAIN);
        }
        self.0.reserve()?;
        let setting = Setting::default();
        let alarm = Alarm { listener, clock, base, setting, is_heard: true, passed: 0, overrun: 0, rings: 0 };
        Ok(self.0.insert_reserved(alarm))
    }

    /// The clock that an alarm is set to.
    pub fn clock(&self, id: AlarmId) -> u32 {
        self.0[id].clock
    }

    /// Which time an alarm counts.
    pub fn base(&self, id: AlarmId) -> Base {
        self.0[id].base
    }

    /// How often the time of an alarm had come more than once when that was noticed last.
    pub fn overrun(&self, id: AlarmId) -> u64 {
        self.0[id].overrun
    }

    /// Takes an alarm away.
    pub fn remove(&mut self, id: AlarmId) {
        self.0.remove(id);
    }

    /// Takes all alarms away whose listener `is_meant`.
    pub fn remove_all(&mut self, is_meant: impl Fn(Listener) -> bool) {
        while let Some(id) = self.find(&is_meant) {
            self.0.remove(id);
        }
    }

    /// The first alarm whose listener `is_meant`.
    pub fn find(&self, is_meant: impl Fn(Listener) -> bool) -> Option<AlarmId> {
        self.0.iter().find(|(_, alarm)| is_meant(alarm.listener)).map(|(id, _)| id)
    }

    /// How an alarm is set now: the time that is left, and the period.
    pub fn left(&mut self, id: AlarmId, now_ns: u64) -> (u64, u64) {
        let alarm = &mut self.0[id];
        alarm.advance(now_ns);
        let left_ns = alarm.setting.due_ns.map_or(0, |due_ns| due_ns.saturating_sub(now_ns).max(1));
        (left_ns, alarm.setting.period_ns)
    }

    /// Sets an alarm anew.
    pub fn set(&mut self, id: AlarmId, setting: Setting) {
        let alarm = &mut self.0[id];
        (alarm.setting, alarm.is_heard, alarm.passed, alarm.overrun) = (setting, true, 0, 0);
    }

    /// Takes how often the time of an alarm has come since that was noticed last.
    pub fn notice(&mut self, id: AlarmId, now_ns: u64) -> u64 {
        let alarm = &mut self.0[id];
        alarm.advance(now_ns);
        alarm.is_heard = true;
        alarm.overrun = alarm.passed.saturating_sub(1);
        core::mem::take(&mut alarm.passed)
    }

    /// How often the time of an alarm has come since that was noticed last, as far as was looked at.
    pub fn passed(&self, id: AlarmId) -> u64 {
        self.0[id].passed
    }

    /// How often an alarm has rung.
    pub fn changes(&self, id: AlarmId) -> [u64; 2] {
        [self.0[id].rings, 0]
    }

    /// The next monotonic time when an alarm rings, of those whose listener `hears`; `when` says
    /// when a time will be that an alarm counts, if it passes now.
    pub fn next(
        &self,
        hears: impl Fn(Listener) -> bool,
        when: impl Fn(Base, u64) -> Option<u64>,
    ) -> Option<u64> {
        let ringing = self.0.iter().filter(|(_, alarm)| alarm.is_heard && hears(alarm.listener));
        ringing.filter_map(|(_, alarm)| when(alarm.base, alarm.setting.due_ns?)).min()
    }

    /// Has the next alarm ring whose time has come; of those whose listener does not hear, the
    /// time passes.
    pub fn ring(
        &mut self,
        now: impl Fn(Base) -> u64,
        hears: impl Fn(Listener) -> bool,
    ) -> Option<(AlarmId, Listener)> {
        let mut next = self.0.first();
        while let Some(id) = next {
            next = self.0.behind(id);
            let alarm = &mut self.0[id];
            let now_ns = now(alarm.base);
            if !alarm.is_heard || alarm.setting.due_ns.is_none_or(|due_ns| due_ns > now_ns) {
                continue;
            }
            alarm.advance(now_ns);
            if hears(alarm.listener) {
                alarm.is_heard = false;
                alarm.rings += 1;
                return Some((id, alarm.listener));
            }
            alarm.passed = 0;
        }
        None
    }
}

#[cfg(test)]
impl Alarms {
    /// Fails if the listener of an alarm is not there.
    pub fn audit(&self, is_there: impl Fn(Listener, AlarmId) -> bool) {
        for (id, alarm) in self.0.iter() {
            assert!(is_there(alarm.listener, id), "{:?} is not there", alarm.listener);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARER: Listener = Listener::Interval { process: 1, signal: 14 };

    /// The next time of those that all hear, or none.
    fn next(alarms: &Alarms, hears: bool) -> Option<u64> {
        alarms.next(|_| hears, |_, due_ns| Some(due_ns))
    }

    fn setting(due_ns: u64, period_ns: u64) -> Setting {
        Setting { due_ns: Some(due_ns), period_ns }
    }

    #[test]
    fn an_alarm_rings_once_until_that_is_noticed() {
        let mut alarms = Alarms::default();
        let id = alarms.add(Listener::File, 1, Base::Monotonic).unwrap();
        alarms.set(id, setting(100, 10));
        let hears = |_| true;
        assert_eq!((next(&alarms, true), alarms.ring(|_| 99, hears)), (Some(100), None));
        assert_eq!(alarms.ring(|_| 100, hears), Some((id, Listener::File)));
        assert_eq!((next(&alarms, true), alarms.ring(|_| 500, hears)), (None, None));
        // At 100, 110, 120, 130; and the next time is 140.
        assert_eq!(alarms.notice(id, 135), 4);
        assert_eq!((next(&alarms, true), alarms.left(id, 137)), (Some(140), (3, 10)));
        alarms.set(id, setting(200, 0));
        assert_eq!(alarms.ring(|_| 300, hears), Some((id, Listener::File)));
        assert_eq!((alarms.notice(id, 300), next(&alarms, true), alarms.left(id, 300)), (1, None, (0, 0)));
    }

    #[test]
    fn what_nobody_hears_passes() {
        let mut alarms = Alarms::default();
        let id = alarms.add(HEARER, 1, Base::Monotonic).unwrap();
        alarms.set(id, setting(100, 10));
        assert_eq!((next(&alarms, false), alarms.ring(|_| 115, |_| false)), (None, None));
        assert_eq!(next(&alarms, true), Some(120));
        alarms.set(id, setting(u64::MAX - 1, u64::MAX));
        assert_eq!(alarms.ring(|_| u64::MAX, |_| true), Some((id, HEARER)));
        assert_eq!(alarms.left(id, u64::MAX), (0, u64::MAX));
    }
}
