// SPDX-License-Identifier: MIT
//! What belongs to one process, whatever threads it has.

use linux_raw_sys::general::{RLIMIT_NOFILE, SIGCONT, WCONTINUED, WEXITED, WSTOPPED};

use alloc::rc::Rc;

use super::clock::CpuTime;
use super::descriptor::Descriptors;
use super::fs::InodeId;
use super::memory::Memory;
use super::process_calls::{LIMITS, Limit};
use super::shared::Shared;
use super::signal::handlers::Handlers;
use super::signal::pending::Pending;
use super::start::Start;
use crate::object::table::name;

name! {
    /// Names the memory of one process or several.
    MemoryId
}
name! {
    /// Names the descriptors of one process or several.
    FilesId
}
name! {
    /// Names a place in the file system where one process is, or several.
    PlaceId
}
name! {
    /// Names the handlers of one process or several.
    HandlersId
}

/// Where a process is in the file system.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its working directory.
    pub directory: InodeId,
    /// Permissions that new files do not get.
    pub umask: u32,
}

/// The memories of all processes.
pub type Memories = Shared<MemoryId, Memory>;
/// The descriptors of all processes.
pub type Files = Shared<FilesId, Descriptors>;
/// Where all processes are in the file system.
pub type Places = Shared<PlaceId, Place>;
/// The handlers of all processes.
pub type AllHandlers = Shared<HandlersId, Handlers>;

/// The first process's number.
pub const FIRST_ID: u64 = 1000;
/// The number of whoever started it.
pub const OUTSIDE_ID: u64 = 1;
/// The first number that no process or thread gets: programs know numbers as an `int`.
pub const MAX_ID: u64 = i32::MAX as u64;
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

/// A process: a group of threads, and what they have in common.
pub struct Process {
    /// Who it is.
    pub identity: Identity,
    /// How many threads it has.
    pub threads: u32,
    /// Its memory.
    pub memory: MemoryId,
    /// Its descriptors.
    pub files: FilesId,
    /// Where it is in the file system.
    pub place: PlaceId,
    /// What it wants done about signals.
    pub handlers: HandlersId,
    /// Signals that were sent to it, and not to one of its threads.
    pub pending: Pending,
    /// The thread that was chosen last to take one of those.
    pub chosen: u64,
    /// Its resource limits.
    pub limits: [Limit; LIMITS.len()],
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
    /// The number that its next timer gets.
    pub next_timer: i32,
    /// The kinds of `membarrier` that it has registered for.
    pub barriers: u32,
    /// How long its threads have had the processor.
    pub cpu: CpuTime,
    /// The file that it executes, which it holds, if that is one.
    pub executable: Option<InodeId>,
    /// What was true of its program when it began.
    pub start: Rc<Start>,
}

impl Process {
    /// Its number, which is that of its first thread, too.
    pub fn id(&self) -> u64 {
        self.identity.id
    }

    /// The first descriptor number that is refused.
    pub fn max_descriptors(&self) -> u64 {
        self.limits[RLIMIT_NOFILE as usize].soft()
    }

    /// A child with the same properties; what it has in common with this one is not held yet.
    pub fn fork(&self, id: u64) -> Self {
        Self {
            identity: Identity { id, parent: self.id(), has_executed: false, ..self.identity },
            threads: 1,
            memory: self.memory,
            files: self.files,
            place: self.place,
            handlers: self.handlers,
            pending: Pending::default(),
            chosen: id,
            limits: self.limits,
            personality: self.personality,
            is_dumpable: self.is_dumpable,
            has_no_new_privileges: self.has_no_new_privileges,
            is_stopped: false,
            report: None,
            next_timer: 0,
            barriers: self.barriers,
            cpu: CpuTime::default(),
            executable: self.executable,
            start: self.start.clone(),
        }
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
