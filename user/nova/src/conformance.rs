// SPDX-License-Identifier: MIT
//! Conformance with the NOVA interface: a file a topic, and at the end which statuses each call has answered.
//!
//! What is expected stands in the interface's description, and nothing of it was read off a kernel. Every case prints
//! the same in every mode of replay: none prints a time, an address or a number that the machine chooses.

use nova_rt::start::Root;

use crate::suite::Suite;

mod aliases;
mod control;
mod coverage;
mod create;
mod deadline;
mod deaths;
mod domains;
mod events;
mod flexpages;
mod helping;
mod information;
mod lines;
mod message;
mod parking;
mod portal;
mod preservation;
mod quota;
mod recall;
mod revoke;
mod semaphore;
mod signal;
mod state;
mod translate;

/// A topic's name, and its cases.
type Topic = (&'static str, fn(&mut Suite));

/// A selector that nothing is at.
const FREE: u64 = 0xffff;
/// A selector beyond every table.
const ABSURD: u64 = (1 << 56) - 1;

/// Runs every topic; returns whether all cases held.
#[must_use]
pub fn run(root: Root) -> bool {
    let suite = &mut Suite::new(root);
    let topics: [Topic; 23] = [
        ("information", information::run),
        ("create", create::run),
        ("control", control::run),
        ("flexpages", flexpages::run),
        ("revoke", revoke::run),
        ("portal", portal::run),
        ("message", message::run),
        ("translate", translate::run),
        ("semaphore", semaphore::run),
        ("signal", signal::run),
        ("deadline", deadline::run),
        ("helping", helping::run),
        ("deaths", deaths::run),
        ("parking", parking::run),
        ("events", events::run),
        ("recall", recall::run),
        ("state", state::run),
        ("aliases", aliases::run),
        ("domains", domains::run),
        ("quota", quota::run),
        ("lines", lines::run),
        ("preservation", preservation::run),
        ("coverage", coverage::run),
    ];
    for (name, topic) in topics {
        suite.topic(name);
        topic(suite);
    }
    suite.end()
}
