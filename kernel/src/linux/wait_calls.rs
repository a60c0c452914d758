// SPDX-License-Identifier: MIT
//! Waiting for children: their ends, their stops and their continuations.

use linux_raw_sys::general::{
    P_ALL, P_PGID, P_PID, SIGCHLD, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WSTOPPED,
};

use super::Linux;
use super::errno::{ECHILD, EINVAL, ESRCH, Failure, Reply};
use super::layout::Layout;
use super::process::{Identity, Status};
use super::time_calls::{RUSAGE_LEN, rusage};
use crate::mem::space::Space;
use crate::object::queue::Key;

/// Options of the wait family that Linux knows but threads alone have a use for.
const WAIT_THREADS: u32 = 0xe000_0000;

/// Which children are waited for.
#[derive(Clone, Copy)]
enum Wanted {
    Any,
    One(u64),
    Group(u64),
}

impl Wanted {
    fn is(self, child: Identity) -> bool {
        match self {
            Self::Any => true,
            Self::One(id) => child.id == id,
            Self::Group(group) => child.group == group,
        }
    }
}

/// Where a process waits for something to become of its children.
pub fn children_of(parent: u64) -> Key {
    Key::Event { name: "a child of process", number: parent }
}

/// What has become of a child.
#[derive(Clone, Copy)]
struct Event {
    child: u64,
    status: Status,
    /// How long it and those that it has waited for have had the processor.
    cpu_ns: u64,
}

impl Linux {
    /// The first child, in the order of their numbers, of which something is to be told
    /// that `options` ask for; `None` if nothing is so far.
    fn child_event(&self, wanted: Wanted, options: u32) -> Result<Option<Event>, Failure> {
        let own = self.process.id();
        let is_wanted = |child: Identity| child.parent == own && wanted.is(child);
        let ended = self.zombies.iter().map(|it| (it.identity, Some(it.status), it.cpu_ns));
        let alive =
            self.others.iter().map(|process| (process.identity, process.report, process.cpu.total_ns()));
        let children = ended.chain(alive).filter(|(child, _, _)| is_wanted(*child));
        if children.clone().next().is_none() {
            return Err(ECHILD.into());
        }
        let events = children
            .filter_map(|(child, status, cpu_ns)| Some(Event { child: child.id, status: status?, cpu_ns }));
        Ok(events.filter(|event| options & event.status.option() != 0).min_by_key(|event| event.child))
    }

    /// Waits for an event; `None` if there is none and WNOHANG says not to wait for it.
    fn wait_for_child(&self, wanted: Wanted, options: u32) -> Result<Option<Event>, Failure> {
        match self.child_event(wanted, options)? {
            None if options & WNOHANG == 0 => Err(Failure::Wait(children_of(self.process.id()))),
            event => Ok(event),
        }
    }

    /// The event has been told: it is not told again.
    fn take_event(&mut self, event: Event) {
        let before = self.zombies.len();
        self.zombies.retain(|zombie| zombie.identity.id != event.child);
        if self.zombies.len() < before {
            let children_ns = &mut self.process.cpu.children_ns;
            *children_ns = children_ns.saturating_add(event.cpu_ns);
        }
        for process in self.others.iter_mut().filter(|process| process.id() == event.child) {
            process.report = None;
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
        let wanted = match id {
            -1 => Wanted::Any,
            0 => Wanted::Group(self.process.identity.group),
            1.. => Wanted::One(id as u64),
            i32::MIN => return Err(ESRCH.into()),
            _ => Wanted::Group(u64::from(id.unsigned_abs())),
        };
        let Some(event) = self.wait_for_child(wanted, options | WEXITED)? else { return Ok(0) };
        // As on Linux, the event is told whether the program can take it or not: to write it must
        // not want memory.
        self.user(space).prepare(status, 4)?;
        self.user(space).prepare(usage, RUSAGE_LEN)?;
        self.take_event(event);
        if status != 0 {
            self.user(space).write(status, &event.status.word().to_le_bytes())?;
        }
        if usage != 0 {
            self.user(space).write(usage, &rusage(event.cpu_ns))?;
        }
        Ok(event.child)
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
        let wanted = match (kind, u64::try_from(id)) {
            (P_ALL, _) => Wanted::Any,
            (P_PID, Ok(id @ 1..)) => Wanted::One(id),
            (P_PGID, Ok(0)) => Wanted::Group(self.process.identity.group),
            (P_PGID, Ok(group)) => Wanted::Group(group),
            _ => return Err(EINVAL.into()),
        };
        let event = self.wait_for_child(wanted, options)?;
        let found = event.map_or(Layout::<128>::new(), |Event { child, status, .. }| {
            let (code, status) = status.details();
            Layout::<128>::new().u32(0, SIGCHLD).u32(8, code).u32(16, child as u32).u32(24, status)
        });
        self.user(space).prepare(information, 128)?;
        self.user(space).prepare(usage, RUSAGE_LEN)?;
        if let Some(event) = event.filter(|_| options & WNOWAIT == 0) {
            self.take_event(event);
        }
        if let Some(event) = event.filter(|_| usage != 0) {
            self.user(space).write(usage, &rusage(event.cpu_ns))?;
        }
        if information != 0 {
            self.user(space).write(information, &found.0)?;
        }
        Ok(0)
    }
}
