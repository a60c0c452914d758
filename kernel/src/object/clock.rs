// SPDX-License-Identifier: MIT
//! Time: nanoseconds for programs, ticks for the machine's counter.

use wire::clock::ClockKind;

/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;
/// A counter whose measured rate is this near to one tick a nanosecond, in parts of a
/// thousand, counts nanoseconds: the measurement at boot is no more exact than that.
const TOLERANCE: u64 = 20;

/// How fast the time stamp counter counts: the one conversion between ticks and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    ticks_a_second: u64,
}

impl Rate {
    /// One tick a nanosecond.
    pub const NANOSECOND: Self = Self { ticks_a_second: SECOND_NS };

    /// A rate of which so many ticks were counted in a time that is known.
    pub fn measured(ticks: u64, duration_ns: u64) -> Self {
        let ticks_a_second =
            u128::from(ticks.max(1)) * u128::from(SECOND_NS) / u128::from(duration_ns.max(1));
        let ticks_a_second = ticks_a_second.clamp(1, u128::from(u64::MAX)) as u64;
        let is_near = ticks_a_second.abs_diff(SECOND_NS) <= SECOND_NS * TOLERANCE / 1000;
        if is_near { Self::NANOSECOND } else { Self { ticks_a_second } }
    }

    /// Ticks in a second.
    pub fn ticks_a_second(self) -> u64 {
        self.ticks_a_second
    }

    /// How long so many ticks last.
    pub fn to_ns(self, ticks: u64) -> u64 {
        Self::scaled(ticks, SECOND_NS, self.ticks_a_second)
    }

    /// How many ticks last that long.
    pub fn to_ticks(self, duration_ns: u64) -> u64 {
        Self::scaled(duration_ns, self.ticks_a_second, SECOND_NS)
    }

    fn scaled(value: u64, up: u64, down: u64) -> u64 {
        if up == down {
            return value;
        }
        u64::try_from(u128::from(value) * u128::from(up) / u128::from(down)).unwrap_or(u64::MAX)
    }
}

/// A point in the time of programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// What has passed by itself since the start, in nanoseconds.
    pub passed_ns: u64,
    /// What was slept beside that.
    pub slept_ns: u64,
}

impl Moment {
    /// Monotonic time: deadlines are given in it, and the time stamp counter shows it.
    pub fn monotonic_ns(self) -> u64 {
        self.passed_ns.saturating_add(self.slept_ns)
    }
}

/// What programs take for the time, by the policy that was chosen.
pub struct Clock {
    kind: ClockKind,
    rate: Rate,
    /// Committed instructions of all programs.
    instructions: u64,
    slept_ns: u64,
    /// How long the processor was halted since nobody could run.
    idle_ticks: u64,
}

impl Clock {
    /// A clock at the start.
    pub fn new(kind: ClockKind, rate: Rate) -> Self {
        Self { kind, rate, instructions: 0, slept_ns: 0, idle_ticks: 0 }
    }

    /// Whether time passes only by what programs do and sleep.
    pub fn is_virtual(&self) -> bool {
        self.kind == ClockKind::User
    }

    /// The conversion between ticks and nanoseconds.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Counts what was committed.
    #[inline]
    pub fn count(&mut self, instructions: u64) {
        self.instructions += instructions;
    }

    /// All that was committed so far.
    #[inline]
    pub fn instructions(&self) -> u64 {
        self.instructions
    }

    /// Now; `ticks` reads the machine's counter, where that is the time.
    #[inline]
    pub fn now(&self, ticks: impl FnOnce() -> u64) -> Moment {
        match self.kind {
            ClockKind::User => Moment { passed_ns: self.instructions, slept_ns: self.slept_ns },
            ClockKind::Machine => {
                let now_ns = self.rate.to_ns(ticks());
                // Idle time has passed, too, but it is nobody's processor time.
                let idle_ns = self.rate.to_ns(self.idle_ticks);
                let slept_ns = self.slept_ns.saturating_add(idle_ns);
                Moment { passed_ns: now_ns.saturating_sub(idle_ns), slept_ns }
            }
        }
    }

    /// Now, in ticks: the machine's own, where these are the time.
    pub fn ticks(&self, ticks: impl FnOnce() -> u64) -> u64 {
        match self.kind {
            ClockKind::User => self.rate.to_ticks(self.now(|| 0).monotonic_ns()),
            ClockKind::Machine => ticks(),
        }
    }

    /// The processor was halted for so many ticks, since nobody could run.
    pub fn note_idle(&mut self, ticks: u64) {
        self.idle_ticks = self.idle_ticks.saturating_add(ticks);
    }

    /// Lets time pass while nothing runs.
    pub fn sleep(&mut self, duration_ns: u64) {
        self.slept_ns = self.slept_ns.saturating_add(duration_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_passes_and_is_nobodys_processor_time() {
        let mut clock = Clock::new(ClockKind::Machine, Rate::measured(3 * SECOND_NS, SECOND_NS));
        clock.note_idle(600);
        let now = clock.now(|| 900);
        assert_eq!(now, Moment { passed_ns: 100, slept_ns: 200 });
        clock.sleep(50);
        assert_eq!(clock.now(|| 900).monotonic_ns(), 350);
    }
}
