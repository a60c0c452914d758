// SPDX-License-Identifier: MIT
//! A toy machine with a register set of its own, and several spaces that may have the same frames mapped.

use std::collections::BTreeMap;

use flips::Flip;
use pe_replay::stop::{DEBUG_STEP, vector};
use pe_replay::user::INTERRUPT_FLAG;
use pe_replay::{
    Access, Cause, Change, Exit, Field, Memory, Order, Page, Processor, RegisterSet, Span, View,
};
use pmu::exact::{Decoder, Instruction};
use zerocopy::IntoBytes;

pub const PAGE: u64 = 0x1000;
/// Homes, of which each space maps some at any address.
pub const HOMES: usize = 8;

/// A register set with next to nothing in it: no code of the engine knows more of one than this.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Little {
    pub at: u64,
    pub sum: u64,
    /// What the machine leaves behind, no state: another value each time.
    pub left: u64,
}

impl RegisterSet for Little {
    fn normalize(&mut self) {
        self.left = 0;
    }
    fn parts(&self) -> impl Iterator<Item = (Field, &[u8])> {
        [(Field::Rip, self.at.as_bytes()), (Field::Gpr(0), self.sum.as_bytes())].into_iter()
    }
    fn position(&self) -> (u64, u64) {
        (self.at, 0)
    }
    fn set_position(&mut self, rip: u64, _rcx: u64) {
        self.at = rip;
    }
    fn flags(&self) -> u64 {
        INTERRUPT_FLAG
    }
    fn clear_trap(&mut self) {}
}

impl Flip for Little {
    fn flip(&mut self, field: Field, bit: u8) {
        assert_eq!(field, Field::Gpr(0));
        self.sum ^= 1 << bit;
    }
}

pub struct Mapped {
    home: usize,
    frame: usize,
    pub writable: bool,
    pub open: bool,
    dirty: bool,
    watched: bool,
}

impl Mapped {
    pub fn new(home: usize) -> Self {
        Self { home, frame: home, writable: true, open: false, dirty: false, watched: false }
    }
}

/// A machine that does one thing wrong, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wrong {
    Nothing,
    LeavesOpen,
    NeverFaults,
    MapsElsewhere,
    ForgetsWrites,
    DrawsAtRandom,
    StopsLate,
    GivesTwice,
    OverlooksAByte,
}

/// Code adds to the first word of one page after the other, as its registers say.
pub struct Toy {
    frames: Vec<[u8; PAGE as usize]>,
    pub free: Vec<usize>,
    generations: BTreeMap<usize, u64>,
    pub spaces: Vec<BTreeMap<u64, Mapped>>,
    pub space: usize,
    /// What an error code tells besides a write.
    pub fetches: u32,
    /// Other spaces have had the processor since the engine asked last.
    pub was_away: bool,
    /// The pages that each instruction adds to.
    pub code: Vec<u64>,
    clock: u64,
    pub faults: u64,
    pub copied: u64,
    pub wrong: Wrong,
}

impl Toy {
    pub fn new(spaces: &[&[(u64, usize)]], code: &[u64]) -> Self {
        let space =
            |pages: &&[(u64, usize)]| pages.iter().map(|(at, home)| (*at, Mapped::new(*home))).collect();
        Self {
            frames: vec![[0; PAGE as usize]; 100],
            free: (HOMES..100).collect(),
            generations: BTreeMap::new(),
            spaces: spaces.iter().map(space).collect(),
            space: 0,
            fetches: 0,
            was_away: false,
            code: code.to_vec(),
            clock: 0,
            faults: 0,
            copied: 0,
            wrong: Wrong::Nothing,
        }
    }

    fn mapped(&mut self, address: u64) -> Option<&mut Mapped> {
        self.spaces[self.space].get_mut(&(address & !(PAGE - 1)))
    }

    pub fn word(&self, home: usize) -> u64 {
        u64::from_le_bytes(*self.frames[home].first_chunk().unwrap())
    }

    pub fn open_pages(&self) -> Vec<u64> {
        let open = self.spaces[self.space].iter().filter(|(_, it)| it.open);
        open.map(|(address, _)| *address).collect()
    }

    /// Somebody else writes a home.
    pub fn write(&mut self, home: usize, word: u64) {
        self.frames[home][..8].copy_from_slice(&word.to_le_bytes());
        *self.generations.entry(home).or_default() += 1;
    }
}

impl Decoder for Toy {
    fn decode(&mut self, rip: u64) -> Instruction {
        Instruction::plain(rip + 1)
    }
}

impl Processor for Toy {
    type Registers = Little;
    type Place = Box<Little>;

