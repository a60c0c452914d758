// SPDX-License-Identifier: MIT
//! What belongs to one process, and who waits for what.

use super::clock::CpuTime;
use super::descriptor::Descriptors;
use super::fallible::Exhausted;
use super::fs::InodeId;
use super::memory::Memory;
use super::process_calls::{LIMITS, Limit};
use super::signal::Signals;

/// The first process's number.
pub const FIRST_ID: u64 = 1000;
/// The number of whoever started it.
pub const OUTSIDE_ID: u64 = 1;
/// The most processes at a time, ended ones that nobody has waited for included.
pub const MAX_PROCESSES: usize = 64;

/// What has become of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It ended by itself.
    Exited(u8),
    /// A signal ended it.
    Signaled(u8),
}

/// `CLD_EXITED` and `CLD_KILLED` (include/uapi/asm-generic/siginfo.h).
const CLD_EXITED: u32 = 1;
const CLD_KILLED: u32 = 2;

impl Status {
    /// `si_code` and `si_status`.
    pub fn details(self) -> (u32, u32) {
        match self {
            Self::Exited(status) => (CLD_EXITED, status.into()),
            Self::Signaled(signal) => (CLD_KILLED, signal.into()),
        }
    }

    /// The status that `wait4` reports.
    pub fn word(self) -> u32 {
        match self {
            Self::Exited(status) => u32::from(status) << 8,
            Self::Signaled(signal) => u32::from(signal),
        }
    }
}

/// Where somebody waits in a futex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// In a shared page: its frame and the offset there.
    Shared(u64),
    /// In a page of one's own.
    Own {
        /// Whose.
        process: u64,
        /// The address.
        address: u64,
    },
}

/// Why a process waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Something another process does may let its system call go on.
    Event,
    /// For a wake-up.
    Futex {
        /// Where.
        key: Key,
        /// Which ones.
        mask: u32,
        /// Its place in the queue.
        turn: u64,
        /// It has come.
        woken: bool,
    },
    /// For a child to end or to execute another program; the call itself is done.
    Vfork {
        /// The child.
        child: u64,
    },
}

/// A process that waits: its system call is performed again when it may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What for.
    pub why: Why,
    /// When it goes on in any case, in monotonic time.
    pub deadline_ns: Option<u64>,
    /// How many events there had been when it tried last.
    pub seen: u64,
}

/// A process.
pub struct Task {
    /// Its number.
    pub id: u64,
    /// Its parent's.
    pub parent: u64,
    /// Its memory.
    pub memory: Memory,
    /// Its descriptors.
    pub descriptors: Descriptors,
    /// Its working directory.
    pub working_directory: InodeId,
    /// Its signals.
    pub signals: Signals,
    /// Its resource limits.
    pub limits: [Limit; LIMITS.len()],
    /// Permissions that new files do not get.
    pub umask: u32,
    /// Its name.
    pub name: [u8; 16],
    /// Set while it waits.
    pub waiting: Option<Waiting>,
    /// Bytes that the system call which waits has transferred so far.
    pub transferred: u64,
    /// How long it has had the processor.
    pub cpu: CpuTime,
}

impl Task {
    /// A child with the same properties and memory.
    pub fn fork(&self, id: u64) -> Result<Self, Exhausted> {
        Ok(Self {
            id,
            parent: self.id,
            memory: self.memory.fork()?,
            descriptors: self.descriptors.fork()?,
            working_directory: self.working_directory,
            signals: self.signals.fork(),
            limits: self.limits,
            umask: self.umask,
            name: self.name,
            waiting: None,
            transferred: 0,
            cpu: CpuTime::default(),
        })
    }
}

/// A process that has ended, and that its parent has not heard of.
#[derive(Clone, Copy, Debug)]
pub struct Zombie {
    /// Its number.
    pub id: u64,
    /// Its parent's.
    pub parent: u64,
    /// What has become of it.
    pub status: Status,
    /// How long it and the children it has waited for have had the processor.
    pub cpu_ns: u64,
}
