// SPDX-License-Identifier: MIT
//! `cargo reprise demo`: what replay is for, on one flipped bit, in ten seconds.
//!
//! The default program checks its own results. It is run as it is, then with a bit flipped and no replay, then with
//! the same bit flipped and replay. What is printed is what these runs showed: a bit that does no harm without replay
//! is passed over for the next one.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use flips::{Injection, Target};
use pe_replay::{Mode, Run};
use wire::GPR_NAMES;
use wire::config::Job;
use wire::difference::InWords;
use wire::end::End;
use wire::injection::Text;

use crate::emulator::{self, Silent};
use crate::host::packages;
use crate::outcome::Outcome;
use crate::outcome::summary::Diverged;
use crate::workload::artifacts::Guest;
use crate::workload::named::{self, Given};
use crate::workload::request::Request;

/// The status when replay did not undo the flip.
const STATUS_WRONG: u8 = 1;
/// The first PE that is hit; each further flip hits the next PE, in the next register.
const FIRST_PE: u64 = 100;
/// Instructions of the PE before the flip.
const AT: u64 = 50;
/// The bit of the register.
const BIT: u8 = 3;
/// How many flips are tried.
const ATTEMPTS: u8 = 16;

/// The program, ready to be run in more than one way.
struct Subject {
    request: Request,
    kernel: PathBuf,
}

/// What a run showed.
struct Shown {
    stdout: String,
    status: u8,
    outcome: Outcome,
}

/// Runs the command; returns the exit status.
pub fn run() -> Result<u8> {
    println!(
        "Reprise runs every piece of a program twice, compares, and keeps only what both runs agree on."
    );
    println!("Here a program that checks its own results is run three times:\n");
    let subject = Subject::new()?;
    let right = subject.run(Mode::Off, None)?;
    row(1, "as it is", &right, &right);
    let (flip, harmed) = subject.harmed(&right)?;
    row(2, "a flipped bit, without replay", &harmed, &right);
    let replayed = subject.run(Mode::Dual, Some(flip))?;
    row(3, "the same bit, with replay", &replayed, &right);

    let Injection { pe, run, at, target, bit } = flip;
    let register = match target {
        Target::Gpr(register) => GPR_NAMES[usize::from(register)],
        other => bail!("a flip in {other:?} is none of this demonstration's"),
    };
    println!(
        "\nthe bit   bit {bit} of {register}, after {at} instructions of run {} of PE {pe}",
        run.number()
    );
    let differs = |(line, of_right): &(&str, &str)| line != of_right;
    let (wrong, _) = harmed.stdout.lines().zip(right.stdout.lines()).find(differs).unwrap_or_default();
    println!("wrong     {wrong}");
    let summary = replayed.outcome.summary()?;
    let Diverged { pe, difference, .. } = summary.differences.first().context("replay saw no difference")?;
    println!("caught    PE {pe} diverged: {}", InWords(*difference));
    let restarts = summary.totals().restarts;
    let times = if restarts == 1 { "once".to_owned() } else { format!("{restarts} times") };
    println!("undone    PE {pe} was started again {times}; what it had written was thrown away");

    println!("\nEach of the three by hand:");
    println!("1  cargo reprise run showcase --mode off");
    println!("2  cargo reprise run showcase --mode off --inject {}", Text(flip));
    println!("3  cargo reprise run showcase --inject {}", Text(flip));
    Ok(if replayed.is_like(&right) { 0 } else { STATUS_WRONG })
}

/// Prints what a run came to, held against the run that nothing disturbed.
fn row(number: u8, how: &str, shown: &Shown, right: &Shown) {
    let verdict = if shown.is_like(right) { "right" } else { "WRONG" };
    let said = shown.stdout.lines().last().unwrap_or_default();
    println!("{number}  {how:<32} {said:<22} exit status {:<4} {verdict}", shown.status);
}

impl Shown {
    /// Whether two runs show the same to who runs them.
    fn is_like(&self, other: &Self) -> bool {
        self.stdout == other.stdout && self.status == other.status
    }
}

impl Subject {
    fn new() -> Result<Self> {
        packages::ensure_present(&[packages::QEMU])?;
        let kernel = Guest::KERNEL.build(Guest::KERNEL.package)?;
        let mut request = Request::job(Job::Run);
        request.contents = named::named(&Given::default(), None)?.contents;
        Ok(Self { request, kernel })
    }

    fn run(&self, mode: Mode, flip: Option<Injection>) -> Result<Shown> {
        let mut request = self.request.clone();
        request.policy.mode = mode;
        request.injections.extend(flip);
        let finished = emulator::boot(&request.boot(self.kernel.clone())?, &mut Silent)?;
        let outcome = Outcome::new(self.kernel.clone(), finished);
        let stdout = String::from_utf8_lossy(&outcome.stdout()).into_owned();
        Ok(Shown { stdout, status: outcome.status()?, outcome })
    }

    /// The first flip with which the program comes to its end and to another result, and that run.
    fn harmed(&self, right: &Shown) -> Result<(Injection, Shown)> {
        for attempt in 0..ATTEMPTS {
            let target = Target::Gpr(attempt % GPR_NAMES.len() as u8);
            let pe = FIRST_PE + u64::from(attempt);
            let flip = Injection { pe, run: Run::First, at: AT, target, bit: BIT };
            let shown = self.run(Mode::Off, Some(flip))?;
            let has_ended = matches!(shown.outcome.end()?, End::Exited { .. });
            if has_ended && shown.stdout != right.stdout {
                return Ok((flip, shown));
            }
        }
        bail!("none of {ATTEMPTS} flips changed what the program finds")
    }
}
