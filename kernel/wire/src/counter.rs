// SPDX-License-Identifier: MIT
//! Which counter keeps the instruction limit, what durations are counted in, and what an emulated counter does wrong.

pub use pmu_emulated::{Faults as CounterFaults, FaultsError, SkidModel as Lateness};
use serde::{Deserialize, Serialize};

/// The counter back end that kept the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CounterKind {
    /// APIC timer and TSC of an instruction-counting emulator.
    #[default]
    VirtualTime,
    /// Intel's fixed counter 0.
    Intel,
    /// AMD's core counter 0.
    Amd,
    /// Intel's registers in software, driven by virtual time.
    IntelEmulated,
    /// AMD's registers in software, driven by virtual time.
    AmdEmulated,
    /// None: single steps.
    Stepping,
}

impl CounterKind {
    /// The name used in summaries and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::VirtualTime => "virtual-time",
            Self::Intel => "intel",
            Self::Amd => "amd",
            Self::IntelEmulated => "intel-emulated",
            Self::AmdEmulated => "amd-emulated",
            Self::Stepping => "none",
        }
    }
}

/// Which counter is to be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CounterChoice {
    /// The best one that proves itself.
    Detect,
    /// Virtual time, which is calibrated and not examined any further.
    #[default]
    VirtualTime,
    /// Intel's, in software.
    IntelEmulated,
    /// AMD's, in software.
    AmdEmulated,
    /// None: single steps.
    Stepping,
}

impl CounterChoice {
    /// Whether the counter is one in software, which kernels have that are built with the feature `emulated`.
    pub fn is_emulated(self) -> bool {
        matches!(self, Self::IntelEmulated | Self::AmdEmulated)
    }
}

/// The unit of durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Emulator instructions: a regression guard, not a cost.
    Instructions,
    /// TSC cycles.
    Cycles,
}
