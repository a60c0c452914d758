// SPDX-License-Identifier: MIT
//! Several processes: who makes them, who waits for whom, and what they have in common.

use linux_raw_sys::general::{
    CLONE_CHILD_SETTID, CLONE_NEWPID, CLONE_PARENT_SETTID, CLONE_SIGHAND, CLONE_THREAD, CLONE_VFORK,
    CLONE_VM, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAKE, O_CLOEXEC, O_NONBLOCK, SIGCHLD,
    WNOHANG,
};
use wire::limit::{Limited, ReachedLimit};

use super::*;
use crate::linux::{Child, Status};
use crate::personality::Personality as _;

const SIGKILL: u64 = 9;
const SIGPIPE: u8 = 13;
/// Spaces of programs that were executed have numbers from here on.
const FRESH_SPACE: u64 = 1_000_000;
/// What glibc's `pthread_create` asks for.
pub const THREAD_FLAGS: u32 = 0x3d_0f00;

impl Process {
    /// Goes on as another process.
    pub fn switch_to(&mut self, id: u64) {
        if id == self.id {
            return;
        }
        let user = self.others.remove(&id).unwrap();
        let (from, to) = (self.space_of[&self.id], self.space_of[&id]);
        if from != to {
            let space = self.spaces.remove(&to).unwrap();
            self.spaces.insert(from, std::mem::replace(&mut self.space, space));
        }
        let left = std::mem::replace(&mut self.user, user);
        self.others.insert(std::mem::replace(&mut self.id, id), left);
        let thread = self.threads[&id];
        self.scheduler.begin(thread);
        self.linux.switch_to(thread);
        assert!(self.linux.catch_up(&mut self.space));
    }

    /// Whose turn it is; goes on as that process.
    pub fn turn(&mut self) -> u64 {
        let Some(id) = self.next_after(self.id, self.now) else { panic!("nobody can run") };
        self.switch_to(id);
        id
    }

    pub fn take_child(&mut self) -> u64 {
        let child = self.linux.take_child().unwrap();
        let id = self.user.rax;
        self.others.insert(id, child.state);
        let space = child.space.map_or(self.space_of[&self.id], |space| {
            self.spaces.insert(id, space);
            id
        });
        self.space_of.insert(id, space);
        self.admit(id);
        id
    }

    /// There is no room for a process that was just made.
    pub fn refuse(&mut self, child: Child) {
        if let Some(space) = child.space {
            space.destroy();
        }
        self.linux.refuse_child(&mut self.user);
        self.scheduler.end_wait(self.threads[&self.id]);
    }

    /// Makes a thread with this stack pointer and FS base; its number is written to `id`, and
    /// cleared there in the end.
    pub fn spawn(&mut self, stack: u64, id: u64, tls: u64) -> u64 {
        let arguments = [THREAD_FLAGS.into(), stack, id, id, tls];
        assert_eq!(self.step(Sysno::clone.id() as u64, &arguments), Next::Fork);
        let child = self.take_child();
        assert_eq!(self.user.rax, child);
        child
    }

    pub fn fork(&mut self) -> u64 {
        assert_eq!(self.step(Sysno::fork.id() as u64, &[]), Next::Fork);
        let child = self.take_child();
        assert_eq!(self.user.rax, child);
        child
    }

    /// A call that waits for other processes.
    pub fn waits(&mut self, call: Sysno, arguments: &[u64]) {
        assert_eq!(self.step(call.id() as u64, arguments), Next::Wait, "{call}");
        assert!(self.linux.is_waiting());
    }

    /// Performs the call that the process waits in again.
    pub fn again(&mut self) -> Next {
        assert!(self.linux.is_waiting());
        let (now, woken) = (self.moment(), self.scheduler.take_woken(self.threads[&self.id]));
        self.served(|linux, view, user| linux.syscall_again(view, user, now, woken))
    }

    /// Performs the call that the process waits in again; it has to return.
    pub fn returns(&mut self) -> Result<u64, u32> {
        assert_eq!(self.again(), Next::Continue);
        match self.user.rax as i64 {
            value @ -4095..0 => Err(-value as u32),
            value => Ok(value as u64),
        }
    }

