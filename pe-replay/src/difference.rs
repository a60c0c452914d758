// SPDX-License-Identifier: MIT
//! What two runs can differ in.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

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
    YmmHigh(u8),
    /// What ended the run.
    Delimiter,
    /// The error code of an exception.
    ErrorCode,
    /// The fault address of a page fault or a refused write.
    FaultAddress,
    /// The instruction count.
    Count,
    /// A byte of a written page.
    Memory,
    /// A part that the normal form makes constant. A difference here is a fault
    /// in the kernel's own copies.
    Constant,
    /// The hash of a written page.
    PageHash,
    /// The number of pages that were compared, which has to be that of the pages written.
    Compared,
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
