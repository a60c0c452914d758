// SPDX-License-Identifier: MIT
//! Calls, replies and events: a message goes through a portal, and the budgets of the one who waits go along.
//!
//! A thread that waits for another one names it as its *partner*; the chain of partners leads from
//! the owner of a budget to the thread that the budget drives. A thread whose partner serves
//! somebody else helps it on, and tries again when it is free.

use pe_replay::UserRegisters;

use super::Nova;
use super::call::Status;
use super::message::Windows;
use super::shortage::Cause;
use super::things::{Event, Object, Portal, PortalId, Resume, SemaphoreId};
use super::trail::Hex;
use super::utcb::FIXED_FLAGS;
use crate::mem::code;
use crate::mem::fallible::Exhausted;
use crate::object::Objects;
use crate::object::processor::Processor;
use crate::object::queue::Key;
use crate::object::scheduler::{ThreadId, Wait};
use crate::personality::Effect;

/// What SYSRET leaves in R11 after a hypercall.
const R11: u64 = 0x200;
/// Links of a chain that are followed: in a longer one, threads wait for each other in a ring.
const LONGEST_CHAIN: usize = 1 << 16;

/// Why a message is sent.
#[derive(Clone, Copy, Debug)]
enum Sent {
    /// The thread calls.
    Call,
    /// Something has happened to it.
    Event(Event),
}

/// The queue of those that wait for ever: for a thread that waits for them.
pub(super) fn ring(thread: ThreadId) -> Key {
    use crate::object::table::Name as _;
    Key::Event { name: "the reply of thread", number: thread.place() as u64 }
}

/// Puts down how a hypercall has ended.
pub(super) fn answer(registers: &mut UserRegisters, status: Status) {
    registers.rdi = status as u64;
    leave_call(registers);
}

/// What every hypercall leaves behind.
pub(super) fn leave_call(registers: &mut UserRegisters) {
    (registers.rcx, registers.r11, registers.rflags) = (registers.rip, R11, FIXED_FLAGS);
}

