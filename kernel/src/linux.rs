// SPDX-License-Identifier: MIT
//! The Linux personality: what static x86-64 programs find, their processes and threads.
//!
//! A system call comes here after its processing element has been committed, so
//! it is performed exactly once. Invariants:
//! - memory of the program is reached only through [`user::User`];
//! - nothing that the program passes makes the kernel panic, or allocate more
//!   than the call needs: allocation on its behalf is [`fallible`], and what stays
//!   is in a [`budget`];
//! - all that the program sees repeats: addresses, identities, time, randomness.
//!
//! Not here: a network, and signals from outside.

mod advice_calls;
mod alarm_calls;
mod alarms;
mod area;
#[cfg(test)]
mod audit;
mod budget;
mod buffers;
mod clock;
mod content;
mod descriptor;
mod descriptor_calls;
mod dispatch;
mod elf;
mod ending;
mod epoll;
mod epoll_calls;
mod epoll_nesting;
mod errno;
mod event;
mod exec;
mod file_calls;
mod fork_calls;
mod fs;
mod futex;
mod futex_lock;
mod futex_operation;
mod group_calls;
mod layout;
mod loader;
mod lock_calls;
mod locks;
mod membarrier;
mod memory;
mod memory_calls;
mod on_fork;
mod pages;
mod path_calls;
mod pipe;
mod pipe_calls;
mod proc;
mod process;
mod process_calls;
mod random;
mod ranges;
mod reached;
mod resident;
mod robust;
mod root;
mod schedule;
mod scheduling_calls;
mod sending;
mod serve;
mod shared;
mod shortage;
pub mod signal;
mod signal_calls;
mod socket;
mod socket_calls;
mod stack;
mod start;
mod stat;
mod stopping;
mod thread;
mod time_calls;
mod timerfd;
mod transfer;
mod user;
pub mod view;
mod vsyscall;
mod wait_calls;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use linux_raw_sys::general::SA_RESTART;
use pe_replay::UserRegisters;
use syscalls::Sysno;
use wire::config::Config;
use wire::record::UnsupportedCall;

pub use self::fork_calls::Child;
pub use self::process::{FIRST_ID, Status};

use self::alarms::Alarms;
use self::budget::{FILES_SHARE, PIPES_SHARE, TEXTS_SHARE};
use self::buffers::Buffers;
use self::clock::{Clock, CpuTime};
use self::descriptor::Descriptors;
use self::epoll::Epolls;
use self::errno::{EINTR, ENOSYS, Errno, Failure, Reply};
use self::event::Events;
use self::fork_calls::Unscheduled;
use self::fs::{Fs, InodeId};
use self::locks::Locks;
use self::memory::{Fault, Intent, Memory, Resolved};
use self::pipe::Pipes;
use self::proc::Texts;
use self::process::{AllHandlers, Files, Identity, Memories, OUTSIDE_ID, Place, Places, Process, Zombie};
use self::process_calls::{LIMITS, MAX_DESCRIPTORS};
use self::random::Random;
use self::reached::Reached;
use self::signal::Disposition;
use self::signal::handlers::Handlers;
use self::signal::pending::Pending;
use self::socket::Sockets;
use self::start::Start;
use self::thread::{Thread, Waiting, Why};
use self::view::View;
use crate::mem::fallible;
use crate::mem::space::Space;
use crate::object::archive::Archive;
use crate::object::clock::Moment;
use crate::object::scheduler::{Scheduler, ThreadId, Woken};
use crate::object::table::Name as _;

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
/// Of the machine's memory, one part in this many is a program's. How much is really free
/// depends on the kernel and on how PEs are run, which a program must not see.
const PROMISED_SHARE: u64 = 2;

/// How a process goes on after a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The process goes on with its next instruction.
    Continue,
    /// Others come first.
    Yield,
    /// The process goes on, and a [new one](Linux::take_child) was made.
    Fork,
    /// The process [waits](Linux::wait), or is stopped.
    Wait,
    /// The process has ended.
    Exit {
        /// Its exit status.
        status: u8,
    },
    /// The thread has ended, and others of its process go on.
    ExitThread,
    /// The process executes another program, with this thread alone, maybe in a [new
    /// space](Linux::take_space).
    Executed,
    /// The process has killed itself, or was killed.
    Kill {
        /// The signal.
        signal: u8,
    },
    /// What the process wrote does not fit into the channel.
    OutputFull {
        /// The channel's limit in bytes.
        limit: u64,
    },
    /// A page that the process was promised cannot be had.
    OutOfMemory,
}

