// SPDX-License-Identifier: MIT
//! The Linux personality: what a static single-threaded x86-64 program finds.
//!
//! A system call comes here after its processing element has been committed, so
//! it is performed exactly once. Invariants:
//! - memory of the program is reached only through [`user::User`];
//! - nothing that the program passes makes the kernel panic, or allocate more
//!   than the call needs: allocation on its behalf is fallible;
//! - all that the program sees repeats: addresses, identities, time, randomness.
//!
//! Not here: threads, further processes, sockets, pipes, and running signal handlers.

mod area;
mod content;
mod descriptor;
mod descriptor_calls;
mod dispatch;
mod elf;
mod errno;
mod fallible;
mod file_calls;
mod fs;
mod layout;
mod loader;
mod memory;
mod memory_calls;
mod path_calls;
mod process_calls;
mod random;
mod resident;
mod root;
mod signal_calls;
mod stack;
mod stat;
mod time_calls;
mod user;

use pe_replay::Uprr;
use syscalls::Sysno;

use self::descriptor::Descriptors;
use self::errno::{ENOSYS, Errno, Failure};
use self::fs::{Fs, InodeId};
use self::memory::{Fault, Intent, Memory, Resolved};
use self::process_calls::{LIMITS, Limit, MAX_DESCRIPTORS};
use self::random::Random;
use self::signal_calls::Signals;
use self::time_calls::Clock;
use crate::archive::Archive;
use crate::mem::frame;
use crate::mem::space::Space;

const SIGBUS: u8 = linux_raw_sys::general::SIGBUS as u8;
const SIGKILL: u8 = linux_raw_sys::general::SIGKILL as u8;
const SIGSEGV: u8 = linux_raw_sys::general::SIGSEGV as u8;
/// System call numbers that are told apart in the log.
const LOGGED_CALLS: usize = 512;
/// Of the memory free at start, files may take up one part in this many.
const FILES_SHARE: u64 = 8;

/// How a program goes on after a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// With its next instruction.
    Continue,
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

/// One process with one thread.
pub struct Linux {
    memory: Memory,
    memory_len: u64,
    fs: Fs,
    descriptors: Descriptors,
    working_directory: InodeId,
    signals: Signals,
    clock: Clock,
    random: Random,
    limits: [Limit; LIMITS.len()],
    umask: u32,
    name: [u8; 16],
    /// Unknown calls that the log has already named.
    named: [bool; LOGGED_CALLS],
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
        let mut name = [0; 16];
        let base = program_name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let length = base.len().min(name.len() - 1);
        name[..length].copy_from_slice(&base[..length]);
        let mut linux = Self {
            memory,
            memory_len,
            fs,
            descriptors: Descriptors::new(MAX_DESCRIPTORS),
            working_directory: InodeId::ROOT,
            signals: Signals::new(),
            clock,
            random,
            limits: LIMITS,
            umask: 0o022,
            name,
            named: [false; LOGGED_CALLS],
        };
        linux.fs.hold(InodeId::ROOT)?;
        linux.populate(archive, program_name)?;
        linux.open_standard(archive)?;
        Ok(linux)
    }

    /// Performs the system call in `uprr`, the committed state, and puts its result
    /// into RAX. `now` is the time since boot in nanoseconds.
    pub fn syscall(&mut self, space: &mut Space, uprr: &mut Uprr, now: u64) -> Next {
        self.clock.now_ns = now;
        let arguments = [uprr.rdi, uprr.rsi, uprr.rdx, uprr.r10, uprr.r8, uprr.r9];
        // The number is EAX, as on Linux.
        let number = uprr.rax as u32;
        let reply = match Sysno::new(number as usize) {
            Some(call) => self.perform(space, uprr, call, arguments),
            None => Err(self.unknown(number, "no such call")),
        };
        match reply {
            Ok(value) => uprr.rax = value,
            Err(Failure::Errno(errno)) => uprr.rax = errno.in_rax(),
            Err(Failure::End(Next::OutOfMemory)) => {
                log_out_of_memory();
                return Next::OutOfMemory;
            }
            Err(Failure::End(next)) => return next,
        }
        Next::Continue
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
        match self.memory.resolve(space, address, Intent::from(error)) {
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

fn log_out_of_memory() {
    defmt::error!("out of memory: the program needs one more page, {=u64} are free", frame::free_count());
}
