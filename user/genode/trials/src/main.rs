// SPDX-License-Identifier: MIT
//! A component in the place of init that asks core for everything it has, right and wrong; and its own child.
//!
//! Each case prints one line. The child is the same executable: it is the one whose parent has a service called
//! `Trial`.
#![no_std]
#![no_main]

extern crate alloc;

mod cases;
mod child;
mod devices;
mod domains;
mod family;
mod hostile;
mod memory;
mod objects;

use genode_rt::rpc::Service;
use genode_rt::services::Name;
use genode_rt::{Cap, Env};

use crate::cases::Cases;

genode_rt::component!(main);

genode_rt::services! {
    /// What the child asks its parent.
    trial = "Trial", 0, 0 {
        /// What the child is started for.
        0x2001 => role() -> u64;
        /// What the child is to do next.
        0x2000 => next(done: u64) -> u64;
    }
}

/// The number by which the child asks for its task.
const TASK: u64 = 99;

fn main(env: Env) {
    let task = Name::from(trial::NAME).ok().and_then(|name| {
        env.parent.session(TASK, name, genode_rt::services::Args::new()).ok().filter(|cap| !cap.is_none())
    });
    match task.map(trial::Client::of) {
        Some(task) => child::run(env, task),
        None => {
            let mut cases = Cases::default();
            memory::run(env, &mut cases);
            objects::run(env, &mut cases);
            devices::run(env, &mut cases);
            domains::run(env, &mut cases);
            cases.end();
            env.exit(u64::from(cases.failed));
        }
    }
}

/// A capability of nothing that was ever given.
fn junk() -> Cap {
    Cap::fresh()
}
