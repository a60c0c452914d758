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
