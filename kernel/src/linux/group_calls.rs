// SPDX-License-Identifier: MIT
//! Process groups and sessions, and signals to one process or to many.

use super::Linux;
use super::errno::{EACCES, EINVAL, EPERM, ESRCH, Errno, Reply};
use super::process::Identity;
use super::signal::{Detail, Info, SIGNALS};
use super::signal_calls::BY_TKILL;
use crate::object::scheduler::Scheduler;

impl Linux {
    /// All processes, those included that have ended and were not waited for.
    pub(super) fn identities(&self) -> impl Iterator<Item = Identity> {
        let ended = self.zombies.iter().map(|zombie| zombie.identity);
        self.processes().map(|process| process.identity).chain(ended)
    }

    /// Who the process of this number is; 0 is the current one.
    pub(super) fn identity_of(&self, id: i32) -> Result<Identity, Errno> {
        let id = match u64::try_from(id).map_err(|_| ESRCH)? {
            0 => self.process.id(),
            id => id,
        };
        self.identities().find(|identity| identity.id == id).ok_or(ESRCH)
    }

    /// The running process with the lowest number above `last` that is one of those wanted.
    pub(super) fn next_member(&self, last: u64, is_wanted: impl Fn(Identity) -> bool) -> Option<u64> {
        let members =
            self.processes().map(|process| process.identity).filter(|it| it.id > last && is_wanted(*it));
        members.map(|identity| identity.id).min()
    }

    /// `setpgid`: of the process itself, or of a child that has not executed a program yet.
    pub(super) fn setpgid(&mut self, id: i32, group: i32) -> Reply {
        let own = self.process.identity;
        let id = if id == 0 { own.id as i32 } else { id };
        let group = u64::try_from(if group == 0 { id } else { group }).map_err(|_| EINVAL)?;
        let identity = self.identity_of(id)?;
        if identity.parent == own.id {
            if identity.session != own.session {
                return Err(EPERM.into());
            }
            if identity.has_executed {
                return Err(EACCES.into());
            }
        } else if identity.id != own.id {
            return Err(ESRCH.into());
        }
        // A session's leader stays in its group.
        if identity.id == identity.session {
            return Err(EPERM.into());
        }
        let exists = self.identities().any(|member| member.group == group && member.session == own.session);
        if group != identity.id && !exists {
            return Err(EPERM.into());
        }
        let all = self.others.iter_mut().chain(core::iter::once(&mut self.process));
        let all = all.map(|process| &mut process.identity);
        for one in all.chain(self.zombies.iter_mut().map(|zombie| &mut zombie.identity)) {
            if one.id == identity.id {
                one.group = group;
            }
        }
        Ok(0)
    }

    /// `setsid`: a group and a session of one's own.
    pub(super) fn setsid(&mut self) -> Reply {
        let id = self.process.id();
        if self.identities().any(|member| member.group == id) {
            return Err(EPERM.into());
        }
        self.process.identity.group = id;
        self.process.identity.session = id;
        Ok(id)
    }

    /// Sends a signal to all running processes of a group.
    pub(super) fn send_to_group(
        &mut self,
        scheduler: &mut Scheduler,
        group: u64,
        info: Info,
    ) -> Result<(), Errno> {
        self.send_to_all(scheduler, info, |member| member.group == group)
    }

    fn send_to_all(
        &mut self,
        scheduler: &mut Scheduler,
        info: Info,
        is_wanted: impl Fn(Identity) -> bool,
    ) -> Result<(), Errno> {
        let mut last = 0;
        while let Some(id) = self.next_member(last, &is_wanted) {
            self.send(scheduler, id, info)?;
            last = id;
        }
        Ok(())
    }

    /// `tkill`, and `tgkill`, which names the thread's process, too.
    pub(super) fn tkill(
        &mut self,
        scheduler: &mut Scheduler,
        process: Option<i32>,
        thread: i32,
        signal: u32,
    ) -> Reply {
        if process.is_some_and(|process| process <= 0) || thread <= 0 || signal > SIGNALS as u32 {
            return Err(EINVAL.into());
        }
        let is_named = |id: u64| process.is_none_or(|process| process as u64 == id);
        let id = thread as u64;
        let found = self.all_threads().find(|it| it.id == id && is_named(it.process));
        let Some(to) = found.map(|it| (it.process, it.id)) else {
            // A first thread that has ended is there as long as its process, and gets nothing.
            let is_there = self.identities().any(|identity| identity.id == id && is_named(id));
            return if is_there { Ok(0) } else { Err(ESRCH.into()) };
        };
        if signal > 0 {
            let detail = Detail::Sender { process: self.process.id() as u32 };
            self.send_to_thread(scheduler, to, Info { signal, code: BY_TKILL, detail })?;
        }
        Ok(0)
    }

    /// `kill`.
    pub(super) fn kill(&mut self, scheduler: &mut Scheduler, target: i32, signal: u32, code: i32) -> Reply {
        if signal > SIGNALS as u32 {
            return Err(EINVAL.into());
        }
        let own = self.process.identity;
        let is_wanted = |member: Identity| match target {
            0 => member.group == own.group,
            // A process does not get what it sends to everybody.
            -1 => member.id != own.id,
            ..=-2 => member.group == u64::from(target.unsigned_abs()),
            id => member.id == id as u64,
        };
        // One that has ended but was not waited for is still there.
        if !self.identities().any(is_wanted) {
            return Err(ESRCH.into());
        }
        if signal > 0 {
            let detail = Detail::Sender { process: own.id as u32 };
            self.send_to_all(scheduler, Info { signal, code, detail }, is_wanted)?;
        }
        Ok(0)
    }
}
