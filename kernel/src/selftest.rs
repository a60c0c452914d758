// SPDX-License-Identifier: MIT
//! The kernel's own tests, run in the emulator: an explicit list.
//!
//! Each test returns an error that says what was wrong. What ends the machine
//! (panic, triple fault, hang) is a boot of its own ([`Job`](wire::config::Job)).

#![expect(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "no program runs that could have used the heap up"
)]

mod contract;
mod costs;
mod counters;
mod counting;
mod device;
mod fixture;
mod hot;
mod lines;
mod memory;
mod replaying;
mod sharing;
#[cfg(feature = "emulated")]
mod software_counters;
mod space;
#[cfg(feature = "emulated")]
mod stopping;
mod user_entry;

use alloc::string::String;

use wire::config::Config;
use wire::end::End;

use crate::arch::channel;
use crate::replay::Platform;
use fixture::Fixture;

/// What a test found.
type Found = Result<(), String>;

/// A test, by name.
type Test = (&'static str, fn(&mut Fixture) -> Found);

/// Fails a test with a formatted reason unless a condition holds.
macro_rules! check {
    ($condition:expr, $($reason:tt)+) => {
        if !$condition {
            return Err(alloc::format!($($reason)+));
        }
    };
}
use check;

const TESTS: &[&[Test]] = &[
    memory::TESTS,
    space::TESTS,
    user_entry::TESTS,
    counting::TESTS,
    counters::TESTS,
    #[cfg(feature = "emulated")]
    software_counters::TESTS,
    #[cfg(feature = "emulated")]
    stopping::TESTS,
    replaying::TESTS,
    hot::TESTS,
    sharing::TESTS,
    costs::TESTS,
    lines::TESTS,
    device::TESTS,
];

/// Runs all tests; prints a line for each as program output.
pub fn run(config: &Config, platform: &Platform) -> End {
    let mut fixture = Fixture::new(config, platform);
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in TESTS.iter().copied().flatten() {
        let line = match test(&mut fixture) {
            Ok(()) => {
                passed += 1;
                alloc::format!("{name} ... ok\n")
            }
            Err(reason) => {
                failed += 1;
                alloc::format!("{name} ... FAILED: {reason}\n")
            }
        };
        if let Err(full) = channel::output(1, line.as_bytes()) {
            return End::OutputFull { limit: full.capacity };
        }
    }
    End::SelfTests { passed, failed }
}
