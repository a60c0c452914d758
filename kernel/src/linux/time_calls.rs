// SPDX-License-Identifier: MIT
//! The calls that read clocks, and those that wait for them.
//!
//! While all processes wait, nothing runs: their clocks are moved on to where the first
//! one goes on.

use linux_raw_sys::general::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI, CLOCK_THREAD_CPUTIME_ID, RUSAGE_CHILDREN, RUSAGE_SELF,
    RUSAGE_THREAD, TIMER_ABSTIME,
};
use syscalls::Sysno;

use super::Linux;
use super::alarms::Base;
use super::clock::NANOSECONDS;
use super::errno::{EINTR, EINVAL, EOPNOTSUPP, Errno, Failure, Reply};
use super::layout::{Layout, get_u64};
use super::process::Process;
use super::thread::{Late, Thread};
use crate::mem::space::Space;
use crate::object::queue::Key;

/// Of a clock number that is negative: what it counts (`CPUCLOCK_MAX` and above is no
/// processor time), and whether it is a thread's (include/linux/posix-timers.h).
const CPU_CLOCK_KIND: i32 = 3;
const CPU_CLOCK_THREAD: i32 = 4;

/// Where those stand who wait for a time and nothing else.
const SLEEP: Key = Key::Event { name: "a time", number: 0 };
/// Nanoseconds in a tick of `times` (AT_CLKTCK is 100).
pub const TICK_NS: u64 = NANOSECONDS / 100;

/// A `struct timespec` in nanoseconds.
pub fn nanoseconds(seconds: u64, fraction: u64) -> Result<u64, Errno> {
    if (seconds as i64) < 0 || fraction >= NANOSECONDS {
        return Err(EINVAL);
    }
    Ok(seconds.saturating_mul(NANOSECONDS).saturating_add(fraction))
}

/// `sizeof(struct rusage)`.
pub const RUSAGE_LEN: u64 = 144;

/// A `struct rusage` of this much user time.
pub fn rusage(used_ns: u64) -> [u8; RUSAGE_LEN as usize] {
    Layout::new().u64(0, used_ns / NANOSECONDS).u64(8, used_ns % NANOSECONDS / 1000).0
}

impl Linux {
    /// Processor time of the current process.
    fn own_cpu_ns(&self) -> u64 {
        self.cpu_ns_of(&self.process)
    }

    /// Processor time of a process.
    pub(super) fn cpu_ns_of(&self, process: &Process) -> u64 {
        let is_current = process.id() == self.process.id();
        process.cpu.own_ns.saturating_add(if is_current { self.clock.turn_ns() } else { 0 })
    }

    /// Processor time of a thread.
    pub(super) fn cpu_ns_of_thread(&self, thread: &Thread) -> u64 {
        let is_current = thread.id == self.thread.id;
        thread.cpu_ns.saturating_add(if is_current { self.clock.turn_ns() } else { 0 })
    }

    /// Reads a clock by its number.
    fn clock_ns(&self, clock: u32) -> Result<u64, Errno> {
        match clock {
            CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => Ok(self.clock.realtime_ns()),
            CLOCK_MONOTONIC | CLOCK_MONOTONIC_COARSE | CLOCK_MONOTONIC_RAW | CLOCK_BOOTTIME => {
                Ok(self.clock.monotonic_ns())
            }
            CLOCK_PROCESS_CPUTIME_ID => Ok(self.own_cpu_ns()),
            CLOCK_THREAD_CPUTIME_ID => Ok(self.own_thread_ns()),
            clock => self.cpu_clock_ns(clock as i32),
        }
    }

    /// Processor time of the current thread.
    fn own_thread_ns(&self) -> u64 {
        self.cpu_ns_of_thread(&self.thread)
    }

    /// Reads the clock of a process or thread, whose number is negative.
    fn cpu_clock_ns(&self, clock: i32) -> Result<u64, Errno> {
        self.cpu_base(clock).map(|base| self.time_of(base))
    }

    /// Of which process or thread a clock counts the time, whose number is negative.
    pub(super) fn cpu_base(&self, clock: i32) -> Result<Base, Errno> {
        if clock >= 0 || clock & CPU_CLOCK_KIND == CPU_CLOCK_KIND {
            return Err(EINVAL);
        }
        let id = u64::from(!(clock >> 3) as u32);
        match (clock & CPU_CLOCK_THREAD != 0, id) {
            (true, 0) => Ok(Base::Thread(self.thread.id)),
            (false, 0) => Ok(Base::Process(self.process.id())),
            (true, id) => {
                // Another process's threads cannot be asked.
                let mut own = self.all_threads().filter(|thread| thread.process == self.process.id());
                own.find(|thread| thread.id == id).map(|_| Base::Thread(id)).ok_or(EINVAL)
            }
            (false, id) => {
                self.processes().find(|process| process.id() == id).map(|_| Base::Process(id)).ok_or(EINVAL)
            }
        }
    }

    /// Reads a `struct timespec`.
    pub(super) fn timespec(&mut self, space: &mut Space, address: u64) -> Result<u64, Failure> {
        let timespec: [u8; 16] = self.user(space).structure(address)?;
        Ok(nanoseconds(get_u64(&timespec, 0), get_u64(&timespec, 8))?)
    }

    fn write_timespec(&mut self, space: &mut Space, address: u64, value_ns: u64) -> Reply {
        let timespec = Layout::<16>::new().u64(0, value_ns / NANOSECONDS).u64(8, value_ns % NANOSECONDS);
        self.user(space).write(address, &timespec.0)?;
        Ok(0)
    }

