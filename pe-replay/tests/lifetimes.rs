// SPDX-License-Identifier: MIT
//! Threads, spaces and processes on one engine: a toy machine with a register set of its own, several spaces, and
//! frames that more than one of them has mapped.

use std::collections::BTreeMap;

use contract::{Point, check};
use flips::{Flip, Injection, Injector, Target};
use pe_replay::stop::{DEBUG_STEP, vector};
use pe_replay::user::INTERRUPT_FLAG;
use pe_replay::{
    Access, Account, Cause, Change, Delimiter, Difference, End, Entry, Executor, Exit, Field, Memory, Mode,
    Order, Outcome, Page, Policy, Pool, Processor, RegisterSet, Replay, Run, Span, Thread, ThreadOf, Tracker,
    UserRegisters, View,
};
use pmu::exact::{Decoder, Instruction};
use zerocopy::IntoBytes;

#[path = "placement/private.rs"]
mod private;

const PAGE: u64 = 0x1000;
/// Homes, of which each space maps some at any address.
const HOMES: usize = 8;

/// A register set with next to nothing in it: no code of the engine knows more of one than this.
#[derive(Clone, Debug, Default, PartialEq)]
struct Little {
    at: u64,
    sum: u64,
    /// What the machine leaves behind, no state: another value each time.
    left: u64,
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

struct Mapped {
    home: usize,
    frame: usize,
    open: bool,
    dirty: bool,
    watched: bool,
}

impl Mapped {
    fn new(home: usize) -> Self {
        Self { home, frame: home, open: false, dirty: false, watched: false }
    }
}

/// A machine that does one thing wrong, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
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
struct Toy {
    frames: Vec<[u8; PAGE as usize]>,
    free: Vec<usize>,
    generations: BTreeMap<usize, u64>,
    spaces: Vec<BTreeMap<u64, Mapped>>,
    space: usize,
    /// What an error code tells besides a write.
    fetches: u32,
    /// Other spaces have had the processor since the engine asked last.
    was_away: bool,
    /// The pages that each instruction adds to.
    code: Vec<u64>,
    clock: u64,
    faults: u64,
    copied: u64,
    wrong: Wrong,
}

impl Toy {
    fn new(spaces: &[&[(u64, usize)]], code: &[u64]) -> Self {
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

    fn word(&self, home: usize) -> u64 {
        u64::from_le_bytes(*self.frames[home].first_chunk().unwrap())
    }

    fn open_pages(&self) -> Vec<u64> {
        let open = self.spaces[self.space].iter().filter(|(_, it)| it.open);
        open.map(|(address, _)| *address).collect()
    }

    /// Somebody else writes a home.
    fn write(&mut self, home: usize, word: u64) {
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
        let Mapped { frame, open, .. } = *self.mapped(address)?;
        let (address, open) = (address & !(PAGE - 1), open || left_open);
        Some(Page { address, frame, slot: (), writable: true, open, shared: true })
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

const POLICY: Policy = Policy { max_dirty: 16, limit: 1000, ..Policy::DEFAULT };

fn executor() -> Executor<Toy> {
    let entries = (0..64).map(|_| Entry::vacant(0, ())).collect();
    let place = || Box::<Little>::default();
    Executor::new([place(), place(), place()], Pool::new(entries), pmu::Margin::default(), 0)
}

/// How many frames the entries of the pool have.
fn frames(executor: &Executor<Toy>) -> usize {
    executor.pool.entries.iter().map(|entry| entry.copies().len()).sum()
}

fn thread(number: u8) -> ThreadOf<Toy> {
    Thread::new(Box::default(), Box::default(), number)
}

/// One PE that runs the code from `at` on.
fn pe(
    toy: &mut Toy,
    executor: &mut Executor<Toy>,
    thread: &mut ThreadOf<Toy>,
    replay: &mut Replay,
    code: &[u64],
    flips: &[Injection],
) -> Account {
    toy.code = code.to_vec();
    thread.registers_mut().at = 0;
    let outcome = executor.execute(toy, thread, replay, u64::MAX, &mut Injector::new(flips, &mut ()));
    let end = End { delimiter: Delimiter::Syscall, count: code.len() as u64 };
    assert_eq!(outcome, Outcome::Committed(end));
    executor.account.clone()
}

#[test]
fn threads_of_a_space_have_predictions_of_their_own() {
    for comparison in [pe_replay::Comparison::Bytes, pe_replay::Comparison::Hash] {
        let pages: Vec<_> = (0..5).map(|page| (PAGE * (page + 1), page as usize)).collect();
        let mut toy = Toy::new(&[&pages], &[]);
        let (mut executor, mut replay) = (executor(), Replay::new(1, Policy { comparison, ..POLICY }));
        let mut threads = [thread(0), thread(1), thread(2)];
        let codes = [&[PAGE, 2 * PAGE, 4 * PAGE][..], &[3 * PAGE, 4 * PAGE], &[5 * PAGE]];
        for round in 0..10 {
            for (thread, code) in threads.iter_mut().zip(codes) {
                let account = pe(&mut toy, &mut executor, thread, &mut replay, code, &[]);
                let faults = if round == 0 { code.len() as u16 } else { 0 };
                assert_eq!((account.write_faults, account.frames_written), (faults, code.len() as u16));
                assert_eq!(account.divergences.len(), 0);
                // What other threads alone write rests, read-only.
                assert_eq!(toy.open_pages(), code);
            }
        }
        // A page that rests is woken by a write without being copied anew.
        let copied = toy.copied;
        let account = pe(&mut toy, &mut executor, &mut threads[0], &mut replay, &[3 * PAGE], &[]);
        assert_eq!((account.write_faults, account.frames_written, account.divergences.len()), (1, 1, 0));
        assert!(toy.copied <= copied + 2);
        executor.give_up(&mut toy, &mut replay, |_| true);
        assert_eq!((executor.pool.vacant, frames(&executor) + toy.free.len()), (64, 100 - HOMES));
        executor.pool.drain(&mut toy);
        assert_eq!((toy.open_pages(), toy.free.len()), (Vec::new(), 100 - HOMES));
    }
}

/// A page is given up after three PEs of its thread without a write to it, whoever is run between them: one that is
/// written by turns with others is not, and one that is not written any more is closed.
#[test]
fn a_thread_expects_a_page_for_three_pes_whoever_is_between_them() {
    let pages: Vec<_> = (0..4).map(|page| (PAGE * (page + 1), page as usize)).collect();
    for numbers in [[0, 1], [1, 0], [31, 2]] {
        let mut toy = Toy::new(&[&pages], &[]);
        let (mut executor, mut replay) = (executor(), Replay::new(1, POLICY));
        let mut threads = numbers.map(thread);
        for (round, own) in [1, 2, 3, 1, 2, 3, 1, 1, 1, 1, 1, 2].into_iter().enumerate() {
            let account = pe(&mut toy, &mut executor, &mut threads[0], &mut replay, &[own * PAGE], &[]);
            // Page 2 was not written in four PEs before the last.
            let faults = u16::from(round < 3 || round == 11);
            assert_eq!((account.write_faults, account.divergences.len()), (faults, 0), "{round}: {own}");
            pe(&mut toy, &mut executor, &mut threads[1], &mut replay, &[4 * PAGE], &[]);
            assert_eq!(toy.open_pages(), [4 * PAGE], "{round}");
        }
    }
}

#[test]
fn what_nobody_has_changed_is_not_copied_when_a_space_was_away() {
    let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE], &[]);
    let [stayed, was_away] = [false, true].map(|was_away| {
        (toy.was_away, toy.copied) = (was_away, 0);
        pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE], &[]);
        toy.copied
    });
    assert_eq!(stayed, was_away);
}

