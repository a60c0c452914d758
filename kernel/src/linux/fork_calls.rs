// SPDX-License-Identifier: MIT
//! Making processes, ending them, and waiting for their end.

use linux_raw_sys::general::{
    CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID, CLONE_PARENT_SETTID, CLONE_VFORK, CLONE_VM, CSIGNAL, P_ALL,
    P_PGID, P_PID, SIGCHLD, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED,
};
use pe_replay::Uprr;

use super::Linux;
use super::errno::{EAGAIN, ECHILD, EINVAL, Reply};
use super::fallible;
use super::layout::Layout;
use super::signal::{Detail, Info};
use super::task::{FIRST_ID, MAX_PROCESSES, OUTSIDE_ID, Status, Waiting, Why, Zombie};
use super::time_calls::{TICK_NS, rusage};
use super::user::User;
use crate::mem::space::{OutOfFrames, Space};

/// Options of the wait family that Linux knows but threads alone have a use for.
const WAIT_THREADS: u32 = 0xe000_0000;

/// A process that was just made, and is to be given a processor.
pub struct Newborn {
    /// Its number.
    pub id: u64,
    /// Its memory.
    pub space: Space,
    /// Its registers.
    pub state: Uprr,
}

/// Which children are waited for.
#[derive(Clone, Copy)]
enum Wanted {
    Any,
    One(u64),
}

impl Linux {
    /// `fork`, `vfork` and `clone` as far as it makes a process.
    pub(super) fn clone(
        &mut self,
        space: &mut Space,
        uprr: &Uprr,
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
        fallible::reserve_one(&mut self.others)?;
        // So that its end can be noted down without fail.
        self.zombies.try_reserve(self.others.len() + 1).map_err(|_| fallible::Exhausted)?;
        let id = self.next_id;
        let mut task = fallible::boxed(self.task.fork(id)?)?;
        let mut child = space.fork().map_err(|OutOfFrames| EAGAIN)?;
        let mut state = uprr.clone();
        state.rax = 0;
        if stack != 0 {
            state.rsp = stack;
        }
        self.fs.hold(task.working_directory)?;
        let word = (id as u32).to_le_bytes();
        // As on Linux, a bad address is nobody's fault.
        if flags & CLONE_CHILD_SETTID != 0 {
            let _ = User::new(&mut child, &mut task.memory).write(child_id, &word);
        }
        if flags & CLONE_PARENT_SETTID != 0 {
            let _ = self.user(space).write(parent_id, &word);
        }
        self.next_id += 1;
        self.others.push(task);
        self.newborn = Some(Newborn { id, space: child, state });
        if is_vfork {
            let why = Why::Vfork { child: id };
            self.task.waiting = Some(Waiting { why, deadline_ns: None, seen: self.events });
        }
        Ok(id)
    }

    /// The process that the last call has made.
    pub fn take_newborn(&mut self) -> Option<Newborn> {
        self.newborn.take()
    }

    /// There is no room for the process that the last call has made: the call fails.
    pub fn refuse_newborn(&mut self, id: u64, uprr: &mut Uprr) {
        self.task.waiting = None;
        if let Some(index) = self.others.iter().position(|task| task.id == id) {
            let task = self.others.swap_remove(index);
            self.fs.release(task.working_directory);
        }
        uprr.rax = EAGAIN.in_rax();
    }

    /// Ends the current process, which is not the first; another one is the current
    /// one then. `now_ns` is as for [`syscall`](Self::syscall).
    ///
    /// # Panics
    /// If there is no other process.
    pub fn end(&mut self, status: Status, now_ns: u64) {
        self.clock.now_ns = now_ns;
        self.task.cpu.own_ns = self.task.cpu.own_ns.saturating_add(self.clock.end_turn());
        while let Some(closed) = self.task.descriptors.close_one(false) {
            self.drop_description(closed);
        }
        self.fs.release(self.task.working_directory);
        let Some(next) = self.others.pop() else { panic!("the first process is still there") };
        let ended = core::mem::replace(&mut self.task, next);
        let (cpu_ns, user_ticks) = (ended.cpu.total_ns(), ended.cpu.own_ns / TICK_NS);
        self.release_vfork(ended.id);
        if self.task.waiting.is_some_and(|it| it.why == Why::Vfork { child: ended.id }) {
            self.task.waiting = None;
        }
        self.zombies.retain(|zombie| zombie.parent != ended.id);
        let all = self.others.iter_mut().chain(core::iter::once(&mut self.task));
        let mut heard = false;
        for task in all {
            if task.parent == ended.id {
                task.parent = OUTSIDE_ID;
            }
            if task.id == ended.parent {
                heard = !task.signals.is_ignored(SIGCHLD);
                let (code, status) = status.details();
                let detail = Detail::Child { process: ended.id as u32, status, user_ticks };
                // There is such a signal.
                let _ = task.signals.send(Info { signal: SIGCHLD, code: code as i32, detail });
            }
        }
        if heard {
            self.zombies.push(Zombie { id: ended.id, parent: ended.parent, status, cpu_ns });
        }
        self.events += 1;
    }

