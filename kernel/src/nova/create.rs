// SPDX-License-Identifier: MIT
//! Making objects: each at a selector of the caller's, and charged to the domain that is named.

use arrayvec::ArrayString;

use super::call::Status;
use super::crd::{Crd, Delegation, Kind, Rights, Span};
use super::nodes::{DomainId, Revocation, Target};
use super::things::{
    Context, Counted, Domain, Event, MessagePage, Object, Portal, PortalId, Quota, Resume, Semaphore,
    SemaphoreId,
};
use super::utcb::{FIXED_FLAGS, Mtd};
use super::{Nova, USER_LIMIT};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::shared::SharedFrame;
use crate::mem::space::{Access, OutOfFrames, PAGE_LEN};
use crate::object::Objects;
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;

/// Selectors that there are.
const SELECTORS: u64 = 1 << 52;
/// The highest priority of a budget.
const MOST_PRIORITY: u64 = 127;
/// What the first domain may do with a message page.
const PAGE_RIGHTS: Rights = Rights::new(3);
/// Instructions that are taken for a microsecond: what a budget has is counted, not timed.
const INSTRUCTIONS_A_US: u64 = 1000;

/// Pages of its quota that a domain must have free for a new object.
mod needed {
    /// For a domain, of its parent.
    pub const DOMAIN: u64 = 1;
    /// For a thread.
    pub const THREAD: u64 = 7;
    /// For a budget.
    pub const BUDGET: u64 = 2;
    /// For a portal.
    pub const PORTAL: u64 = 2;
    /// For a semaphore.
    pub const SEMAPHORE: u64 = 1;
}

/// What objects take of a quota, in bytes: what the kernel keeps of each.
pub(super) mod cost {
    /// A domain: its top table, and its place among domains.
    pub const DOMAIN: u64 = 3 * 4096;
    /// A thread: its message page, and two copies of its registers.
    pub const THREAD: u64 = 2 * 4096 + 512;
    /// A budget.
    pub const BUDGET: u64 = 128;
    /// A portal.
    pub const PORTAL: u64 = 128;
    /// A semaphore.
    pub const SEMAPHORE: u64 = 192;
}

/// What a new thread is to be.
pub(super) struct NewThread {
    pub domain: u64,
    pub is_global: bool,
    pub utcb: u64,
    pub processor: u64,
    pub stack: u64,
    pub event_base: u64,
    /// The portal that is called when its domain has too little kernel memory.
    pub short: Option<PortalId>,
}

impl Nova {
    /// Whether a selector of a thread's domain can be given to something new.
    fn vacant(&self, thread: ThreadId, selector: u64) -> Result<(DomainId, Span), Status> {
        let (domain, span) = (self.things.look(thread).domain, Span::one(selector));
        let is_free = selector < SELECTORS && self.nodes.is_free(domain, Kind::Object, span);
        is_free.then_some((domain, span)).ok_or(Status::BadCapability)
    }

    /// Whether a domain has so many pages of its quota free.
    fn affords(&self, domain: DomainId, pages: u64) -> Result<(), Status> {
        let free = self.things.domains[domain].object.quota.free();
        (free >= pages).then_some(()).ok_or(Status::OutOfMemory)
    }

