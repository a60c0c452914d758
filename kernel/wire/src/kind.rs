// SPDX-License-Identifier: MIT
//! Delimiters as they are counted and printed.

use pe_replay::Delimiter;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

/// What ended a PE, without its details.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum DelimiterKind {
    /// A system call.
    Syscall,
    /// A page fault that the kernel resolved or that ended the program.
    PageFault,
    /// Another exception.
    Exception,
    /// IN, OUT, INS or OUTS.
    PortIo,
    /// RDTSC or RDTSCP.
    Rdtsc,
    /// The instruction limit.
    Limit,
    /// The dirty-frame limit.
    DirtyLimit,
    /// An access to the memory of a device.
    Mmio,
}

impl DelimiterKind {
    /// All kinds, in the order in which they are printed.
    pub const ALL: [Self; 8] = *Self::VARIANTS.first_chunk().unwrap();

    /// The name used in summaries and in JSON.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl From<Delimiter> for DelimiterKind {
    /// The kind, as far as it is known without decoding the instruction: port I/O and RDTSC
    /// come as general-protection exceptions, and accesses to devices as page faults.
    #[inline]
    fn from(delimiter: Delimiter) -> Self {
        match delimiter {
            Delimiter::Syscall => Self::Syscall,
            Delimiter::PageFault { .. } => Self::PageFault,
            Delimiter::Exception { .. } | Delimiter::Watchdog => Self::Exception,
            Delimiter::Limit => Self::Limit,
            Delimiter::DirtyLimit { .. } => Self::DirtyLimit,
        }
    }
}
