// SPDX-License-Identifier: MIT
//! Scenarios: a loaded process, and system calls on it.

mod executive;
mod exhaustion;
mod fault;
mod file;
mod hostile;
mod inherited;
mod limits;
mod locks;
mod memory;
mod nested;
mod nova;
mod performed;
mod proc;
mod process;
pub mod processes;
mod sequences;
mod shared;
mod shortage;
mod signal;
mod sockets;
mod space;
mod stopping;
mod tables;
mod threads;
mod time;
mod transfer;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use linux_raw_sys::errno;
use pe_replay::{Policy, UserRegisters};
use syscalls::Sysno;
use wire::clock::Clock;
use wire::config::{Config, Job, Recording, Sink, entry};
use wire::counter::{CounterChoice, CounterFaults};

use crate::linux::signal::exception::Exception;
use crate::linux::view::View;
use crate::linux::{FIRST_ID, Linux, Next};
use crate::mem::frame;
use crate::mem::space::{PAGE_LEN, Space};
use crate::object::archive::Archive;
use crate::object::clock::Moment;
use crate::object::scheduler::{Scheduler, ThreadId};
use crate::object::table::Name as _;

/// Where the program's data segment lies: writable, one page from the file, three of zeros.
const DATA: u64 = 0x60_0000;
const TEXT: u64 = 0x40_0000;
const FRAMES: u64 = 4096;

/// A static executable with a text and a data segment.
fn program() -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    for half in [2_u16, 62] {
        bytes.extend(half.to_le_bytes());
    }
    bytes.extend(1_u32.to_le_bytes());
    for word in [TEXT + 0x200, 64, 0] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 2, 64, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    for (flags, offset, address, in_memory) in [(5_u32, 0, TEXT, PAGE_LEN), (6, PAGE_LEN, DATA, 4 * PAGE_LEN)]
    {
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        for word in [offset, address, address, PAGE_LEN, in_memory, PAGE_LEN] {
            bytes.extend(word.to_le_bytes());
        }
    }
    bytes.resize(2 * PAGE_LEN as usize, b'd');
    bytes
}

fn archive(entries: &[(&str, &[u8])]) -> &'static [u8] {
    let mut bytes = Vec::new();
    for (name, content) in entries {
        let mode = if name.contains("/bin/") { 0o100_755 } else { 0o100_644 };
        let mut writer = cpio::newc::Builder::new(name).mode(mode).write(&mut bytes, content.len() as u32);
        std::io::Write::write_all(&mut writer, content).unwrap();
        writer.finish().unwrap();
    }
    cpio::newc::trailer(&mut bytes).unwrap();
    Box::leak(bytes.into_boxed_slice())
}

/// The program with arguments, some input and one file, `/etc/motd`.
fn standard() -> Archive<'static> {
    static ARCHIVE: OnceLock<&[u8]> = OnceLock::new();
    Archive::new(ARCHIVE.get_or_init(|| {
        archive(&[
            (entry::PROGRAM, &program()),
            (entry::ARGV, b"./prog\0second\0"),
            (entry::ENVP, b"A=1\0"),
            (entry::STDIN, b"some input\n"),
            ("files/etc/motd", b"be well\n"),
            ("files/bin/other", &program()),
        ])
    }))
}

/// The usual one; a program is promised all the frames there are.
fn config() -> Config {
    Config {
        job: Job::Run,
        policy: Policy::DEFAULT,
        seed: 1,
        max_instructions: u64::MAX,
        channel_base: 0,
        channel_size: 0,
        sink: Sink::Memory,
        trace: Recording::Nothing,
        injections: Default::default(),
        mutation: None,
        counter: CounterChoice::default(),
        counter_faults: CounterFaults::default(),
        clock: Clock::default(),
        isolate: Default::default(),
        memory_len: 2 * FRAMES * PAGE_LEN,
        system: Default::default(),
    }
}

/// A process and its machine, with the memory and registers of all others.
struct Process {
    linux: Linux,
    id: u64,
    space: Space,
    user: UserRegisters,
    /// The registers of all other threads.
    others: BTreeMap<u64, UserRegisters>,
    /// All spaces but the current one.
    spaces: BTreeMap<u64, Space>,
    /// In which space each thread is: it is called after the first one there.
    space_of: BTreeMap<u64, u64>,
    scheduler: Scheduler,
    /// The object of each thread.
    threads: BTreeMap<u64, ThreadId>,
    now: u64,
    slept: u64,
}

