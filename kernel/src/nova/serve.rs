// SPDX-License-Identifier: MIT
//! Serving threads: what each of them asks for at the end of a PE, and how it goes on later.

use pe_replay::stop::{FAULT_FETCH, vector};

use super::Nova;
use super::call::{Call, Status};
use super::crd::{Crd, Kind, word};
use super::create::NewThread;
use super::ipc::{answer, ring};
use super::line::Assignment;
use super::memory::Faulted;
use super::shortage::Cause;
use super::things::{Event, Resume};
use super::trail::Made;
use crate::mem::frame;
use crate::object::Objects;
use crate::object::processor::Processor;
use crate::object::scheduler::{ThreadId, Wait, Woken};
use crate::personality::Effect;
use crate::trap::Trap;
use crate::trap::port::Ports;

/// With fewer free frames than these, copies of pages are given back before anything is served: more than any one
/// service takes, long delegations apart.
const FEW_FRAMES: u64 = 128;
/// The bit of a page fault's error code that says that the page was there.
const PRESENT: u64 = 1 << 0;

/// Gives copies of pages back if few frames are free; returns whether that was so.
pub(super) fn give_back_if_few<P: Processor>(objects: &mut Objects<P>) -> bool {
    let are_few = frame::free_count() < FEW_FRAMES;
    if are_few {
        objects.give_back_copies();
    }
    are_few
}

impl Nova {
    /// Does what a thread calls for. Whoever goes on at once is answered; all others later.
    fn hypercall<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) -> Effect {
        let made = Made::new(objects.numbers(thread), objects.registers_mut(thread));
        self.trail.note(made);
        let call = Call::new(objects.registers_mut(thread));
        if call.as_ref().map_or(true, Call::is_absent) {
            self.trail.warn_of_absent(&made);
        }
        let mut done = call.and_then(|call| self.perform(objects, thread, call));
        if done == Err(Status::OutOfMemory) && give_back_if_few(objects) {
            // What was done already of a delegation is passed over.
            done = call.and_then(|call| self.perform(objects, thread, call));
        }
        if self.logs_calls {
            self.log_call(objects, thread, &made, &done);
        }
        match done {
            Ok(Effect::Continue) => {
                answer(objects.registers_mut(thread), Status::Success);
                self.enter_user(objects, thread)
            }
            Ok(effect) => effect,
            Err(status) => {
                answer(objects.registers_mut(thread), status);
                self.enter_user(objects, thread)
            }
        }
    }

    /// Performs a call. [`Effect::Continue`] is a call that has succeeded.
    fn perform<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        call: Call,
    ) -> Result<Effect, Status> {
        if let Some(done) = self.short(objects, thread, &call) {
            return done;
        }
        match call {
            Call::Call { portal, is_impatient } => {
                let portal = self.portal(thread, portal, 0)?;
                return self.call(objects, thread, portal, is_impatient);
            }
            Call::Reply { semaphore } => {
                // Whatever else is named, the caller goes on.
                let semaphore = self.semaphore(thread, semaphore, 1 << 1).ok();
                return Ok(self.reply(objects, thread, semaphore));
            }
            Call::CreatePd { selector, parent, initial, quota } => {
                self.create_domain(objects, thread, selector, parent, initial, quota)?;
            }
            Call::CreateEc { selector, domain, is_global, utcb, processor, stack, event_base } => {
                let short = self.portal(thread, selector.wrapping_add(1), 0).ok();
                let new = NewThread { domain, is_global, utcb, processor, stack, event_base, short };
                self.create_thread(objects, thread, selector, &new)?;
            }
            Call::CreateSc { selector, domain, thread: driven, quantum_us, priority } => {
                self.create_budget(objects, thread, selector, (domain, driven), (quantum_us, priority))?;
            }
            Call::CreatePt { selector, domain, thread: server, mtd, entry } => {
                self.create_portal(objects, thread, selector, (domain, server), (mtd, entry))?;
            }
            Call::CreateSm { selector, domain, value, chained } => {
                self.create_semaphore(objects, thread, selector, domain, (value, chained))?;
            }
            Call::Revoke { semaphore, range, own, remote, keeps_children } => {
                let domain = self.revoked_domain(thread, remote)?;
                let told = self.semaphore(thread, semaphore, 1 << 0).ok();
                self.revoke(objects, domain, range, (own, keeps_children));
                if let Some(told) = told.filter(|_| self.semaphore(thread, semaphore, 1 << 0).is_ok()) {
                    self.up(objects, told);
                }
                objects.registers_mut(thread).rdx = 0;
            }
            Call::Lookup { range } => {
                let domain = self.things.look(thread).domain;
                let found =
                    Crd::from_word(range).and_then(|crd| self.nodes.lookup(domain, crd.kind, crd.span.base));
                objects.registers_mut(thread).rsi = word(found);
            }
            Call::Delegate { from, window, to } => {
                let from = self.domain(thread, from, 0)?;
                let to = self.domain(thread, to, 0)?;
                self.delegate(objects, thread, from, to, window)?;
            }
            Call::Suspend { .. } => return Err(Status::BadCapability),
            Call::Own { arguments, selector } => self.own_call(objects, thread, selector, arguments)?,
            Call::Thread { selector, control } => return self.control(objects, thread, selector, control),
            Call::Budget { selector, .. } => return self.budget_time(thread, selector),
            Call::Portal { selector, number } => self.set_number(thread, selector, number)?,
            Call::Up { selector } => {
                let semaphore = self.semaphore(thread, selector, 1 << 0)?;
                self.up(objects, semaphore);
            }
            Call::Down { selector, zeroes, deadline } => {
                let semaphore = self.semaphore(thread, selector, 1 << 1)?;
                return self.down(objects, thread, semaphore, zeroes, deadline);
            }
            Call::AssignDevice { domain, .. } => {
                self.domain(thread, domain, 0)?;
                return Err(Status::BadDevice);
            }
            Call::AssignInterrupt { semaphore, config, processor, chained, mode } => {
                let asked = Assignment { semaphore, config, processor, chained, mode };
                self.assign_line(objects, thread, &asked)?;
            }
            Call::Transfer { from, to, pages } => self.transfer_quota(thread, (from, to), pages)?,
            Call::Quota { domain } => self.tell_quota(objects, thread, domain)?,
        }
        Ok(Effect::Continue)
    }

    /// A thread is about to go on in user mode.
    fn enter_user<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) -> Effect {
        let context = self.things.thread(thread);
        match context.resume {
            Resume::User if core::mem::take(&mut context.is_recalled) => {
                self.raise(objects, thread, Event::plain(Event::RECALL))
            }
            // It has taken its own life.
            Resume::Dead => self.go_on(objects),
            _ => Effect::Continue,
        }
    }

    /// A page is missing, or does not allow what a thread wants.
    fn page_fault<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        address: u64,
        error: u32,
    ) -> Effect {
        let mut faulted = self.touch(objects, thread, address, error);
        if faulted == Faulted::OutOfFrames {
            objects.give_back_copies();
            faulted = self.touch(objects, thread, address, error);
        }
        let unhandled = Event { number: vector::PAGE_FAULT, qualification: [error.into(), address] };
        match faulted {
            Faulted::Mapped => Effect::Continue,
            // Code is fetched from no device; the pager would map the page for ever.
            Faulted::Device(_) if error & FAULT_FETCH != 0 => {
                let rip = objects.registers_mut(thread).rip;
                defmt::warn!("code is fetched from a device at {=u64:#x}", rip);
                self.raise(objects, thread, Event::plain(vector::GENERAL_PROTECTION))
            }
            Faulted::Device(_) => Effect::PerformInstruction,
            Faulted::Refused { is_present } => {
                let error = u64::from(error) & !PRESENT | u64::from(is_present);
                let number = vector::PAGE_FAULT;
                self.raise(objects, thread, Event { number, qualification: [error, address] })
            }
            Faulted::OutOfQuota => {
                let told = self.tell_short(objects, thread, thread, Cause::Fault);
                told.unwrap_or_else(|| self.kill(objects, thread, unhandled))
            }
            Faulted::OutOfFrames => self.kill(objects, thread, unhandled),
        }
    }

    /// A thread accesses ports: if its domain has them all, that is done.
    fn port<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        ports: Ports,
        done: Effect,
    ) -> Effect {
        let domain = self.things.look(thread).domain;
        let has = |port| self.nodes.find(domain, Kind::Port, port).is_some();
        if ports.numbers().all(has) {
            done
        } else {
            self.raise(objects, thread, Event::plain(vector::GENERAL_PROTECTION))
        }
    }
}

