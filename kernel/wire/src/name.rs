// SPDX-License-Identifier: MIT
//! Names on the command line, in summaries and in JSON.

use pe_replay::{Comparison, Flush, Mode, Recovery, TimedPhase};

/// The general registers by their numbers in instruction encodings.
pub const GPR_NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// What has a name.
pub trait Name: Into<&'static str> {
    /// The name.
    fn name(self) -> &'static str {
        self.into()
    }
}

impl Name for Mode {}
impl Name for Recovery {}
impl Name for Comparison {}
impl Name for Flush {}
impl Name for TimedPhase {}
