// SPDX-License-Identifier: MIT
//! Who has what from whom: the nodes of all domains, and the tree that delegation makes of them.
//!
//! A node says that a domain has some units of a kind: pages, ports, or a selector that names an
//! object. It hangs on the node from which it was delegated. The rights of a node are among those
//! of the one that it hangs on, so that whoever takes rights back takes them from all below.
//! A node is taken back as a whole, whichever part of it is named.
//!
//! Nothing else knows who has what. Page tables and references to objects follow the nodes
//! through a [`Follower`].

use alloc::vec::Vec;

use super::crd::{Crd, Delegation, Kind, Rights, Span};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::sorted::{Place, Sorted};
use crate::object::table::{Name as _, Table, name};

name! {
    /// Names a domain.
    DomainId
}
name! {
    /// Names a node.
    NodeId
}

/// What a node gives its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<O> {
    /// Frames, from this number on.
    Memory {
        /// The first one.
        frame: u64,
        /// Whether writes to them are combined.
        is_write_combined: bool,
    },
    /// The ports of the same numbers.
    Port,
    /// An object.
    Object(O),
}

impl<O: Copy> Target<O> {
    /// What is so many units further on.
    fn advanced(self, units: u64) -> Self {
        match self {
            Self::Memory { frame, is_write_combined } => {
                Self::Memory { frame: frame + units, is_write_combined }
            }
            Self::Port | Self::Object(_) => self,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Memory { .. } => Kind::Memory,
            Self::Port => Kind::Port,
            Self::Object(_) => Kind::Object,
        }
    }
}

/// What a domain has, and from whom.
#[derive(Clone, Debug)]
pub struct Node<O> {
    /// Whose it is.
    pub domain: DomainId,
    /// Where the domain finds it.
    pub span: Span,
    /// What the domain may do with it.
    pub rights: Rights,
    /// What it is.
    pub target: Target<O>,
    parent: Option<NodeId>,
    /// The child that was made last; the others follow by `next`.
    child: Option<NodeId>,
    next: Option<NodeId>,
    previous: Option<NodeId>,
}

impl<O: Copy> Node<O> {
    /// What it is.
    pub fn kind(&self) -> Kind {
        self.target.kind()
    }

    /// What one of its units is.
    pub fn at(&self, unit: u64) -> Target<O> {
        self.target.advanced(unit - self.span.base)
    }
}

/// What follows the nodes.
pub trait Follower<O> {
    /// A domain has got a node.
    fn enter(&mut self, node: &Node<O>) -> Result<(), Exhausted>;
    /// A domain may do less with a node than before.
    fn restrict(&mut self, node: &Node<O>);
    /// A domain has lost a node.
    fn leave(&mut self, node: &Node<O>);
}

/// What is to be taken back.
#[derive(Clone, Copy, Debug)]
pub struct Revocation {
    /// From whom, which rights.
    pub range: Crd,
    /// Whether the domain loses them, too, and not only those who have them from it.
    pub own: bool,
    /// Whether a node from which others have theirs goes alone, and they keep what they have.
    pub keeps_children: bool,
}

/// A domain's nodes of one kind, by their first unit.
type Spans = Sorted<(u64, NodeId)>;

/// All nodes.
pub struct Nodes<O> {
    nodes: Table<NodeId, Node<O>>,
    /// What each domain has of each kind, by the domain's name.
    domains: Vec<[Spans; 3]>,
}

impl<O> Default for Nodes<O> {
    fn default() -> Self {
        Self { nodes: Table::default(), domains: Vec::new() }
    }
}

/// The place of a kind among a domain's spans.
fn row(kind: Kind) -> usize {
    match kind {
        Kind::Memory => 0,
        Kind::Port => 1,
        Kind::Object => 2,
    }
}

impl<O: Copy> Nodes<O> {
    /// Makes room for what a domain of this name may get.
    pub fn reserve(&mut self, domain: DomainId) -> Result<(), Exhausted> {
        let needed = (domain.place() + 1).max(self.domains.len());
        fallible::resize(&mut self.domains, needed, Default::default)
    }

    /// Takes everything from a domain, and from all who have it from there.
    pub fn clear(&mut self, domain: DomainId, follower: &mut impl Follower<O>) {
        for kind in Kind::ALL {
            while let Some(id) = self.next_in(domain, kind, 0) {
                self.restrict(id, Rights::ALL, true, follower);
            }
        }
    }