/// A page that is mapped because a thread was about to write it is open in the thread's next PE, whether or not anything else has
/// changed. A PE that ends where code is not there yet is none that has left other pages alone.
#[test]
fn the_page_that_a_fault_was_about_is_open_in_the_next_pe() {
    for comparison in [pe_replay::Comparison::Bytes, pe_replay::Comparison::Hash] {
        for (hit, fetches) in
            [None, Some(Run::First), Some(Run::Second)].into_iter().flat_map(|hit| [(hit, 0), (hit, 0x10)])
        {
            let code: Vec<_> = [1, 2, 3, 4, 5, 6, 1].map(|page| PAGE * page).to_vec();
            let mut toy = Toy::new(&[&[(PAGE, 0)]], &code);
            let mut replay = Replay::new(1, Policy { comparison, ..POLICY });
            let (mut executor, mut thread) = (executor(), thread(0));
            toy.fetches = fetches;
            let flips: Vec<_> = hit
                .iter()
                .map(|run| Injection { pe: 0, run: *run, at: 0, target: Target::Gpr(0), bit: 5 })
                .collect();
            for (home, &address) in code.iter().enumerate().skip(1) {
                let (limit, observer) = (u64::MAX, &mut ());
                let observer = &mut Injector::new(&flips, observer);
                let outcome = executor.execute(&mut toy, &mut thread, &mut replay, limit, observer);
                let Outcome::Committed(End { delimiter, count }) = outcome else { panic!("{outcome:?}") };
                let Account { write_faults, divergences, frames_written, .. } = &executor.account;
                assert_eq!(executor.last_written(&replay).count(), usize::from(*frames_written));
                // In the end the first page has been given up, unless PEs that fetches ended do not count. Behind a fetch no
                // write is expected.
                let faults = home == 1 || home == 6 && fetches == 0 || home > 1 && fetches != 0;
                assert_eq!(
                    (*write_faults, divergences.len()),
                    (u16::from(faults), flips.len()),
                    "{hit:?}, {home}"
                );
                if home == 6 {
                    assert_eq!((delimiter, count), (Delimiter::Syscall, 2));
                    continue;
                }
                assert_eq!((delimiter, count), (Delimiter::PageFault { address, error: 6 | fetches }, 1));
                toy.spaces[0].insert(address, Mapped::new(home));
            }
            // Each word takes in the sum so far and one, and at the end the sum takes in the first word.
            assert_eq!(std::array::from_fn(|home| toy.word(home)), [3, 1, 1, 1, 1, 1]);
        }
    }
}

