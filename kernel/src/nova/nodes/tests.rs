// SPDX-License-Identifier: MIT
//! Examples from the interface's description, and random calls against a plain list.

use alloc::collections::BTreeMap;

use super::*;
use crate::nova::crd;

/// What a follower has been told: by domain and first unit, what is there.
#[derive(Default)]
struct Seen {
    nodes: BTreeMap<(u64, u64), (u8, u8, Target<u32>)>,
    /// Nodes that may still be entered.
    room: Option<u32>,
}

fn key(node: &Node<u32>) -> (u64, u64) {
    (row(node.kind()) as u64 | (node.domain.place() as u64) << 2, node.span.base)
}

fn value(node: &Node<u32>) -> (u8, u8, Target<u32>) {
    (node.span.order, node.rights.bits(), node.target)
}

impl Follower<u32> for Seen {
    fn enter(&mut self, node: &Node<u32>) -> Result<(), Exhausted> {
        if let Some(room) = &mut self.room {
            *room = room.checked_sub(1).ok_or(Exhausted)?;
        }
        assert!(self.nodes.insert(key(node), value(node)).is_none(), "entered twice: {node:?}");
        Ok(())
    }

    fn restrict(&mut self, node: &Node<u32>) {
        let before = self.nodes.insert(key(node), value(node)).unwrap();
        assert!(node.rights.bits() & !before.1 == 0 && node.rights.bits() != before.1);
    }

    fn leave(&mut self, node: &Node<u32>) {
        assert!(self.nodes.remove(&key(node)).is_some(), "{node:?} was not there");
    }
}

/// Domains with what they have.
struct World {
    nodes: Nodes<u32>,
    seen: Seen,
    domains: Vec<DomainId>,
}

impl World {
    fn new(domains: usize) -> Self {
        let mut nodes = Nodes::default();
        let domains: Vec<_> = (0..domains).map(DomainId::at).collect();
        domains.iter().for_each(|domain| nodes.reserve(*domain).unwrap());
        Self { nodes, seen: Seen::default(), domains }
    }

    fn object(&mut self, domain: usize, selector: u64, rights: u8, object: u32) {
        let (domain, rights) = (self.domains[domain], Rights::new(rights));
        self.nodes
            .create(domain, Span::one(selector), rights, Target::Object(object), &mut self.seen)
            .unwrap();
    }

    fn memory(&mut self, domain: usize, base: u64, order: u8, rights: u8, frame: u64) {
        let target = Target::Memory { frame, is_write_combined: false };
        let (domain, rights) = (self.domains[domain], Rights::new(rights));
        self.nodes.create(domain, Span { base, order }, rights, target, &mut self.seen).unwrap();
    }

    /// Delegates, and returns what the receiver is told.
    fn delegate(&mut self, from: usize, to: usize, sent: u64, window: u64, hotspot: u64) -> u64 {
        let (from, to) = (self.domains[from], self.domains[to]);
        let (Some(sent), Some(window)) = (Crd::from_word(sent), Crd::from_word(window)) else { return 0 };
        let Some(what) = sent.meet(window, hotspot) else { return 0 };
        self.nodes.delegate(from, to, what, false, &mut self.seen).unwrap();
        what.result().word()
    }

    fn lookup(&self, domain: usize, kind: Kind, unit: u64) -> u64 {
        crd::word(self.nodes.lookup(self.domains[domain], kind, unit))
    }

    fn translate(&self, from: usize, what: u64, to: usize, window: u64) -> u64 {
        let (Some(what), Some(window)) = (Crd::from_word(what), Crd::from_word(window)) else { return 0 };
        crd::word(self.nodes.translate(self.domains[from], what, self.domains[to], window))
    }

    fn revoke(&mut self, domain: usize, range: u64, own: bool, keeps_children: bool) {
        let range = Crd::from_word(range).unwrap();
        let what = Revocation { range, own, keeps_children };
        self.nodes.revoke(self.domains[domain], what, &mut self.seen);
    }

