// SPDX-License-Identifier: MIT
//! The options that say what keeps the instruction limit.

use clap::{Args, ValueEnum};
use wire::counter::{CounterChoice, CounterFaults, FaultsError};

/// What keeps the instruction limit.
#[derive(Args, Clone, Copy, Debug)]
pub struct CounterArgs {
    /// What counts instructions; the best that proves itself if absent
    #[arg(long, value_enum)]
    pub counter: Option<CounterName>,
    /// What an emulated counter does wrong, say skid=random:10000,stale=100,seed=7
    #[arg(long, value_name = "SPEC", value_parser = counter_faults)]
    pub counter_faults: Option<CounterFaults>,
}

impl CounterArgs {
    /// What the kernel is told of these options.
    pub fn choice(self) -> Result<(CounterChoice, CounterFaults), &'static str> {
        let choice = match self.counter {
            None => CounterChoice::Detect,
            Some(CounterName::VirtualTime) => CounterChoice::VirtualTime,
            Some(CounterName::IntelEmulated) => CounterChoice::IntelEmulated,
            Some(CounterName::AmdEmulated) => CounterChoice::AmdEmulated,
            Some(CounterName::None) => CounterChoice::Stepping,
        };
        let emulated = choice.is_emulated();
        match self.counter_faults {
            Some(_) if !emulated => {
                Err("--counter-faults needs --counter intel-emulated or --counter amd-emulated")
            }
            faults => Ok((choice, faults.unwrap_or_default())),
        }
    }
}

/// The counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CounterName {
    /// The APIC timer and time stamps of an instruction-counting emulator
    VirtualTime,
    /// Intel's counter in software, driven by virtual time
    IntelEmulated,
    /// AMD's counter in software, driven by virtual time
    AmdEmulated,
    /// None: single steps, slow but right
    None,
}

fn counter_faults(text: &str) -> Result<CounterFaults, String> {
    text.parse().map_err(|error: FaultsError| error.to_string())
}