    /// `clock_gettime`.
    pub(super) fn clock_gettime(&mut self, space: &mut Space, clock: u32, address: u64) -> Reply {
        let value_ns = self.clock_ns(clock)?;
        self.write_timespec(space, address, value_ns)
    }

    /// `clock_getres`.
    pub(super) fn clock_getres(&mut self, space: &mut Space, clock: u32, address: u64) -> Reply {
        self.clock_ns(clock)?;
        if address == 0 {
            return Ok(0);
        }
        self.write_timespec(space, address, 1)
    }

    /// `gettimeofday`.
    pub(super) fn gettimeofday(&mut self, space: &mut Space, address: u64, zone: u64) -> Reply {
        let now_ns = self.clock.realtime_ns();
        let mut user = self.user(space);
        if address != 0 {
            let timeval =
                Layout::<16>::new().u64(0, now_ns / NANOSECONDS).u64(8, now_ns % NANOSECONDS / 1000);
            user.write(address, &timeval.0)?;
        }
        if zone != 0 {
            user.write(zone, &[0; 8])?;
        }
        Ok(0)
    }

    /// `time`.
    pub(super) fn time(&mut self, space: &mut Space, address: u64) -> Reply {
        let seconds = self.clock.realtime_ns() / NANOSECONDS;
        if address != 0 {
            self.user(space).write(address, &seconds.to_le_bytes())?;
        }
        Ok(seconds)
    }

    /// `nanosleep`.
    pub(super) fn nanosleep(&mut self, space: &mut Space, request: u64) -> Reply {
        let duration_ns = self.timespec(space, request)?;
        self.pass(Some(duration_ns), SLEEP, Late::Value(0))?;
        Ok(0)
    }

    /// `clock_nanosleep`.
    pub(super) fn clock_nanosleep(
        &mut self,
        space: &mut Space,
        clock: u32,
        flags: u32,
        request: u64,
    ) -> Reply {
        let now_ns = self.clock_ns(clock)?;
        match clock {
            CLOCK_THREAD_CPUTIME_ID => return Err(EINVAL.into()),
            // Whoever sleeps has no processor time, and others of its process are not waited for.
            clock if clock == CLOCK_PROCESS_CPUTIME_ID || (clock as i32) < 0 => {
                self.count_unsupported(Sysno::clock_nanosleep as u32);
                return Err(EOPNOTSUPP.into());
            }
            _ => {}
        }
        let wanted_ns = self.timespec(space, request)?;
        let duration_ns = match flags & TIMER_ABSTIME {
            0 => wanted_ns,
            _ => wanted_ns.saturating_sub(now_ns),
        };
        self.pass(Some(duration_ns), SLEEP, Late::Value(0))?;
        Ok(0)
    }

    /// What a sleep comes to that a signal cuts short: whoever gave a duration is told what is left.
    pub(super) fn cut_sleep(&mut self, space: &mut Space, call: Option<Sysno>, arguments: [u64; 6]) -> Reply {
        let [_, second, _, fourth, ..] = arguments;
        let left = match call {
            Some(Sysno::nanosleep) => second,
            Some(Sysno::clock_nanosleep) if second as u32 & TIMER_ABSTIME == 0 => fourth,
            _ => 0,
        };
        let deadline_ns = self.thread.waiting.and_then(|waiting| waiting.deadline_ns);
        if let Some(deadline_ns) = deadline_ns.filter(|_| left != 0) {
            self.write_timespec(space, left, deadline_ns.saturating_sub(self.clock.monotonic_ns()))?;
        }
        Err(EINTR.into())
    }

    /// `times`.
    pub(super) fn times(&mut self, space: &mut Space, address: u64) -> Reply {
        if address != 0 {
            let (own_ns, children_ns) = (self.own_cpu_ns(), self.process.cpu.children_ns);
            let tms = Layout::<32>::new().u64(0, own_ns / TICK_NS).u64(16, children_ns / TICK_NS);
            self.user(space).write(address, &tms.0)?;
        }
        Ok(self.clock.monotonic_ns() / TICK_NS)
    }

    /// `getrusage`: all time is user time.
    pub(super) fn getrusage(&mut self, space: &mut Space, who: i32, address: u64) -> Reply {
        const THREAD: i32 = RUSAGE_THREAD as i32;
        const OWN: i32 = RUSAGE_SELF as i32;
        let used_ns = match who {
            OWN => self.own_cpu_ns(),
            THREAD => self.own_thread_ns(),
            RUSAGE_CHILDREN => self.process.cpu.children_ns,
            _ => return Err(EINVAL.into()),
        };
        self.user(space).write(address, &rusage(used_ns))?;
        Ok(0)
    }

    /// `sysinfo`: what is free is what a program is promised, not what is left of it.
    pub(super) fn sysinfo(&mut self, space: &mut Space, address: u64) -> Reply {
        let sysinfo = Layout::<112>::new()
            .u64(0, self.clock.monotonic_ns() / NANOSECONDS)
            .u64(32, self.memory_len)
            .u64(40, self.promised_len())
            .u16(80, 1)
            .u32(104, 1);
        self.user(space).write(address, &sysinfo.0)?;
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_none_are_refused() {
        assert_eq!(nanoseconds(1, 2), Ok(NANOSECONDS + 2));
        assert_eq!(nanoseconds(u64::MAX, 0), Err(EINVAL));
        assert_eq!(nanoseconds(0, NANOSECONDS), Err(EINVAL));
        assert_eq!(nanoseconds(i64::MAX as u64, 1), Ok(u64::MAX));
    }
}
