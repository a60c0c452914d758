// SPDX-License-Identifier: MIT
//! What the plugin counted: executed instructions by address and phase.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use pe_replay::TimedPhase;

/// Phases of a run, and what lies before and behind.
pub const PHASES: usize = TimedPhase::ALL.len() + 2;
/// The phase from reset to the first user entry.
pub const BOOT: usize = TimedPhase::ALL.len();
/// The phase from the end of the program on.
pub const AFTERWARDS: usize = BOOT + 1;

/// Executions of something, by phase.
pub type ByPhase = [u64; PHASES];

/// Executions by address.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<u64, ByPhase>);

impl Counts {
    /// Reads the plugin's file.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(&fs::read_to_string(path).context("it has written nothing")?)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut counts = BTreeMap::new();
        let mut lines = text.lines();
        for line in lines.by_ref().take_while(|line| *line != "end") {
            let mut words = line.split(' ');
            let address = words.next().and_then(|word| u64::from_str_radix(word, 16).ok());
            let mut phases = [0; PHASES];
            for phase in &mut phases {
                *phase = words.next().and_then(|word| word.parse().ok()).with_context(|| line.to_owned())?;
            }
            counts.insert(address.with_context(|| line.to_owned())?, phases);
        }
        ensure!(text.ends_with("end\n") && lines.next().is_none(), "its file is cut short");
        Ok(Self(counts))
    }

    /// All of them, by phase.
    pub fn total(&self) -> ByPhase {
        self.0.values().fold([0; PHASES], add)
    }
}

/// Adds phase by phase.
pub fn add(mut sum: ByPhase, one: &ByPhase) -> ByPhase {
    sum.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
    sum
}

/// What belongs to the run itself.
pub fn of_the_run(phases: &ByPhase) -> u64 {
    phases[..BOOT].iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_refused() {
        let counts = Counts::parse("401000 1 0 0 0 2 0 0 0 0 0\nf 0 0 0 0 0 0 0 7 3 9\nend\n").unwrap();
        assert_eq!(counts.total(), [1, 0, 0, 0, 2, 0, 0, 7, 3, 9]);
        assert_eq!(of_the_run(&counts.total()), 10);
        for text in ["401000 1 0 0 0 2 0 0 0 0 0\n", "401000 1\nend\n", "x 1 0 0 0 2 0 0 0 0 0\nend\n", ""] {
            assert!(Counts::parse(text).is_err(), "{text}");
        }
    }
}
