// SPDX-License-Identifier: MIT
//! What `cargo reprise run` runs when no program is named: hashes, sorts, compresses and computes, and checks itself.
//!
//! One process, one thread, a few dozen million instructions, no input. Each line
//! of the output is a step and what it found; the status is 0 only if every
//! result is the known one.

mod arithmetic;
mod motion;
mod text;
mod waves;

use std::process::ExitCode;

/// What one step did and found.
struct Step {
    /// What was done, to how much.
    what: String,
    /// The result, printed.
    result: String,
    /// Whether the result is the known one.
    holds: bool,
}

fn main() -> ExitCode {
    let steps: [fn() -> Step; 9] = [
        text::hash,
        text::sort,
        text::compress,
        text::count_letters,
        arithmetic::sieve,
        arithmetic::fibonacci,
        arithmetic::digits_of_pi,
        motion::planets,
        waves::spectrum,
    ];
    let mut failed = 0;
    for step in steps {
        let Step { what, result, holds } = step();
        println!("{what:<44} {result:<40} {}", if holds { "ok" } else { "WRONG" });
        failed += u32::from(!holds);
    }
    println!("{} of {} checks hold", steps.len() as u32 - failed, steps.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