impl Nova {
    /// Serves what the current thread asks for.
    pub fn serve<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId, trap: Trap) -> Effect {
        give_back_if_few(objects);
        let effect = match trap {
            Trap::Syscall => self.hypercall(objects, thread),
            Trap::PageFault { address, error } => self.page_fault(objects, thread, address, error),
            Trap::Exception { vector, error } => {
                let event = Event { number: vector, qualification: [error.into(), 0] };
                self.raise(objects, thread, event)
            }
            Trap::Time(reading) => {
                let time = objects.ticks();
                reading.answer(objects.registers_mut(thread), time);
                Effect::Continue
            }
            Trap::Port(access) => self.port(objects, thread, access.ports(), Effect::Perform(access)),
            Trap::PortString(ports) => self.port(objects, thread, ports, Effect::PerformInstruction),
            Trap::Limit | Trap::DirtyLimit => Effect::Continue,
        };
        self.settle(objects);
        effect
    }

    /// Has the current thread come back after others have had the processor; `woken` says how its wait has ended.
    pub fn resume<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        woken: Option<Woken>,
    ) -> Effect {
        self.take_back(objects, thread);
        self.settle(objects);
        if objects.scheduler.driven() != Some(thread) {
            return self.go_on(objects);
        }
        if woken == Some(Woken::Deadline) {
            self.time_out(objects, thread);
        }
        match self.things.look(thread).resume {
            Resume::User => self.enter_user(objects, thread),
            Resume::Call => {
                self.things.thread(thread).partner = None;
                self.things.thread(thread).resume = Resume::User;
                self.hypercall(objects, thread)
            }
            Resume::Event(event) => {
                self.things.thread(thread).partner = None;
                self.raise(objects, thread, event)
            }
            // No budget drives one of these; if one did, it would wait for ever.
            Resume::Idle
            | Resume::Reply
            | Resume::Short(_)
            | Resume::EventReply
            | Resume::Down(_)
            | Resume::ParkedCall(_)
            | Resume::ParkedEvent(_)
            | Resume::Dead => Effect::Block(Wait::until_woken(ring(thread))),
        }
    }

    /// The current thread needs more frames for its next instruction than there are: that is its end, unless copies of
    /// pages had them.
    pub fn run_out<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) -> Effect {
        let before = frame::free_count();
        objects.give_back_copies();
        if frame::free_count() > before {
            return Effect::Continue;
        }
        let event = Event { number: vector::PAGE_FAULT, qualification: [0; 2] };
        self.kill(objects, thread, event)
    }
}
