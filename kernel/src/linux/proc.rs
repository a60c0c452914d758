// SPDX-License-Identifier: MIT
//! The files about processes and the machine, below `/proc` and `/sys`: which there are.
//!
//! None of them is stored: an [`Entry`] names one, a number stands for an entry wherever an
//! inode's does, and what a file says is made when it is read from its beginning. What
//! cannot be told truthfully is not there (ENOENT): there is no load, no counts of
//! switches, faults or interrupts, no highest use of memory, no control groups. Nothing
//! depends on the mode or on what memory is free (decision 0012).

mod calls;
mod cpu;
mod find;
mod links;
mod list;
mod machine;
mod maps;
mod stat;
mod status;
mod text;
mod usage;

pub use self::calls::{TextId, Texts};
pub use self::links::Target;
pub use self::list::Listed;

use alloc::vec::Vec;

use linux_raw_sys::general::{S_IFDIR, S_IFLNK, S_IFREG};

use super::errno::Errno;
use crate::mem::fallible;

/// What kind of file an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file.
    File,
    /// A symbolic link.
    Link,
}

impl Kind {
    /// The file type bits of `st_mode`.
    pub fn file_type(self) -> u32 {
        match self {
            Self::Directory => S_IFDIR,
            Self::File => S_IFREG,
            Self::Link => S_IFLNK,
        }
    }
}

/// Declares an enumeration of entries, and the table of what each is called and is.
macro_rules! entries {
    (
        $(#[$doc:meta])* $name:ident:
        $($variant:ident $text:literal $kind:ident $mode:literal;)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl $name {
            /// All of them, in the order in which they are listed.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// What it is called, what it is, and its permissions.
            fn described(self) -> (&'static str, Kind, u32) {
                match self {
                    $(Self::$variant => ($text, Kind::$kind, $mode),)*
                }
            }
        }
    };
}

entries! {
    /// What is there whatever runs. The name of a file system's root is where it begins.
    Fixed:
    Proc "/proc" Directory 0o555;
    Cpuinfo "cpuinfo" File 0o444;
    Filesystems "filesystems" File 0o444;
    Meminfo "meminfo" File 0o444;
    Mounts "mounts" Link 0o777;
    Own "self" Link 0o777;
    Stat "stat" File 0o444;
    Settings "sys" Directory 0o555;
    OwnThread "thread-self" Link 0o777;
    Uptime "uptime" File 0o444;
    Version "version" File 0o444;
    Kernel "kernel" Directory 0o555;
    Hostname "hostname" File 0o444;
    Osrelease "osrelease" File 0o444;
    Ostype "ostype" File 0o444;
    PidMax "pid_max" File 0o444;
    ThreadsMax "threads-max" File 0o444;
    KernelVersion "version" File 0o444;
    Vm "vm" Directory 0o555;
    MaxMapCount "max_map_count" File 0o444;
    MmapMinAddr "mmap_min_addr" File 0o444;
    OvercommitMemory "overcommit_memory" File 0o444;
    Sys "/sys" Directory 0o555;
    Devices "devices" Directory 0o755;
    System "system" Directory 0o755;
    Cpu "cpu" Directory 0o755;
    Cpu0 "cpu0" Directory 0o755;
    Online "online" File 0o444;
    Possible "possible" File 0o444;
    Present "present" File 0o444;
}

entries! {
    /// What there is about a process, or about a thread.
    What:
    Directory "" Directory 0o555;
    Auxv "auxv" File 0o400;
    Cmdline "cmdline" File 0o444;
    Comm "comm" File 0o644;
    Cwd "cwd" Link 0o777;
    Environ "environ" File 0o400;
    Exe "exe" Link 0o777;
    Descriptors "fd" Directory 0o500;
    Limits "limits" File 0o444;
    Maps "maps" File 0o444;
    Mounts "mounts" File 0o444;
    Root "root" Link 0o777;
    Stat "stat" File 0o444;
    Statm "statm" File 0o444;
    Status "status" File 0o444;
    Tasks "task" Directory 0o555;
}

impl Fixed {
    /// What it is called.
    pub fn name(self) -> &'static str {
        self.described().0
    }

    /// The directory that it is in; a root is in itself.
    fn parent(self) -> Self {
        match self {
            Self::Proc
            | Self::Cpuinfo
            | Self::Filesystems
            | Self::Meminfo
            | Self::Mounts
            | Self::Own
            | Self::Stat
            | Self::Settings
            | Self::OwnThread
            | Self::Uptime
            | Self::Version => Self::Proc,
            Self::Kernel | Self::Vm => Self::Settings,
            Self::Hostname
            | Self::Osrelease
            | Self::Ostype
            | Self::PidMax
            | Self::ThreadsMax
            | Self::KernelVersion => Self::Kernel,
            Self::MaxMapCount | Self::MmapMinAddr | Self::OvercommitMemory => Self::Vm,
            Self::Sys | Self::Devices => Self::Sys,
            Self::System => Self::Devices,
            Self::Cpu => Self::System,
            Self::Cpu0 | Self::Online | Self::Possible | Self::Present => Self::Cpu,
        }
    }

    /// What is in it.
    fn children(self) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |child| child.parent() == self && *child != self)
    }
}

/// Whose files they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A process's, below `/proc/PID`.
    Process,
    /// A thread's, below `/proc/PID/task/TID`.
    Thread,
}

/// A file that is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// One that is there whatever runs.
    Fixed(Fixed),
    /// One about the process or thread of this number.
    Of(Scope, u64, What),
    /// The link to what one of its descriptors leads to.
    Descriptor(Scope, u64, u32),
}

