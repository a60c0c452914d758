// SPDX-License-Identifier: MIT
//! One run that is wanted: a program with its arguments, under a policy, on a processor, with a
//! counter.

use std::fmt;

use pe_replay::{Mode, Policy};
use wire::Name;
use wire::counter::{CounterChoice, CounterFaults, CounterKind, Lateness};
use wire::isolation::Isolate;

use crate::emulator::Processor;

/// The program whose processes take turns.
pub const LOOPS: &str = "bench-loops";

/// The program whose calls look at more and more.
pub const SCALING: &str = "bench-scaling";

/// A run that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The program's name.
    pub program: &'static str,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How PEs are run.
    pub policy: Policy,
    /// What it runs on.
    pub processor: Processor,
    /// What keeps the instruction limit.
    pub counter: CounterChoice,
    /// What that does wrong.
    pub faults: CounterFaults,
    /// When the kernel is taken out of the user's page tables.
    pub isolate: Isolate,
}

impl Case {
    /// A run on the usual processor.
    pub fn new(program: &'static str, arguments: &[&str], policy: Policy) -> Self {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        let (counter, faults) = (CounterChoice::VirtualTime, CounterFaults::default());
        let (processor, isolate) = (Processor::Usual, Isolate::Auto);
        Self { program, arguments, policy, processor, counter, faults, isolate }
    }

    /// The case without replay and under the default limit, which every ratio is over.
    pub fn baseline(&self) -> Self {
        let policy = Policy { mode: Mode::Off, ..Policy::DEFAULT };
        Self { policy, ..self.counted(CounterChoice::VirtualTime, CounterFaults::default()) }
    }

    /// The case with another counter.
    pub fn counted(&self, counter: CounterChoice, faults: CounterFaults) -> Self {
        Self { counter, faults, ..self.clone() }
    }

    /// Whether the counter's interrupts are late, so that runs may have to be repeated.
    pub fn is_late(&self) -> bool {
        self.faults.skid != Lateness::None
    }

    /// Whether its processes take turns that end with PEs, so that these decide how much is
    /// executed.
    pub fn takes_turns(&self) -> bool {
        self.program == LOOPS
    }

    /// The counter that has to have counted.
    pub fn counter_kind(&self) -> CounterKind {
        match self.counter {
            CounterChoice::Detect | CounterChoice::VirtualTime => CounterKind::VirtualTime,
            CounterChoice::IntelEmulated => CounterKind::IntelEmulated,
            CounterChoice::AmdEmulated => CounterKind::AmdEmulated,
            CounterChoice::Stepping => CounterKind::Stepping,
        }
    }
}

/// A lateness in the words of the command line.
pub fn named(skid: Lateness) -> String {
    match skid {
        Lateness::None => "none".into(),
        Lateness::Fixed(skid) => format!("fixed:{skid}"),
        Lateness::Random(most) => format!("random:{most}"),
        Lateness::LongTail(most) => format!("long-tail:{most}"),
    }
}

/// As a command; of what a counter does wrong, what a bench asks for.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, arguments, policy, processor, counter, faults, isolate } = self;
        f.write_str(program)?;
        arguments.iter().try_for_each(|word| write!(f, " {word}"))?;
        write!(f, " --mode {}", policy.mode.name())?;
        let usual = Policy::DEFAULT;
        if policy.recovery != usual.recovery {
            write!(f, " --recovery {}", policy.recovery.name())?;
        }
        if policy.comparison != usual.comparison {
            write!(f, " --compare {}", policy.comparison.name())?;
        }
        if policy.flush != usual.flush {
            write!(f, " --flush {}", policy.flush.name())?;
        }
        if policy.limit != usual.limit {
            write!(f, " --limit {}", policy.limit)?;
        }
        if *counter != CounterChoice::VirtualTime {
            write!(f, " --counter {}", self.counter_kind().name())?;
        }
        if *faults != CounterFaults::default() {
            let CounterFaults { skid, stale, seed, .. } = *faults;
            write!(f, " --counter-faults skid={}", named(skid))?;
            for (name, value) in [("stale", stale.into()), ("seed", seed)] {
                if value != 0 {
                    write!(f, ",{name}={value}")?;
                }
            }
        }
        f.write_str(match isolate {
            Isolate::Auto => "",
            Isolate::Always => " --isolate always",
            Isolate::Never => " --isolate never",
        })?;
        match processor {
            Processor::Usual => Ok(()),
            Processor::Sse2 => f.write_str(" without AVX2"),
        }
    }
}

#[cfg(test)]
mod tests {
    use pe_replay::Flush;

    use super::*;

    #[test]
    fn a_case_reads_like_the_command_for_it() {
        let policy = Policy { flush: Flush::Lines, limit: 1000, ..Policy::DEFAULT };
        let case = Case::new("bench-pages", &["8", "100"], policy);
        assert_eq!(case.to_string(), "bench-pages 8 100 --mode dual --flush clflush --limit 1000");
        assert_eq!(case.baseline().to_string(), "bench-pages 8 100 --mode off");
    }
    #[test]
    fn a_counter_and_its_faults_are_part_of_the_command() {
        let faults =
            CounterFaults { skid: Lateness::Random(100), stale: 100, seed: 5, ..CounterFaults::default() };
        let usual = Case::new("showcase", &[], Policy::DEFAULT);
        let case = usual.counted(CounterChoice::AmdEmulated, faults);
        let command =
            "showcase --mode dual --counter amd-emulated --counter-faults skid=random:100,stale=100,seed=5";
        assert_eq!(case.to_string(), command);
        assert_eq!(case.baseline(), usual.baseline());
        assert!(case.is_late() && !usual.is_late());
    }
}
