// SPDX-License-Identifier: MIT
//! Calls that are concerned with one object: a thread's state, a portal's number, a domain's quota.

use super::Nova;
use super::call::{Control, Status};
use super::ipc::answer;
use super::things::{Object, Resume};
use super::utcb::Mtd;
use crate::object::Objects;
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;
use crate::personality::Effect;

/// The exceptions of which one waits in a portal as far as a debugger is concerned.
const REPORTED: u32 = 1 << 0 | 1 << 1 | 0x1f << 3 | 0xf << 10 | 0xf << 16;

/// A budget that somebody has lent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lent {
    /// To whom.
    to: ThreadId,
    /// Whether nobody has run on it yet.
    is_new: bool,
}

impl Nova {
    /// Controls a thread.
    pub(super) fn control<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        selector: u64,
        control: Control,
    ) -> Result<Effect, Status> {
        match control {
            Control::Recall { tells } => {
                let target = self.thread(thread, selector, 1 << 0)?;
                self.things.thread(target).is_recalled = true;
                if tells {
                    self.tell_state(objects, thread, target);
                }
                Ok(Effect::Continue)
            }
            Control::Yield => {
                answer(objects.registers_mut(thread), Status::Success);
                Ok(Effect::Yield)
            }
            Control::Reschedule => {
                answer(objects.registers_mut(thread), Status::Success);
                if let Some(Lent { to, .. }) = self.lent.take() {
                    self.follow_chains(objects, to);
                }
                Ok(self.go_on(objects))
            }
            Control::Donate { counter } => {
                let target = self.thread(thread, selector, 0)?;
                self.lend(objects, thread, target, counter)
            }
            Control::Migrate => Err(Status::BadParameter),
            // The time of single threads is not counted.
            Control::Time => self.thread(thread, selector, 0).and(Err(Status::BadParameter)),
            Control::ReadVirtual | Control::WriteVirtual => Err(Status::BadCapability),
            Control::ModelSpecific => Err(Status::BadCapability),
        }
    }

    /// Puts the state of a thread on the message page of another one.
    fn tell_state<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId, target: ThreadId) {
        let mut registers = objects.registers_mut(target).clone();
        let is_stopped = match self.things.look(target).resume {
            Resume::Event(event) => REPORTED & 1 << event.number != 0,
            Resume::EventReply | Resume::ParkedEvent(_) => true,
            _ => false,
        };
        self.with_page(objects, thread, |page| {
            page.save(Mtd::STATE, &mut registers, [u64::from(is_stopped), 0]);
        });
    }

    /// Lets another thread of the same domain run on the caller's budget until the scheduler decides anew.
    fn lend<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        target: ThreadId,
        counter: u64,
    ) -> Result<Effect, Status> {
        let domain = self.things.look(thread).domain;
        let lent = self.things.look(target);
        let own_word = self.with_page(objects, target, |page| page.own_word());
        let can_run = lent.resume == Resume::User && lent.partner.is_none();
        if target == thread || lent.domain != domain || !can_run || own_word != Some(counter) {
            return Err(Status::BadParameter);
        }
        answer(objects.registers_mut(thread), Status::Success);
        objects.scheduler.retarget(thread, |_| target);
        self.lent = Some(Lent { to: target, is_new: true });
        Ok(Effect::Switch { to: target, wait: None })
    }

    /// A thread comes to run: what was lent goes back, unless this is the first time that it is made use of.
    pub(super) fn take_back<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) {
        match &mut self.lent {
            Some(lent) if lent.is_new && lent.to == thread => lent.is_new = false,
            lent => {
                if let Some(Lent { to, .. }) = lent.take() {
                    self.follow_chains(objects, to);
                }
            }
        }
    }

    /// Changes the number of a portal.
    pub(super) fn set_number(&mut self, thread: ThreadId, selector: u64, number: u64) -> Result<(), Status> {
        let portal = self.portal(thread, selector, 1 << 0)?;
        self.things.portals[portal].object.number = number;
        Ok(())
    }

    /// Asks for the time of a budget, which is not counted.
    pub(super) fn budget_time(&self, thread: ThreadId, selector: u64) -> Result<Effect, Status> {
        match self.find(thread, selector, 1 << 0)? {
            Object::Budget(_) | Object::Idle => Err(Status::BadParameter),
            _ => Err(Status::BadCapability),
        }
    }

    /// Gives pages of one domain's quota to another.
    pub(super) fn transfer_quota(
        &mut self,
        thread: ThreadId,
        (from, to): (u64, u64),
        pages: u64,
    ) -> Result<(), Status> {
        let from = self.domain(thread, from, 0)?;
        let to = self.domain(thread, to, 0)?;
        if pages > self.things.domains[from].object.quota.spare() {
            return Err(Status::BadParameter);
        }
        self.things.domains[from].object.quota.limit -= pages;
        self.things.domains[to].object.quota.limit += pages;
        Ok(())
    }

    /// Tells a thread the quota of a domain, and how much of it is used, in pages.
    pub(super) fn tell_quota<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        selector: u64,
    ) -> Result<(), Status> {
        let domain = self.domain(thread, selector, 0)?;
        let quota = self.things.domains[domain].object.quota;
        let registers = objects.registers_mut(thread);
        (registers.rsi, registers.rdx) = (quota.limit, quota.usage());
        Ok(())
    }
}
