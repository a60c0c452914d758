// SPDX-License-Identifier: MIT
//! Threads: they are made in a domain, begin, are held, and end.

use alloc::boxed::Box;

use genode_rt::layout::{MOST_THREADS, utcb};
use genode_rt::services::{Name, cpu, cpu_thread, kind};
use genode_rt::{Cap, Failure, Result};
use nova_rt::hypercall::{self, operation};

use crate::object::{Id, Kind, Object, Thread};
use crate::state::Core;

/// How long a thread runs before others of its priority do, in microseconds.
const SLICE: u64 = 10_000;

/// The calls of a session of threads.
pub struct Threads<'a>(pub &'a mut Core, pub Id);

impl cpu::Server for Threads<'_> {
    fn create_thread(&mut self, pd: Cap, name: Name, kind: u64, slot: u64, stack: u64) -> Result<(Cap, Cap)> {
        let Self(core, session) = self;
        let pd = core.pd_of(pd)?;
        let is_global = match kind {
            kind::LOCAL => false,
            kind::GLOBAL => true,
            _ => return Err(Failure::BadArgument),
        };
        let is_taken = core.thread_at(pd, utcb(slot.min(MOST_THREADS))).is_some();
        if slot >= MOST_THREADS || is_taken {
            return Err(if is_taken { Failure::Occupied } else { Failure::BadArgument });
        }
        core.pd_mut(pd)?.caps.charge(1).map_err(|_| Failure::OutOfCaps)?;
        let made = core.make_thread(Thread {
            pd,
            cpu: *session,
            name,
            slot,
            context: Cap::fresh(),
            time: Cap::NONE,
            is_global,
            at: (0, stack),
            pause: Cap::NONE,
            is_paused: false,
            sigh: Cap::NONE,
        });
        if made.is_err() {
            core.pd_mut(pd)?.caps.refund(1);
        }
        let id = made?;
        Ok((Core::cap(id), core.thread(id)?.context))
    }

    fn kill_thread(&mut self, thread: Cap) -> Result<()> {
        let id = self.0.id(thread)?;
        if self.0.thread(id)?.cpu != self.1 {
            return Err(Failure::Denied);
        }
        self.0.kill(id);
        Ok(())
    }

    fn exception_sigh(&mut self, signal: Cap) -> Result<()> {
        self.0.keep(signal, sigh_of_session, self.1)
    }
}

/// The place of the signal of exceptions of a session.
fn sigh_of_session(core: &mut Core, id: Id) -> Result<&mut Cap> {
    match &mut core.session_mut(id)?.kind {
        Kind::Cpu { sigh, .. } => Ok(sigh),
        _ => Err(Failure::BadCapability),
    }
}

impl Core {
    /// Makes a thread, for which its domain has paid.
    fn make_thread(&mut self, thread: Thread) -> Result<Id> {
        let Thread { pd, slot, context, is_global, at: (_, stack), .. } = thread;
        let domain = self.pd(pd)?.domain.selector();
        let id = self.enter(Object::Thread(Box::new(thread)))?;
        // A thread with time of its own says which one it is by the stack pointer that it begins with.
        let first = if is_global { id as u64 } else { stack };
        let made = self.with_memory_of(pd, |_| {
            hypercall::create_ec(context.selector(), domain, utcb(slot), first, 0, is_global)
        });
        if made.is_err() {
            self.leave(id);
        }
        made.map(|()| id)
    }

    /// Ends a thread.
    pub fn kill(&mut self, id: Id) {
        if let Some(Object::Thread(thread)) = self.leave(id) {
            thread.time.release();
            thread.context.release();
            thread.pause.release();
            self.give_up(thread.sigh);
            if let Ok(pd) = self.pd_mut(thread.pd) {
                pd.caps.refund(1);
            }
        }
    }

    /// Ends all threads of which something holds.
    pub fn kill_all(&mut self, holds: impl Fn(&Thread) -> bool) {
        let is_one = |object: &Object| matches!(object, Object::Thread(thread) if holds(thread));
        while let Some(thread) = self.find(is_one) {
            self.kill(thread);
        }
    }

    /// The signal of exceptions of a session.
    pub fn exception_signal(&self, cpu: Id) -> Cap {
        match self.session(cpu).map(|session| &session.kind) {
            Ok(Kind::Cpu { sigh, .. }) => *sigh,
            _ => Cap::NONE,
        }
    }

    /// Holds a thread that was recalled, if it is to be held.
    pub fn recalled(&mut self, pd: Id, place: (u64, u64)) -> Cap {
        let thread = self.thread_at(pd, place.1).and_then(|id| self.thread_mut(id).ok());
        match thread {
            Some(thread) if thread.is_paused => {
                thread.at = place;
                thread.pause
            }
            _ => Cap::NONE,
        }
    }
}

/// The calls of a thread.
pub struct ThreadCalls<'a>(pub &'a mut Core, pub Id);

impl cpu_thread::Server for ThreadCalls<'_> {
    fn start(&mut self, ip: u64, stack: u64) -> Result<()> {
        let Self(core, id) = self;
        let Kind::Cpu { priority, .. } = core.session(core.thread(*id)?.cpu)?.kind else {
            return Err(Failure::BadCapability);
        };
        let thread = core.thread_mut(*id)?;
        if !thread.is_global || !thread.time.is_none() {
            return Err(Failure::Denied);
        }
        let time = Cap::fresh();
        (thread.at, thread.time) = ((ip, stack), time);
        let (context, pd) = (thread.context.selector(), thread.pd);
        let domain = core.pd(pd)?.domain.selector();
        let started = core
            .with_memory_of(pd, |_| hypercall::create_sc(time.selector(), domain, context, priority, SLICE));
        if started.is_err() {
            core.thread_mut(*id)?.time = Cap::NONE;
        }
        started
    }

    fn pause(&mut self) -> Result<()> {
        let Self(core, id) = self;
        if core.thread(*id)?.pause.is_none() {
            let pause = Cap::fresh();
            let domain = core.pd(core.thread(*id)?.pd)?.domain.selector();
            let pd = core.thread(*id)?.pd;
            core.with_memory_of(pd, |_| hypercall::create_sm(pause.selector(), domain, 0))?;
            core.thread_mut(*id)?.pause = pause;
        }
        let thread = core.thread_mut(*id)?;
        thread.is_paused = true;
        let _ = hypercall::ec_ctrl(operation::RECALL, thread.context.selector(), 0, 0);
        Ok(())
    }

    fn resume(&mut self) -> Result<()> {
        let thread = self.0.thread_mut(self.1)?;
        if thread.is_paused {
            thread.is_paused = false;
            // A thread that did not come to be held yet takes one down and is not held then, either.
            let _ = hypercall::up(thread.pause.selector());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<(u64, u64)> {
        Ok(self.0.thread(self.1)?.at)
    }

    fn exception_sigh(&mut self, signal: Cap) -> Result<()> {
        self.0.keep(signal, |core, id| Ok(&mut core.thread_mut(id)?.sigh), self.1)
    }
}
