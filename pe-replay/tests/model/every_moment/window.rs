// SPDX-License-Identifier: MIT
//! When a fault cannot be found, since there is one copy of something only, or nobody
//! looks at it again. The crate's documentation states the same, in prose.

use std::fmt;

use pe_replay::Comparison;

use crate::machine::moments::{Moments, Next, OVER, Spot, Stored};

/// Where nothing can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// A page that is not tracked has one frame, which all runs read.
    Untracked,
    /// A tracked page's home before run 1 writes it, if PM0 is copied or hashed from
    /// there or no run writes it, and after it was compared: it is memory like any other. So
    /// is run 2's copy once it was compared and is what is committed.
    Home,
    /// A saved result after it was compared, and the state between two PEs, up to
    /// where it is copied: if the kernel changes it.
    Result,
    /// The checkpoint, compared byte by byte, of a PE that is rolled back: PM0 is
    /// nowhere else then. This takes two faults in one PE.
    Recovery,
    /// The note in the tables that run 1 wrote a page, before it is read at the turn.
    Tables,
}

impl Window {
    pub const ALL: [Self; 5] = [Self::Untracked, Self::Home, Self::Result, Self::Recovery, Self::Tables];

    /// The window that the fault which struck lies in.
    pub fn of(moments: &Moments, comparison: Comparison, private: bool) -> Option<Self> {
        let (fault, strike) = (moments.fault?, moments.struck?);
        let when = |holds: bool, window| holds.then_some(window);
        match fault.spot {
            Spot::Memory => Some(Self::Untracked),
            Spot::Home => when(!matches!(strike.next, Next::Compared | Next::Overwritten), Self::Home),
            Spot::Second => when(strike.next == Next::CopiedHome, Self::Home),
            // Run 1's own frame, which is copied home where it was compared.
            Spot::Checkpoint if private => when(strike.next == Next::CopiedHome, Self::Home),
            Spot::Checkpoint => {
                let copied = matches!(strike.next, Next::Copied | Next::CopiedHome);
                when(copied && moments.has_provoked && comparison == Comparison::Bytes, Self::Recovery)
            }
            Spot::Stored(Stored::Start) => when(strike.next == Next::Copied, Self::Result),
            Spot::Stored(Stored::Result(_)) => when(strike.phase == OVER, Self::Result),
            Spot::Written => when(strike.cleared, Self::Tables),
            Spot::Spare | Spot::Hash | Spot::Comparison | Spot::Stored(Stored::Shadow) => None,
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Untracked => "memory that is not tracked",
            Self::Home => "a home that is not compared again",
            Self::Result => "the state after its comparison",
            Self::Recovery => "the checkpoint in a recovery",
            Self::Tables => "a write lost from the tables",
        })
    }
}