/// All processes with their threads, and what they have in common.
pub struct Linux {
    /// The machine's memory in bytes.
    memory_len: u64,
    fs: Fs,
    pipes: Pipes,
    locks: Locks,
    events: Events,
    epolls: Epolls,
    /// How often an `epoll` was looked at.
    looks: Cell<u64>,
    /// How often what is known of `epoll`s in others had to be forgotten, and one.
    nests: u64,
    alarms: Alarms,
    texts: Texts,
    sockets: Sockets,
    clock: Clock,
    random: Random,
    /// How often each call was made that is not supported; the last one stands for all numbers beyond.
    refused: [u32; LOGGED_CALLS + 1],
    reached: Reached,
    memories: Memories,
    files: Files,
    places: Places,
    handlers: AllHandlers,
    /// The thread that makes system calls.
    thread: Box<Thread>,
    /// All others that have not ended, each in its object's place.
    threads: Vec<Option<Box<Thread>>>,
    /// The process of the thread that makes system calls.
    process: Box<Process>,
    /// All others that have not ended.
    #[expect(clippy::vec_box, reason = "who runs is exchanged by moving an address, not kilobytes")]
    others: Vec<Box<Process>>,
    /// Those that have.
    zombies: Vec<Zombie>,
    /// A thread that was just made.
    child: Option<Child>,
    /// What the personality knows of it, until the scheduler does.
    unscheduled: Option<Unscheduled>,
    /// The space of a program that is executed by a process which had its memory in common with another one.
    fresh: Option<Space>,
    next_id: u64,
    /// Counts pages that are shared by mappings.
    objects: u64,
    /// The current process gives way.
    yields: bool,
}

impl Linux {
    /// A process with this memory, the archive's files and the three standard descriptors.
    fn new(
        archive: &Archive<'static>,
        config: &Config,
        thread: ThreadId,
        memory: Memory,
        random: Random,
        (program_name, start): (&[u8], Rc<Start>),
    ) -> Result<Self, Errno> {
        let clock = Clock::new(config.clock);
        let fs = Fs::new(promised_len(config.memory_len) / FILES_SHARE, clock.start_ns())?;
        let (mut memories, mut files) = (Memories::default(), Files::default());
        let (mut places, mut handlers) = (Places::default(), AllHandlers::default());
        memories.reserve()?;
        files.reserve()?;
        places.reserve()?;
        handlers.reserve()?;
        let process = fallible::boxed(Process {
            identity: Identity {
                id: FIRST_ID,
                parent: OUTSIDE_ID,
                group: FIRST_ID,
                session: FIRST_ID,
                has_executed: true,
            },
            threads: 1,
            memory: memories.insert_reserved(memory),
            files: files.insert_reserved(Descriptors::new(MAX_DESCRIPTORS)),
            place: places.insert_reserved(Place { directory: InodeId::ROOT, umask: 0o022 }),
            handlers: handlers.insert_reserved(Handlers::default()),
            pending: Pending::default(),
            chosen: FIRST_ID,
            limits: LIMITS,
            personality: 0,
            is_dumpable: true,
            has_no_new_privileges: false,
            is_stopped: false,
            report: None,
            next_timer: 0,
            barriers: 0,
            cpu: CpuTime::default(),
            executable: None,
            start,
        })?;
        let thread = fallible::boxed(Thread::new(FIRST_ID, thread, exec::short_name(program_name)))?;
        let mut threads = Vec::new();
        fallible::resize(&mut threads, thread.object.place() + 1, || None)?;
        let mut linux = Self {
            memory_len: config.memory_len,
            fs,
            pipes: Pipes::new(promised_len(config.memory_len) / PIPES_SHARE),
            locks: Locks::default(),
            events: Events::default(),
            epolls: Epolls::default(),
            looks: Cell::new(0),
            nests: 1,
            alarms: Alarms::default(),
            texts: Texts::new(promised_len(config.memory_len) / TEXTS_SHARE),
            sockets: Sockets::default(),
            clock,
            random,
            refused: [0; LOGGED_CALLS + 1],
            reached: Reached::default(),
            memories,
            files,
            places,
            handlers,
            thread,
            threads,
            process,
            others: Vec::new(),
            zombies: Vec::new(),
            child: None,
            unscheduled: None,
            fresh: None,
            next_id: FIRST_ID + 1,
            objects: 0,
            yields: false,
        };
        linux.fs.hold(InodeId::ROOT)?;
        linux.populate(archive, program_name)?;
        linux.open_standard(archive)?;
        Ok(linux)
    }