impl Nova {
    /// A thread calls through a portal.
    pub(super) fn call<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        portal: PortalId,
        is_impatient: bool,
    ) -> Result<Effect, Status> {
        let portal = self.things.portals[portal].object;
        let server = self.things.look(portal.thread);
        match server.resume {
            Resume::Dead => Err(Status::Timeout),
            Resume::Idle => Ok(self.enter(objects, thread, portal, Sent::Call)),
            _ if is_impatient => Err(Status::Timeout),
            _ => Ok(self.help(objects, thread, portal.thread, Resume::Call)),
        }
    }

    /// A thread's handler is told of an event.
    pub(super) fn raise<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        event: Event,
    ) -> Effect {
        let context = self.things.look(thread);
        let selector = context.event_base.wrapping_add(event.number.into());
        let Ok(portal) = self.portal(thread, selector, 0) else {
            return self.kill(objects, thread, event);
        };
        let portal = self.things.portals[portal].object;
        match self.things.look(portal.thread).resume {
            Resume::Dead => self.kill(objects, thread, event),
            Resume::Idle => self.enter(objects, thread, portal, Sent::Event(event)),
            _ => self.help(objects, thread, portal.thread, Resume::Event(event)),
        }
    }

    /// A message goes through a portal behind which a thread waits.
    fn enter<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        portal: Portal,
        sent: Sent,
    ) -> Effect {
        let server = portal.thread;
        match sent {
            Sent::Call => {
                self.send_words(objects, thread, server);
                // What does not fit is not handed on, if nobody sees to it.
                if self.send_items(objects, thread, server, Windows::Own).is_err()
                    && let Some(effect) = self.tell_short(objects, thread, server, Cause::Send(thread))
                {
                    return effect;
                }
            }
            Sent::Event(event) => {
                let mut registers = objects.registers_mut(thread).clone();
                self.with_page(objects, server, |page| {
                    page.save(portal.mtd, &mut registers, event.qualification);
                });
            }
        }
        let resume = match sent {
            Sent::Call => Resume::Reply,
            Sent::Event(_) => Resume::EventReply,
        };
        self.engage(thread, server, resume);
        let registers = objects.registers_mut(server);
        (registers.rdi, registers.rip) = (portal.number, portal.entry);
        leave_call(registers);
        objects.scheduler.retarget(thread, |_| server);
        Effect::Switch { to: server, wait: None }
    }

    /// A thread waits until another one is free, which its budgets drive meanwhile.
    pub(super) fn help<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        server: ThreadId,
        resume: Resume,
    ) -> Effect {
        let waiting = self.things.thread(thread);
        (waiting.partner, waiting.resume) = (Some(server), resume);
        match self.end_of_chain(thread) {
            Some(end) => objects.scheduler.retarget(thread, |_| end),
            // They wait for each other: nobody will ever be free.
            None => return Effect::Block(Wait::until_woken(ring(thread))),
        }
        self.go_on(objects)
    }

    /// The thread that a budget of this one drives: the last one of the chain of partners; `None` if it has no end.
    fn end_of_chain(&self, owner: ThreadId) -> Option<ThreadId> {
        // One that is free, or will never be, keeps nobody waiting.
        let is_busy = |id: &ThreadId| !matches!(self.things.look(*id).resume, Resume::Idle | Resume::Dead);
        let next = |id: &ThreadId| self.things.look(*id).partner.filter(is_busy);
        let mut end = owner;
        for _ in 0..LONGEST_CHAIN {
            match next(&end) {
                Some(partner) => end = partner,
                None => return Some(end),
            }
        }
        None
    }

    /// Has each budget that drives a thread drive the end of its owner's chain.
    pub(super) fn follow_chains<P: Processor>(&self, objects: &mut Objects<P>, thread: ThreadId) {
        objects.scheduler.retarget(thread, |owner| self.end_of_chain(owner).unwrap_or(owner));
    }

    /// The current budget goes on with the thread that it drives now, if that can run; if not, others have their turn.
    pub(super) fn go_on<P: Processor>(&self, objects: &Objects<P>) -> Effect {
        match objects.scheduler.driven() {
            Some(to) => Effect::Switch { to, wait: None },
            None => Effect::Yield,
        }
    }

    /// A worker replies to whoever it serves, and waits for the next; the one who gets the reply may be parked
    /// on a semaphore.
    pub(super) fn reply<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        worker: ThreadId,
        semaphore: Option<SemaphoreId>,
    ) -> Effect {
        let caller = self.things.thread(worker).caller;
        if let Some(caller) = caller {
            let resume = self.things.look(caller).resume;
            let hands_over = resume == Resume::Reply && semaphore.is_none();
            if hands_over
                && self.send_items(objects, worker, caller, Windows::Own).is_err()
                && let Some(effect) = self.tell_short(objects, worker, caller, Cause::Reply(worker))
            {
                return effect;
            }
            self.deliver_reply(objects, worker, caller, resume, semaphore.is_some());
            self.unlink(worker, caller);
            if let Some(semaphore) = semaphore {
                self.park(objects, caller, semaphore);
            }
        }
        let context = self.things.thread(worker);
        context.resume = Resume::Idle;
        if context.is_global {
            // It has given up its budgets for good.
            objects.scheduler.suspend(worker);
        }
        self.follow_chains(objects, worker);
        self.go_on(objects)
    }

    /// Takes a reply to the one who waits for it, which has got what was handed over already.
    fn deliver_reply<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        worker: ThreadId,
        caller: ThreadId,
        resume: Resume,
        is_parked: bool,
    ) {
        match resume {
            Resume::Reply if is_parked => self.things.thread(caller).resume = Resume::Call,
            Resume::Short(anew) => self.things.thread(caller).resume = anew.resume(),
            Resume::Reply => {
                self.send_words(objects, worker, caller);
                leave_call(objects.registers_mut(caller));
                self.log_answer(objects, caller, Status::Success);
                self.things.thread(caller).resume = Resume::User;
            }
            Resume::EventReply => {
                let _: Result<(), Exhausted> = self.send_items(objects, worker, caller, Windows::Event);
                let mut registers = objects.registers_mut(caller).clone();
                let mask = self.mxcsr_mask;
                self.with_page(objects, worker, |page| page.load(&mut registers, mask));
                *objects.registers_mut(caller) = registers;
                self.things.thread(caller).resume = Resume::User;
            }
            // It was destroyed meanwhile: nobody waits.
            _ => {}
        }
    }

    /// A worker serves a thread no longer.
    fn unlink(&mut self, worker: ThreadId, caller: ThreadId) {
        self.things.thread(worker).caller = None;
        self.things.thread(caller).partner = None;
        self.things.release(Object::Thread(caller));
        self.things.release(Object::Thread(worker));
    }

    /// Nobody handles what has happened to a thread: that is its end.
    pub(super) fn kill<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        event: Event,
    ) -> Effect {
        let numbers = objects.numbers(thread);
        let rip = objects.registers_mut(thread).rip;
        let (_, space) = self.things.domains[self.things.look(thread).domain].object.group();
        let code = code::at(objects.space_mut(space), rip);
        let [error, address] = event.qualification;
        defmt::warn!(
            "{} has ended: nobody handles event {=u8} (error {=u64:#x}, address {=u64:#x}) at {=u64:#x}: {}",
            defmt::Display2Format(&numbers),
            event.number,
            error,
            address,
            rip,
            defmt::Display2Format(&Hex(&code))
        );
        self.end(objects, thread);
        match self.end_of_root(objects, event) {
            Some(end) => end,
            None => self.go_on(objects),
        }
    }

    /// A thread is never in user mode again. Whoever it serves is told; one that waits in an event goes with it.
    pub(super) fn end<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) {
        let mut next = Some(thread);
        while let Some(dying) = next.take() {
            let context = self.things.thread(dying);
            context.resume = Resume::Dead;
            let caller = context.caller;
            objects.scheduler.end_wait(dying);
            objects.scheduler.suspend(dying);
            if let Some(caller) = caller {
                self.unlink(dying, caller);
                match self.things.look(caller).resume {
                    Resume::Reply => {
                        answer(objects.registers_mut(caller), Status::Abort);
                        self.log_answer(objects, caller, Status::Abort);
                        self.things.thread(caller).resume = Resume::User;
                    }
                    // Nobody sees to what it has too little of: it finds that out by itself.
                    Resume::Short(anew) => self.things.thread(caller).resume = anew.resume(),
                    Resume::EventReply => next = Some(caller),
                    _ => {}
                }
            }
            self.follow_chains(objects, dying);
        }
    }
}