    /// Ends the current process and goes on as another one.
    pub fn end(&mut self, status: Status, next: u64) {
        self.finish(status);
        self.go_on_as(next);
    }

    /// Ends the current thread and goes on as another one.
    pub fn end_thread(&mut self, next: u64) {
        self.finish_thread();
        self.go_on_as(next);
    }

    /// Ends the current thread; nobody has the processor then.
    pub fn finish_thread(&mut self) {
        let now = self.moment();
        let mut view = View { space: &mut self.space, scheduler: &mut self.scheduler };
        self.linux.end_thread(&mut view, now);
        self.forget();
    }

    /// Lets threads go that have ended.
    fn forget(&mut self) {
        while let Some(id) = self.threads.keys().copied().find(|id| !self.linux.has_thread(*id)) {
            self.scheduler.remove_thread(self.threads.remove(&id).unwrap());
            if self.others.remove(&id).is_some() {
                self.space_of.remove(&id);
            }
        }
    }

    /// The current thread has ended: goes on as another one.
    pub fn go_on_as(&mut self, next: u64) {
        let from = self.space_of.remove(&self.id).unwrap();
        let to = self.space_of[&next];
        if from != to {
            let space = self.spaces.remove(&to).unwrap();
            let left = std::mem::replace(&mut self.space, space);
            if self.space_of.values().any(|it| *it == from) {
                self.spaces.insert(from, left);
            } else {
                left.destroy();
            }
        }
        self.user = self.others.remove(&next).unwrap();
        self.id = next;
        self.scheduler.begin(self.threads[&next]);
        self.linux.switch_to(self.threads[&next]);
    }

    /// The current process has executed another program: it has one thread, and may have a space
    /// of its own now.
    pub fn start_over(&mut self) {
        let id = self.linux.current_id();
        let thread = self.threads.remove(&self.id).unwrap();
        let mut space = self.space_of.remove(&self.id).unwrap();
        if id != self.id
            && let Some(first) = self.threads.remove(&id)
        {
            self.scheduler.remove_thread(first);
            self.others.remove(&id);
        }
        self.forget();
        if let Some(fresh) = self.linux.take_space() {
            let left = std::mem::replace(&mut self.space, fresh);
            self.spaces.insert(space, left);
            space = FRESH_SPACE + id;
        }
        self.threads.insert(id, thread);
        self.space_of.insert(id, space);
        self.id = id;
    }

    /// Ends the current process; nobody has the processor then.
    pub fn finish(&mut self, status: Status) {
        let now = self.moment();
        let mut view = View { space: &mut self.space, scheduler: &mut self.scheduler };
        self.linux.end(&mut view, status, now);
        self.forget();
    }

    pub fn pipe(&mut self, flags: u32) -> (u64, u64) {
        self.call(Sysno::pipe2, &[DATA, u64::from(flags)]).unwrap();
        let word = |bytes: &[u8]| u64::from(u32::from_le_bytes(bytes.try_into().unwrap()));
        let ends = self.peek(DATA, 8);
        (word(&ends[..4]), word(&ends[4..]))
    }

    pub fn words(&self, address: u64) -> u32 {
        u32::from_le_bytes(self.peek(address, 4).try_into().unwrap())
    }
}

