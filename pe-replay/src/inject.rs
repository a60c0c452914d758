// SPDX-License-Identifier: MIT
//! Bit flips, on purpose: which bit of what, in which run of which PE, and when.

use serde::{Deserialize, Serialize};

use crate::execution::Run;
use crate::user::{INTERRUPT_FLAG, USER_FLAGS};

/// Flips that one run can be given.
pub const MAX_INJECTIONS: usize = 128;

/// What a flip hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A general register, by its number in instruction encodings (0 is RAX).
    Gpr(u8),
    /// The instruction pointer.
    Rip,
    /// The flags; see [`INJECTABLE_FLAGS`].
    Rflags,
    /// An XMM register.
    Xmm(u8),
    /// The byte at a user address, in the frame that the run sees there.
    Memory(u64),
    /// The byte at a user address, in one of the engine's own copies of the page; no
    /// flip if there is none then.
    Copy(Copy, u64),
    /// A general register, in one of the engine's own saved states.
    Saved(Saved, u8),
}

/// One of the engine's own copies of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Copy {
    /// The checkpoint.
    Checkpoint,
    /// What run 2 works in.
    Second,
    /// The spare one, which is run 3's.
    Spare,
}

/// One of the engine's own saved states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Saved {
    /// What runs 1 and 3 start from.
    Start,
    /// What run 2 starts from.
    Shadow,
    /// What run 1 left.
    Result,
}

/// One flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injection {
    /// The PE's sequence number, from 0.
    pub pe: u64,
    /// The run that is hit.
    pub run: Run,
    /// After how many instructions of that run.
    pub at: u64,
    /// What is hit.
    pub target: Target,
    /// Which bit of it.
    pub bit: u8,
}

/// The RFLAGS bits that may be flipped: the user's, and IF.
pub const INJECTABLE_FLAGS: u64 = USER_FLAGS | INTERRUPT_FLAG;

impl Target {
    /// How many bits the target has.
    pub fn bits(self) -> u8 {
        match self {
            Self::Gpr(_) | Self::Rip | Self::Rflags | Self::Saved(..) => 64,
            Self::Xmm(_) => 128,
            Self::Memory(_) | Self::Copy(..) => 8,
        }
    }
}

impl Injection {
    /// Whether the target exists and has the bit, and the bit may be flipped.
    pub fn is_possible(&self) -> bool {
        let exists = match self.target {
            Target::Gpr(index) | Target::Xmm(index) | Target::Saved(_, index) => index < 16,
            Target::Rflags => self.bit < 64 && INJECTABLE_FLAGS & (1 << self.bit) != 0,
            Target::Rip | Target::Memory(_) | Target::Copy(..) => true,
        };
        exists && self.bit < self.target.bits()
    }
}
