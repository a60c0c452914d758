// SPDX-License-Identifier: MIT
//! What two runs can differ in.

use core::fmt;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// Names of the general registers by their numbers in instruction encodings.
pub const GPR_NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// One compared field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Field {
    /// A general register, by its number in instruction encodings.
    Gpr(u8),
    /// RIP.
    Rip,
    /// RFLAGS, in the normal form.
    Rflags,
    /// Code segment selector.
    Cs,
    /// Stack segment selector.
    Ss,
    /// Data segment selector.
    Ds,
    /// Extra segment selector.
    Es,
    /// FS selector.
    Fs,
    /// GS selector.
    Gs,
    /// FS base.
    FsBase,
    /// GS base.
    GsBase,
    /// x87 control word.
    Fcw,
    /// x87 status word.
    Fsw,
    /// x87 tag word, abridged.
    Ftw,
    /// x87 last opcode.
    Fop,
    /// x87 last instruction pointer.
    Fip,
    /// x87 last data pointer.
    Fdp,
    /// An x87 register, by its place on the stack.
    St(u8),
    /// MXCSR.
    Mxcsr,
    /// The lower half of a vector register.
    Xmm(u8),
    /// The upper half of a vector register.
    #[strum(serialize = "upper_half_of_ymm")]
    YmmHigh(u8),
    /// What ended the run.
    Delimiter,
    /// The error code of an exception.
    ErrorCode,
    /// The fault address of a page fault or a refused write.
    FaultAddress,
    /// The instruction count.
    #[strum(serialize = "instruction_count")]
    Count,
    /// A byte of a written page.
    Memory,
    /// A part that the normal form makes constant. A difference here is a fault
    /// in the kernel's own copies.
    #[strum(serialize = "constant_part_of_the_saved_state")]
    Constant,
    /// The hash of a written page.
    PageHash,
    /// The number of pages that were compared, which has to be that of the pages written.
    #[strum(serialize = "pages_written_and_compared")]
    Compared,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Gpr(index) = self {
            return f.write_str(GPR_NAMES[usize::from(*index) % GPR_NAMES.len()]);
        }
        for (at, word) in <&str>::from(self).split('_').enumerate() {
            write!(f, "{}{word}", if at == 0 { "" } else { " " })?;
        }
        match self {
            Self::St(index) | Self::Xmm(index) | Self::YmmHigh(index) => write!(f, "{index}"),
            _ => Ok(()),
        }
    }
}

/// The first thing on which two runs differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// What differs.
    pub field: Field,
    /// Its value after run 1, or its low 64 bits.
    pub first: u64,
    /// Its value after run 2, or its low 64 bits.
    pub second: u64,
    /// For memory, the byte's address.
    pub address: u64,
}

impl Difference {
    /// No difference.
    pub(crate) const NONE: Self = Self { field: Field::Constant, first: 0, second: 0, address: 0 };
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field)?;
        if matches!(self.field, Field::Memory | Field::PageHash) {
            write!(f, " at {:#x}", self.address)?;
        }
        write!(f, ": {:#x} against {:#x}", self.first, self.second)
    }
}
