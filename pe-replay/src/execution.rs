// SPDX-License-Identifier: MIT
//! The executions of a PE.

use serde::{Deserialize, Serialize};

/// Which execution of a PE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Run {
    /// The first, which defines the PE.
    #[default]
    First,
    /// The second, which must agree with it.
    Second,
    /// The third, of a vote or in triple mode.
    Third,
}

impl Run {
    /// All runs, in their order.
    pub const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];

    /// 1, 2 or 3, as people count.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }
}

/// What is known of an attempt to execute a PE.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attempt {
    /// The last of the runs that were turned to; the first one if none was.
    pub turned: Run,
    /// That run was turned to before.
    pub again: bool,
    /// For this attempt's run 2 there is a second copy of PM0 beside the one that a roll-back trusts.
    pub witnessed: bool,
    /// Something was made from copies that may be damaged: should the results differ, these are not to
    /// be trusted.
    pub unwitnessed: bool,
    /// A flip has hit a page that may not be written.
    pub exposed: bool,
    /// Pages that a run wrote: they joined the set, were open and found written, opened late, or hit by a flip.
    pub written: u16,
    /// Two results agreed, and as many pages were compared as had been written.
    pub agreed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_count_runs_from_one() {
        assert_eq!(Run::ALL.map(Run::number), [1, 2, 3]);
    }
}
