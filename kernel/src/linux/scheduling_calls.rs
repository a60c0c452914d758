// SPDX-License-Identifier: MIT
//! Priorities, scheduling policies and processors.
//!
//! Threads take turns of the same length, whatever they ask for: what is only a wish is
//! remembered, and a promise that would not be kept is refused.

use linux_raw_sys::general::{
    PRIO_PGRP, PRIO_PROCESS, PRIO_USER, SCHED_BATCH, SCHED_FIFO, SCHED_IDLE, SCHED_NORMAL,
    SCHED_RESET_ON_FORK, SCHED_RR,
};

use super::Linux;
use super::errno::{EINVAL, EPERM, ESRCH, Errno, Failure, Reply};
use super::process::Identity;
use super::thread::Thread;
use crate::mem::space::Space;

/// What a thread has wished for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scheduling {
    /// Its nice value, from -20 to 19.
    nice: i8,
    /// Its policy, `SCHED_...`.
    policy: u32,
    /// Whether its children begin without wishes.
    resets_on_fork: bool,
}

impl Scheduling {
    /// Its nice value.
    pub fn nice(self) -> i8 {
        self.nice
    }

    /// Its policy, `SCHED_...`.
    pub fn policy(self) -> u32 {
        self.policy
    }

    /// A child's.
    pub fn fork(self) -> Self {
        if self.resets_on_fork { Self::default() } else { self }
    }
}

impl Linux {
    /// Those threads that `which` and `who` mean, as `getpriority` takes them: by their numbers,
    /// and by who their processes are.
    fn meant(&self, which: u32, who: i32) -> Result<impl Fn(u64, Identity) -> bool + use<>, Errno> {
        let (own, thread) = (self.process.identity, self.thread.id);
        let number = u64::try_from(who).ok();
        Ok(move |id: u64, it: Identity| match (which, number) {
            (PRIO_PROCESS, Some(0)) => id == thread,
            (PRIO_PROCESS, number) => Some(id) == number,
            (PRIO_PGRP, Some(0)) => it.group == own.group,
            (PRIO_PGRP, number) => Some(it.group) == number,
            // Everybody is root.
            (_, number) => number == Some(0),
        })
        .and_then(|meant| if which > PRIO_USER { Err(EINVAL) } else { Ok(meant) })
    }

    /// `getpriority`: the kernel's own encoding, 20 less the lowest nice value.
    pub(super) fn getpriority(&self, which: u32, who: i32) -> Reply {
        let meant = self.meant(which, who)?;
        let all = self.all_threads().filter(|thread| {
            self.processes()
                .any(|process| process.id() == thread.process && meant(thread.id, process.identity))
        });
        let lowest = all.map(|thread| thread.scheduling.nice).min().ok_or(ESRCH)?;
        Ok((20 - i64::from(lowest)) as u64)
    }

    /// `setpriority`.
    pub(super) fn setpriority(&mut self, which: u32, who: i32, nice: i32) -> Reply {
        let meant = self.meant(which, who)?;
        let mut found = false;
        let threads = self.threads.iter_mut().flatten().chain(core::iter::once(&mut self.thread));
        for thread in threads {
            let mut processes = self.others.iter().chain(core::iter::once(&self.process));
            let is_meant = |it: &Identity| it.id == thread.process && meant(thread.id, *it);
            if processes.any(|process| is_meant(&process.identity)) {
                found = true;
                thread.scheduling.nice = nice.clamp(-20, 19) as i8;
            }
        }
        if found { Ok(0) } else { Err(ESRCH.into()) }
    }

    /// The running thread of this number; 0 is the current one.
    fn scheduled(&mut self, id: i32) -> Result<&mut Thread, Errno> {
        let id = match u64::try_from(id).map_err(|_| EINVAL)? {
            0 => self.thread.id,
            id => id,
        };
        self.all_threads_mut().find(|thread| thread.id == id).ok_or(ESRCH)
    }

    /// A `struct sched_param`: the priority.
    fn sched_param(&mut self, space: &mut Space, address: u64) -> Result<u32, Failure> {
        if address == 0 { Err(EINVAL.into()) } else { self.user(space).u32(address) }
    }

    /// `sched_setscheduler`: real-time policies would promise to come first.
    pub(super) fn sched_setscheduler(
        &mut self,
        space: &mut Space,
        id: i32,
        policy: u32,
        address: u64,
    ) -> Reply {
        let priority = self.sched_param(space, address)?;
        let resets_on_fork = policy & SCHED_RESET_ON_FORK != 0;
        let policy = policy & !SCHED_RESET_ON_FORK;
        let scheduling = &mut self.scheduled(id)?.scheduling;
        match policy {
            SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE if priority == 0 => {
                (scheduling.policy, scheduling.resets_on_fork) = (policy, resets_on_fork);
                Ok(0)
            }
            SCHED_FIFO | SCHED_RR if (1..=99).contains(&priority) => Err(EPERM.into()),
            _ => Err(EINVAL.into()),
        }
    }

    /// `sched_getscheduler`.
    pub(super) fn sched_getscheduler(&mut self, id: i32) -> Reply {
        let scheduling = self.scheduled(id)?.scheduling;
        let flag = if scheduling.resets_on_fork { SCHED_RESET_ON_FORK } else { 0 };
        Ok(u64::from(scheduling.policy | flag))
    }

    /// `sched_setparam`: none of the policies that can be had has priorities.
    pub(super) fn sched_setparam(&mut self, space: &mut Space, id: i32, address: u64) -> Reply {
        let priority = self.sched_param(space, address)?;
        self.scheduled(id)?;
        if priority == 0 { Ok(0) } else { Err(EINVAL.into()) }
    }

    /// `sched_getparam`.
    pub(super) fn sched_getparam(&mut self, space: &mut Space, id: i32, address: u64) -> Reply {
        self.scheduled(id)?;
        if address == 0 {
            return Err(EINVAL.into());
        }
        self.user(space).write(address, &[0; 4])?;
        Ok(0)
    }

    /// `sched_get_priority_max` (`real_time` is 99) and `sched_get_priority_min` (1).
    pub(super) fn sched_priority(policy: u32, real_time: u64) -> Reply {
        match policy {
            SCHED_FIFO | SCHED_RR => Ok(real_time),
            SCHED_NORMAL | SCHED_BATCH | SCHED_IDLE => Ok(0),
            _ => Err(EINVAL.into()),
        }
    }

    /// `sched_getaffinity`: one processor.
    pub(super) fn sched_getaffinity(&mut self, space: &mut Space, id: i32, length: u32, mask: u64) -> Reply {
        if length == 0 || !length.is_multiple_of(8) {
            return Err(EINVAL.into());
        }
        self.scheduled(id).map_err(|_| ESRCH)?;
        self.user(space).write(mask, &1_u64.to_le_bytes())?;
        Ok(8)
    }

    /// `sched_setaffinity`: the one processor has to be among them.
    pub(super) fn sched_setaffinity(&mut self, space: &mut Space, id: i32, length: u32, mask: u64) -> Reply {
        let mut first = [0; 1];
        let length = (length as usize).min(first.len());
        self.user(space).read(mask, &mut first[..length])?;
        self.scheduled(id).map_err(|_| ESRCH)?;
        if first[0] & 1 != 0 { Ok(0) } else { Err(EINVAL.into()) }
    }
}
