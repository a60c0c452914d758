// SPDX-License-Identifier: MIT
//! The replay engine of Reprise.
//!
//! A *processing element* (PE) is a bounded stretch of one thread's user-mode
//! execution: it touches nothing but its own registers and memory, so it can be
//! run again. The engine runs every PE twice from the same start state, compares
//! what both runs left behind, and commits the result or starts the PE again.
//!
//! The crate is pure: it has no `unsafe`, allocates nothing and reaches hardware
//! only through the [`Machine`] traits. The kernel and the host tests drive the
//! same code.
//!
//! # An example
//!
//! A machine with one page, and a program that adds RAX to its first byte. A bit of RAX flips in
//! run 2 of the first PE: the runs differ, the PE is started again, and the result is right.
//!
//! ```
//! use flips::{Injection, Injector, Target};
//! use pe_replay::*;
//! use pmu::exact::{Decoder, Instruction};
//!
//! /// Frame 0 is the home of the page at 0x1000; the others are for the engine.
//! struct Toy { frames: Vec<[u8; 4096]>, free: Vec<usize>, mapped: usize, open: bool, written: bool, clock: u64 }
//!
//! impl Decoder for Toy {
//!     fn decode(&mut self, rip: u64) -> Instruction { Instruction::plain(rip + 2) }
//! }
//!
//! impl Processor for Toy {
//!     type Registers = UserRegisters;
//!     type Place = Box<UserRegisters>;
//!     fn now(&mut self) -> u64 { self.clock += 1; self.clock }
//!     fn enter(&mut self, source: Option<&UserRegisters>, state: &mut UserRegisters, _: Order) -> Exit {
//!         if let Some(source) = source { state.clone_from(source) }
//!         let span = Span { instructions: u64::from(self.open), entered: self.now(), ticks: 1 };
//!         if !self.open { return Exit::plain(Cause::Exception { vector: 14, error: 7, address: 0x1000 }, span) }
//!         self.frames[self.mapped][0] += state.rax as u8;
//!         (self.written, state.rip) = (true, state.rip + 2);
//!         Exit::plain(Cause::Syscall, span)
//!     }
//!     fn flush_lines(&mut self) {}
//!     fn flush_caches(&mut self) {}
//! }
//!
//! impl Memory for Toy {
//!     type Frame = usize;
//!     type Slot = ();
//!     fn number(frame: usize) -> usize { frame }
//!     fn page(&mut self, address: u64) -> Option<Page<usize, ()>> {
//!         let page = Page { address: 0x1000, frame: self.mapped, slot: (), writable: true, open: self.open, shared: false };
//!         (address & !0xfff == 0x1000).then_some(page)
//!     }
//!     fn allocate(&mut self) -> Option<usize> { self.free.pop() }
//!     fn release(&mut self, frame: usize) { self.free.push(frame) }
//!     fn copy(&mut self, from: usize, to: usize) { self.frames[to] = self.frames[from] }
//!     fn compare_and_copy(&mut self, a: usize, b: usize, to: usize) -> bool { self.copy(a, to); self.equal(a, b) }
//!     fn equal(&mut self, a: usize, b: usize) -> bool { self.frames[a] == self.frames[b] }
//!     fn hash(&mut self, _: usize) -> u128 { unimplemented!("pages are compared byte by byte") }
//!     fn first_difference(&mut self, a: usize, b: usize) -> Option<u16> {
//!         (0..4096).find(|at| self.frames[a][usize::from(*at)] != self.frames[b][usize::from(*at)])
//!     }
//!     fn byte(&mut self, frame: usize, offset: u16) -> u8 { self.frames[frame][usize::from(offset)] }
//!     fn flip(&mut self, frame: usize, offset: u16, mask: u8) { self.frames[frame][usize::from(offset)] ^= mask }
//!     fn map(&mut self, _: View, _: &Page<usize, ()>, frame: usize, access: Access) {
//!         (self.mapped, self.open, self.written) = (frame, access == Access::Open, false);
//!     }
//!     fn is_written(&mut self, _: View, _: &Page<usize, ()>) -> bool { self.written }
//!     fn disturbed(&mut self) -> bool { false }
//!     fn change(&mut self, _: &Page<usize, ()>) -> Change { Change::None }
//! }
//!
//! let place = || Box::new(UserRegisters::new(0x33, 0x2b));
//! let mut toy = Toy { frames: vec![[0; 4096]; 4], free: vec![1, 2, 3], mapped: 0, open: false, written: false, clock: 0 };
//! let pool = Pool::new((0..8).map(|_| Entry::vacant(0, ())).collect());
//! let mut executor: Executor<Toy> = Executor::new([place(), place(), place()], pool, pmu::Margin::default(), 0);
//! let mut thread = Thread::new(place(), place(), 0);
//! let mut replay = Replay::new(1, Policy { max_dirty: 8, ..Policy::DEFAULT });
//! thread.registers_mut().rax = 5;
//!
//! let flip = Injection { pe: 0, run: Run::Second, at: 0, target: Target::Gpr(0), bit: 3 };
//! let outcome = executor.execute(&mut toy, &mut thread, &mut replay, u64::MAX, &mut Injector::new(&[flip], &mut ()));
//! assert_eq!(outcome, Outcome::Committed(End { delimiter: Delimiter::Syscall, count: 1 }));
//! assert_eq!(executor.account.divergences[0].field, Field::Gpr(0));
//! assert_eq!((toy.frames[0][0], thread.registers().rip), (5, 2));
//! ```
//!
//! # What the engine relies on
//!
//! The crate `contract` finds out whether a machine keeps these, as far as that can be tried:
//!
//! 1. a page that user code can write is reported as open, and none is open before the engine opened it:
//!    what is written elsewhere is not compared;
//! 2. a write to a page that is not open stops with a write fault at its address, before the instruction;
//! 3. after [`Memory::map`], a page shows that frame and no other, with that access, and is not written;
//! 4. what user code writes goes to the frame that is mapped, and is told by [`Memory::is_written`];
//! 5. a run depends on nothing but the registers and frames that it is given: begun from the same ones,
//!    it ends in the same ones, after the same number of instructions, however often it is interrupted;
//! 6. a budget of one instruction stops user code after one, unless the counter is late;
//! 7. frames from the pool differ from each other and from all homes;
//! 8. copies, comparisons and hashes see every byte of a page.
//!
//! What can not be tried from inside: that aliases of a frame are switched together, that what the
//! kernel does to a watched page is told, and that no stale translation outlives [`Memory::settle`].
//!
//! # What is undone
//!
//! A single fault between a PE's preparation and its commit, in a run or between two
//! operations of the engine, is undone or ends in a verdict, except for these windows
//! in which there is one copy of something only (`ci/decisions/0008-fault-model.md`;
//! the test `every_moment` asserts that there are no others):
//!
//! 1. a page that is not in the written set: all runs read one frame;
//! 2. the home of a page in the set: before run 1 writes it, if PM0 is still to be
//!    copied or hashed from there, or if no run writes the page; and after it was
//!    compared or hashed, when it is the state. Where run 1 is outvoted, the same holds
//!    for run 2's frame, until it is copied home;
//! 3. the result that is committed after its comparison, up to the copy made of it when
//!    the next PE is prepared, if the state is changed between PEs; if not, the next PE
//!    finds it;
//! 4. the checkpoint, compared by bytes, of a PE that diverges because of another fault;
//! 5. a lost note, in the machine's tables, that run 1 wrote a page.
//!
//! # Where to find what
//!
//! - [`machine`]: the hardware, as the kernel or a model provides it
//! - [`registers`]: what is asked of a register set; [`user`]: that of user mode, with its normal form
//! - [`stop`]: why user code stopped, and what thereby ends the PE
//! - [`compare`]: the closed list of what two runs must agree on; [`difference`]: in what they can differ
//! - [`lifecycle`]: the life cycle of a PE as a sans-I/O state machine
//! - [`replay`]: the way of a PE, as the state machine has it, by [`executor`], which a processor has
//! - [`thread`]: what is kept of a thread
//! - [`tracker`]: what is kept of a space, the written set; its pages' [`placement`] and their [`pool`]
//! - [`diagnose`]: the instruction behind a persistent divergence
//! - [`phases`]: where time goes
//! - [`observer`]: what the engine keeps, opened to tests, and to the crate `flips`, which flips bits on purpose

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
// So that files which tests share name it alike.
#[cfg(test)]
extern crate self as pe_replay;

pub mod compare;
pub mod diagnose;
pub mod difference;
pub mod execution;
pub mod executor;
pub mod lifecycle;
pub mod machine;
pub mod observer;
pub mod phases;
pub mod placement;
pub mod policy;
pub mod pool;
pub mod registers;
pub mod replay;
mod run;
pub mod stop;
pub mod thread;
pub mod tracker;
pub mod user;
mod verify;

pub use difference::{Difference, Field};
pub use execution::Run;
pub use executor::{Account, Course, Executor, Outcome, ThreadOf};
pub use machine::{Access, Breakpoint, Change, Machine, Memory, Order, Page, PageOf, Processor, View};
pub use observer::{Internals, Observer};
pub use phases::{Phase as TimedPhase, Phases};
pub use policy::{Comparison, Flush, Mode, Policy, Recovery};
pub use pool::{Entry, Pool};
pub use registers::RegisterSet;
pub use replay::Replay;
pub use stop::{Cause, Delimiter, End, Exit, FirstExit, Span};
pub use thread::Thread;
pub use tracker::Tracker;
pub use user::UserRegisters;
