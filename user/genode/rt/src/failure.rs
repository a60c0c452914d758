// SPDX-License-Identifier: MIT
//! Why a call was not done.

/// The reason why a call was not done, as the first word of its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Failure {
    /// The object has no such operation.
    NoSuchOperation = 1,
    /// An argument is malformed, too long or out of its range.
    BadArgument = 2,
    /// A capability is missing or of another kind.
    BadCapability = 3,
    /// The domain's RAM quota is used up.
    OutOfRam = 4,
    /// The domain's quota of capabilities is used up.
    OutOfCaps = 5,
    /// The caller is not allowed to have this.
    Denied = 6,
    /// What was given with the session is too little RAM.
    InsufficientRam = 7,
    /// What was given with the session is too few capabilities.
    InsufficientCaps = 8,
    /// Something else is there already.
    Occupied = 9,
    /// The object, or who served it, is gone.
    Gone = 10,
    /// The kernel has no memory for this.
    OutOfKernelMemory = 11,
}

impl Failure {
    /// The failure of a word.
    #[must_use]
    pub const fn of(word: u64) -> Self {
        match word {
            1 => Self::NoSuchOperation,
            2 => Self::BadArgument,
            3 => Self::BadCapability,
            4 => Self::OutOfRam,
            5 => Self::OutOfCaps,
            6 => Self::Denied,
            7 => Self::InsufficientRam,
            8 => Self::InsufficientCaps,
            9 => Self::Occupied,
            11 => Self::OutOfKernelMemory,
            _ => Self::Gone,
        }
    }
}