    /// Performs the system call in `user`, the committed state of the current process,
    /// puts its result into RAX, and delivers signals.
    pub fn syscall(&mut self, view: &mut View, user: &mut UserRegisters, now: Moment) -> Next {
        self.clock.set(now);
        let arguments = [user.rdi, user.rsi, user.rdx, user.r10, user.r8, user.r9];
        // The number is EAX, as on Linux.
        let number = user.rax as u32;
        let reply = match Sysno::new(number as usize) {
            Some(call) => self.perform(view, user, call, arguments),
            None => Err(self.unknown(number, "no such call")),
        };
        self.conclude(view, user, reply)
    }

    /// Goes on with the call that the current process has waited in, `woken` for this reason.
    pub fn syscall_again(
        &mut self,
        view: &mut View,
        user: &mut UserRegisters,
        now: Moment,
        woken: Option<Woken>,
    ) -> Next {
        self.clock.set(now);
        if let Some(reply) = self.outcome(woken) {
            return self.conclude(view, user, reply);
        }
        if self.thread.signals.is_alerted
            && let Some(next) = self.stop_in_call(view, user)
        {
            return next;
        }
        if !self.is_interrupted() {
            return self.syscall(view, user, now);
        }
        let arguments = [user.rdi, user.rsi, user.rdx, user.r10, user.r8, user.r9];
        match self.interrupt(view.space, user.rax as u32, arguments) {
            Some(reply) => self.conclude(view, user, reply),
            // The call is made again when the handler has returned.
            None => {
                user.rip = user.rip.wrapping_sub(SYSCALL_LEN);
                self.returned(view.scheduler);
                self.deliver(view, user)
            }
        }
    }

    /// Writes the result of a call where the program finds it.
    #[inline]
    fn conclude(&mut self, view: &mut View, user: &mut UserRegisters, reply: Reply) -> Next {
        if self.memories[self.process.memory].is_behind(self.fs.cuts()) && !self.catch_up(view.space) {
            self.log_shortage();
            return Next::OutOfMemory;
        }
        match reply {
            Ok(value) => user.rax = value,
            Err(Failure::Errno(errno)) => user.rax = errno.in_rax(),
            Err(Failure::Wait(key)) => return self.settle(key),
            Err(Failure::End(next)) => return self.break_off(view, user, next),
        }
        let plain = self.thread.waiting.is_none() && self.child.is_none() && !self.yields;
        match if plain { Next::Continue } else { self.returned(view.scheduler) } {
            Next::Continue => self.deliver(view, user),
            next => next,
        }
    }

    /// A call does not come to its end; where memory was missing and room is made, it is
    /// performed again.
    #[cold]
    fn break_off(&mut self, view: &mut View, user: &mut UserRegisters, next: Next) -> Next {
        if next != Next::OutOfMemory || !self.makes_room(view.scheduler) {
            return next;
        }
        if self.thread.waiting.is_none() {
            self.stop_waiting(view.scheduler);
            user.rip = user.rip.wrapping_sub(SYSCALL_LEN);
        }
        Next::Yield
    }

    /// All processes that have not ended.
    fn processes(&self) -> impl Iterator<Item = &Process> {
        self.others.iter().chain(core::iter::once(&self.process)).map(|process| &**process)
    }

    /// What a program may take for its memory in bytes, whatever is free.
    fn promised_len(&self) -> u64 {
        promised_len(self.memory_len)
    }

    /// Whether the call that the process waits in is cut short by a signal.
    fn is_interrupted(&self) -> bool {
        self.thread.waiting.is_some() && self.due().is_some()
    }

