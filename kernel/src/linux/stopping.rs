// SPDX-License-Identifier: MIT
//! Stopping and continuing processes, and what others are told of it.
//!
//! A stop is a default action: it happens when its signal is delivered. A continuation
//! and an end are not: they take hold as soon as the signal is sent, whether it is
//! blocked, ignored or handled.

use linux_raw_sys::general::{SA_NOCLDSTOP, SA_NOCLDWAIT, SIGCHLD, SIGCONT, SIGHUP, SIGSTOP};
use pe_replay::UserRegisters;
use syscalls::Sysno;

use super::buffers::Buffers;
use super::errno::EINTR;
use super::process::{Identity, MAX_PROCESSES, OUTSIDE_ID, Status};
use super::signal::{Detail, Disposition, Info};
use super::signal_calls::BY_KERNEL;
use super::thread::Why;
use super::time_calls::TICK_NS;
use super::view::View;
use super::wait_calls::children_of;
use super::{Linux, Next};
use crate::object::scheduler::Scheduler;

impl Linux {
    /// Sends SIGCHLD to the parent of a process, if it wants to know; returns whether it
    /// may wait for the status.
    pub(super) fn tell_parent(
        &mut self,
        scheduler: &mut Scheduler,
        child: Identity,
        status: Status,
        user_ticks: u64,
    ) -> bool {
        let Some(parent) = self.process_mut(child.parent) else { return false };
        let handlers = parent.handlers;
        scheduler.wake_all(children_of(child.parent));
        let handlers = &self.handlers[handlers];
        let is_ignored = handlers.is_ignored(SIGCHLD);
        let has = |flag| handlers.action(SIGCHLD).is_ok_and(|action| action.has(flag));
        let (is_told, is_waited_for) = match status {
            Status::Stopped(_) | Status::Continued => (!is_ignored && !has(SA_NOCLDSTOP), true),
            Status::Exited(_) | Status::Signaled(_) => (!is_ignored, !is_ignored && !has(SA_NOCLDWAIT)),
        };
        if is_told {
            let (code, status) = status.details();
            let detail = Detail::Child { process: child.id as u32, status, user_ticks };
            // There is such a signal.
            let _ = self.send(scheduler, child.parent, Info { signal: SIGCHLD, code: code as i32, detail });
        }
        is_waited_for
    }

    /// Stops the current process; returns whether it is to be stopped: in a group that
    /// nobody outside could continue, all but SIGSTOP are ignored.
    pub(super) fn stop(&mut self, scheduler: &mut Scheduler, signal: u32) -> bool {
        let own = self.process.identity;
        if signal != SIGSTOP && self.is_orphaned(own.group) {
            return false;
        }
        let status = Status::Stopped(signal as u8);
        self.process.is_stopped = true;
        self.process.report = Some(status);
        for thread in self.all_threads().filter(|thread| thread.process == own.id) {
            scheduler.suspend(thread.object);
        }
        self.tell_parent(scheduler, own, status, self.process.cpu.own_ns / TICK_NS);
        true
    }

    /// What a signal does to a call that waits where it does not end it. A stop leaves most
    /// calls waiting, and they go on doing so when the process continues.
    #[cold]
    pub(super) fn stop_in_call(&mut self, view: &mut View, user: &mut UserRegisters) -> Option<Next> {
        if let Some(Why::Vfork { .. }) = self.thread.waiting.map(|waiting| waiting.why) {
            // It has been chosen to run since it is to end. Its call has returned long ago.
            self.thread.waiting = None;
            return Some(self.deliver(view, user));
        }
        while self.due() == Some(Disposition::Stop) {
            // What has transferred something returns that, and one call never begins anew
            // (signal(7)).
            let done = self.thread.transfer.as_ref().map_or(0, Buffers::done);
            let is_final = Sysno::new(user.rax as u32 as usize) == Some(Sysno::rt_sigtimedwait);
            if done > 0 || is_final {
                user.rax = if done > 0 { done } else { EINTR.in_rax() };
                self.stop_waiting(view.scheduler);
                return Some(self.deliver(view, user));
            }
            let (info, _) = self.next_due()?;
            if self.stop(view.scheduler, info.signal) {
                return Some(Next::Wait);
            }
        }
        None
    }

    /// Whether nobody of a process group has a parent outside of it, in the same session,
    /// who could look after it.
    fn is_orphaned(&self, group: u64) -> bool {
        let members = self.processes().map(|process| process.identity).filter(|member| member.group == group);
        !members.into_iter().any(|member| {
            let mut parents =
                self.processes().map(|process| process.identity).filter(|it| it.id == member.parent);
            parents.any(|parent| parent.group != group && parent.session == member.session)
        })
    }

    /// The children of a process that has ended are nobody's now. Groups that have lost the
    /// last one who could continue them are told, if somebody is stopped there.
    pub(super) fn leave_children(&mut self, scheduler: &mut Scheduler, ended: Identity) {
        let mut groups = [0; MAX_PROCESSES];
        let mut count = 0;
        for process in self.others.iter_mut().chain(core::iter::once(&mut self.process)) {
            let identity = &mut process.identity;
            if identity.parent == ended.id {
                identity.parent = OUTSIDE_ID;
                if identity.group != ended.group && identity.session == ended.session {
                    groups[count] = identity.group;
                    count += 1;
                }
            }
        }
        // Its own group was looked after by its parent, if that is in another one.
        let looked_after = self.processes().any(|process| {
            process.id() == ended.parent
                && process.identity.group != ended.group
                && process.identity.session == ended.session
        });
        if looked_after {
            groups[count] = ended.group;
            count += 1;
        }
        for (index, group) in groups.iter().enumerate().take(count) {
            let stopped =
                self.processes().any(|process| process.identity.group == *group && process.is_stopped);
            if groups[..index].contains(group) || !stopped || !self.is_orphaned(*group) {
                continue;
            }
            for signal in [SIGHUP, SIGCONT] {
                let info = Info { signal, code: BY_KERNEL, detail: Detail::None };
                // There are such signals.
                let _ = self.send_to_group(scheduler, *group, info);
            }
        }
    }
}
