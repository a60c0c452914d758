// SPDX-License-Identifier: MIT
//! Names on the command line, in summaries and in JSON.

use pe_replay::{Comparison, Flush, Mode, Recovery, TimedPhase};

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
