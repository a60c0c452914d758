// SPDX-License-Identifier: MIT
//! The engine on a model machine: scenarios from Prepare to Commit or Verdict.
//!
//! `PROPTEST_CASES` sets how many random programs each property is tried on, and
//! `PROPTEST_RNG_SEED` other ones.

mod cpu;
mod engine;
mod generate;
mod machine;
#[path = "../placement/private.rs"]
mod private;
mod reference;
mod session;
mod space;

mod counter;
mod damage;
mod every_fault;
mod every_moment;
mod flips;
mod left;
mod limits;
mod mutants;
mod persistent;
mod phases;
mod undisturbed;
mod votes;