    /// Gives a new object its first name, with all the rights of its kind.
    fn publish<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        place: (DomainId, Span),
        object: Object,
    ) -> Result<(), Status> {
        self.publish_with(objects, place, object, object.rights())
    }

    /// Gives a new object its first name, with some rights.
    fn publish_with<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        (domain, span): (DomainId, Span),
        object: Object,
        rights: Rights,
    ) -> Result<(), Status> {
        let (nodes, mut following) = self.following(objects);
        let target = Target::Object(object);
        let made = nodes.create(domain, span, rights, target, &mut following);
        if made.is_err() {
            self.things.forsake(object);
            self.bury(objects);
        }
        made.map(|_| ()).map_err(|Exhausted| Status::OutOfMemory)
    }

    /// Charges a domain for an object.
    fn charge(&mut self, domain: DomainId, bytes: u64) -> Result<(), Status> {
        self.things.domains[domain].object.quota.charge(bytes).map_err(|Exhausted| Status::OutOfMemory)
    }

    /// Makes a domain that gets a part of its parent's quota, and from the caller what `initial` names.
    pub(super) fn create_domain<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        selector: u64,
        parent: u64,
        initial: u64,
        (kept, limit): (u64, u64),
    ) -> Result<(), Status> {
        // A domain is no more to whoever makes it than the one that it is made of.
        let named = self.nodes.lookup(self.things.look(thread).domain, Kind::Object, parent);
        let rights = named.map_or(Rights::NONE, |crd| crd.rights);
        let parent = self.domain(thread, parent, 1 << 0)?;
        if kept > limit {
            return Err(Status::BadParameter);
        }
        self.affords(parent, needed::DOMAIN)?;
        if limit > self.things.domains[parent].object.quota.spare() {
            return Err(Status::BadParameter);
        }
        let place = self.vacant(thread, selector)?;
        let out = |Exhausted| Status::OutOfMemory;
        self.things.reserve().map_err(out)?;
        self.things.domains.reserve().map_err(out)?;
        let id = self.things.domains.next();
        self.nodes.reserve(id).map_err(out)?;
        self.charge(parent, cost::DOMAIN)?;
        let pages = objects.processor.space().beside();
        let made = pages.map_err(|OutOfFrames| Exhausted).and_then(|pages| objects.add_group(pages));
        let Ok(group) = made else {
            self.things.domains[parent].object.quota.refund(cost::DOMAIN);
            return Err(Status::OutOfMemory);
        };
        self.things.domains[parent].object.quota.limit -= limit;
        let quota = Quota { limit, kept, ..Quota::default() };
        let domain = Domain { group: Some(group), quota, parent: Some(parent), label: ArrayString::new() };
        self.things.domains.insert_reserved(Counted::new(domain));
        self.things.note_made();
        self.things.use_object(Object::Domain(parent));
        self.publish_with(objects, place, Object::Domain(id), rights)?;
        if let Some(crd) = Crd::from_word(initial).filter(|crd| crd.kind == Kind::Object) {
            let what = Delegation { kind: Kind::Object, from: crd.span, to: 0, rights: crd.rights };
            let (nodes, mut following) = self.following(objects);
            nodes.delegate(place.0, id, what, false, &mut following).map_err(out)?;
        }
        Ok(())
    }

    /// Makes a thread.
    pub(super) fn create_thread<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        selector: u64,
        new: &NewThread,
    ) -> Result<(), Status> {
        if new.processor != 0 {
            return Err(Status::BadProcessor);
        }
        if new.utcb == 0 {
            return Err(Status::BadFeature);
        }
        let domain = self.domain(thread, new.domain, 1 << 1)?;
        self.affords(domain, needed::THREAD)?;
        if new.utcb >= USER_LIMIT {
            return Err(Status::BadParameter);
        }
        let place = self.vacant(thread, selector)?;
        let id = self.make_thread(objects, domain, new)?;
        self.publish(objects, place, Object::Thread(id))
    }

    /// Makes a thread that nobody knows yet.
    pub(super) fn make_thread<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        domain: DomainId,
        new: &NewThread,
    ) -> Result<ThreadId, Status> {
        let out = |Exhausted| Status::OutOfMemory;
        self.things.reserve().map_err(out)?;
        let page = SharedFrame::zeroed().map_err(|OutOfFrames| Status::OutOfMemory)?;
        let frame = page.number();
        let mut registers = Self::first_registers();
        (registers.rsp, registers.rflags) = (new.stack, FIXED_FLAGS);
        self.charge(domain, cost::THREAD)?;
        let (process, space) = self.things.domains[domain].object.group();
        let made = objects.add_thread(process, space, &registers).and_then(|id| {
            let room = self.things.threads.reserve(id);
            room.inspect_err(|Exhausted| objects.destroy_thread(id)).map(|()| id)
        });
        let Ok(id) = made else {
            self.things.domains[domain].object.quota.refund(cost::THREAD);
            return Err(Status::OutOfMemory);
        };
        let context = Context {
            domain,
            is_global: new.is_global,
            page: Some(MessagePage { frame: page, address: new.utcb }),
            event_base: new.event_base,
            resume: if new.is_global { Resume::Event(Event::plain(Event::STARTUP)) } else { Resume::Idle },
            caller: None,
            partner: None,
            is_recalled: false,
            short: new.short,
        };
        self.things.threads.insert_reserved(id, context);
        self.things.note_made();
        self.things.use_object(Object::Domain(domain));
        if let Some(portal) = new.short {
            self.things.use_object(Object::Portal(portal));
        }
        if self.show_page(objects, domain, new.utcb, frame).is_err() {
            self.things.forsake(Object::Thread(id));
            self.bury(objects);
            return Err(Status::OutOfMemory);
        }
        Ok(id)
    }

    /// Maps a message page where its thread is to find it. In the first domain it is memory like any other; elsewhere
    /// nobody can take it away.
    fn show_page<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        domain: DomainId,
        address: u64,
        frame: u64,
    ) -> Result<(), Exhausted> {
        let span = Span::one(address / PAGE_LEN);
        if domain == self.root && self.nodes.is_free(domain, Kind::Memory, span) {
            return self.hand_page(objects, address, frame);
        }
        let space = objects.space_mut(self.things.domains[domain].object.group().1);
        space.unmap(address);
        let all = Access { read: true, write: true, execute: true };
        let page = SharedFrame::numbered(frame).ok_or(Exhausted)?;
        space.map_shared(address, &page, all).map_err(|OutOfFrames| Exhausted)?;
        self.following(objects).1.charge_tables(domain)
    }

    /// Hands a message page to the first domain, from the one that nobody names: whoever gets the page has it from there,
    /// whatever becomes of those in between.
    pub(super) fn hand_page<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        address: u64,
        frame: u64,
    ) -> Result<(), Exhausted> {
        let (pages, root) = (self.pages, self.root);
        let (rights, target) = (PAGE_RIGHTS, Target::Memory { frame, is_write_combined: false });
        let (nodes, mut following) = self.following(objects);
        nodes.create(pages, Span::one(frame), rights, target, &mut following)?;
        let what = Delegation { kind: Kind::Memory, from: Span::one(frame), to: address / PAGE_LEN, rights };
        nodes.delegate(pages, root, what, false, &mut following)
    }

    /// Takes a message page of the first domain from all who have it; returns whether it is such a page.
    pub(super) fn take_page<P: Processor>(&mut self, objects: &mut Objects<P>, frame: u64) -> bool {
        let (pages, span) = (self.pages, Span::one(frame));
        let is_handed = !self.nodes.is_free(pages, Kind::Memory, span);
        if is_handed {
            let range = Crd { kind: Kind::Memory, span, rights: Rights::ALL };
            let (nodes, mut following) = self.following(objects);
            nodes.revoke(pages, Revocation { range, own: true, keeps_children: false }, &mut following);
        }
        is_handed
    }

    /// Makes a budget, which has a thread take turns from now on.
    pub(super) fn create_budget<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        selector: u64,
        (domain, driven): (u64, u64),
        (quantum_us, priority): (u64, u64),
    ) -> Result<(), Status> {
        let domain = self.domain(thread, domain, 1 << 2)?;
        self.affords(domain, needed::BUDGET)?;
        let driven = self.thread(thread, driven, 1 << 2)?;
        if !self.things.look(driven).is_global {
            return Err(Status::BadCapability);
        }
        if priority == 0 || priority > MOST_PRIORITY || quantum_us == 0 {
            return Err(Status::BadParameter);
        }
        let place = self.vacant(thread, selector)?;
        let out = |Exhausted| Status::OutOfMemory;
        self.things.reserve().map_err(out)?;
        objects.scheduler.reserve_budget().map_err(out)?;
        self.things.budgets.reserve(objects.scheduler.next_budget()).map_err(out)?;
        fallible::reserve(&mut self.leaving, objects.scheduler.budgets() + 1).map_err(out)?;
        self.charge(domain, cost::BUDGET)?;
        let slice = quantum_us.saturating_mul(INSTRUCTIONS_A_US);
        let id = objects.scheduler.add_budget(driven, priority as u8, slice);
        self.things.budgets.insert_reserved(id, domain);
        self.things.note_made();
        self.things.use_object(Object::Domain(domain));
        self.things.use_object(Object::Thread(driven));
        self.follow_chains(objects, driven);
        self.publish(objects, place, Object::Budget(id))
    }

    /// Makes a portal.
    pub(super) fn create_portal<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        selector: u64,
        (domain, server): (u64, u64),
        (mtd, entry): (u64, u64),
    ) -> Result<(), Status> {
        if entry >= USER_LIMIT {
            return Err(Status::BadParameter);
        }
        let domain = self.domain(thread, domain, 1 << 3)?;
        self.affords(domain, needed::PORTAL)?;
        let server = self.thread(thread, server, 1 << 3)?;
        if self.things.look(server).is_global {
            return Err(Status::BadCapability);
        }
        let place = self.vacant(thread, selector)?;
        let out = |Exhausted| Status::OutOfMemory;
        self.things.reserve().map_err(out)?;
        self.things.portals.reserve().map_err(out)?;
        self.charge(domain, cost::PORTAL)?;
        let portal = Portal { domain, thread: server, mtd: Mtd(mtd), entry, number: 0 };
        let id = self.things.portals.insert_reserved(Counted::new(portal));
        self.things.note_made();
        self.things.use_object(Object::Domain(domain));
        self.things.use_object(Object::Thread(server));
        self.publish(objects, place, Object::Portal(id))
    }

    /// Makes a semaphore with a count, or a signal with a value that another semaphore is told of.
    pub(super) fn create_semaphore<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        selector: u64,
        domain: u64,
        (value, chained): (u64, u64),
    ) -> Result<(), Status> {
        let domain = self.domain(thread, domain, 1 << 4)?;
        self.affords(domain, needed::SEMAPHORE)?;
        let chained = match chained {
            0 => None,
            selector => Some(self.semaphore(thread, selector, 0)?),
        };
        if chained.is_some_and(|id| self.things.semaphores[id].object.chained.is_some()) {
            return Err(Status::BadCapability);
        }
        let place = self.vacant(thread, selector)?;
        let id = self.make_semaphore(domain, value, chained)?;
        self.publish(objects, place, Object::Semaphore(id))
    }

    /// Makes a semaphore that nobody knows yet.
    pub(super) fn make_semaphore(
        &mut self,
        domain: DomainId,
        value: u64,
        chained: Option<SemaphoreId>,
    ) -> Result<SemaphoreId, Status> {
        let out = |Exhausted| Status::OutOfMemory;
        self.things.reserve().map_err(out)?;
        self.things.semaphores.reserve().map_err(out)?;
        self.charge(domain, cost::SEMAPHORE)?;
        let (count, value) = if chained.is_some() { (0, value) } else { (value, 0) };
        let semaphore = Semaphore { domain, count, chained, value, queue: Default::default(), line: None };
        let id = self.things.semaphores.insert_reserved(Counted::new(semaphore));
        self.things.note_made();
        self.things.use_object(Object::Domain(domain));
        if let Some(chained) = chained {
            self.things.use_object(Object::Semaphore(chained));
        }
        Ok(id)
    }
}
