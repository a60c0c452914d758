// SPDX-License-Identifier: MIT
//! Names on the command line, in summaries and in JSON.

use pe_replay::{Comparison, Flush, Mode, Recovery, TimedPhase};

/// The general registers by their numbers in instruction encodings.
pub const GPR_NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// What has a name.
pub trait Name {
    /// The name.
    fn name(self) -> &'static str;
}

impl Name for Mode {
    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Dual => "dual",
            Self::Triple => "triple",
        }
    }
}

impl Name for Recovery {
    fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Vote => "vote",
        }
    }
}

impl Name for Comparison {
    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Hash => "hash",
        }
    }
}

impl Name for Flush {
    fn name(self) -> &'static str {
        match self {
            Self::Never => "none",
            Self::Lines => "clflush",
            Self::All => "wbinvd",
            Self::Retry => "retry",
        }
    }
}

impl Name for TimedPhase {
    fn name(self) -> &'static str {
        match self {
            Self::FirstRun => "first_run",
            Self::Treatment => "treatment",
            Self::Restart => "restart",
            Self::Flush => "flush",
            Self::SecondRun => "second_run",
            Self::ThirdRun => "third_run",
            Self::VerifyCommit => "verify_commit",
            Self::Other => "other",
        }
    }
}
