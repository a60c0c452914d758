// SPDX-License-Identifier: MIT
//! Page tables and reference counts, which follow the nodes of capabilities.

use pe_replay::stop::{FAULT_FETCH, FAULT_WRITE};

use super::crd::{Kind, Rights, Span};
use super::nodes::{DomainId, Follower, Node, Target};
use super::things::{Object, Things};
use super::{Nova, USER_LIMIT};
use crate::mem::device;
use crate::mem::fallible::Exhausted;
use crate::mem::shared::SharedFrame;
use crate::mem::space::{Access, OutOfFrames, PAGE_LEN, Space};
use crate::object::Objects;
use crate::object::processor::Processor;
use crate::object::scheduler::ThreadId;
use crate::trap::environment::{Fault, Place, Wants};

/// A node of no higher order is mapped at once; of a larger one, what is touched is, so many pages at a time.
const MAPPED_AT_ONCE: u8 = 4;
/// What a node takes of its domain's quota, in bytes.
const NODE_LEN: u64 = 128;

/// What the rights of a node let the processor do.
pub(super) fn access(rights: Rights) -> Access {
    Access { read: true, write: rights.contains(Rights::WRITE), execute: rights.contains(Rights::EXECUTE) }
}

/// The pages of a node that user mode can reach, as addresses.
fn addresses(span: Span) -> (u64, u64) {
    let limit = USER_LIMIT / PAGE_LEN;
    (span.base.min(limit) * PAGE_LEN, span.end().min(limit) * PAGE_LEN)
}

/// Maps those pages of a span that are memory and are not mapped yet.
fn map(space: &mut Space, node: &Node<Object>, part: Span) -> Result<(), OutOfFrames> {
    let (mut page, end) = addresses(part);
    while page < end {
        if let Target::Memory { frame, .. } = node.at(page / PAGE_LEN)
            && space.next_mapped(page, page + PAGE_LEN).is_none()
            && let Some(frame) = SharedFrame::numbered(frame)
        {
            space.map_shared(page, &frame, access(node.rights))?;
        }
        page += PAGE_LEN;
    }
    Ok(())
}

/// Does something with each page of a span that is mapped.
fn for_each_mapped(space: &mut Space, span: Span, act: impl Fn(&mut Space, u64)) {
    let (mut page, end) = addresses(span);
    while let Some(found) = space.next_mapped(page, end) {
        act(space, found);
        page = found + PAGE_LEN;
    }
}

/// What follows the nodes: spaces, and the counts of who knows an object.
pub struct Following<'a, P: Processor> {
    /// The spaces.
    pub objects: &'a mut Objects<P>,
    /// The counts.
    pub things: &'a mut Things,
}

impl<P: Processor> Following<'_, P> {
    /// The space in which a node shows, if it shows in one.
    fn space(&mut self, node: &Node<Object>) -> Option<&mut Space> {
        let (_, space) = self.things.domains[node.domain].object.group?;
        Some(self.objects.space_mut(space))
    }

    /// Charges a domain for its page tables, whatever they are; fails if these are more than it may use.
    pub fn charge_tables(&mut self, domain: DomainId) -> Result<(), Exhausted> {
        let Some((_, space)) = self.things.domains[domain].object.group else { return Ok(()) };
        let tables = self.objects.space_mut(space).tables();
        self.things.domains[domain].object.quota.note_tables(tables)
    }

    /// Notes that a domain may have fewer page tables than before.
    pub fn note_tables(&mut self, domain: DomainId) {
        let _over: Result<(), Exhausted> = self.charge_tables(domain);
    }
}

