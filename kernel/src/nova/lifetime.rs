// SPDX-License-Identifier: MIT
//! Taking capabilities back, and what happens to an object that has lost its last name.

use super::Nova;
use super::call::Status;
use super::crd::Crd;
use super::create::cost;
use super::nodes::{DomainId, Revocation};
use super::things::{Known, MessagePage, Object, Resume};
use crate::mem::fallible;
use crate::object::Objects;
use crate::object::budget::BudgetId;
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;

impl Nova {
    /// Takes capabilities back from a domain and from all who have them from there. When this returns, that is done.
    pub(super) fn revoke<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        domain: DomainId,
        range: u64,
        (own, keeps_children): (bool, bool),
    ) {
        if let Some(range) = Crd::from_word(range) {
            let (nodes, mut following) = self.following(objects);
            nodes.revoke(domain, Revocation { range, own, keeps_children }, &mut following);
            self.bury(objects);
        }
    }

    /// Sees to all objects that have lost their last name or their last user.
    pub(super) fn bury<P: Processor>(&mut self, objects: &mut Objects<P>) {
        while let Some(object) = self.things.take_lost() {
            let Some(known) = self.things.known(object).map(|known| *known) else { continue };
            if !known.is_named() {
                match object {
                    Object::Domain(id) => self.bury_domain(objects, id, known),
                    Object::Thread(id) => self.bury_thread(objects, id, known),
                    Object::Budget(id) => self.bury_budget(objects, id),
                    Object::Portal(id) => {
                        if known.is_used() {
                            continue;
                        }
                        let portal = self.things.portals.remove(id).object;
                        self.forget(portal.domain, cost::PORTAL);
                        self.things.release(Object::Thread(portal.thread));
                    }
                    Object::Idle => {}
                    Object::Semaphore(id) => {
                        self.wake_bereaved(objects, id, !known.is_used());
                        if known.is_used() {
                            continue;
                        }
                        self.forget_signal(id);
                        let semaphore = self.things.semaphores.remove(id).object;
                        self.forget(semaphore.domain, cost::SEMAPHORE);
                        if let Some(chained) = semaphore.chained {
                            self.things.release(Object::Semaphore(chained));
                        }
                    }
                }
            }
        }
    }

    /// An object is gone that a domain was charged for.
    fn forget(&mut self, domain: DomainId, bytes: u64) {
        self.things.note_gone();
        self.things.domains[domain].object.quota.refund(bytes);
        self.things.release(Object::Domain(domain));
    }

    /// A domain without a name has nothing any more; it goes when nobody runs in it.
    fn bury_domain<P: Processor>(&mut self, objects: &mut Objects<P>, id: DomainId, known: Known) {
        let (nodes, mut following) = self.following(objects);
        nodes.clear(id, &mut following);
        if known.is_used() {
            return;
        }
        let domain = self.things.domains.remove(id).object;
        let (process, space) = domain.group();
        objects.leave_group(process, space);
        if let Some(parent) = domain.parent {
            self.things.domains[parent].object.quota.limit += domain.quota.limit;
            self.forget(parent, cost::DOMAIN);
        }
    }

    /// A budget without a name is there until it has come home from the call that it drives.
    fn bury_budget<P: Processor>(&mut self, objects: &mut Objects<P>, id: BudgetId) {
        let budget = objects.scheduler.budget(id);
        let (owner, is_home) = (budget.owner, budget.thread == budget.owner);
        if !is_home {
            fallible::push_reserved(&mut self.leaving, id);
            return;
        }
        let Some(domain) = self.things.budgets.remove(id) else { return };
        objects.scheduler.remove_budget(id);
        self.forget(domain, cost::BUDGET);
        self.things.release(Object::Thread(owner));
    }

    /// A thread without a name is never in user mode again. Whoever it serves is told at once; it goes when nobody
    /// needs it, and does not run.
    fn bury_thread<P: Processor>(&mut self, objects: &mut Objects<P>, id: ThreadId, known: Known) {
        if self.things.look(id).resume != Resume::Dead {
            self.end(objects, id);
        }
        let context = self.things.thread(id);
        let (domain, page) = (context.domain, context.page.take());
        if let Some(page) = page {
            self.hide_page(objects, domain, &page);
        }
        if known.is_used() {
            return;
        }
        if objects.current() == id {
            self.ended = Some(id);
            return;
        }
        if let Some(portal) = self.things.threads.remove(id).and_then(|context| context.short) {
            self.things.release(Object::Portal(portal));
        }
        self.first = self.first.filter(|first| *first != id);
        objects.destroy_thread(id);
        self.forget(domain, cost::THREAD);
    }

    /// Takes a message page away whose thread goes: in the first domain from all who have it from there, too, since its
    /// frame goes with the thread.
    fn hide_page<P: Processor>(&mut self, objects: &mut Objects<P>, domain: DomainId, page: &MessagePage) {
        if !self.take_page(objects, page.frame.number()) {
            objects.space_mut(self.things.domains[domain].object.group().1).unmap(page.address);
            self.following(objects).1.note_tables(domain);
        }
    }

    /// Sees to what could not go before: a thread that ran, budgets that drove somebody else, and whatever nobody
    /// needs any more.
    pub(super) fn settle<P: Processor>(&mut self, objects: &mut Objects<P>) {
        if let Some(id) = self.ended.take_if(|id| *id != objects.current()) {
            self.things.forsake(Object::Thread(id));
        }
        for index in (0..self.leaving.len()).rev() {
            let budget = objects.scheduler.budget(self.leaving[index]);
            if budget.thread == budget.owner {
                let id = self.leaving.swap_remove(index);
                self.bury_budget(objects, id);
            }
        }
        self.bury(objects);
    }

    /// What a thread may take capabilities back from.
    pub(super) fn revoked_domain(&self, thread: ThreadId, remote: Option<u64>) -> Result<DomainId, Status> {
        match remote {
            Some(selector) => self.domain(thread, selector, 0),
            None => Ok(self.things.look(thread).domain),
        }
    }
}