#[test]
fn frames_without_copies_are_given_back_and_taken_again() {
    let pages: Vec<_> = (0..4).map(|page| (PAGE * (page + 1), page as usize)).collect();
    let mut toy = Toy::new(&[&pages], &[]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    for round in 0..3 {
        let account = pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE, 2 * PAGE], &[]);
        assert_eq!((account.write_faults, account.divergences.len()), (2, 0));
        let had = frames(&executor);
        executor.pool.give_back(&mut toy);
        assert_eq!((had > 0, frames(&executor)), (true, had), "round {round}: what has copies stays");
        executor.give_up(&mut toy, &mut replay, |_| true);
        executor.pool.give_back(&mut toy);
        assert_eq!((frames(&executor), toy.free.len()), (0, 100 - HOMES));
    }
    // Each round adds both words to the sum, and the sum and one to each word.
    assert_eq!((toy.word(0), toy.word(1)), (9, 14));
}

/// What threads do in turn is what they would do with a set of their own each, under flips in every run.
#[test]
fn what_rests_is_as_well_kept_as_what_is_open() {
    for run in [Run::First, Run::Second] {
        let pages: Vec<_> = (0..4).map(|page| (PAGE * (page + 1), page as usize)).collect();
        let (mut toy, mut plain) = (Toy::new(&[&pages], &[]), Toy::new(&[&pages], &[]));
        let (mut engine, mut other) = (executor(), executor());
        let (mut replay, mut off) =
            (Replay::new(1, POLICY), [Replay::new(1, POLICY), Replay::new(2, POLICY)]);
        let (mut threads, mut alone) = ([thread(0), thread(1)], [thread(0), thread(1)]);
        for round in 0..12_u64 {
            let at = (round % 2) as usize;
            let code = [PAGE * (1 + round % 3), PAGE * (1 + round % 4), PAGE];
            let flip = Injection { pe: round, run, at: 0, target: Target::Gpr(0), bit: 5 };
            let account = pe(&mut toy, &mut engine, &mut threads[at], &mut replay, &code, &[flip]);
            assert_eq!((account.flips, account.divergences.len()), (1, 1));
            pe(&mut plain, &mut other, &mut alone[at], &mut off[at], &code, &[]);
            other.give_up(&mut plain, &mut off[at], |_| true);
            assert_eq!(threads[at].registers(), alone[at].registers());
            assert!((0..4).all(|home| toy.word(home) == plain.word(home)), "round {round}");
        }
    }
}

/// What the kernel leaves in a thread's registers that is no state has no consequences.
#[test]
fn a_thread_begins_in_the_normal_form() {
    for mode in [Mode::Off, Mode::Dual] {
        let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
        toy.spaces[0].values_mut().for_each(|page| page.open = mode == Mode::Off);
        let mut replay = Replay::new(1, Policy { mode, ..POLICY });
        let (mut executor, mut thread) = (executor(), thread(0));
        for _ in 0..3 {
            thread.registers_mut().left = 5;
            pe(&mut toy, &mut executor, &mut thread, &mut replay, &[], &[]);
            assert_eq!((thread.registers().sum, thread.registers().left), (0, 0));
        }
    }
}

