// SPDX-License-Identifier: MIT
//! Linux's counters for one process and its children, through perfcnt.
//!
//! Each is opened disabled, switched on by the next exec, inherited by children, and counts
//! user mode only. Each is one event of its own: perfcnt does not show the descriptor that
//! would make a group of them, so each has to show that it ran all the time.
//! Where the processor's counters are not offered, the software events still are: both go
//! the same way through here.

use perfcnt::PerfCounter;
use perfcnt::linux::{FileReadFormat, HardwareEventType, PerfCounterBuilderLinux, SoftwareEventType};

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

    fn open(self, process: u32) -> Result<PerfCounter, Refused> {
        let process = i32::try_from(process).map_err(|error| Refused::Failed(error.to_string()))?;
        let hardware = PerfCounterBuilderLinux::from_hardware_event;
        let software = PerfCounterBuilderLinux::from_software_event;
        let mut builder = match self {
            Self::Instructions => hardware(HardwareEventType::Instructions),
            Self::Cycles => hardware(HardwareEventType::CPUCycles),
            Self::PageFaults => software(SoftwareEventType::PageFaults),
            Self::CpuTime => software(SoftwareEventType::TaskClock),
        };
        builder.for_pid(process).on_all_cpus().disable().enable_on_exec().inherit();
        builder.exclude_kernel().exclude_hv();
        // perfcnt reads exactly these, in this order.
        builder.enable_read_format_time_enabled().enable_read_format_time_running().enable_read_format_id();
        builder.finish().map_err(|error| Refused::of(&error))
    }
}

/// Counters that are open.
pub struct Counters([Result<PerfCounter, Refused>; Event::ALL.len()]);

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
            let seen = counter?.read_fd().map_err(|error| Refused::of(&error))?;
            judged(&seen)
        }))
    }
}

/// A count that can be believed, or why it cannot.
fn judged(seen: &FileReadFormat) -> Result<u64, Refused> {
    let FileReadFormat { value, time_enabled, time_running, .. } = *seen;
    if time_running < time_enabled {
        return Err(Refused::Partly(time_running.saturating_mul(100) / time_enabled));
    }
    // Every program executes an instruction, and faults on the page that it is in.
    if value == 0 { Err(Refused::Silent) } else { Ok(value) }
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
        let seen = |value, time_enabled, time_running| {
            judged(&FileReadFormat { value, time_enabled, time_running, id: 1 })
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