    /// Holds what the follower has seen against the nodes, and the nodes against their rules.
    fn check(&self) {
        let nodes = &self.nodes;
        let there: BTreeMap<_, _> = nodes.nodes.iter().map(|(_, node)| (key(node), value(node))).collect();
        assert_eq!(there, self.seen.nodes);
        assert_eq!(there.len(), nodes.count());
        for (id, node) in nodes.nodes.iter() {
            assert_eq!(nodes.find(node.domain, node.kind(), node.span.base), Some(id));
            assert!(!node.rights.is_none());
            if let Some(parent) = node.parent {
                assert!(nodes.node(parent).rights.contains(node.rights));
                let children = core::iter::successors(nodes.node(parent).child, |id| nodes.node(*id).next);
                assert_eq!(children.filter(|child| *child == id).count(), 1);
            }
        }
    }
}

/// A window of all selectors.
const ALL: u64 = 0xfff;

#[test]
fn rights_of_a_portal_are_taken_one_by_one() {
    let mut world = World::new(1);
    world.object(0, 0x104, 0x13, 7);
    assert_eq!(world.lookup(0, Kind::Object, 0x104), 0x10_404f);
    // The right to set its number.
    world.revoke(0, 0x104 << 12 | 7, true, false);
    assert_eq!(world.lookup(0, Kind::Object, 0x104), 0x10_404b);
    world.check();
}

#[test]
fn an_object_goes_into_a_window_once() {
    let mut world = World::new(1);
    world.object(0, 0x23, 3, 1);
    let (sent, window) = (0x23 << 12 | 0x7f, 0x300 << 12 | 2 << 7 | 0x7f);
    for _ in 0..2 {
        assert_eq!(world.delegate(0, 0, sent, window, 2), 0x30_207f);
        assert_eq!(world.lookup(0, Kind::Object, 0x302), 0x30_200f);
    }
    assert_eq!(world.delegate(0, 0, sent, 0, 2), 0);
    world.check();
}

#[test]
fn a_node_that_goes_alone_leaves_its_children_to_its_parent() {
    let mut world = World::new(1);
    world.object(0, 0x120, 3, 1);
    for (from, to) in [(0x120, 0x121), (0x121, 0x122)] {
        world.delegate(0, 0, from << 12 | 0x7f, to << 12 | 0x7f, 0);
    }
    world.revoke(0, 0x121 << 12 | 3, false, true);
    assert_eq!(world.lookup(0, Kind::Object, 0x121), 0);
    assert_eq!(world.lookup(0, Kind::Object, 0x122), 0x12_200f);
    world.check();
    // It hangs on the first one now: what that takes back it loses.
    world.revoke(0, 0x120 << 12 | 7, false, false);
    assert_eq!(world.lookup(0, Kind::Object, 0x120), 0x12_000f);
    assert_eq!(world.lookup(0, Kind::Object, 0x122), 0x12_200b);
    world.check();
}

#[test]
fn a_server_is_told_the_name_that_it_gave_away() {
    // A server, its client, and a third one in between.
    let mut world = World::new(3);
    world.object(0, 0x1000, 0x1f, 5);
    world.delegate(0, 1, 0x1000 << 12 | 0x13 << 2 | 3, 0x40 << 12 | 0x7f, 0);
    world.delegate(1, 2, 0x40 << 12 | 0x7f, 0x80 << 12 | 0x7f, 0);
    let sent = 0x80 << 12 | 0x7f;
    // Its own selector, with the rights that the client has.
    assert_eq!(world.translate(2, sent, 0, ALL), 0x1000 << 12 | 0x13 << 2 | 3);
    // Outside of the window there is nothing that it is told.
    assert_eq!(world.translate(2, sent, 0, 0x2000 << 12 | 0x7f), 0);
    assert_eq!(world.translate(2, sent, 0, 0x1005), 0);
    assert_eq!(world.translate(2, 0x81 << 12 | 0x7f, 0, ALL), 0);
    // Whoever sends to itself is told the name that it uses, or the one further up.
    assert_eq!(world.translate(0, 0x1000 << 12 | 0x7f, 0, ALL), 0x1000 << 12 | 0x7f);
    world.delegate(0, 0, 0x1000 << 12 | 0x7f, 0x1001 << 12 | 0x7f, 0);
    assert_eq!(world.translate(0, 0x1001 << 12 | 0x7f, 0, ALL), 0x1000 << 12 | 0x7f);
    // Nobody else has it from the client.
    assert_eq!(world.translate(0, 0x1000 << 12 | 0x7f, 1, ALL), 0);
}

