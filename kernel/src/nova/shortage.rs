// SPDX-License-Identifier: MIT
//! What happens when the kernel memory of a domain is used up: a call fails with status 9, or the thread's portal for
//! that is called, whose handler may give more; then the call is made anew, or the instruction.
//!
//! A thread has such a portal if there was one behind its own selector when it was made. The handler is told why it is
//! called: by the thread itself, for a call or for a page table (4), or since something was sent to the thread (1) or replied (2) for which its domain
//! has no room; and then who the other side is, by the number of that one's own portal of this kind.

use super::Nova;
use super::call::{Call, Status};
use super::ipc::leave_call;
use super::things::{Anew, Object, Portal, PortalId, Resume};
use crate::object::Objects;
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;
use crate::personality::Effect;

/// Why a handler is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The thread makes a call for which its domain has too little.
    Own,
    /// The thread needs a page table for which its domain has too little.
    Fault,
    /// Something is sent to the thread by another one.
    Send(ThreadId),
    /// Something is replied to the thread by another one.
    Reply(ThreadId),
}

impl Cause {
    /// What the thread does anew that has called the handler.
    const fn anew(self) -> Anew {
        match self {
            Self::Own | Self::Send(_) | Self::Reply(_) => Anew::Call,
            Self::Fault => Anew::Instruction,
        }
    }
}

/// The number that stands for another side without a portal of this kind.
const NONE: u64 = u64::MAX;

impl Call {
    /// Pages that the caller's own domain must have free, whatever else the call asks for.
    fn needed(&self) -> u64 {
        match self {
            Self::Reply { .. }
            | Self::CreatePd { .. }
            | Self::CreateEc { .. }
            | Self::CreateSc { .. }
            | Self::CreatePt { .. }
            | Self::CreateSm { .. }
            | Self::Revoke { .. } => 0,
            Self::Call { .. }
            | Self::Thread { .. }
            | Self::Budget { .. }
            | Self::Portal { .. }
            | Self::Up { .. }
            | Self::Down { .. }
            | Self::Transfer { .. }
            | Self::Quota { .. } => 1,
            Self::Lookup { .. }
            | Self::Delegate { .. }
            | Self::Suspend { .. }
            | Self::Own { .. }
            | Self::AssignInterrupt { .. } => 2,
            Self::AssignDevice { .. } => 4,
        }
    }
}

impl Nova {
    /// What a call comes to for which the caller's domain has too little kernel memory; `None` if it has enough.
    pub(super) fn short<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        call: &Call,
    ) -> Option<Result<Effect, Status>> {
        let domain = self.things.look(thread).domain;
        if self.things.domains[domain].object.quota.free() >= call.needed() {
            return None;
        }
        match (self.tell_short(objects, thread, thread, Cause::Own), call) {
            (Some(effect), _) => Some(Ok(effect)),
            // To call somebody takes nothing, if nothing is handed over.
            (None, Call::Call { .. }) => None,
            (None, _) => Some(Err(Status::OutOfMemory)),
        }
    }

    /// Calls the handler of a thread whose domain has too little, on behalf of the thread that runs, which makes its
    /// call anew when the handler has replied. `None` if there is no such handler.
    pub(super) fn tell_short<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        short: ThreadId,
        cause: Cause,
    ) -> Option<Effect> {
        let portal = self.things.portals[self.things.look(short).short?].object;
        let server = self.things.look(portal.thread);
        match server.resume {
            Resume::Dead => None,
            Resume::Idle => Some(self.enter_short(objects, thread, portal, cause)),
            // It may be the handler itself that has too little; it would wait for itself.
            _ if portal.thread == thread || server.caller == Some(thread) => None,
            _ => Some(self.help(objects, thread, portal.thread, cause.anew().resume())),
        }
    }

    fn enter_short<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        portal: Portal,
        cause: Cause,
    ) -> Effect {
        let number_of = |other: ThreadId| {
            let portal = self.things.look(other).short;
            portal.map_or(NONE, |id: PortalId| self.things.portals[id].object.number)
        };
        let (other, why) = match cause {
            Cause::Own | Cause::Fault => (0, 4),
            Cause::Send(other) => (number_of(other), 1),
            Cause::Reply(other) => (number_of(other), 2),
        };
        self.engage(thread, portal.thread, Resume::Short(cause.anew()));
        let registers = objects.registers_mut(portal.thread);
        (registers.rdi, registers.rip) = (portal.number, portal.entry);
        (registers.rsi, registers.rdx) = (other, why);
        leave_call(registers);
        objects.scheduler.retarget(thread, |_| portal.thread);
        Effect::Switch { to: portal.thread, wait: None }
    }

    /// Has a thread wait for another one that serves it from now on.
    pub(super) fn engage(&mut self, thread: ThreadId, server: ThreadId, resume: Resume) {
        let waiting = self.things.thread(thread);
        (waiting.partner, waiting.resume) = (Some(server), resume);
        let serving = self.things.thread(server);
        (serving.caller, serving.resume) = (Some(thread), Resume::User);
        self.things.use_object(Object::Thread(thread));
        self.things.use_object(Object::Thread(server));
    }
}