    fn now(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn enter(&mut self, source: Option<&Little>, state: &mut Little, order: Order) -> Exit {
        if let Some(source) = source {
            state.clone_from(source);
        }
        assert!(order.budget > 0, "an order for nothing");
        // What is not brought to the normal form has consequences.
        state.sum += if order.fresh { state.left } else { 0 };
        let entered = self.now();
        let mut done = 0;
        let cause = loop {
            let late = u64::from(self.wrong == Wrong::StopsLate);
            if done >= order.budget + late {
                break Cause::Counter;
            }
            if order.step && done > 0 {
                break Cause::Exception { vector: vector::DEBUG, error: DEBUG_STEP, address: 0 };
            }
            let Some(address) = self.code.get(state.at as usize).copied() else { break Cause::Syscall };
            let (forgets, never) = (self.wrong == Wrong::ForgetsWrites, self.wrong == Wrong::NeverFaults);
            let Some(page) = self.mapped(address) else {
                break Cause::Exception { vector: vector::PAGE_FAULT, error: 6 | self.fetches, address };
            };
            if !page.open && !never {
                self.faults += 1;
                break Cause::Exception { vector: vector::PAGE_FAULT, error: 7, address };
            }
            page.dirty = !forgets;
            let frame = page.frame;
            let random = if self.wrong == Wrong::DrawsAtRandom { self.clock } else { 0 };
            state.sum += self.word(frame) + random;
            let word = self.word(frame) + state.sum + 1;
            self.frames[frame][..8].copy_from_slice(&word.to_le_bytes());
            state.at += 1;
            done += 1;
            self.clock += 1;
        };
        state.left = self.clock;
        Exit::plain(cause, Span { instructions: done, entered, ticks: done })
    }

    fn flush_lines(&mut self) {}
    fn flush_caches(&mut self) {}
}

impl Memory for Toy {
    type Frame = usize;
    type Slot = ();

    fn number(frame: usize) -> usize {
        1000 * frame + 77
    }
    fn page(&mut self, address: u64) -> Option<Page<usize, ()>> {
        let left_open = self.wrong == Wrong::LeavesOpen;
        let Mapped { frame, writable, open, .. } = *self.mapped(address)?;
        let (address, open) = (address & !(PAGE - 1), open || left_open);
        Some(Page { address, frame, slot: (), writable, open, shared: true })
    }
    fn allocate(&mut self) -> Option<usize> {
        if self.wrong == Wrong::GivesTwice { self.free.last().copied() } else { self.free.pop() }
    }
    fn release(&mut self, frame: usize) {
        self.free.push(frame);
    }
    fn copy(&mut self, from: usize, to: usize) {
        self.copied += 1;
        self.frames[to] = self.frames[from];
    }
    fn compare_and_copy(&mut self, a: usize, b: usize, to: usize) -> bool {
        self.copy(a, to);
        self.equal(a, b)
    }
    fn equal(&mut self, a: usize, b: usize) -> bool {
        let last = if self.wrong == Wrong::OverlooksAByte { 4095 } else { 4096 };
        self.frames[a][..last] == self.frames[b][..last]
    }
    fn hash(&mut self, frame: usize) -> u128 {
        xxhash_rust::xxh3::xxh3_128(&self.frames[frame])
    }
    fn first_difference(&mut self, a: usize, b: usize) -> Option<u16> {
        (0..PAGE as u16).find(|at| self.frames[a][usize::from(*at)] != self.frames[b][usize::from(*at)])
    }
    fn byte(&mut self, frame: usize, offset: u16) -> u8 {
        self.frames[frame][usize::from(offset)]
    }
    fn flip(&mut self, frame: usize, offset: u16, mask: u8) {
        self.frames[frame][usize::from(offset)] ^= mask;
    }
    fn map(&mut self, _: View, page: &Page<usize, ()>, frame: usize, access: Access) {
        let elsewhere = self.wrong == Wrong::MapsElsewhere;
        let page = self.mapped(page.address).unwrap();
        page.frame = if elsewhere { page.home } else { frame };
        (page.open, page.dirty, page.watched) = (access == Access::Open, false, access != Access::Released);
    }
    fn is_written(&mut self, _: View, page: &Page<usize, ()>) -> bool {
        self.mapped(page.address).unwrap().dirty
    }
    fn disturbed(&mut self) -> bool {
        std::mem::take(&mut self.was_away)
    }
    fn change(&mut self, _: &Page<usize, ()>) -> Change {
        Change::None
    }
    fn publish(&mut self, frame: usize) -> u64 {
        let generation = self.generations.entry(frame).or_default();
        *generation += 1;
        *generation
    }
    fn generation(&mut self, frame: usize) -> u64 {
        self.generations.get(&frame).copied().unwrap_or_default()
    }
}
