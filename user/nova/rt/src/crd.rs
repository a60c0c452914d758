// SPDX-License-Identifier: MIT
//! Capability range descriptors: which pages, ports or selectors, and with which rights.

use core::fmt;

/// Rights of a capability, five bits.
pub type Rights = u64;

/// All rights.
pub const ALL: Rights = 0x1f;
/// The right to read a page.
pub const READ: Rights = 1;
/// The right to write a page.
pub const WRITE: Rights = 2;
/// The right to execute a page.
pub const EXECUTE: Rights = 4;

/// A capability range descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Crd(pub u64);

impl Crd {
    /// The descriptor of nothing.
    pub const NULL: Self = Self(0);
    /// Every selector, with all rights.
    pub const ALL_OBJECTS: Self = Self::object(0, 31, ALL);

    const fn new(kind: u64, base: u64, order: u64, rights: Rights) -> Self {
        Self(base << 12 | order << 7 | rights << 2 | kind)
    }

    /// A range of pages by the first one's number.
    #[must_use]
    pub const fn memory(page: u64, order: u64, rights: Rights) -> Self {
        Self::new(1, page, order, rights)
    }

    /// A range of I/O ports.
    #[must_use]
    pub const fn port(port: u64, order: u64) -> Self {
        Self::new(2, port, order, ALL)
    }

    /// A range of selectors.
    #[must_use]
    pub const fn object(selector: u64, order: u64, rights: Rights) -> Self {
        Self::new(3, selector, order, rights)
    }

    /// The first unit.
    #[must_use]
    pub const fn base(self) -> u64 {
        self.0 >> 12
    }

    /// The order of the range's length.
    #[must_use]
    pub const fn order(self) -> u64 {
        self.0 >> 7 & 31
    }

    /// The rights.
    #[must_use]
    pub const fn rights(self) -> Rights {
        self.0 >> 2 & ALL
    }
}

impl fmt::Debug for Crd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
