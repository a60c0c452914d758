// SPDX-License-Identifier: MIT
//! The Linux personality: what static single-threaded x86-64 programs find.
//!
//! A system call comes here after its processing element has been committed, so
//! it is performed exactly once. Invariants:
//! - memory of the program is reached only through [`user::User`];
//! - nothing that the program passes makes the kernel panic, or allocate more
//!   than the call needs: allocation on its behalf is fallible;
//! - all that the program sees repeats: addresses, identities, time, randomness.
//!
//! Not here: threads, sockets, and signals from outside.

mod area;
mod content;
mod descriptor;
mod descriptor_calls;
mod dispatch;
mod elf;
mod errno;
mod exec;
pub mod fallible;
mod file_calls;
mod fork_calls;
mod fs;
mod futex;
mod layout;
mod loader;
mod memory;
mod memory_calls;
mod pages;
mod path_calls;
mod pipe;
mod pipe_calls;
mod process_calls;
mod random;
mod resident;
mod root;
mod schedule;
pub mod signal;
mod signal_calls;
mod stack;
mod stat;
mod task;
mod time_calls;
mod user;

use alloc::boxed::Box;
use alloc::vec::Vec;

use linux_raw_sys::general::SA_RESTART;
use pe_replay::Uprr;
use syscalls::Sysno;

pub use self::fallible::{Exhausted, boxed, reserve_one};
pub use self::fork_calls::Newborn;
pub use self::schedule::Turn;
pub use self::task::{FIRST_ID, Status};

use self::descriptor::Descriptors;
use self::errno::{EINTR, ENOSYS, Errno, Failure, Reply};
use self::fs::{Fs, InodeId};
use self::memory::{Fault, Intent, Memory, Resolved};
use self::pipe::Pipes;
use self::process_calls::{LIMITS, MAX_DESCRIPTORS};
use self::random::Random;
use self::signal::{Fate, Signals};
use self::task::{OUTSIDE_ID, Task, Waiting, Why, Zombie};
use self::time_calls::Clock;
use crate::archive::Archive;
use crate::mem::frame;
use crate::mem::space::Space;

const SIGBUS: u8 = linux_raw_sys::general::SIGBUS as u8;
/// The signal for which nobody can have a handler.
pub const SIGKILL: u8 = linux_raw_sys::general::SIGKILL as u8;
/// The signal for a program that goes on for too long.
pub const SIGXCPU: u8 = linux_raw_sys::general::SIGXCPU as u8;
const SIGSEGV: u8 = linux_raw_sys::general::SIGSEGV as u8;
/// System call numbers that are told apart in the log.
const LOGGED_CALLS: usize = 512;
/// Length of a process's name, with its final NUL byte.
const NAME_LEN: usize = 16;
/// Length of a SYSCALL instruction.
const SYSCALL_LEN: u64 = 2;
/// Of the memory free at start, files may take up one part in this many.
const FILES_SHARE: u64 = 8;

/// How a program goes on after a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// With its next instruction.
    Continue,
    /// Likewise, but others come first.
    Yield,
    /// Likewise; a [process](Linux::take_newborn) was made.
    Fork,
    /// With this call again, when others have done something.
    Wait,
    /// Not: it has ended.
    Exit {
        /// Its exit status.
        status: u8,
    },
    /// Not: it has killed itself.
    Kill {
        /// The signal.
        signal: u8,
    },
    /// Not: it waits for something that cannot happen.
    Deadlock,
    /// Not: what it wrote does not fit into the channel.
    OutputFull {
        /// The channel's limit in bytes.
        limit: u64,
    },
    /// Not: a page that it was promised cannot be had.
    OutOfMemory,
}

/// All processes, each with one thread, and what they have in common.
pub struct Linux {
    memory_len: u64,
    fs: Fs,
    pipes: Pipes,
    clock: Clock,
    random: Random,
    /// Unknown calls that the log has already named.
    named: [bool; LOGGED_CALLS],
    /// The process that makes system calls.
    task: Box<Task>,
    /// All others that have not ended.
    others: Vec<Box<Task>>,
    /// Those that have.
    zombies: Vec<Zombie>,
    /// A process that was just made.
    newborn: Option<Newborn>,
    next_id: u64,
    /// Counts what a process may have waited for.
    events: u64,
    /// Counts those that have queued up in futexes.
    turns: u64,
    /// Counts pages that are shared by mappings.
    objects: u64,
    /// The current process gives way.
    yields: bool,
}

impl Linux {
    /// A process with this memory, the archive's files and the three standard descriptors.
    fn new(
        archive: &Archive<'static>,
        memory: Memory,
        memory_len: u64,
        random: Random,
        program_name: &[u8],
    ) -> Result<Self, Errno> {
        let clock = Clock::default();
        let fs = Fs::new(memory_len / FILES_SHARE, clock.boot_time_ns())?;
        let task = fallible::boxed(Task {
            id: FIRST_ID,
            parent: OUTSIDE_ID,
            memory,
            descriptors: Descriptors::new(MAX_DESCRIPTORS),
            working_directory: InodeId::ROOT,
            signals: Signals::default(),
            limits: LIMITS,
            umask: 0o022,
            name: exec::short_name(program_name),
            waiting: None,
            transferred: 0,
        })?;
        let mut linux = Self {
            memory_len,
            fs,
            pipes: Pipes::default(),
            clock,
            random,
            named: [false; LOGGED_CALLS],
            task,
            others: Vec::new(),
            zombies: Vec::new(),
            newborn: None,
            next_id: FIRST_ID + 1,
            events: 0,
            turns: 0,
            objects: 0,
            yields: false,
        };
        linux.fs.hold(InodeId::ROOT)?;
        linux.populate(archive, program_name)?;
        linux.open_standard(archive)?;
        Ok(linux)
    }