#[test]
fn a_page_that_is_not_written_any_more_is_closed_and_forgotten_and_no_other() {
    let pages: Vec<_> = (0..4).map(|page| (PAGE * (page + 1), page as usize)).collect();
    let mut toy = Toy::new(&[&pages], &[]);
    let (mut executor, mut replay) = (executor(), Replay::new(1, POLICY));
    let mut threads = [thread(0), thread(1)];
    pe(&mut toy, &mut executor, &mut threads[1], &mut replay, &[4 * PAGE], &[]);
    pe(&mut toy, &mut executor, &mut threads[0], &mut replay, &[PAGE, 2 * PAGE], &[]);
    for open in [&[PAGE, 2 * PAGE][..], &[PAGE, 2 * PAGE], &[2 * PAGE], &[2 * PAGE]] {
        pe(&mut toy, &mut executor, &mut threads[0], &mut replay, &[2 * PAGE], &[]);
        assert_eq!(toy.open_pages(), open);
    }
    // What the other thread expects to write is there still.
    let account = pe(&mut toy, &mut executor, &mut threads[1], &mut replay, &[4 * PAGE], &[]);
    assert_eq!((account.write_faults, account.frames_written), (0, 1));
    assert_eq!(executor.pool.entries.len() - executor.pool.vacant, 2);
}

/// More pages are said to be written than are compared: whichever number is wrong, that is no agreement.
#[test]
fn a_wrong_count_of_written_pages_is_a_difference() {
    let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE], &[]);
    let Replay::Bytes(tracker) = &mut replay else { unreachable!() };
    tracker.attempt.written = 1;
    let account = pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE], &[]);
    let difference = Difference { field: Field::Compared, first: 2, second: 1, address: 0 };
    assert_eq!(account.divergences[..], [difference]);
    assert_eq!(toy.word(0), 3);
}

/// A frame of a page that has two roles holds nothing that a roll-back could trust.
#[test]
fn a_frame_with_two_roles_is_damage() {
    for run in [Run::First, Run::Second] {
        for (role, other) in (0..3).flat_map(|role| (0..4).map(move |other| (role, other))) {
            let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
            let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
            pe(&mut toy, &mut executor, &mut thread, &mut replay, &[PAGE, PAGE], &[]);
            let entry = executor.pool.entries.iter_mut().find(|entry| !entry.copies().is_empty()).unwrap();
            entry.frames[role] = entry.frames.get(other).copied().unwrap_or(entry.page.frame);
            thread.registers_mut().at = 0;
            let flip = Injection { pe: 0, run, at: 1, target: Target::Gpr(0), bit: 5 };
            let (flips, observer) = ([flip], &mut ());
            let observer = &mut Injector::new(&flips, observer);
            let outcome = executor.execute(&mut toy, &mut thread, &mut replay, u64::MAX, observer);
            let is_damaged = matches!(outcome, Outcome::Damaged { .. });
            assert_eq!(is_damaged, role != other, "{role} is {other}, {run:?}: {outcome:?}");
        }
    }
}

