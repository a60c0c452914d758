// SPDX-License-Identifier: MIT
//! Linux's counters for one process and its children.
//!
//! Each is opened disabled, switched on by the next exec, inherited by children, and counts
//! user mode only. Each is one event of its own: Linux reads no group of events that children
//! inherit, so each has to show that it ran all the time.
//! Where the processor's counters are not offered, the software events still are: both go
//! the same way through here.

use std::time::Duration;

use perf_event::events::{Hardware, Software};
use perf_event::{Builder, Counter};

use super::refused::Refused;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Instructions in user mode.
    Instructions,
    /// Processor cycles in user mode.
    Cycles,
    /// Page faults in user mode.
    PageFaults,
    /// Nanoseconds on a processor; Linux takes no part of them out, so these are of both modes.
    CpuTime,
}

impl Event {
    /// All of them, in the order of [`Counts`].
    pub const ALL: [Self; 4] = [Self::Instructions, Self::Cycles, Self::PageFaults, Self::CpuTime];

    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Cycles => "cycles",
            Self::PageFaults => "page faults",
            Self::CpuTime => "CPU time",
        }
    }

    /// Its name in JSON.
    pub fn key(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Cycles => "cycles",
            Self::PageFaults => "page_faults",
            Self::CpuTime => "cpu_time_ns",
        }
    }

    /// Opens a counter, which is of user mode and disabled as all new ones are.
    fn open(self, process: u32) -> Result<Counter, Refused> {
        let process = i32::try_from(process).map_err(|error| Refused::Failed(error.to_string()))?;
        let mut builder = match self {
            Self::Instructions => Builder::new(Hardware::INSTRUCTIONS),
            Self::Cycles => Builder::new(Hardware::CPU_CYCLES),
            Self::PageFaults => Builder::new(Software::PAGE_FAULTS),
            Self::CpuTime => Builder::new(Software::TASK_CLOCK),
        };
        builder.observe_pid(process).any_cpu().enable_on_exec(true).inherit(true);
        builder.build().map_err(|error| Refused::of(&error))
    }
}

/// Counters that are open.
pub struct Counters([Result<Counter, Refused>; Event::ALL.len()]);

impl Counters {
    /// Opens what can be opened; nothing is counted before the process executes a program.
    pub fn open(process: u32) -> Self {
        Self(Event::ALL.map(|event| event.open(process)))
    }

    /// No counters.
    pub fn none() -> Self {
        Self(Event::ALL.map(|_| Err(Refused::NotAsked)))
    }

    /// What was counted until now, children that have ended included.
    pub fn read(self) -> Counts {
        Counts(self.0.map(|counter| {
            let seen = counter?.read_full().map_err(|error| Refused::of(&error))?;
            let [enabled, running] =
                [seen.time_enabled(), seen.time_running()].map(Option::unwrap_or_default);
            judged(seen.count(), enabled, running)
        }))
    }
}

/// A count that can be believed, or why it cannot: the counter was enabled for so long, and ran for so long.
fn judged(count: u64, enabled: Duration, running: Duration) -> Result<u64, Refused> {
    if running < enabled {
        return Err(Refused::Partly((running.as_nanos() * 100 / enabled.as_nanos()) as u64));
    }
    // Every program executes an instruction, and faults on the page that it is in.
    if count == 0 { Err(Refused::Silent) } else { Ok(count) }
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts([Result<u64, Refused>; Event::ALL.len()]);

impl Counts {
    /// The count of an event, or why there is none.
    pub fn get(&self, event: Event) -> Result<u64, &Refused> {
        let at = Event::ALL.iter().position(|each| *each == event);
        at.and_then(|at| self.0.get(at)).map_or(Err(&Refused::NotAsked), |count| count.as_ref().copied())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Counts as if read: instructions and cycles, page faults and CPU time.
    pub fn counts(processor: Result<(u64, u64), Refused>) -> Counts {
        let (instructions, cycles) = match processor {
            Ok((instructions, cycles)) => (Ok(instructions), Ok(cycles)),
            Err(refused) => (Err(refused.clone()), Err(refused)),
        };
        Counts([instructions, cycles, Ok(30), Ok(1_500_000)])
    }

    #[test]
    fn a_count_is_believed_only_if_it_ran_all_the_time_and_moved() {
        let seen = |count, enabled, running| {
            judged(count, Duration::from_nanos(enabled), Duration::from_nanos(running))
        };
        assert_eq!(seen(7, 100, 100), Ok(7));
        assert_eq!(seen(7, 100, 40), Err(Refused::Partly(40)));
        assert_eq!(seen(0, 100, 0), Err(Refused::Partly(0)));
        assert_eq!(seen(0, 100, 100), Err(Refused::Silent));
    }

    #[test]
    fn counts_are_found_by_their_event() {
        let counts = counts(Ok((10, 4)));
        assert_eq!(Event::ALL.map(|event| counts.get(event).unwrap()), [10, 4, 30, 1_500_000]);
    }

    #[test]
    fn a_process_that_is_not_there_is_not_counted() {
        for count in Counters::open(u32::MAX >> 1).read().0 {
            assert!(count.is_err());
        }
    }
}