#[test]
fn a_child_has_the_same_memory_until_it_writes() {
    let mut process = Process::new();
    process.poke(DATA, b"parent");
    process.poke(DATA + PAGE_LEN, &[0]);
    let free = frame::free_count();
    let child = process.fork();
    assert_eq!(child, FIRST_ID + 1);
    assert!(process.space.write(DATA, b"x").is_err());
    process.poke(DATA, b"change");
    process.switch_to(child);
    assert_eq!((process.user.rax, process.peek(DATA, 6)), (0, b"parent".to_vec()));
    assert_eq!(process.call(Sysno::getpid, &[]), Ok(child));
    assert_eq!(process.call(Sysno::getppid, &[]), Ok(FIRST_ID));
    assert_eq!(process.call(Sysno::getpgrp, &[]), Ok(FIRST_ID));
    process.poke(DATA, b"child!");
    // The kernel's own writes are copied for, too.
    assert_eq!(process.call(Sysno::getrandom, &[DATA + PAGE_LEN, 8, 0]), Ok(8));
    process.end(Status::Exited(3), FIRST_ID);
    assert_eq!(process.peek(DATA, 6), b"change");
    assert_eq!(process.peek(DATA + PAGE_LEN, 1), [0]);
    assert_eq!(process.call(Sysno::wait4, &[u64::MAX, DATA, 0, 0]), Ok(child));
    assert_eq!(process.words(DATA), 3 << 8);
    assert_eq!(process.call(Sysno::wait4, &[u64::MAX, 0, 0, 0]), Err(errno::ECHILD));
    assert_eq!(frame::free_count(), free);
}

#[test]
fn what_cannot_be_cloned_is_refused() {
    let mut process = Process::new();
    let clone = |flags: u32, process: &mut Process| process.call(Sysno::clone, &[flags.into(), 0, 0, 0]);
    // What Linux refuses, what is not done here, and a signal that nobody gets.
    for flags in [CLONE_THREAD | SIGCHLD, CLONE_SIGHAND | SIGCHLD, CLONE_THREAD | CLONE_SIGHAND] {
        assert_eq!(clone(flags, &mut process), Err(errno::EINVAL));
    }
    for flags in [CLONE_NEWPID | SIGCHLD, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 10] {
        assert_eq!(clone(flags, &mut process), Err(errno::EINVAL));
    }
    for (length, refusal) in [(63, errno::EINVAL), (4096, errno::E2BIG), (96, errno::E2BIG)] {
        assert_eq!(process.call(Sysno::clone3, &[DATA, length]), Err(refusal));
    }

    let flags = u64::from(CLONE_CHILD_SETTID | CLONE_PARENT_SETTID | SIGCHLD);
    let stack = DATA + 2 * PAGE_LEN;
    assert_eq!(process.step(56, &[flags, stack, DATA, DATA + 8]), Next::Fork);
    let first = process.take_child();
    assert_eq!(u64::from(process.words(DATA)), first);
    assert_ne!(u64::from(process.words(DATA + 8)), first);
    process.switch_to(first);
    assert_eq!((process.user.rsp, process.words(DATA)), (stack, u32::from_le_bytes(*b"dddd")));
    assert_eq!(u64::from(process.words(DATA + 8)), first);
    process.end(Status::Signaled(11), FIRST_ID);
    for _ in 2..64 {
        process.fork();
    }
    assert_eq!(process.linux.reached_limits().count(), 0);
    assert_eq!(process.call(Sysno::fork, &[]), Err(errno::EAGAIN));
    let reached: Vec<_> = process.linux.reached_limits().collect();
    assert_eq!(reached, [ReachedLimit { of: Limited::Processes, most: 64, times: 1 }]);
    assert_eq!(process.call(Sysno::wait4, &[u64::MAX, DATA, 0, 0]), Ok(first));
    assert_eq!(process.words(DATA), 11);
    assert_eq!(process.step(57, &[]), Next::Fork);
    let child = process.linux.take_child().unwrap();
    process.refuse(child);
    assert_eq!(process.user.rax as i64, -i64::from(errno::ENOMEM));
    process.fork();
}

#[test]
fn waiting_for_a_child_ends_with_it() {
    let mut process = Process::new();
    let child = process.fork();
    assert_eq!(process.call(Sysno::wait4, &[child, 0, u64::from(WNOHANG), 0]), Ok(0));
    process.waits(Sysno::wait4, &[child, DATA, 0, 0]);
    assert_eq!(process.turn(), child);
    let grandchild = process.fork();
    process.end(Status::Signaled(9), FIRST_ID);
    assert_eq!(process.turn(), grandchild);
    assert_eq!(process.call(Sysno::getppid, &[]), Ok(1));
    // Nobody is left to hear of this end.
    process.end(Status::Exited(0), FIRST_ID);
    assert_eq!(process.turn(), FIRST_ID);
    assert_eq!(process.returns(), Ok(child));
    assert_eq!(process.words(DATA), 9);
    assert_eq!(process.call(Sysno::waitid, &[0, 0, DATA, 4]), Err(errno::ECHILD));
    assert_eq!(process.call(Sysno::waitid, &[0, 0, DATA, 0]), Err(errno::EINVAL));
}