#[test]
fn memory_that_is_handed_on_in_part_keeps_its_frames() {
    let mut world = World::new(3);
    world.memory(0, 0x100, 4, 7, 0x8100);
    world.delegate(0, 1, 0x100 << 12 | 4 << 7 | 0x0d, 0x40 << 12 | 1 << 7 | 0x1d, 0x106);
    let frame = |frame| Target::Memory { frame, is_write_combined: false };
    let got = |world: &World, unit| world.nodes.get(world.domains[1], Kind::Memory, unit);
    assert_eq!(got(&world, 0x40), Some((frame(0x8106), Rights::new(3))));
    assert_eq!(got(&world, 0x41), Some((frame(0x8107), Rights::new(3))));
    assert_eq!(got(&world, 0x42), None);
    assert_eq!(world.translate(1, 0x41 << 12 | 0x1d, 0, 0xffd), 0x107 << 12 | 0x0d);
    // What is touched in part is taken back whole.
    world.revoke(0, 0x10f << 12 | 0x1d, true, false);
    assert_eq!(world.nodes.count(), 0);
    world.check();
}

#[test]
fn write_combining_is_handed_on() {
    let mut world = World::new(2);
    world.memory(0, 0x10, 0, 3, 0x10);
    let what = Delegation { kind: Kind::Memory, from: Span::one(0x10), to: 0x20, rights: Rights::ALL };
    world.nodes.delegate(world.domains[0], world.domains[1], what, true, &mut world.seen).unwrap();
    world.delegate(1, 1, 0x20 << 12 | 0xd, 0x30 << 12 | 0xd, 0);
    let combined = Target::Memory { frame: 0x10, is_write_combined: true };
    assert_eq!(world.nodes.get(world.domains[1], Kind::Memory, 0x30), Some((combined, Rights::new(3))));
}

#[test]
fn a_domain_that_goes_takes_along_what_others_have_from_it() {
    let mut world = World::new(3);
    for selector in 0..300 {
        world.object(0, selector, 3, selector as u32);
    }
    world.delegate(0, 1, 9 << 7 | 0x7f, 0x200 << 12 | 9 << 7 | 0x7f, 0);
    world.delegate(1, 2, 0x200 << 12 | 9 << 7 | 0x7f, 9 << 7 | 0x7f, 0);
    world.object(2, 0x900, 1, 900);
    assert_eq!(world.nodes.count(), 901);
    world.nodes.clear(world.domains[1], &mut world.seen);
    assert_eq!(world.nodes.count(), 301);
    world.check();
}

#[test]
fn a_long_chain_is_taken_back_without_a_deep_stack() {
    let mut world = World::new(1);
    world.object(0, 0, 0x1f, 1);
    for selector in 0..100_000 {
        world.delegate(0, 0, selector << 12 | 0x7f, (selector + 1) << 12 | 0x7f, 0);
    }
    world.revoke(0, 0x7f, false, false);
    assert_eq!(world.nodes.count(), 1);
    world.check();
}

#[test]
fn what_finds_no_room_changes_nothing() {
    let mut world = World::new(2);
    world.memory(0, 0, 0, 7, 0);
    world.memory(0, 1, 0, 7, 9);
    world.seen.room = Some(1);
    let what =
        Delegation { kind: Kind::Memory, from: Span { base: 0, order: 1 }, to: 8, rights: Rights::ALL };
    let result = world.nodes.delegate(world.domains[0], world.domains[1], what, false, &mut world.seen);
    assert_eq!((result, world.nodes.count()), (Err(Exhausted), 3));
    world.check();
}

/// What a plain list has of a node.
#[derive(Clone, Copy)]
struct Plain {
    domain: usize,
    span: Span,
    rights: Rights,
    frame: u64,
    name: u32,
    parent: Option<u32>,
}

/// A plain list that follows the rules, each in a sentence: memory only.
#[derive(Default)]
struct Model {
    list: Vec<Plain>,
    names: u32,
}

impl Model {
    fn add(&mut self, plain: Plain) {
        self.names += 1;
        self.list.push(Plain { name: self.names, ..plain });
    }

    fn overlapping(&self, domain: usize, span: Span) -> Vec<Plain> {
        let overlaps =
            |it: &&Plain| it.domain == domain && it.span.base < span.end() && span.base < it.span.end();
        let mut found: Vec<_> = self.list.iter().filter(overlaps).copied().collect();
        found.sort_by_key(|it| it.span.base);
        found
    }

