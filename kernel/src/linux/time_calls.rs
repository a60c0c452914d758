// SPDX-License-Identifier: MIT
//! Clocks, and waiting for them.
//!
//! Time is the machine's own since boot, so it repeats with the run. While all
//! processes wait, nothing runs: their clocks are moved on to where the first one
//! goes on.

use linux_raw_sys::general::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI, CLOCK_THREAD_CPUTIME_ID, RUSAGE_CHILDREN, RUSAGE_SELF,
    RUSAGE_THREAD, TIMER_ABSTIME,
};

use super::Linux;
use super::errno::{EINVAL, Errno, Failure, Reply};
use super::layout::{Layout, get_u64};
use crate::mem::frame;
use crate::mem::space::{PAGE_LEN, Space};

/// Nanoseconds in a second.
pub const NANOSECONDS: u64 = 1_000_000_000;
/// When every machine boots: 2000-01-01T00:00:00Z, in seconds since 1970.
const BOOT_TIME_S: u64 = 946_684_800;
/// Nanoseconds in a tick of `times` (AT_CLKTCK is 100).
const TICK_NS: u64 = NANOSECONDS / 100;

/// The program's clocks.
#[derive(Default)]
pub struct Clock {
    /// Nanoseconds since boot at the current system call.
    pub now_ns: u64,
    /// Nanoseconds that were slept.
    slept_ns: u64,
}

impl Clock {
    /// Monotonic time.
    pub fn monotonic_ns(&self) -> u64 {
        self.now_ns.saturating_add(self.slept_ns)
    }

    /// Nanoseconds since 1970 at boot.
    pub fn boot_time_ns(&self) -> u64 {
        BOOT_TIME_S * NANOSECONDS
    }

    /// Nanoseconds since 1970.
    pub fn realtime_ns(&self) -> u64 {
        self.boot_time_ns().saturating_add(self.monotonic_ns())
    }

    /// Lets time pass.
    pub fn sleep(&mut self, duration_ns: u64) {
        self.slept_ns = self.slept_ns.saturating_add(duration_ns);
    }

    fn read(&self, clock: u32) -> Result<u64, Errno> {
        match clock {
            CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => Ok(self.realtime_ns()),
            CLOCK_MONOTONIC | CLOCK_MONOTONIC_COARSE | CLOCK_MONOTONIC_RAW | CLOCK_BOOTTIME => {
                Ok(self.monotonic_ns())
            }
            CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID => Ok(self.now_ns),
            _ => Err(EINVAL),
        }
    }
}

/// A `struct timespec` in nanoseconds.
pub fn nanoseconds(seconds: u64, fraction: u64) -> Result<u64, Errno> {
    if (seconds as i64) < 0 || fraction >= NANOSECONDS {
        return Err(EINVAL);
    }
    Ok(seconds.saturating_mul(NANOSECONDS).saturating_add(fraction))
}

impl Linux {
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
        let value_ns = self.clock.read(clock)?;
        self.write_timespec(space, address, value_ns)
    }

    /// `clock_getres`.
    pub(super) fn clock_getres(&mut self, space: &mut Space, clock: u32, address: u64) -> Reply {
        self.clock.read(clock)?;
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
        self.pass(Some(duration_ns))?;
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
        let now_ns = self.clock.read(clock)?;
        let wanted_ns = self.timespec(space, request)?;
        let duration_ns = match flags & TIMER_ABSTIME {
            0 => wanted_ns,
            _ => wanted_ns.saturating_sub(now_ns),
        };
        self.pass(Some(duration_ns))?;
        Ok(0)
    }

    /// `times`.
    pub(super) fn times(&mut self, space: &mut Space, address: u64) -> Reply {
        if address != 0 {
            let tms = Layout::<32>::new().u64(0, self.clock.now_ns / TICK_NS);
            self.user(space).write(address, &tms.0)?;
        }
        Ok(self.clock.monotonic_ns() / TICK_NS)
    }

    /// `getrusage`: all time is user time.
    pub(super) fn getrusage(&mut self, space: &mut Space, who: i32, address: u64) -> Reply {
        const THREAD: i32 = RUSAGE_THREAD as i32;
        const OWN: i32 = RUSAGE_SELF as i32;
        let used_ns = match who {
            OWN | THREAD => self.clock.now_ns,
            RUSAGE_CHILDREN => 0,
            _ => return Err(EINVAL.into()),
        };
        let rusage = Layout::<144>::new().u64(0, used_ns / NANOSECONDS).u64(8, used_ns % NANOSECONDS / 1000);
        self.user(space).write(address, &rusage.0)?;
        Ok(0)
    }

    /// `sysinfo`.
    pub(super) fn sysinfo(&mut self, space: &mut Space, address: u64) -> Reply {
        let sysinfo = Layout::<112>::new()
            .u64(0, self.clock.monotonic_ns() / NANOSECONDS)
            .u64(32, self.memory_len)
            .u64(40, frame::free_count().saturating_mul(PAGE_LEN))
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
    fn a_sleep_moves_the_clocks_but_costs_no_processor_time() {
        let mut clock = Clock { now_ns: 5, ..Clock::default() };
        clock.sleep(NANOSECONDS);
        assert_eq!(clock.read(CLOCK_MONOTONIC), Ok(NANOSECONDS + 5));
        assert_eq!(clock.read(CLOCK_REALTIME), Ok((BOOT_TIME_S + 1) * NANOSECONDS + 5));
        assert_eq!(clock.read(CLOCK_PROCESS_CPUTIME_ID), Ok(5));
        assert_eq!(clock.read(99), Err(EINVAL));
        clock.sleep(u64::MAX);
        assert_eq!(clock.read(CLOCK_REALTIME), Ok(u64::MAX));
    }

    #[test]
    fn times_that_are_none_are_refused() {
        assert_eq!(nanoseconds(1, 2), Ok(NANOSECONDS + 2));
        assert_eq!(nanoseconds(u64::MAX, 0), Err(EINVAL));
        assert_eq!(nanoseconds(0, NANOSECONDS), Err(EINVAL));
        assert_eq!(nanoseconds(i64::MAX as u64, 1), Ok(u64::MAX));
    }
}