    fn wanted(id: i32) -> Wanted {
        match id {
            // All are in one group.
            i32::MIN..=0 => Wanted::Any,
            id => Wanted::One(id as u64),
        }
    }

    /// A child that has ended; `None` if all that are wanted still run.
    fn ended_child(&mut self, wanted: Wanted, takes: bool) -> Result<Option<Zombie>, super::errno::Errno> {
        let own = self.task.id;
        let is_wanted = |id: u64, parent: u64| {
            parent == own
                && match wanted {
                    Wanted::Any => true,
                    Wanted::One(one) => one == id,
                }
        };
        match self.zombies.iter().position(|zombie| is_wanted(zombie.id, zombie.parent)) {
            Some(index) if takes => {
                let taken = self.zombies.remove(index);
                let children_ns = &mut self.task.cpu.children_ns;
                *children_ns = children_ns.saturating_add(taken.cpu_ns);
                Ok(Some(taken))
            }
            Some(index) => Ok(Some(self.zombies[index])),
            None if self.others.iter().any(|task| is_wanted(task.id, task.parent)) => Ok(None),
            None => Err(ECHILD),
        }
    }

    /// `wait4`.
    pub(super) fn wait4(
        &mut self,
        space: &mut Space,
        id: i32,
        status: u64,
        options: u32,
        usage: u64,
    ) -> Reply {
        if options & !(WNOHANG | WSTOPPED | WCONTINUED | WAIT_THREADS) != 0 {
            return Err(EINVAL.into());
        }
        let Some(zombie) = self.ended_child(Self::wanted(id), false)? else {
            return if options & WNOHANG != 0 { Ok(0) } else { Err(Self::wait_for_event()) };
        };
        if status != 0 {
            self.user(space).write(status, &zombie.status.word().to_le_bytes())?;
        }
        if usage != 0 {
            self.user(space).write(usage, &rusage(zombie.cpu_ns))?;
        }
        self.ended_child(Wanted::One(zombie.id), true)?;
        Ok(zombie.id)
    }

    /// `waitid`.
    pub(super) fn waitid(
        &mut self,
        space: &mut Space,
        kind: u32,
        id: i32,
        information: u64,
        options: u32,
        usage: u64,
    ) -> Reply {
        if options & !(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WAIT_THREADS) != 0
            || options & (WEXITED | WSTOPPED | WCONTINUED) == 0
        {
            return Err(EINVAL.into());
        }
        let wanted = match kind {
            P_ALL | P_PGID => Wanted::Any,
            P_PID => Wanted::One(u64::try_from(id).map_err(|_| EINVAL)?),
            _ => return Err(EINVAL.into()),
        };
        // Nobody is ever stopped or continued.
        let ended = self.ended_child(wanted, false)?.filter(|_| options & WEXITED != 0);
        let found = match ended {
            None if options & WNOHANG == 0 => return Err(Self::wait_for_event()),
            None => Layout::<128>::new(),
            Some(zombie) => {
                let (code, status) = zombie.status.details();
                Layout::<128>::new().u32(0, SIGCHLD).u32(8, code).u32(16, zombie.id as u32).u32(24, status)
            }
        };
        if information != 0 {
            self.user(space).write(information, &found.0)?;
        }
        if let Some(zombie) = ended.filter(|_| usage != 0) {
            self.user(space).write(usage, &rusage(zombie.cpu_ns))?;
        }
        if let Some(zombie) = ended.filter(|_| options & WNOWAIT == 0) {
            self.ended_child(Wanted::One(zombie.id), true)?;
        }
        Ok(0)
    }

    /// `getpgid` and `getsid`: all are in the first one's group and session.
    pub(super) fn group_of(&self, id: u64) -> Reply {
        let known = id as u32 == 0
            || id == self.task.id
            || self.others.iter().any(|task| task.id == id)
            || self.zombies.iter().any(|zombie| zombie.id == id);
        if known { Ok(FIRST_ID) } else { Err(super::errno::ESRCH.into()) }
    }
}
