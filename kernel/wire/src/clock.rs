// SPDX-License-Identifier: MIT
//! What a program's time is made of, and when it begins.

use serde::{Deserialize, Serialize};

/// What a program's time passes by while the program runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClockKind {
    /// Each committed user instruction, of whichever process, takes one nanosecond. What
    /// the kernel does takes no time, so nothing depends on how PEs are run.
    #[default]
    User,
    /// The machine's own time since it was booted, the kernel's share included.
    Machine,
}

impl ClockKind {
    /// Its name on the command line and in summaries.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Machine => "machine",
        }
    }
}

/// A program's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// What its time passes by.
    pub kind: ClockKind,
    /// What it shows at the beginning, in seconds since 1970.
    pub date_s: u64,
}

impl Clock {
    /// The date of programs for which nobody sets one: 2025-01-01T00:00:00Z, so that a run
    /// is the same on another day.
    pub const DEFAULT_DATE_S: u64 = 1_735_689_600;
    /// The last second at which a program can begin, 2200-01-01T00:00:00Z: nanoseconds
    /// since 1970 have 64 bits, and three centuries are left to it.
    pub const MAX_DATE_S: u64 = 7_258_118_400;
}

impl Default for Clock {
    fn default() -> Self {
        Self { kind: ClockKind::default(), date_s: Self::DEFAULT_DATE_S }
    }
}
