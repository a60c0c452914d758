// SPDX-License-Identifier: MIT
//! Making processes, and ending them.

use linux_raw_sys::general::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_PARENT_SETTID, CLONE_VFORK, CLONE_VM, CSIGNAL, SIGCHLD,
};
use pe_replay::UserRegisters;
use syscalls::Sysno;

use super::Linux;
use super::errno::{EAGAIN, EINVAL, ENOMEM, Reply};
use super::process::{MAX_PROCESSES, Status, Waiting, Why, Zombie};
use super::time_calls::TICK_NS;
use super::user::User;
use crate::mem::fallible;
use crate::mem::space::{OutOfFrames, Space};
use crate::object::clock::Moment;
use crate::object::scheduler::{Scheduler, ThreadId};

/// A process that was just made, and is to be given a processor.
pub struct Child {
    /// Its number.
    pub id: u64,
    /// Its memory.
    pub space: Space,
    /// Its registers.
    pub state: UserRegisters,
}

impl Linux {
    /// `fork`, `vfork` and `clone` as far as it makes a process.
    pub(super) fn clone(
        &mut self,
        space: &mut Space,
        user: &UserRegisters,
        flags: u32,
        stack: u64,
        [parent_id, child_id]: [u64; 2],
    ) -> Reply {
        const TAKEN: u32 = CSIGNAL
            | CLONE_VM
            | CLONE_VFORK
            | CLONE_CHILD_CLEARTID
            | CLONE_CHILD_SETTID
            | CLONE_PARENT_SETTID;
        let is_vfork = flags & CLONE_VFORK != 0;
        if flags & !TAKEN != 0 || flags & CLONE_VM != 0 && !is_vfork {
            self.count_unsupported(Sysno::clone as u32);
            defmt::warn!("clone with flags {=u32:#x}: threads are not supported (EINVAL)", flags);
            return Err(EINVAL.into());
        }
        if !matches!(flags & CSIGNAL, 0 | SIGCHLD) {
            return Err(EINVAL.into());
        }
        if self.others.len() + self.zombies.len() + 1 >= MAX_PROCESSES {
            defmt::warn!("fork: there are {=usize} processes, which is the limit (EAGAIN)", MAX_PROCESSES);
            return Err(EAGAIN.into());
        }
        // Numbers are not used again, and programs know them as an `int`.
        if self.next_id > i32::MAX as u64 {
            return Err(EAGAIN.into());
        }
        fallible::reserve_one(&mut self.others)?;
        // So that its end can be noted down without fail.
        fallible::reserve(&mut self.zombies, self.others.len() + 1)?;
        let id = self.next_id;
        let mut process = fallible::boxed(self.process.fork(id)?)?;
        // It keeps what the process has, so it is there.
        self.fs.hold(process.working_directory)?;
        let mut child = space.fork().map_err(|OutOfFrames| {
            self.fs.release(process.working_directory);
            ENOMEM
        })?;
        // With CLONE_VM the child has the same memory, advice or not.
        if flags & CLONE_VM == 0 && process.memory.begin(&mut child).is_err() {
            child.destroy();
            self.fs.release(process.working_directory);
            return Err(ENOMEM.into());
        }
        let mut state = user.clone();
        state.rax = 0;
        if stack != 0 {
            state.rsp = stack;
        }
        let word = (id as u32).to_le_bytes();
        // As on Linux, a bad address is nobody's fault.
        if flags & CLONE_CHILD_SETTID != 0 {
            let _ = User::new(&mut child, &mut process.memory).write(child_id, &word);
        }
        if flags & CLONE_PARENT_SETTID != 0 {
            let _ = self.user(space).write(parent_id, &word);
        }
        self.next_id += 1;
        fallible::push_reserved(&mut self.others, process);
        self.child = Some(Child { id, space: child, state });
        if is_vfork {
            let why = Why::Vfork { child: id };
            self.process.waiting = Some(Waiting { why, ..Waiting::for_event(Self::vfork_key(id)) });
        }
        Ok(id)
    }

    /// Gives the process that was just made its thread.
    pub fn adopt(&mut self, id: u64, thread: ThreadId) {
        if let Some(process) = self.others.iter_mut().find(|process| process.id() == id) {
            process.thread = thread;
        }
    }

    /// The process that the last call has made.
    pub fn take_child(&mut self) -> Option<Child> {
        self.child.take()
    }

    /// There is no room for the process that the last call has made: the call fails.
    pub fn refuse_child(&mut self, id: u64, user: &mut UserRegisters) {
        self.process.waiting = None;
        if let Some(index) = self.others.iter().position(|process| process.id() == id) {
            let process = self.others.swap_remove(index);
            self.fs.release(process.working_directory);
        }
        user.rax = ENOMEM.in_rax();
    }

    /// Ends the current process, which is not the first; another one is the current
    /// one then.
    ///
    /// # Panics
    /// If there is no other process.
    pub fn end(&mut self, scheduler: &mut Scheduler, status: Status, now: Moment) {
        self.clock.set(now);
        self.process.cpu.own_ns = self.process.cpu.own_ns.saturating_add(self.clock.end_turn());
        self.close_all(scheduler, false);
        self.fs.release(self.process.working_directory);
        let Some(next) = self.others.pop() else { panic!("the first process is still there") };
        let ended = core::mem::replace(&mut self.process, next);
        let (cpu_ns, user_ticks) = (ended.cpu.total_ns(), ended.cpu.own_ns / TICK_NS);
        let ended = ended.identity;
        self.release_vfork(scheduler, ended.id);
        self.zombies.retain(|zombie| zombie.identity.parent != ended.id);
        if self.tell_parent(scheduler, ended, status, user_ticks) {
            fallible::push_reserved(&mut self.zombies, Zombie { identity: ended, status, cpu_ns });
        }
        self.leave_children(scheduler, ended);
    }
}