/// Where in an entry's number stand its kind and a descriptor; the number of a process or
/// thread, which is an `int`, takes the bits below.
const KIND_AT: u32 = 54;
const DESCRIPTOR_AT: u32 = 32;
/// The kinds of a process's first entry, of a thread's, and those of descriptors.
const OF_PROCESS: usize = 64;
const OF_THREAD: usize = 96;
const DESCRIPTOR_OF_PROCESS: usize = 128;
const DESCRIPTOR_OF_THREAD: usize = 129;
const _: () = assert!(Fixed::ALL.len() < OF_PROCESS && What::ALL.len() < OF_THREAD - OF_PROCESS);

impl Entry {
    /// The number that stands for it, below 2^62.
    pub fn number(self) -> u64 {
        let (kind, descriptor, id) = match self {
            Self::Fixed(fixed) => (fixed as usize, 0, 0),
            Self::Of(Scope::Process, id, what) => (OF_PROCESS + what as usize, 0, id),
            Self::Of(Scope::Thread, id, what) => (OF_THREAD + what as usize, 0, id),
            Self::Descriptor(Scope::Process, id, descriptor) => (DESCRIPTOR_OF_PROCESS, descriptor, id),
            Self::Descriptor(Scope::Thread, id, descriptor) => (DESCRIPTOR_OF_THREAD, descriptor, id),
        };
        (kind as u64) << KIND_AT | u64::from(descriptor) << DESCRIPTOR_AT | id
    }

    /// What a number stands for.
    pub fn of_number(number: u64) -> Option<Self> {
        let kind = (number >> KIND_AT) as usize;
        let id = number & ((1 << DESCRIPTOR_AT) - 1);
        let descriptor = (number >> DESCRIPTOR_AT & ((1 << (KIND_AT - DESCRIPTOR_AT)) - 1)) as u32;
        match kind {
            DESCRIPTOR_OF_PROCESS => Some(Self::Descriptor(Scope::Process, id, descriptor)),
            DESCRIPTOR_OF_THREAD => Some(Self::Descriptor(Scope::Thread, id, descriptor)),
            OF_THREAD.. => Some(Self::Of(Scope::Thread, id, *What::ALL.get(kind - OF_THREAD)?)),
            OF_PROCESS.. => Some(Self::Of(Scope::Process, id, *What::ALL.get(kind - OF_PROCESS)?)),
            _ => Some(Self::Fixed(*Fixed::ALL.get(kind)?)),
        }
    }

    /// What kind of file it is.
    pub fn kind(self) -> Kind {
        match self {
            Self::Fixed(fixed) => fixed.described().1,
            Self::Of(_, _, what) => what.described().1,
            Self::Descriptor(..) => Kind::Link,
        }
    }

    /// Its permissions.
    pub fn mode(self) -> u32 {
        match self {
            Self::Fixed(fixed) => fixed.described().2,
            Self::Of(_, _, what) => what.described().2,
            Self::Descriptor(..) => 0o700,
        }
    }

    /// Whether it says something about the machine's devices, and not about processes.
    pub fn is_of_sys(self) -> bool {
        let Self::Fixed(mut at) = self else { return false };
        while at.parent() != at {
            at = at.parent();
        }
        at == Fixed::Sys
    }

    /// Whether it would be a setting of the kernel's, if any of those could be changed.
    pub fn is_setting(self) -> bool {
        matches!(self, Self::Fixed(fixed) if self.is_of_sys() || [Fixed::Kernel, Fixed::Vm].contains(&fixed.parent()))
    }

    /// Appends a name to a path.
    fn extend(path: &mut Vec<u8>, name: &[u8]) -> Result<(), Errno> {
        fallible::push(path, b'/')?;
        Ok(fallible::extend(path, name)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_has_a_number_of_its_own() {
        let id = i32::MAX as u64;
        let fixed = Fixed::ALL.iter().map(|fixed| Entry::Fixed(*fixed));
        let of = [Scope::Process, Scope::Thread].into_iter().flat_map(|scope| {
            let what = What::ALL.iter().map(move |what| Entry::Of(scope, id, *what));
            what.chain([0, 1, 1023].map(|descriptor| Entry::Descriptor(scope, id, descriptor)))
        });
        let all: std::vec::Vec<_> = fixed.chain(of).collect();
        for entry in &all {
            assert_eq!(Entry::of_number(entry.number()), Some(*entry));
            assert!(entry.number() < 1 << 62);
        }
        let numbers: std::collections::BTreeSet<_> = all.iter().map(|entry| entry.number()).collect();
        assert_eq!(numbers.len(), all.len());
        assert_eq!(Entry::of_number(63 << KIND_AT), None);
        assert_eq!(Entry::of_number(u64::MAX), None);
    }

    #[test]
    fn every_fixed_entry_is_below_a_root() {
        for fixed in Fixed::ALL {
            let is_root = fixed.parent() == *fixed;
            assert_eq!(is_root, fixed.described().0.starts_with('/'), "{fixed:?}");
            assert_eq!(fixed.parent().described().1, Kind::Directory, "{fixed:?}");
        }
        assert!(Entry::Fixed(Fixed::Online).is_of_sys() && !Entry::Fixed(Fixed::Hostname).is_of_sys());
        assert!(Entry::Fixed(Fixed::Hostname).is_setting() && !Entry::Fixed(Fixed::Stat).is_setting());
    }
}