    /// What becomes of a call that a signal cuts short; `None` if it begins anew.
    #[cold]
    fn interrupt(&mut self, space: &mut Space, number: u32, arguments: [u64; 6]) -> Option<Reply> {
        let call = Sysno::new(number as usize);
        let due = self.due();
        let restarts = match due {
            Some(Disposition::Handle(_)) if self.waits_for_lock() => true,
            // What waits for a time would wait longer.
            Some(Disposition::Handle(action)) => {
                let is_timed = self.thread.waiting.is_some_and(|waiting| waiting.deadline_ns.is_some());
                action.has(SA_RESTART) && is_restartable(call) && !is_timed
            }
            Some(_) | None => false,
        };
        match (self.thread.transfer.as_ref().map_or(0, Buffers::done), restarts) {
            (0, true) => None,
            (0, false) if matches!(due, Some(Disposition::Handle(_))) => {
                Some(self.cut_sleep(space, call, arguments))
            }
            (0, false) => Some(Err(EINTR.into())),
            (done, _) => Some(Ok(done)),
        }
    }

    /// Whether the current thread waits for a lock that is handed on: as on Linux, no handler
    /// keeps it from having that.
    fn waits_for_lock(&self) -> bool {
        matches!(self.thread.waiting, Some(Waiting { why: Why::Lock { .. }, .. }))
    }

    /// A call has been performed that others have to do with.
    #[cold]
    fn returned(&mut self, scheduler: &mut Scheduler) -> Next {
        // A parent that waits after vfork has its result already.
        if !matches!(self.thread.waiting, Some(Waiting { why: Why::Vfork { .. }, .. })) {
            self.stop_waiting(scheduler);
        }
        if self.child.is_some() {
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
        self.memories[self.process.memory].catch_up(space, self.fs.cuts()).is_ok()
    }

    /// Refuses a call that is not supported; the log names it once.
    fn unknown(&mut self, number: u32, name: &str) -> Failure {
        if self.count_unsupported(number) == 1 {
            defmt::warn!("unknown system call {=u32} ({=str}): ENOSYS", number, name);
        }
        ENOSYS.into()
    }

    /// Counts a call that is not supported, or not like that; returns how often it was made.
    fn count_unsupported(&mut self, number: u32) -> u32 {
        let count = &mut self.refused[(number as usize).min(LOGGED_CALLS)];
        *count = count.saturating_add(1);
        *count
    }

    /// The calls that were made and are not supported.
    pub fn unsupported(&self) -> impl Iterator<Item = UnsupportedCall> {
        let calls = self.refused.iter().enumerate().filter(|(_, times)| **times > 0);
        calls.map(|(number, times)| {
            let number = if number < LOGGED_CALLS { number as u32 } else { u32::MAX };
            UnsupportedCall { number, times: u64::from(*times) }
        })
    }

    /// Resolves a committed page fault: maps promised memory, or returns the signal
    /// that ends the program.
    pub fn page_fault(&mut self, space: &mut Space, address: u64, error: u32) -> Result<(), u8> {
        match self.memories[self.process.memory].resolve(space, address, Intent::from(error)) {
            Ok(Resolved::Mapped) => Ok(()),
            // An access that faults on a page that permits it would fault for ever: it was
            // made with other rights than a program's.
            Ok(Resolved::Present) | Err(Fault::Denied) => Err(SIGSEGV),
            Err(Fault::PastEnd) => Err(SIGBUS),
            Err(Fault::OutOfMemory) => Err(SIGKILL),
        }
    }
}

/// What a program is promised of a machine's memory, in bytes.
fn promised_len(memory_len: u64) -> u64 {
    memory_len / PROMISED_SHARE
}

/// Whether a call that was cut short begins anew if the handler says so (signal(7)).
fn is_restartable(call: Option<Sysno>) -> bool {
    matches!(
        call,
        Some(
            Sysno::read
                | Sysno::readv
                | Sysno::preadv2
                | Sysno::write
                | Sysno::writev
                | Sysno::pwritev2
                | Sysno::sendto
                | Sysno::recvfrom
                | Sysno::sendmsg
                | Sysno::recvmsg
                | Sysno::wait4
                | Sysno::waitid
                | Sysno::futex
                | Sysno::flock
                | Sysno::fcntl
        )
    )
}
