// SPDX-License-Identifier: MIT
//! What a flip hits, in which run of which PE, and when.

use pe_replay::Run;
use serde::{Deserialize, Serialize};

/// Flips that one run can be given.
pub const MAX_INJECTIONS: usize = 128;

/// What a flip hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A general register, by its number in instruction encodings (0 is RAX).
    Gpr(u8),
    /// The instruction pointer.
    Rip,
    /// The flags of the user, or that for interrupts.
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
