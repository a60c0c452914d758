// SPDX-License-Identifier: MIT
//! What belongs to one thread of a process.

use super::buffers::Buffers;
use super::descriptor::Held;
use super::errno::Errno;
use super::locks::Lock;
use super::scheduling_calls::Scheduling;
use super::signal::due::ThreadSignals;
use super::signal::handlers::Handlers;
use super::signal::pending::Pending;
use crate::object::queue::Key;
use crate::object::scheduler::ThreadId;

/// The most threads at a time, of all processes.
pub const MAX_THREADS: usize = 1024;

/// Why a thread waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Something that another thread does may let its system call go on.
    Call,
    /// A word of memory is to be woken.
    Futex,
    /// A lock is to be handed on by whoever has it.
    Lock {
        /// Who that is; 0 if he has left it behind, and the waiting thread itself if he has handed it on.
        owner: u64,
    },
    /// A child is to end or to execute another program; the call itself is done.
    Vfork {
        /// The child.
        child: u64,
    },
}

impl Why {
    /// Whether a wait gives way to a signal that is due.
    pub fn gives_way(self, signals: &ThreadSignals, handlers: &Handlers, common: &Pending) -> bool {
        match self {
            Self::Call | Self::Futex | Self::Lock { .. } => signals.due(handlers, common).is_some(),
            // As on Linux, nothing else gets through to it.
            Self::Vfork { .. } => signals.is_deadly(handlers, common),
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

/// A thread that waits in a system call.
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

/// A thread.
pub struct Thread {
    /// Its number.
    pub id: u64,
    /// The number of its process.
    pub process: u64,
    /// What the scheduler knows it by.
    pub object: ThreadId,
    /// Its signals.
    pub signals: ThreadSignals,
    /// Its name.
    pub name: [u8; 16],
    /// What it wished for of the scheduler.
    pub scheduling: Scheduling,
    /// The word that is cleared when it ends, and on which others wait for that; 0 is none.
    pub clear_at_end: u64,
    /// The list of the robust locks that it holds; 0 is none.
    pub robust_list: u64,
    /// Set while it waits.
    pub waiting: Option<Waiting>,
    /// The record lock that it waits for, if it waits for one.
    pub wanted: Option<Lock>,
    /// The open description that the system call which waits goes through: another thread may
    /// close the descriptor meanwhile.
    pub through: Option<Held>,
    /// What the system call which waits has transferred so far, and has still to transfer.
    pub transfer: Option<Buffers>,
    /// How long it has had the processor, in nanoseconds, its present turn apart.
    pub cpu_ns: u64,
    /// When it was made, in monotonic time.
    pub started_ns: u64,
}

impl Thread {
    /// The first thread of a process.
    pub fn new(id: u64, object: ThreadId, name: [u8; 16]) -> Self {
        Self {
            id,
            process: id,
            object,
            signals: ThreadSignals::default(),
            name,
            scheduling: Scheduling::default(),
            clear_at_end: 0,
            robust_list: 0,
            waiting: None,
            wanted: None,
            through: None,
            transfer: None,
            cpu_ns: 0,
            started_ns: 0,
        }
    }

    /// A thread that this one makes, of a process; the scheduler does not know it yet.
    pub fn fork(&self, id: u64, process: u64, keeps_stack: bool) -> Self {
        Self {
            process,
            signals: self.signals.fork(keeps_stack),
            scheduling: self.scheduling.fork(),
            ..Self::new(id, self.object, self.name)
        }
    }
}
