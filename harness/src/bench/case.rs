// SPDX-License-Identifier: MIT
//! One run that is wanted: a program with its arguments, under a policy, on a processor.

use std::fmt;

use pe_replay::{Mode, Policy};

use crate::machine::Processor;

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
}

impl Case {
    /// A run on the usual processor.
    pub fn new(program: &'static str, arguments: &[&str], policy: Policy) -> Self {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        Self { program, arguments, policy, processor: Processor::Usual }
    }

    /// The same without replay and under the default limit, which every ratio is over.
    pub fn baseline(&self) -> Self {
        Self { policy: Policy { mode: Mode::Off, ..Policy::DEFAULT }, ..self.clone() }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, arguments, policy, processor } = self;
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
}
