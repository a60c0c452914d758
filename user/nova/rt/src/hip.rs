// SPDX-License-Identifier: MIT
//! The hypervisor information page.

use crate::access;

/// What a memory descriptor says of its range.
pub mod kind {
    /// Memory that is free for the root task.
    pub const AVAILABLE: i32 = 1;
    /// Memory that the kernel keeps.
    pub const KERNEL: i32 = -1;
    /// The image of the root task.
    pub const MODULE: i32 = -2;
}

/// The information page at an address.
#[derive(Clone, Copy, Debug)]
pub struct Hip(u64);

/// A memory descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Its first byte.
    pub address: u64,
    /// Its length in bytes.
    pub size: u64,
    /// What it is, see [`kind`].
    pub kind: i32,
    /// A value whose meaning depends on the kind.
    pub aux: u32,
}

impl Hip {
    /// The page that is mapped at an address.
    #[must_use]
    pub const fn at(address: u64) -> Self {
        Self(address)
    }

    /// The address of the page.
    #[must_use]
    pub const fn address(self) -> u64 {
        self.0
    }

    fn field(self, offset: u64, bytes: u32) -> u64 {
        let word = access::read(self.0 + (offset & !7)) >> (8 * (offset & 7));
        word & (u64::MAX >> (64 - 8 * bytes))
    }

    /// The bytes at the page's beginning, as a number.
    #[must_use]
    pub fn signature(self) -> u64 {
        self.field(0, 4)
    }

    /// The length of what is said, in bytes.
    #[must_use]
    pub fn length(self) -> u64 {
        self.field(6, 2)
    }

    /// What the 16-bit words of the page add up to.
    #[must_use]
    pub fn sum(self) -> u64 {
        (0..self.length() / 2).map(|word| self.field(2 * word, 2)).sum::<u64>() & 0xffff
    }

    /// The number of processors there is room for.
    #[must_use]
    pub fn processors(self) -> u64 {
        (self.field(0xc, 2) - self.field(8, 2)) / self.field(0xa, 2)
    }

    /// The flags of a processor.
    #[must_use]
    pub fn processor_flags(self, index: u64) -> u64 {
        self.field(self.field(8, 2) + index * self.field(0xa, 2), 1)
    }

    /// The features of the machine.
    #[must_use]
    pub fn features(self) -> u64 {
        self.field(0x10, 4)
    }

    /// The version of the interface.
    #[must_use]
    pub fn version(self) -> u64 {
        self.field(0x14, 4)
    }

    /// The selector of the root task's domain.
    #[must_use]
    pub fn root_selector(self) -> u64 {
        self.field(0x1c, 4)
    }

    /// The number of interrupt lines.
    #[must_use]
    pub fn lines(self) -> u64 {
        self.field(0x24, 4)
    }

    /// The frequency of the time-stamp counter, in kHz.
    #[must_use]
    pub fn khz(self) -> u64 {
        self.field(0x30, 4)
    }

    /// The memory descriptors.
    pub fn memory(self) -> impl Iterator<Item = Memory> {
        let (start, size) = (self.field(0xc, 2), self.field(0xe, 2));
        (start..self.length()).step_by(size as usize).map(move |at| Memory {
            address: self.field(at, 8),
            size: self.field(at + 8, 8),
            kind: self.field(at + 16, 4) as u32 as i32,
            aux: self.field(at + 20, 4) as u32,
        })
    }
}