    /// Performs the system call in `uprr`, the committed state of the current process,
    /// puts its result into RAX, and delivers signals. `now` is the time since boot in
    /// nanoseconds.
    pub fn syscall(&mut self, space: &mut Space, uprr: &mut Uprr, now: u64) -> Next {
        self.clock.now_ns = now;
        let arguments = [uprr.rdi, uprr.rsi, uprr.rdx, uprr.r10, uprr.r8, uprr.r9];
        // The number is EAX, as on Linux.
        let number = uprr.rax as u32;
        let reply = match Sysno::new(number as usize) {
            _ if self.is_interrupted() => match self.interrupt(number) {
                Some(reply) => reply,
                // The call is made again when the handler has returned.
                None => {
                    uprr.rip = uprr.rip.wrapping_sub(SYSCALL_LEN);
                    self.returned();
                    return self.deliver(space, uprr);
                }
            },
            Some(call) => self.perform(space, uprr, call, arguments),
            None => Err(self.unknown(number, "no such call")),
        };
        if self.task.memory.is_behind(self.fs.cuts()) && !self.catch_up(space) {
            log_out_of_memory();
            return Next::OutOfMemory;
        }
        match reply {
            Ok(value) => uprr.rax = value,
            Err(Failure::Errno(errno)) => uprr.rax = errno.in_rax(),
            Err(Failure::End(Next::OutOfMemory)) => {
                log_out_of_memory();
                return Next::OutOfMemory;
            }
            Err(Failure::End(next)) => return self.settle(next),
        }
        let plain = self.task.waiting.is_none() && self.newborn.is_none() && !self.yields;
        match if plain { Next::Continue } else { self.returned() } {
            Next::Continue => self.deliver(space, uprr),
            next => next,
        }
    }

    /// Whether the call that the process waits in is cut short by a signal.
    fn is_interrupted(&self) -> bool {
        self.task.waiting.is_some() && self.task.signals.is_due()
    }

    /// What becomes of a call that a signal cuts short; `None` if it begins anew.
    #[cold]
    fn interrupt(&mut self, number: u32) -> Option<Reply> {
        let call = Sysno::new(number as usize);
        let is_woken = matches!(self.task.waiting, Some(Waiting { why: Why::Futex { woken: true, .. }, .. }));
        let restarts = match self.task.signals.due() {
            Some(Fate::Handle(action)) => action.has(SA_RESTART) && is_restartable(call),
            Some(_) | None => false,
        };
        match (core::mem::take(&mut self.task.transferred), restarts) {
            _ if is_woken => Some(Ok(0)),
            (0, true) => None,
            (0, false) => Some(Err(EINTR.into())),
            (done, _) => Some(Ok(done)),
        }
    }

    /// A call has been performed that others have to do with.
    #[cold]
    fn returned(&mut self) -> Next {
        // A parent that waits after vfork has its result already.
        if !matches!(self.task.waiting, Some(Waiting { why: Why::Vfork { .. }, .. })) {
            self.task.waiting = None;
            self.task.transferred = 0;
        }
        if self.newborn.is_some() {
            Next::Fork
        } else if core::mem::take(&mut self.yields) {
            Next::Yield
        } else {
            Next::Continue
        }
    }

    /// The current process goes on after others have: what they have cut of shared
    /// memory is not there any more. `false` if there is no memory left to see to that.
    pub fn catch_up(&mut self, space: &mut Space) -> bool {
        self.task.memory.catch_up(space, self.fs.cuts()).is_ok()
    }

    /// Names a call that is not supported in the log, once.
    fn unknown(&mut self, number: u32, name: &str) -> Failure {
        let named = self.named.get_mut(number as usize);
        if named.is_none_or(|named| !core::mem::replace(named, true)) {
            defmt::warn!("unknown system call {=u32} ({=str}): ENOSYS", number, name);
        }
        ENOSYS.into()
    }

    /// Resolves a committed page fault: maps promised memory, or returns the signal
    /// that ends the program.
    pub fn page_fault(&mut self, space: &mut Space, address: u64, error: u32) -> Result<(), u8> {
        match self.task.memory.resolve(space, address, Intent::from(error)) {
            Ok(Resolved::Mapped) => Ok(()),
            // An access that faults on a page that permits it would fault for ever: it was
            // made with other rights than a program's.
            Ok(Resolved::Present) | Err(Fault::Denied) => Err(SIGSEGV),
            Err(Fault::PastEnd) => Err(SIGBUS),
            Err(Fault::OutOfMemory) => {
                log_out_of_memory();
                Err(SIGKILL)
            }
        }
    }
}

/// Whether a call that was cut short begins anew if the handler says so (signal(7)).
fn is_restartable(call: Option<Sysno>) -> bool {
    matches!(
        call,
        Some(
            Sysno::read
                | Sysno::readv
                | Sysno::write
                | Sysno::writev
                | Sysno::wait4
                | Sysno::waitid
                | Sysno::futex
        )
    )
}

fn log_out_of_memory() {
    defmt::error!("out of memory: the program needs one more page, {=u64} are free", frame::free_count());
}