#[test]
fn a_pipe_carries_bytes_and_its_ends() {
    let mut process = Process::new();
    let (from, to) = process.pipe(0);
    let child = process.fork();
    process.switch_to(child);
    process.call(Sysno::close, &[to]).unwrap();
    process.waits(Sysno::read, &[from, DATA, 100]);
    process.switch_to(FIRST_ID);
    process.call(Sysno::close, &[from]).unwrap();
    // Nothing has happened for the child so far.
    assert_eq!(process.next_after(FIRST_ID, 0), Some(FIRST_ID));
    let text = process.string("through the pipe");
    assert_eq!(process.call(Sysno::write, &[to, text, 16]), Ok(16));
    assert_eq!(process.turn(), child);
    assert_eq!(process.returns(), Ok(16));
    assert_eq!(process.peek(DATA, 16), b"through the pipe");

    // More than fits: the writer waits in between, and everything arrives.
    process.switch_to(FIRST_ID);
    let long = process.call(Sysno::mmap, &[0, 200_000, 3, 0x22, u64::MAX, 0]).unwrap();
    let bytes: Vec<u8> = (0..200_000_u32).map(|index| (index % 251) as u8).collect();
    for (index, page) in bytes.chunks(4096).enumerate() {
        process.poke(long + 4096 * index as u64, page);
    }
    process.waits(Sysno::write, &[to, long, 200_000]);
    let mut seen = Vec::new();
    while seen.len() < 200_000 {
        process.switch_to(child);
        let length = process.call(Sysno::read, &[from, DATA, 3 * PAGE_LEN]).unwrap();
        seen.extend(process.peek(DATA, length as usize));
        process.switch_to(FIRST_ID);
        if process.linux.is_waiting() && process.again() == Next::Continue {
            assert_eq!(process.user.rax, 200_000);
        }
    }
    assert!(seen == bytes && !process.linux.is_waiting());

    process.switch_to(child);
    process.waits(Sysno::read, &[from, DATA, 100]);
    process.switch_to(FIRST_ID);
    process.call(Sysno::close, &[to]).unwrap();
    assert_eq!(process.turn(), child);
    assert_eq!(process.returns(), Ok(0));
}

#[test]
fn a_pipe_without_a_reader_is_broken() {
    let mut process = Process::new();
    let (from, to) = process.pipe(O_NONBLOCK | O_CLOEXEC);
    assert_eq!(process.call(Sysno::read, &[from, DATA, 1]), Err(errno::EAGAIN));
    assert_eq!(process.call(Sysno::read, &[to, DATA, 1]), Err(errno::EBADF));
    assert_eq!(process.call(Sysno::lseek, &[from, 0, 0]), Err(errno::ESPIPE));
    for _ in 0..16 {
        assert_eq!(process.call(Sysno::write, &[to, DATA, 4096]), Ok(4096));
    }
    assert_eq!(process.call(Sysno::write, &[to, DATA, 1]), Err(errno::EAGAIN));
    assert_eq!(process.call(Sysno::read, &[from, DATA, 10]), Ok(10));
    // Short writes are whole or not at all.
    assert_eq!(process.call(Sysno::write, &[to, DATA, 11]), Err(errno::EAGAIN));
    assert_eq!(process.call(Sysno::write, &[to, DATA, 5000]), Ok(10));
    process.call(Sysno::close, &[from]).unwrap();
    assert_eq!(process.last(Sysno::write, &[to, DATA, 1]), Next::Kill { signal: SIGPIPE });
}

