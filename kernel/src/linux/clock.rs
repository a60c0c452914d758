// SPDX-License-Identifier: MIT
//! What programs take for the time.
//!
//! The caller says what [`Moment`] it is; all clocks that a program can read are made from
//! that here, so they agree.

use wire::clock;

use crate::object::clock::Moment;

/// Nanoseconds in a second.
pub const NANOSECONDS: u64 = 1_000_000_000;

/// All clocks of a run.
pub struct Clock {
    /// Now, as the caller said last.
    now: Moment,
    /// Nanoseconds since 1970 at the start.
    start_ns: u64,
    /// What had passed by itself when the current process got the processor.
    turn_ns: u64,
}

impl Clock {
    /// A clock that stands at the start.
    pub fn new(clock: clock::Clock) -> Self {
        Self { now: Moment::default(), start_ns: clock.date_s.saturating_mul(NANOSECONDS), turn_ns: 0 }
    }

    /// Monotonic time; the time stamp counter shows it, too.
    pub fn monotonic_ns(&self) -> u64 {
        self.now.monotonic_ns()
    }

    /// Nanoseconds since 1970 at the start.
    pub fn start_ns(&self) -> u64 {
        self.start_ns
    }

    /// Nanoseconds since 1970.
    pub fn realtime_ns(&self) -> u64 {
        self.start_ns.saturating_add(self.monotonic_ns())
    }

    /// How long anybody has had the processor, and how long nobody has.
    pub fn passed_and_slept_ns(&self) -> (u64, u64) {
        (self.now.passed_ns, self.now.slept_ns)
    }

    /// Says what time it is.
    pub fn set(&mut self, now: Moment) {
        self.now = now;
    }

    /// How long the current process has had the processor.
    pub fn turn_ns(&self) -> u64 {
        self.now.passed_ns.saturating_sub(self.turn_ns)
    }

    /// Another process gets the processor; returns how long the one before has had it.
    pub fn end_turn(&mut self) -> u64 {
        let turn_ns = self.turn_ns();
        self.turn_ns = self.now.passed_ns;
        turn_ns
    }
}

/// Processor time of a process, all of it user time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// The process's own, in nanoseconds, its present turn apart.
    pub own_ns: u64,
    /// That of the children that it has waited for, and of theirs.
    pub children_ns: u64,
}

impl CpuTime {
    /// Both together: what a parent hears of.
    pub fn total_ns(self) -> u64 {
        self.own_ns.saturating_add(self.children_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_moves_the_clocks_but_costs_no_processor_time() {
        let mut clock = Clock::new(clock::Clock { date_s: 100, ..clock::Clock::default() });
        clock.set(Moment { passed_ns: 5, slept_ns: NANOSECONDS });
        assert_eq!(clock.monotonic_ns(), NANOSECONDS + 5);
        assert_eq!(clock.realtime_ns(), 101 * NANOSECONDS + 5);
        assert_eq!(clock.turn_ns(), 5);
        clock.set(Moment { passed_ns: 5, slept_ns: u64::MAX });
        assert_eq!(clock.realtime_ns(), u64::MAX);
    }

    #[test]
    fn turns_add_up_to_the_time() {
        let mut clock = Clock::new(clock::Clock::default());
        clock.set(Moment { passed_ns: 7, slept_ns: 0 });
        let first = clock.end_turn();
        clock.set(Moment { passed_ns: 20, slept_ns: 1000 });
        assert_eq!((first, clock.end_turn(), clock.turn_ns()), (7, 13, 0));
    }
}
