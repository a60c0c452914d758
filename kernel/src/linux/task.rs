// SPDX-License-Identifier: MIT
//! What belongs to one process, and who waits for what.

use linux_raw_sys::general::{SIGCONT, WCONTINUED, WEXITED, WSTOPPED};

use super::buffers::Buffers;
use super::clock::CpuTime;
use super::descriptor::Descriptors;
use super::fs::InodeId;
use super::locks::Lock;
use super::memory::Memory;
use super::process_calls::{LIMITS, Limit};
use super::scheduling_calls::Scheduling;
use super::signal::Signals;
use crate::mem::fallible::Exhausted;

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
    /// A signal stopped it.
    Stopped(u8),
    /// It goes on after a stop.
    Continued,
}

/// `CLD_...` (include/uapi/asm-generic/siginfo.h).
const CLD_EXITED: u32 = 1;
const CLD_KILLED: u32 = 2;
const CLD_STOPPED: u32 = 5;
const CLD_CONTINUED: u32 = 6;

impl Status {
    /// `si_code` and `si_status`.
    pub fn details(self) -> (u32, u32) {
        match self {
            Self::Exited(status) => (CLD_EXITED, status.into()),
            Self::Signaled(signal) => (CLD_KILLED, signal.into()),
            Self::Stopped(signal) => (CLD_STOPPED, signal.into()),
            Self::Continued => (CLD_CONTINUED, SIGCONT),
        }
    }

    /// The status that `wait4` reports.
    pub fn word(self) -> u32 {
        match self {
            Self::Exited(status) => u32::from(status) << 8,
            Self::Signaled(signal) => u32::from(signal),
            Self::Stopped(signal) => u32::from(signal) << 8 | 0x7f,
            Self::Continued => 0xffff,
        }
    }

    /// The option of the wait family that asks for it.
    pub fn option(self) -> u32 {
        match self {
            Self::Exited(_) | Self::Signaled(_) => WEXITED,
            Self::Stopped(_) => WSTOPPED,
            Self::Continued => WCONTINUED,
        }
    }
}

/// Where somebody waits in a futex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// In shared memory.
    Shared {
        /// Which [`Pages`](super::pages::Pages).
        object: u64,
        /// The offset there.
        offset: u64,
    },
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

/// Who a process is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Its number.
    pub id: u64,
    /// Its parent's.
    pub parent: u64,
    /// The number of its process group.
    pub group: u64,
    /// The number of its session.
    pub session: u64,
    /// Whether it has executed a program since it was made.
    pub has_executed: bool,
}

/// A process.
pub struct Task {
    /// Who it is.
    pub identity: Identity,
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
    /// What it wished for of the scheduler.
    pub scheduling: Scheduling,
    /// What `personality` has set.
    pub personality: u32,
    /// What `prctl` says of dumps, of which there are none.
    pub is_dumpable: bool,
    /// What `prctl` says of privileges, of which there are no others.
    pub has_no_new_privileges: bool,
    /// Set from a stop until it is continued: nothing but that and its end lets it run.
    pub is_stopped: bool,
    /// The last stop or continuation, until the parent has waited for it.
    pub report: Option<Status>,
    /// Set while it waits.
    pub waiting: Option<Waiting>,
    /// The record lock that it waits for, if it waits for one.
    pub wanted: Option<Lock>,
    /// What the system call which waits has transferred so far, and has still to transfer.
    pub transfer: Option<Buffers>,
    /// How long it has had the processor.
    pub cpu: CpuTime,
}

impl Task {
    /// Its number.
    pub fn id(&self) -> u64 {
        self.identity.id
    }

    /// Its system call does not wait any more.
    pub fn stop_waiting(&mut self) {
        (self.waiting, self.wanted, self.transfer) = (None, None, None);
    }

    /// A child with the same properties and memory.
    pub fn fork(&self, id: u64) -> Result<Self, Exhausted> {
        Ok(Self {
            identity: Identity { id, parent: self.id(), has_executed: false, ..self.identity },
            memory: self.memory.fork()?,
            descriptors: self.descriptors.fork()?,
            working_directory: self.working_directory,
            signals: self.signals.fork(),
            limits: self.limits,
            umask: self.umask,
            name: self.name,
            scheduling: self.scheduling.fork(),
            personality: self.personality,
            is_dumpable: self.is_dumpable,
            has_no_new_privileges: self.has_no_new_privileges,
            is_stopped: false,
            report: None,
            waiting: None,
            wanted: None,
            transfer: None,
            cpu: CpuTime::default(),
        })
    }
}

/// A process that has ended, and that its parent has not heard of.
#[derive(Clone, Copy, Debug)]
pub struct Zombie {
    /// Who it was.
    pub identity: Identity,
    /// What has become of it.
    pub status: Status,
    /// How long it and the children it has waited for have had the processor.
    pub cpu_ns: u64,
}