impl<P: Processor> Follower<Object> for Following<'_, P> {
    fn enter(&mut self, node: &Node<Object>) -> Result<(), Exhausted> {
        let domain = &mut self.things.domains[node.domain].object;
        if domain.group.is_some() {
            domain.quota.charge(NODE_LEN)?;
        }
        let done = match node.target {
            Target::Memory { .. } if node.span.order <= MAPPED_AT_ONCE => match self.space(node) {
                Some(space) => {
                    let mapped = map(space, node, node.span).map_err(|OutOfFrames| Exhausted);
                    mapped.and_then(|()| self.charge_tables(node.domain))
                }
                None => Ok(()),
            },
            Target::Memory { .. } | Target::Port => Ok(()),
            Target::Object(object) => {
                self.things.name(object);
                Ok(())
            }
        };
        if done.is_err() {
            self.leave(node);
        }
        done
    }

    fn restrict(&mut self, node: &Node<Object>) {
        if node.kind() == Kind::Memory
            && let Some(space) = self.space(node)
        {
            for_each_mapped(space, node.span, |space, page| {
                space.protect(page, access(node.rights));
            });
        }
    }

    fn leave(&mut self, node: &Node<Object>) {
        let domain = &mut self.things.domains[node.domain].object;
        if domain.group.is_some() {
            domain.quota.refund(NODE_LEN);
        }
        match node.target {
            Target::Memory { .. } => {
                if let Some(space) = self.space(node) {
                    for_each_mapped(space, node.span, |space, page| {
                        space.unmap(page);
                    });
                    self.note_tables(node.domain);
                }
            }
            Target::Port => {}
            Target::Object(object) => self.things.unname(object),
        }
    }
}

/// What a page fault comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faulted {
    /// The page is there now.
    Mapped,
    /// The domain has the page and may do that, and it is a device's, which has it at this physical address.
    Device(u64),
    /// The domain has no such page, or may not do that with it.
    Refused {
        /// Whether it has the page.
        is_present: bool,
    },
    /// There is no memory for page tables.
    OutOfFrames,
    /// The domain may not use more memory for page tables.
    OutOfQuota,
}

impl Nova {
    /// Maps what a thread has touched and its domain has.
    pub(super) fn touch<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        address: u64,
        error: u32,
    ) -> Faulted {
        let domain = self.things.look(thread).domain;
        let page = address / PAGE_LEN;
        let Some(id) = self.nodes.find(domain, Kind::Memory, page).filter(|_| address < USER_LIMIT) else {
            return Faulted::Refused { is_present: false };
        };
        let node = self.nodes.node(id);
        let needed = if error & FAULT_WRITE != 0 {
            Rights::WRITE
        } else if error & FAULT_FETCH != 0 {
            Rights::EXECUTE
        } else {
            Rights::NONE
        };
        let Target::Memory { frame, .. } = node.at(page) else { unreachable!("memory is no other target") };
        if !node.rights.contains(needed) {
            return Faulted::Refused { is_present: true };
        }
        if device::is_device(frame) {
            return Faulted::Device(frame * PAGE_LEN);
        }
        if SharedFrame::numbered(frame).is_none() {
            return Faulted::Refused { is_present: true };
        }
        let order = node.span.order.min(MAPPED_AT_ONCE);
        let part = Span { base: page & !((1 << order) - 1), order };
        let (_, space) = self.things.domains[domain].object.group();
        if map(objects.space_mut(space), node, part).is_err() {
            return Faulted::OutOfFrames;
        }
        if self.following(objects).1.charge_tables(domain).is_ok() {
            return Faulted::Mapped;
        }
        for_each_mapped(objects.space_mut(space), part, |space, page| {
            space.unmap(page);
        });
        self.following(objects).1.note_tables(domain);
        Faulted::OutOfQuota
    }

    /// What lies behind an address of the current thread's, for an instruction that is performed for it; what is
    /// memory is mapped then.
    pub fn locate<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        address: u64,
        wants: Wants,
    ) -> Result<Place, Fault> {
        let allows = |access: Access| access.read && (access.write || wants == Wants::Read);
        let page = address & !(PAGE_LEN - 1);
        let is_mapped = |objects: &mut Objects<P>| objects.parts().0.access(page).is_some_and(allows);
        if is_mapped(objects) {
            return Ok(Place::Memory);
        }
        let fault = Fault::new(address, wants);
        match self.touch(objects, thread, address, fault.error) {
            Faulted::Device(physical) => Ok(Place::Device(physical)),
            Faulted::Mapped if is_mapped(objects) => Ok(Place::Memory),
            Faulted::Mapped | Faulted::Refused { .. } | Faulted::OutOfFrames | Faulted::OutOfQuota => {
                Err(fault)
            }
        }
    }
}
