// SPDX-License-Identifier: MIT
//! An entry of a page table, as a value: who changes one reads it, and writes another in its place.
//!
//! Of a mapped page, the entry tells what the page *truly* allows (USER for reading, no-execute, and
//! a bit of ours for writing) apart from what the processor lets user code write now. Of a table, it
//! tells how many entries of that table are used.

use x86_64::structures::paging::PageTableFlags as Flags;

use super::frame::Frame;
use super::frames::Memory;

/// The page is truly writable.
pub const TRULY_WRITABLE: Flags = Flags::BIT_9;
/// The tracker has mapped the page writable, and nothing has changed that since.
pub const WATCHED: Flags = Flags::BIT_10;
/// The kernel has written the page since the tracker mapped it.
pub const STALE: Flags = Flags::BIT_11;
/// The page is listed with all others of its space that have the same frame.
pub const SHARED: Flags = Flags::BIT_52;
/// Its space has other pages with the same frame.
pub const SEVERAL: Flags = Flags::BIT_55;
/// The frame may be another space's as well, until somebody wants to write it.
pub const COPY_ON_WRITE: Flags = Flags::BIT_53;
/// The frame is the [page cache](super::page_cache)'s: it is written by nobody, and who is to write the page gets another.
pub const CACHED: Flags = Flags::BIT_54;
/// What makes a page one whose frame may not be written, whatever the page allows.
pub const NOT_OWN: Flags = COPY_ON_WRITE.union(CACHED);

/// The bits of the frame's address.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Where the number of used entries stands, in bits that the processor ignores (Intel SDM vol. 3A,
/// tables 4-15 to 4-18).
const USED_SHIFT: u32 = 52;
const USED: u64 = 0x3ff << USED_SHIFT;

/// What a page allows the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// Any access at all.
    pub read: bool,
    /// Writing.
    pub write: bool,
    /// Executing.
    pub execute: bool,
}

/// A table entry's 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Entry(u64);

impl Entry {
    /// An entry that maps nothing.
    pub const UNUSED: Self = Self(0);

    /// An entry for a frame.
    #[inline]
    pub fn new(frame: Frame, flags: Flags) -> Self {
        Self(frame.address() | flags.bits())
    }

    /// An entry that refers to a table of a user space; what a page allows stands in the last table.
    pub fn table(table: Frame) -> Self {
        Self::new(table, Flags::PRESENT | Flags::WRITABLE | Flags::USER_ACCESSIBLE)
    }

    /// An entry out of a table.
    #[inline]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// What a table holds for the entry.
    #[inline]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Whether the entry maps nothing.
    #[inline]
    pub fn is_unused(self) -> bool {
        self.0 == 0
    }

    /// The frame, of a page or of a table.
    #[inline]
    pub fn frame(self) -> Frame {
        Frame::at(self.0 & ADDRESS)
    }

    /// All bits but the address.
    #[inline]
    pub fn flags(self) -> Flags {
        Flags::from_bits_retain(self.0 & !ADDRESS)
    }

    /// Whether all these flags are set.
    #[inline]
    pub fn has(self, flags: Flags) -> bool {
        self.0 & flags.bits() == flags.bits()
    }

    /// Whether any of these flags is set.
    #[inline]
    pub fn has_any(self, flags: Flags) -> bool {
        self.0 & flags.bits() != 0
    }

    /// The entry with other flags.
    #[inline]
    pub fn with_flags(self, flags: Flags) -> Self {
        Self(self.0 & ADDRESS | flags.bits())
    }

    /// The entry with some more flags.
    #[inline]
    pub fn with(self, flags: Flags) -> Self {
        Self(self.0 | flags.bits())
    }

    /// The entry without some flags.
    #[inline]
    pub fn without(self, flags: Flags) -> Self {
        Self(self.0 & !flags.bits())
    }

    /// How many entries of the table are used to which this one refers.
    pub fn used(self) -> u16 {
        ((self.0 & USED) >> USED_SHIFT) as u16
    }

    /// The entry of a table of which so many entries are used.
    pub fn with_used(self, used: u16) -> Self {
        Self(self.0 & !USED | u64::from(used) << USED_SHIFT)
    }
}

/// A mapped page, as the tracker needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// The frame that is mapped now.
    pub frame: Frame,
    /// What the page truly allows.
    pub access: Access,
    /// Whether the processor lets user mode write it now.
    pub open: bool,
}

impl Mapping {
    /// What an entry of a last table maps, if it maps something.
    #[inline]
    pub fn of(entry: Entry) -> Option<Self> {
        entry.has(Flags::PRESENT).then(|| Self {
            frame: entry.frame(),
            access: Access {
                read: entry.has(Flags::USER_ACCESSIBLE),
                write: entry.has(TRULY_WRITABLE),
                execute: !entry.has(Flags::NO_EXECUTE),
            },
            open: entry.has(Flags::WRITABLE),
        })
    }
}

/// The flags of a user page. `lasting` are those that stay whatever the page allows: how it shares its frame
/// ([`SHARED`] and [`SEVERAL`], [`COPY_ON_WRITE`], [`CACHED`] or none of them), and what [kind of memory](memory_flags) that is.
pub fn page_flags(access: Access, lasting: Flags, tracking: bool) -> Flags {
    let mut flags = Flags::PRESENT | lasting;
    let writable = access.write && !lasting.intersects(NOT_OWN);
    flags.set(Flags::USER_ACCESSIBLE, access.read);
    flags.set(Flags::NO_EXECUTE, !access.execute);
    flags.set(TRULY_WRITABLE, writable);
    flags.set(Flags::WRITABLE, writable && !tracking);
    flags
}

/// The flags of a page that stay whatever it allows.
pub fn lasting(flags: Flags) -> Flags {
    flags & (SHARED | SEVERAL | NOT_OWN | memory_flags(Memory::Device))
}

/// The flags of a page of the kernel's, of this kind of memory, which is not executed.
pub fn kernel_flags(memory: Memory) -> Flags {
    Flags::PRESENT | Flags::WRITABLE | Flags::NO_EXECUTE | memory_flags(memory)
}

/// The flags of a page of this kind of memory.
pub fn memory_flags(memory: Memory) -> Flags {
    match memory {
        Memory::Ram | Memory::Reserved => Flags::empty(),
        Memory::Device => Flags::NO_CACHE | Flags::WRITE_THROUGH,
    }
}
