// SPDX-License-Identifier: MIT
//! What belongs to one process.

use linux_raw_sys::general::{SIGCONT, WCONTINUED, WEXITED, WSTOPPED};

use super::buffers::Buffers;
use super::clock::CpuTime;
use super::descriptor::Descriptors;
use super::errno::Errno;
use super::fs::InodeId;
use super::locks::Lock;
use super::memory::Memory;
use super::process_calls::{LIMITS, Limit};
use super::scheduling_calls::Scheduling;
use super::signal::Signals;
use crate::mem::fallible::Exhausted;
use crate::object::queue::Key;
use crate::object::scheduler::ThreadId;

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

/// Why a process waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Something another process does may let its system call go on.
    Call,
    /// A word of memory is to be woken.
    Futex,
    /// A child is to end or to execute another program; the call itself is done.
    Vfork {
        /// The child.
        child: u64,
    },
}

impl Why {
    /// Whether a wait gives way to a signal that is due.
    pub fn gives_way(self, signals: &Signals) -> bool {
        match self {
            Self::Call | Self::Futex => signals.is_due(),
            // As on Linux, nothing else gets through to it.
            Self::Vfork { .. } => signals.is_deadly(),
        }
    }
}

/// What a call comes to whose deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// This value.
    Value(u64),
    /// This error.
    Errno(Errno),
    /// It has to be performed again to know.
    Again,
}

/// A process that waits in a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// What for.
    pub why: Why,
    /// The queue that it stands in.
    pub key: Key,
    /// Whoever wakes it names one of these bits.
    pub mask: u32,
    /// When it goes on in any case, in monotonic time.
    pub deadline_ns: Option<u64>,
    /// What the call comes to then.
    pub late: Late,
}

impl Waiting {
    /// To wait until something happens that others make known in a queue.
    pub fn for_event(key: Key) -> Self {
        Self { why: Why::Call, key, mask: u32::MAX, deadline_ns: None, late: Late::Again }
    }
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
pub struct Process {
    /// Who it is.
    pub identity: Identity,
    /// Its thread.
    pub thread: ThreadId,
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

impl Process {
    /// Its number.
    pub fn id(&self) -> u64 {
        self.identity.id
    }

    /// A child with the same properties and memory; it has no thread of its own yet.
    pub fn fork(&self, id: u64) -> Result<Self, Exhausted> {
        Ok(Self {
            identity: Identity { id, parent: self.id(), has_executed: false, ..self.identity },
            thread: self.thread,
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
