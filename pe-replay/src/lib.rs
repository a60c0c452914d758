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
//! - [`compare`]: the closed list of what two runs must agree on
//! - [`life`]: the life of a PE as a sans-I/O state machine
//! - [`executor`]: what a processor needs to carry out what the state machine asks for
//! - [`thread`]: what is kept of a thread
//! - [`tracker`]: what is kept of a space, the written set; its pages' [`placement`] and their [`pool`]
//! - [`diagnose`]: the instruction behind a persistent divergence
//! - [`digest`]: what a PE left behind, in two numbers
//! - [`events`], [`phases`]: what the machine was made to do, and where time goes
//! - [`inject`]: bit flips, on purpose
//! - [`observer`]: what the engine keeps, opened to tests
//! - [`mutation`]: parts left out, for tests that show they are needed

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod compare;
pub mod diagnose;
pub mod digest;
pub mod events;
pub mod executor;
mod flip;
pub mod inject;
pub mod life;
pub mod machine;
pub mod mutation;
pub mod observer;
pub mod phases;
pub mod placement;
pub mod policy;
pub mod pool;
pub mod registers;
mod run;
pub mod stop;
pub mod thread;
pub mod tracker;
pub mod user;
mod verify;

pub use compare::{Difference, Field};
pub use digest::Digest;
pub use events::Work;
pub use executor::{Account, Executor, ExecutorOf, Outcome, Replay, ThreadOf};
pub use inject::{Injection, MAX_INJECTIONS, Target};
pub use life::Run;
pub use machine::{Access, Breakpoint, Change, Machine, Memory, Order, Page, PageOf, Processor, View};
pub use mutation::Mutation;
pub use observer::{Inside, Observer, Stored, Tracked};
pub use phases::{Phase as TimedPhase, Phases};
pub use policy::{Comparison, Flush, Mode, Policy, Recovery};
pub use pool::{Entry, Pool};
pub use registers::RegisterSet;
pub use stop::{Cause, Delimiter, End, Exit, FirstExit, Span};
pub use thread::Thread;
pub use tracker::Tracker;
pub use user::UserRegisters;