#[test]
fn futexes_wake_in_order_and_by_place() {
    let mut process = Process::new();
    let shared = process.call(Sysno::mmap, &[0, PAGE_LEN, 3, 0x21, u64::MAX, 0]).unwrap();
    process.poke(shared, &[0; 8]);
    let children: Vec<_> = (0..3).map(|_| process.fork()).collect();
    for child in &children {
        process.switch_to(*child);
        process.waits(Sysno::futex, &[shared, FUTEX_WAIT.into(), 0, 0]);
    }
    process.switch_to(FIRST_ID);
    let wake = |process: &mut Process, address, flags: u32, count| {
        process.call(Sysno::futex, &[address, u64::from(FUTEX_WAKE | flags), count]).unwrap()
    };
    // Another process's own memory is another place, and so is another word.
    assert_eq!(wake(&mut process, shared, FUTEX_PRIVATE_FLAG, 9), 0);
    assert_eq!(wake(&mut process, shared + 4, 0, 9), 0);
    assert_eq!(wake(&mut process, shared, 0, 1), 1);
    assert_eq!(process.turn(), children[0]);
    assert_eq!(process.returns(), Ok(0));
    process.switch_to(FIRST_ID);
    let requeue = [shared, u64::from(FUTEX_CMP_REQUEUE), 1, 5, shared + 4, 0];
    assert_eq!(process.call(Sysno::futex, &requeue), Ok(2));
    assert_eq!(wake(&mut process, shared, 0, 9), 0);
    assert_eq!(wake(&mut process, shared + 4, 0, 9), 1);
    process.switch_to(children[1]);
    assert_eq!(process.returns(), Ok(0));
    process.switch_to(children[2]);
    assert_eq!(process.returns(), Ok(0));
}

#[test]
fn a_futex_is_known_by_its_place_and_not_by_its_frame() {
    const REMOVE: u64 = 9;
    let mut process = Process::new();
    let shared = process.call(Sysno::mmap, &[0, PAGE_LEN, 3, 0x21, u64::MAX, 0]).unwrap();
    process.poke(shared, &[0; 8]);
    let child = process.fork();
    process.switch_to(child);
    process.waits(Sysno::futex, &[shared, FUTEX_WAIT.into(), 0, 0]);
    process.switch_to(FIRST_ID);
    // The page gets another frame, and somebody else the one that it had.
    assert_eq!(process.call(Sysno::madvise, &[shared, PAGE_LEN, REMOVE]), Ok(0));
    let other = process.call(Sysno::mmap, &[0, PAGE_LEN, 3, 0x21, u64::MAX, 0]).unwrap();
    process.poke(other, &[0; 8]);
    process.poke(shared, &[0; 8]);
    assert_eq!(process.call(Sysno::futex, &[other, FUTEX_WAKE.into(), 9]), Ok(0));
    assert_eq!(process.call(Sysno::futex, &[shared, FUTEX_WAKE.into(), 9]), Ok(1));
    assert_eq!(process.turn(), child);
    assert_eq!(process.returns(), Ok(0));
}

#[test]
fn time_passes_while_all_wait_and_for_nobody_else() {
    let mut process = Process::new();
    let time = DATA + PAGE_LEN;
    process.poke(time, &[0; 16]);
    process.poke(time, &[5]);
    let child = process.fork();
    process.waits(Sysno::nanosleep, &[time, 0]);
    process.switch_to(child);
    process.poke(time, &[2]);
    process.waits(Sysno::nanosleep, &[time, 0]);
    process.now = 10;
    assert_eq!(process.turn(), child);
    assert_eq!(process.returns(), Ok(0));
    assert_eq!(process.call(Sysno::time, &[0]), Ok(1_735_689_602));
    process.waits(Sysno::pause, &[]);
    assert_eq!(process.turn(), FIRST_ID);
    assert_eq!(process.returns(), Ok(0));
    assert_eq!(process.call(Sysno::time, &[0]), Ok(1_735_689_605));
    process.waits(Sysno::pause, &[]);
    assert_eq!(process.next_after(FIRST_ID, 20), None);
}