    /// How many nodes there are.
    pub fn count(&self) -> usize {
        self.nodes.count()
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node<O> {
        &self.nodes[id]
    }

    /// The place of the first of a domain's nodes that ends behind a unit.
    fn place(&self, domain: DomainId, kind: Kind, unit: u64) -> Place {
        let spans = &self.domains[domain.place()][row(kind)];
        let behind = spans.place(|(base, _)| *base <= unit);
        let before = spans.before(behind);
        let holds =
            |place: &Place| spans.get(*place).is_some_and(|(_, id)| self.nodes[*id].span.contains(unit));
        before.filter(holds).unwrap_or(behind)
    }

    /// The first of a domain's nodes that ends behind a unit.
    fn next_in(&self, domain: DomainId, kind: Kind, unit: u64) -> Option<NodeId> {
        let place = self.place(domain, kind, unit);
        self.domains[domain.place()][row(kind)].get(place).map(|(_, id)| *id)
    }

    /// The first of a domain's nodes that ends behind a unit and begins within a span.
    fn next_within(&self, domain: DomainId, kind: Kind, span: Span, unit: u64) -> Option<NodeId> {
        self.next_in(domain, kind, unit).filter(|id| self.nodes[*id].span.base < span.end())
    }

    /// The node in which a domain has a unit.
    pub fn find(&self, domain: DomainId, kind: Kind, unit: u64) -> Option<NodeId> {
        self.next_in(domain, kind, unit).filter(|id| self.nodes[*id].span.contains(unit))
    }

    /// What a domain has at a unit, and what it may do with it.
    pub fn get(&self, domain: DomainId, kind: Kind, unit: u64) -> Option<(Target<O>, Rights)> {
        let node = &self.nodes[self.find(domain, kind, unit)?];
        Some((node.at(unit), node.rights))
    }

    /// The range that holds a unit of a domain's.
    pub fn lookup(&self, domain: DomainId, kind: Kind, unit: u64) -> Option<Crd> {
        let Node { span, rights, .. } = self.nodes[self.find(domain, kind, unit)?];
        Some(Crd { kind, span, rights })
    }

    /// Whether a domain has none of these units.
    pub fn is_free(&self, domain: DomainId, kind: Kind, span: Span) -> bool {
        self.next_within(domain, kind, span, span.base).is_none()
    }

    /// Gives a domain what nobody had before. The units must be free; nothing is changed on error.
    pub fn create(
        &mut self,
        domain: DomainId,
        span: Span,
        rights: Rights,
        target: Target<O>,
        follower: &mut impl Follower<O>,
    ) -> Result<NodeId, Exhausted> {
        self.insert(domain, span, rights, target, None, follower)
    }

    fn insert(
        &mut self,
        domain: DomainId,
        span: Span,
        rights: Rights,
        target: Target<O>,
        parent: Option<NodeId>,
        follower: &mut impl Follower<O>,
    ) -> Result<NodeId, Exhausted> {
        let kind = target.kind();
        assert!(self.is_free(domain, kind, span), "{domain:?} has something at {span:?} already");
        let place = self.place(domain, kind, span.base);
        let node = Node { domain, span, rights, target, parent, child: None, next: None, previous: None };
        self.nodes.reserve()?;
        let spans = &mut self.domains[domain.place()][row(kind)];
        let place = spans.make_room(place)?;
        follower.enter(&node)?;
        let id = self.nodes.insert_reserved(node);
        let inserted = spans.insert(place, (span.base, id));
        assert!(inserted.is_ok(), "room was made for this node");
        self.hang(id, parent);
        Ok(id)
    }

    /// Makes a node the newest child of another one.
    fn hang(&mut self, id: NodeId, parent: Option<NodeId>) {
        let next = parent.and_then(|parent| self.nodes[parent].child.replace(id));
        if let Some(next) = next {
            self.nodes[next].previous = Some(id);
        }
        let node = &mut self.nodes[id];
        (node.parent, node.next, node.previous) = (parent, next, None);
    }

    /// Takes a node from the list of its parent's children.
    fn unhang(&mut self, id: NodeId) {
        let Node { parent, next, previous, .. } = self.nodes[id];
        match previous {
            Some(previous) => self.nodes[previous].next = next,
            None => {
                if let Some(parent) = parent {
                    self.nodes[parent].child = next;
                }
            }
        }
        if let Some(next) = next {
            self.nodes[next].previous = previous;
        }
    }

    /// Hands units of one domain on to another. What the receiver has already stays as it is.
    /// On error some of it may have been handed on.
    pub fn delegate(
        &mut self,
        from: DomainId,
        to: DomainId,
        what: Delegation,
        is_write_combined: bool,
        follower: &mut impl Follower<O>,
    ) -> Result<(), Exhausted> {
        let mut unit = what.from.base;
        while let Some(id) = self.next_within(from, what.kind, what.from, unit) {
            let node = &self.nodes[id];
            unit = node.span.end();
            let Some(common) = node.span.common(what.from) else { continue };
            let mut target = node.at(common.base);
            if let Target::Memory { is_write_combined: combined, .. } = &mut target {
                *combined |= is_write_combined;
            }
            let span = Span { base: what.to + (common.base - what.from.base), order: common.order };
            let rights = node.rights.and(what.rights);
            if !rights.is_none() && self.is_free(to, what.kind, span) {
                self.insert(to, span, rights, target, Some(id), follower)?;
            }
        }
        Ok(())
    }

    /// The receiver's own name for something of the sender's: that of the nearest node within the
    /// window from which the sender has it, with the rights that the sender has.
    ///
    /// A domain that sends to itself is told the name that it uses.
    pub fn translate(&self, from: DomainId, what: Crd, to: DomainId, window: Crd) -> Option<Crd> {
        if what.kind != window.kind {
            return None;
        }
        let first = self.find(from, what.kind, what.span.base)?;
        let sent = &self.nodes[first];
        let is_meant = |id: &NodeId| {
            let node = &self.nodes[*id];
            node.domain == to && window.span.contains(node.span.base)
        };
        let ancestors = core::iter::successors(sent.parent, |id| self.nodes[*id].parent);
        let own = (sent.domain == to).then_some(first);
        let node = &self.nodes[ancestors.into_iter().find(is_meant).or(own)?];
        let inner = match (sent.at(what.span.base), node.target) {
            (Target::Memory { frame, .. }, Target::Memory { frame: first, .. }) => frame - first,
            (Target::Port, Target::Port) => what.span.base - node.span.base,
            _ => 0,
        };
        let order = what.span.order.min(sent.span.order);
        let base = (node.span.base + inner) & !((1 << order) - 1);
        Some(Crd { kind: what.kind, span: Span { base, order }, rights: sent.rights })
    }

    /// Takes rights back. A node without rights is gone.
    pub fn revoke(&mut self, domain: DomainId, what: Revocation, follower: &mut impl Follower<O>) {
        let Revocation { range: Crd { kind, span, rights }, own, keeps_children } = what;
        let mut unit = span.base;
        while let Some(id) = self.next_within(domain, kind, span, unit) {
            unit = self.nodes[id].span.end();
            if keeps_children && self.nodes[id].child.is_some() {
                self.bequeath(id);
                self.remove(id, follower);
            } else {
                self.restrict(id, rights, own, follower);
            }
        }
    }

    /// Hangs the children of a node on its parent.
    fn bequeath(&mut self, id: NodeId) {
        let parent = self.nodes[id].parent;
        while let Some(child) = self.nodes[id].child {
            self.unhang(child);
            self.hang(child, parent);
        }
    }

    /// Takes rights from all below a node, and from itself if it is to lose them, too.
    ///
    /// The way goes down to where nothing hangs, and back up: what a node hangs on outlives it.
    fn restrict(&mut self, top: NodeId, rights: Rights, own: bool, follower: &mut impl Follower<O>) {
        let mut id = self.lowest(top);
        loop {
            let (next, parent) = (self.nodes[id].next, self.nodes[id].parent);
            if id != top || own {
                self.take(id, rights, follower);
            }
            id = match (id == top, next, parent) {
                (true, ..) => return,
                (false, Some(next), _) => self.lowest(next),
                (false, None, Some(parent)) => parent,
                (false, None, None) => unreachable!("all below a node hang on it"),
            };
        }
    }

    /// The first one below a node on which nothing hangs.
    fn lowest(&self, id: NodeId) -> NodeId {
        core::iter::successors(Some(id), |id| self.nodes[*id].child).last().unwrap_or(id)
    }

    /// Takes rights from one node.
    fn take(&mut self, id: NodeId, rights: Rights, follower: &mut impl Follower<O>) {
        let node = &mut self.nodes[id];
        let left = node.rights.without(rights);
        if left.is_none() {
            self.remove(id, follower);
        } else if left != node.rights {
            node.rights = left;
            follower.restrict(node);
        }
    }

    /// Takes a node away on which nothing hangs.
    fn remove(&mut self, id: NodeId, follower: &mut impl Follower<O>) {
        self.unhang(id);
        let node = self.nodes.remove(id);
        assert!(node.child.is_none(), "something hangs on {id:?}");
        let kind = node.kind();
        let spans = &mut self.domains[node.domain.place()][row(kind)];
        let place = spans.place(|(base, _)| *base < node.span.base);
        let removed = spans.remove(place);
        assert!(removed.is_some_and(|(_, found)| found == id), "{id:?} is not where it was");
        follower.leave(&node);
    }
}

#[cfg(test)]
mod tests;
