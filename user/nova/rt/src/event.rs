// SPDX-License-Identifier: MIT
//! Events of threads, and where a message about one has the thread's registers.

/// Numbers of events that are no exceptions of the processor.
pub const START_UP: u64 = 0x1e;
/// The event of a thread that was recalled.
pub const RECALL: u64 = 0x1f;

/// Which registers a message carries.
pub mod mtd {
    /// RAX, RCX, RDX, RBX.
    pub const ACDB: u64 = 1;
    /// RBP, RSI, RDI.
    pub const BSD: u64 = 1 << 1;
    /// RSP.
    pub const RSP: u64 = 1 << 2;
    /// RIP.
    pub const RIP: u64 = 1 << 3;
    /// RFLAGS.
    pub const RFLAGS: u64 = 1 << 4;
    /// The error code and the address of a fault.
    pub const QUAL: u64 = 1 << 15;
    /// R8 to R15.
    pub const R8_R15: u64 = 1 << 22;
    /// All registers of a thread.
    pub const ALL: u64 = ACDB | BSD | RSP | RIP | RFLAGS | QUAL | R8_R15;
}

/// Offsets in the UTCB.
pub mod offset {
    /// Which registers follow.
    pub const MTD: u64 = 0x20;
    /// RIP.
    pub const RIP: u64 = 0x30;
    /// RFLAGS.
    pub const RFLAGS: u64 = 0x38;
    /// RAX.
    pub const RAX: u64 = 0x50;
    /// RCX.
    pub const RCX: u64 = 0x58;
    /// RDX.
    pub const RDX: u64 = 0x60;
    /// RBX.
    pub const RBX: u64 = 0x68;
    /// RSP.
    pub const RSP: u64 = 0x70;
    /// RBP.
    pub const RBP: u64 = 0x78;
    /// RSI.
    pub const RSI: u64 = 0x80;
    /// RDI.
    pub const RDI: u64 = 0x88;
    /// R8; R9 to R15 follow.
    pub const R8: u64 = 0x90;
    /// The error code.
    pub const ERROR: u64 = 0xd0;
    /// The address of a page fault.
    pub const ADDRESS: u64 = 0xd8;
}

/// The number of items a message about an event has.
pub const ITEMS: u64 = 508;