/// Where the counter is exact nobody keeps a witness of what run 2 starts from.
#[test]
fn a_page_is_copied_once_a_pe_whatever_ends_that() {
    let mut toy = Toy::new(&[&[(PAGE, 0)]], &[PAGE; 40]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    for round in 0..5 {
        toy.copied = 0;
        executor.execute(&mut toy, &mut thread, &mut replay, 8, &mut ());
        assert_eq!(toy.copied, if round == 0 { 3 } else { 1 });
    }
}

#[test]
fn nobody_has_to_watch_and_a_pe_may_be_of_no_instruction() {
    let mut toy = Toy::new(&[&[(PAGE, 0)]], &[PAGE; 5]);
    let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
    for (limit, delimiter, count) in [
        (0, Delimiter::Limit, 0),
        (1, Delimiter::Limit, 1),
        (9, Delimiter::Syscall, 4),
        (0, Delimiter::Limit, 0),
    ] {
        let outcome = executor.execute(&mut toy, &mut thread, &mut replay, limit, &mut ());
        assert_eq!(outcome, Outcome::Committed(End { delimiter, count }));
        assert_eq!((executor.account.flips, executor.account.divergences.len()), (0, 0));
    }
    assert_eq!((thread.registers().sum, toy.word(0)), (33, 55));
}

/// A flip that no memory shows is found in the registers.
#[test]
fn registers_alone_can_differ() {
    for run in [Run::First, Run::Second] {
        let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
        let (mut executor, mut replay, mut thread) = (executor(), Replay::new(1, POLICY), thread(0));
        let flip = Injection { pe: 0, run, at: 0, target: Target::Gpr(0), bit: 5 };
        let account = pe(&mut toy, &mut executor, &mut thread, &mut replay, &[], &[flip]);
        let [difference] = account.divergences[..] else { panic!("{account:?}") };
        let (first, second) = if run == Run::First { (32, 0) } else { (0, 32) };
        assert_eq!(difference, Difference { field: Field::Gpr(0), first, second, address: 0 });
        assert_eq!(thread.registers().sum, 0);
    }
}

#[test]
fn a_space_is_shared_by_two_processes() {
    // As after vfork: one space, one tracker, two threads of two processes.
    let mut toy = Toy::new(&[&[(PAGE, 0)]], &[]);
    let (mut executor, mut replay) = (executor(), Replay::new(1, POLICY));
    let (mut parent, mut child) = (thread(0), thread(1));
    let mut expected = 0;
    for round in 0..6 {
        let who = if round % 2 == 0 { &mut parent } else { &mut child };
        let sum = who.registers().sum + expected;
        pe(&mut toy, &mut executor, who, &mut replay, &[PAGE], &[]);
        expected += sum + 1;
        assert_eq!((who.registers().sum, toy.word(0)), (sum, expected));
    }
    assert_eq!(toy.faults, 2, "each process predicts for itself");
}

#[test]
fn a_shared_frame_is_written_by_turns_by_two_spaces() {
    let flips =
        [Run::First, Run::Second].map(|run| Injection { pe: 0, run, at: 0, target: Target::Gpr(0), bit: 7 });
    for flip in flips {
        let mut toy = Toy::new(&[&[(PAGE, 0)], &[(5 * PAGE, 0)]], &[]);
        let mut executor = executor();
        let mut replays = [Replay::new(1, POLICY), Replay::new(2, POLICY)];
        let mut threads = [thread(0), thread(0)];
        let mut expected = 0;
        for round in 0..12 {
            let (at, address) = [(0, PAGE), (1, 5 * PAGE)][round % 2];
            (toy.space, toy.was_away) = (at, true);
            let sum = threads[at].registers().sum + expected;
            let flips = if round % 3 == 0 { &[flip][..] } else { &[] };
            let account = pe(&mut toy, &mut executor, &mut threads[at], &mut replays[at], &[address], flips);
            expected += sum + 1;
            // A restart puts back what the other space has written, not what this one had before.
            assert_eq!((threads[at].registers().sum, toy.word(0)), (sum, expected), "round {round}");
            assert_eq!(account.divergences.len(), flips.len());
            // The switch gives nothing up.
            assert_eq!(account.write_faults, u16::from(round < 2));
            if round == 7 {
                // The kernel, or a device; nobody has run since either space did.
                expected = 1000;
                toy.write(0, expected);
                threads.iter_mut().for_each(|thread| thread.registers_mut().sum = 0);
            }
        }
    }
}

#[test]
fn a_thread_and_a_space_cost_little() {
    let thread = size_of::<Thread<Box<UserRegisters>>>() + 2 * size_of::<UserRegisters>();
    assert!(thread <= 4 << 10, "a thread takes {thread} bytes");
    let space = size_of::<Replay>().max(size_of::<Tracker<private::Private>>());
    assert!(space <= 256, "a space takes {space} bytes beside the pool of the processor");
}

#[test]
fn a_machine_is_told_what_it_does_wrong() {
    for (wrong, point) in [
        (Wrong::LeavesOpen, Point::StartsClosed),
        (Wrong::NeverFaults, Point::FaultsOnWrites),
        (Wrong::MapsElsewhere, Point::MapsAsTold),
        (Wrong::ForgetsWrites, Point::TellsOfWrites),
        (Wrong::DrawsAtRandom, Point::RepeatsItself),
        (Wrong::StopsLate, Point::StopsInTime),
        (Wrong::GivesTwice, Point::GivesFramesApart),
        (Wrong::OverlooksAByte, Point::SeesEveryByte),
    ] {
        let mut toy = Toy::new(&[&[(PAGE, 0)]], &[PAGE + 8, PAGE, PAGE]);
        toy.wrong = wrong;
        let report = check(&mut toy, &Little::default(), PAGE);
        assert!(report.contains(&(point, false)), "{wrong:?}: {report:?}");
        toy.wrong = Wrong::Nothing;
        let mut toy = Toy::new(&[&[(PAGE, 0)]], &[PAGE + 8, PAGE, PAGE]);
        let report = check(&mut toy, &Little::default(), PAGE);
        assert!(report.is_full() && report.iter().all(|(_, holds)| *holds), "{report:?}");
        assert_eq!((toy.word(0), toy.free.len()), (0, 100 - HOMES));
    }
}