#[test]
fn a_process_can_be_ended_by_another_one() {
    let mut process = Process::new();
    let (sleeper, other) = (process.fork(), process.fork());
    process.switch_to(sleeper);
    process.waits(Sysno::pause, &[]);
    process.switch_to(FIRST_ID);
    assert_eq!(process.call(Sysno::kill, &[sleeper, 0]), Ok(0));
    assert_eq!(process.call(Sysno::kill, &[sleeper, 17]), Ok(0));
    assert_eq!(process.call(Sysno::kill, &[sleeper + 7, SIGKILL]), Err(errno::ESRCH));
    assert_eq!(process.call(Sysno::kill, &[sleeper, SIGKILL]), Ok(0));
    assert_eq!(process.turn(), sleeper);
    assert_eq!(process.again(), Next::Kill { signal: 9 });
    process.end(Status::Signaled(9), other);
    assert!(!process.linux.is_waiting());
}

#[test]
fn a_handler_interrupts_or_restarts_what_waits() {
    const SIGUSR1: u64 = 10;
    const HANDLER: u64 = TEXT + 0x300;
    for (flags, restarts) in [(0x0400_0000_u64, false), (0x1400_0000, true)] {
        let mut process = Process::new();
        let action = [HANDLER, flags, HANDLER + 8, 0].map(u64::to_le_bytes).concat();
        process.poke(DATA, &action);
        assert_eq!(process.call(Sysno::rt_sigaction, &[SIGUSR1, DATA, 0, 8]), Ok(0));
        let (from, _) = process.pipe(0);
        let child = process.fork();
        process.switch_to(child);
        let resumes = process.user.rip;
        process.waits(Sysno::read, &[from, DATA, 1]);
        process.switch_to(FIRST_ID);
        assert_eq!(process.call(Sysno::kill, &[child, SIGUSR1]), Ok(0));
        assert_eq!(process.turn(), child);
        assert_eq!(process.again(), Next::Continue);
        assert_eq!((process.user.rip, process.user.rdi), (HANDLER, SIGUSR1));
        assert!(!process.linux.is_waiting());
        // The handler returns: over the restorer's address.
        process.user.rsp += 8;
        assert_eq!(process.step(Sysno::rt_sigreturn.id() as u64, &[]), Next::Continue);
        let (rip, rax) = (process.user.rip, process.user.rax as i64);
        match restarts {
            true => assert_eq!((rip, rax), (resumes.wrapping_sub(2), i64::from(Sysno::read.id()))),
            false => assert_eq!((rip, rax), (resumes, -i64::from(errno::EINTR))),
        }
    }
}

#[test]
fn a_parent_hears_of_its_childs_end() {
    const SIGCHLD: u64 = 17;
    const HANDLER: u64 = TEXT + 0x300;
    let mut process = Process::new();
    let action = [HANDLER, 0x0400_0004_u64, HANDLER + 8, 0].map(u64::to_le_bytes).concat();
    process.poke(DATA, &action);
    assert_eq!(process.call(Sysno::rt_sigaction, &[SIGCHLD, DATA, 0, 8]), Ok(0));
    let child = process.fork();
    process.poke(DATA, &[0; 8]);
    process.waits(Sysno::rt_sigsuspend, &[DATA, 8]);
    assert_eq!(process.turn(), child);
    process.end(Status::Exited(5), FIRST_ID);
    assert_eq!(process.turn(), FIRST_ID);
    assert_eq!(process.again(), Next::Continue);
    assert_eq!((process.user.rip, process.user.rdi), (HANDLER, SIGCHLD));
    // si_code is CLD_EXITED; then who, and how.
    let info = process.user.rsi;
    assert_eq!([8, 16, 24].map(|at| u64::from(process.words(info + at))), [1, child, 5]);
}

#[test]
fn vfork_waits_for_the_childs_end_or_program() {
    for executes in [false, true] {
        let mut process = Process::new();
        let flags = u64::from(CLONE_VM | CLONE_VFORK | SIGCHLD);
        assert_eq!(process.step(56, &[flags]), Next::Fork);
        let child = process.take_child();
        assert_eq!(process.user.rax, child);
        assert!(process.linux.is_waiting());
        assert_eq!(process.turn(), child);
        assert_eq!(process.next_after(child, 0), Some(child));
        if executes {
            let path = process.string("/bin/other");
            process.call(Sysno::execve, &[path, 0, 0]).unwrap();
            process.switch_to(FIRST_ID);
        } else {
            process.end(Status::Exited(0), FIRST_ID);
        }
        assert!(!process.linux.is_waiting());
        assert_eq!(process.user.rax, child);
    }
}