impl Process {
    /// The [standard] program.
    fn new() -> Self {
        frame::set_free(FRAMES);
        crate::arch::channel::take();
        let archive = standard();
        let (mut space, mut user) = (Space::default(), UserRegisters::new(0x33, 0x2b));
        let linux = Linux::load(&archive, &config(), ThreadId::at(0), &mut space, &mut user).unwrap();
        let mut process = Self {
            linux,
            id: FIRST_ID,
            space,
            user,
            others: BTreeMap::new(),
            spaces: BTreeMap::new(),
            space_of: BTreeMap::from([(FIRST_ID, FIRST_ID)]),
            scheduler: Scheduler::default(),
            threads: BTreeMap::new(),
            now: 0,
            slept: 0,
        };
        process.admit(FIRST_ID);
        process.scheduler.begin(ThreadId::at(0));
        process
    }

    /// Gives a thread its object.
    fn admit(&mut self, id: u64) {
        let thread = ThreadId::at((id - FIRST_ID) as usize);
        self.scheduler.reserve(thread).unwrap();
        self.scheduler.add_thread(thread);
        self.scheduler.add_budget(thread, 0, 1);
        self.threads.insert(id, thread);
        self.linux.adopt(thread).unwrap();
    }

    fn moment(&self) -> Moment {
        Moment { passed_ns: self.now, slept_ns: self.slept }
    }

    /// Does something for the current process, and has it wait if that is what it comes to.
    fn served(&mut self, serve: impl FnOnce(&mut Linux, &mut View, &mut UserRegisters) -> Next) -> Next {
        let mut view = View { space: &mut self.space, scheduler: &mut self.scheduler };
        let next = serve(&mut self.linux, &mut view, &mut self.user);
        let thread = self.threads[&self.id];
        match self.linux.wait(&self.scheduler) {
            Some(wait) if matches!(next, Next::Wait | Next::Fork) => self.scheduler.block(thread, wait),
            _ => self.scheduler.end_wait(thread),
        }
        next
    }

    fn deliver(&mut self) -> Next {
        self.served(|linux, view, user| linux.deliver(view, user))
    }

    fn exception(&mut self, exception: Exception) -> Next {
        self.served(|linux, view, user| linux.exception(view, user, exception))
    }

    fn bad_page(&mut self, fault: (u64, u32), signal: u8) -> Next {
        self.served(|linux, view, user| linux.bad_page(view, user, fault, signal))
    }

    /// Whose turn it is after a process's, at this time; where all wait, it passes.
    fn next_after(&mut self, last: u64, now: u64) -> Option<u64> {
        self.now = now;
        if let Some(thread) = self.threads.get(&last) {
            self.scheduler.begin(*thread);
        }
        let thread = loop {
            let now_ns = self.moment().monotonic_ns();
            self.scheduler.expire(now_ns);
            if let Some(thread) = self.scheduler.choose() {
                break thread;
            }
            self.slept += self.scheduler.next_deadline()?.saturating_sub(now_ns);
        };
        self.threads.iter().find(|(_, it)| **it == thread).map(|(id, _)| *id)
    }

    fn step(&mut self, number: u64, arguments: &[u64]) -> Next {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        let user = &mut self.user;
        user.rax = number;
        [user.rdi, user.rsi, user.rdx, user.r10, user.r8, user.r9] = all;
        let now = self.moment();
        self.served(|linux, view, user| linux.syscall(view, user, now))
    }

    /// A system call after which the program goes on: its value or error number.
    fn call(&mut self, call: Sysno, arguments: &[u64]) -> Result<u64, u32> {
        let mut next = self.step(call.id() as u64, arguments);
        // Whoever is alone and waits for a time gets it.
        if next == Next::Wait && self.others.is_empty() && self.next_after(self.id, self.now) == Some(self.id)
        {
            next = self.again();
        }
        if next == Next::Executed {
            self.start_over();
            next = self.deliver();
        }
        assert_eq!(next, Next::Continue, "{call} {arguments:x?}");
        match self.user.rax as i64 {
            value @ -4095..0 => Err(-value as u32),
            value => Ok(value as u64),
        }
    }

    /// A system call after which the program does not go on.
    fn last(&mut self, call: Sysno, arguments: &[u64]) -> Next {
        self.step(call.id() as u64, arguments)
    }

    /// Writes to memory as the program does, page faults included.
    fn poke(&mut self, address: u64, bytes: &[u8]) {
        for (at, byte) in (address..).zip(bytes) {
            if self.space.write(at, &[*byte]).is_err() {
                self.linux.page_fault(&mut self.space, at, 6).unwrap();
                self.space.write(at, &[*byte]).unwrap();
            }
        }
    }

    fn peek(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.space.read(address, &mut bytes).unwrap();
        bytes
    }

    /// Puts a string into the data segment's zeros; returns its address.
    fn string(&mut self, string: &str) -> u64 {
        let at = DATA + 3 * PAGE_LEN;
        self.poke(at, string.as_bytes());
        self.poke(at + string.len() as u64, &[0]);
        at
    }
}