    fn delegate(&mut self, from: usize, to: usize, what: Delegation) {
        for source in self.overlapping(from, what.from) {
            let base = source.span.base.max(what.from.base);
            let order = source.span.order.min(what.from.order);
            let span = Span { base: base - what.from.base + what.to, order };
            let rights = source.rights.and(what.rights);
            if self.overlapping(to, span).is_empty() && !rights.is_none() {
                let frame = source.frame + (base - source.span.base);
                self.add(Plain { domain: to, span, rights, frame, name: 0, parent: Some(source.name) });
            }
        }
    }

    /// Those that hang on a node, with itself, in no order.
    fn below(&self, name: u32) -> Vec<u32> {
        let mut found = vec![name];
        let mut next = 0;
        while let Some(parent) = found.get(next).copied() {
            found.extend(self.list.iter().filter(|it| it.parent == Some(parent)).map(|it| it.name));
            next += 1;
        }
        found
    }

    fn revoke(&mut self, domain: usize, what: Revocation) {
        for node in self.overlapping(domain, what.range.span) {
            // It may have gone with one before.
            if !self.list.iter().any(|it| it.name == node.name) {
                continue;
            }
            let below = self.below(node.name);
            if what.keeps_children && below.len() > 1 {
                self.list
                    .iter_mut()
                    .filter(|it| it.parent == Some(node.name))
                    .for_each(|it| it.parent = node.parent);
                self.list.retain(|it| it.name != node.name);
                continue;
            }
            for it in self.list.iter_mut().filter(|it| below.contains(&it.name)) {
                if what.own || it.name != node.name {
                    it.rights = it.rights.without(what.range.rights);
                }
            }
            self.list.retain(|it| !it.rights.is_none());
        }
    }
}

/// Numbers without sense (xorshift64).
fn noise(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

#[test]
fn random_calls_do_what_a_plain_list_does() {
    for seed in 1..40 {
        let (mut world, mut model, mut state) = (World::new(3), Model::default(), seed);
        for _ in 0..600 {
            let [from, to] = [(); 2].map(|()| noise(&mut state, 3) as usize);
            let order = noise(&mut state, 5) as u8;
            let base = noise(&mut state, 64) & !((1 << order) - 1);
            let span = Span { base, order };
            let rights = Rights::new(noise(&mut state, 8) as u8);
            match noise(&mut state, 8) {
                0 if model.overlapping(from, span).is_empty() && !rights.is_none() => {
                    let frame = 0x1000 * (1 + noise(&mut state, 9));
                    world.memory(from, base, order, rights.bits(), frame);
                    model.add(Plain { domain: from, span, rights, frame, name: 0, parent: None });
                }
                1 | 2 => {
                    let range = Crd { kind: Kind::Memory, span, rights };
                    let [own, keeps_children] = [(); 2].map(|()| noise(&mut state, 2) == 0);
                    let what = Revocation { range, own, keeps_children };
                    world.nodes.revoke(world.domains[from], what, &mut world.seen);
                    model.revoke(from, what);
                }
                _ => {
                    let to_base = noise(&mut state, 64) & !((1 << order) - 1);
                    let what = Delegation { kind: Kind::Memory, from: span, to: to_base, rights };
                    let [source, target] = [from, to].map(|place| world.domains[place]);
                    world.nodes.delegate(source, target, what, false, &mut world.seen).unwrap();
                    model.delegate(from, to, what);
                }
            }
            let mut nodes: Vec<_> = world
                .nodes
                .nodes
                .iter()
                .map(|(_, it)| (it.domain.place(), it.span.base, it.span.order, it.rights.bits(), it.target))
                .map(|(domain, base, order, rights, target)| match target {
                    Target::Memory { frame, .. } => (domain, base, order, rights, frame),
                    _ => unreachable!(),
                })
                .collect();
            let mut expected: Vec<_> = model
                .list
                .iter()
                .map(|it| (it.domain, it.span.base, it.span.order, it.rights.bits(), it.frame))
                .collect();
            nodes.sort_unstable();
            expected.sort_unstable();
            assert_eq!(nodes, expected, "seed {seed}");
        }
        world.check();
    }
}