#[test]
fn another_program_takes_over() {
    let mut process = Process::new();
    let execute = |path: &str, process: &mut Process| {
        let path = process.string(path);
        process.call(Sysno::execve, &[path, DATA, 0])
    };
    process.poke(DATA, &[0; 8]);
    assert_eq!(execute("/bin/none", &mut process), Err(errno::ENOENT));
    assert_eq!(execute("/etc/motd", &mut process), Err(errno::EACCES));
    let motd = process.string("/etc/motd");
    process.call(Sysno::chmod, &[motd, 0o755]).unwrap();
    assert_eq!(execute("/etc/motd", &mut process), Err(errno::ENOEXEC));
    let path = process.string("/bin/other");
    assert_eq!(process.call(Sysno::execve, &[path, 0x10, 0]), Err(errno::EFAULT));

    let kept = process.call(Sysno::dup, &[0]).unwrap();
    let closed = process.pipe(O_CLOEXEC).0;
    let mapped = process.call(Sysno::mmap, &[0, PAGE_LEN, 3, 0x22, u64::MAX, 0]).unwrap();
    process.poke(mapped, b"argument\0");
    for (index, word) in [mapped, mapped, 0].into_iter().enumerate() {
        process.poke(mapped + 16 + 8 * index as u64, &u64::to_le_bytes(word));
    }
    let path = process.string("/bin/other");
    process.poke(DATA, b"changed");
    assert_eq!(process.call(Sysno::execve, &[path, mapped + 16, mapped + 24]), Ok(0));
    assert_eq!((process.user.rip, process.user.rsp % 16), (TEXT + 0x200, 0));
    assert_eq!(process.peek(DATA, 2), b"dd");
    let word = |at| u64::from_le_bytes(process.peek(at, 8).try_into().unwrap());
    let sp = process.user.rsp;
    assert_eq!((word(sp), word(sp + 24)), (2, 0));
    assert_eq!(process.peek(word(sp + 16), 9), b"argument\0");
    assert_eq!(process.peek(word(sp + 32), 9), b"argument\0");
    assert_eq!(process.linux.page_fault(&mut process.space, mapped, 4), Err(11));
    assert_eq!(process.call(Sysno::read, &[kept, DATA, 4]), Ok(4));
    assert_eq!(process.call(Sysno::read, &[closed, DATA, 4]), Err(errno::EBADF));
}

#[test]
fn an_event_is_told_whether_the_program_can_take_it_or_not() {
    let mut process = Process::new();
    let (any, exited, keeps) = (u64::MAX, 4, 0x0100_0000);
    let lose = |process: &mut Process| {
        let child = process.fork();
        process.switch_to(child);
        process.end(Status::Exited(3), FIRST_ID);
    };
    let bad: [(Sysno, &[u64]); 4] = [
        (Sysno::wait4, &[any, 8, 0, 0]),
        (Sysno::wait4, &[any, DATA, 0, 8]),
        (Sysno::waitid, &[0, 0, 8, exited, 0]),
        (Sysno::waitid, &[0, 0, DATA, exited, 8]),
    ];
    for (call, arguments) in bad {
        lose(&mut process);
        assert_eq!(process.call(call, arguments), Err(errno::EFAULT), "{call}");
        assert_eq!(process.call(Sysno::wait4, &[any, 0, 0, 0]), Err(errno::ECHILD), "{call}");
    }
    lose(&mut process);
    assert_eq!(process.call(Sysno::waitid, &[0, 0, 8, exited | keeps, 0]), Err(errno::EFAULT));
    assert!(process.call(Sysno::wait4, &[any, 0, 0, 0]).is_ok());
}
