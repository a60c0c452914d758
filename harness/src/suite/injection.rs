// SPDX-License-Identifier: MIT
//! The same flipped bit without replay and with it.
//!
//! A flip is *effective* if the program gives a wrong output or status, is ended or does
//! not end in `off`. In `dual` the same place is hit in run 1 or in run 2, and all has to
//! be as if nothing had happened: output and status right, and one restart for each flip
//! that the comparison saw. Memory that two processes share is hit while one of them
//! writes it and the other one looks: it must not see what was not committed. Each class
//! of targets is a test of its own; all are drawn from fixed seeds, so that a campaign is
//! the same everywhere.

mod draw;
mod subject;

use std::fmt;

use anyhow::{Result, bail, ensure};
use pe_replay::Injection;
use pe_replay::wire::config::MAX_INJECTIONS;

use self::draw::{Class, Random};
use self::subject::{Effect, Subject};
use super::{Context, Test};

pub const TESTS: &[Test] = &[
    Test { name: "injection::general", run: |context| campaign(context, Class::General) },
    Test { name: "injection::rip", run: |context| campaign(context, Class::Rip) },
    Test { name: "injection::rflags", run: |context| campaign(context, Class::Rflags) },
    Test { name: "injection::xmm", run: |context| campaign(context, Class::Xmm) },
    Test { name: "injection::memory", run: |context| campaign(context, Class::Memory) },
    Test { name: "injection::shared", run: |context| campaign(context, Class::Shared) },
];

/// Effective flips wanted of each class; there are six.
const EFFECTIVE: u64 = 60;
/// Flips drawn at a time; the campaign ends after the first so many that make it enough.
const ROUND: u64 = 32;
/// Rounds after which a class is given up: its flips do not matter to the programs.
const MAX_ROUNDS: u64 = 40;
/// Seed of the whole campaign.
const SEED: u64 = 0x5245_5052_4953_4501;

/// What became of the flips of a class.
#[derive(Default)]
struct Tally {
    flips: u64,
    wrong_output: u64,
    wrong_status: u64,
    ended: u64,
    hung: u64,
    detected: u64,
    recovered: u64,
    wrong: u64,
}

impl Tally {
    fn effective(&self) -> u64 {
        self.wrong_output + self.wrong_status + self.ended + self.hung
    }

    fn count(&mut self, effect: Effect) {
        self.flips += 1;
        match effect {
            Effect::None => {}
            Effect::WrongOutput => self.wrong_output += 1,
            Effect::WrongStatus => self.wrong_status += 1,
            Effect::Ended => self.ended += 1,
            Effect::Hung => self.hung += 1,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flips, wrong_output, wrong_status, ended, hung, detected, recovered, wrong } = self;
        write!(
            f,
            "{flips:4} flips; off: {:3} effective ({wrong_output} wrong output, {wrong_status} wrong status, \
             {ended} ended, {hung} hung); dual: {detected:3} detected, {recovered:3} recovered, {wrong} runs wrong",
            self.effective()
        )
    }
}

fn campaign(context: &Context, class: Class) -> Result<()> {
    let subjects: Vec<_> =
        class.programs().iter().map(|name| Subject::new(context, name)).collect::<Result<_>>()?;
    let seed = SEED + class as u64;
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    for round in 0.. {
        if tally.effective() >= EFFECTIVE {
            break;
        }
        ensure!(round < MAX_ROUNDS, "{class}, seed {seed:#x}: too few effective flips: {tally}");
        for subject in &subjects {
            let count = ROUND / subjects.len() as u64;
            let flips: Vec<_> = (0..count).map(|_| draw::flip(&mut random, class, subject)).collect();
            for flip in &flips {
                tally.count(subject.without_replay(context, *flip)?);
            }
            for batch in batches(&flips) {
                let dual = subject.with_replay(context, &batch)?;
                tally.detected += dual.detected;
                match dual.wrong {
                    None => tally.recovered += dual.detected,
                    Some(reason) => {
                        tally.wrong += 1;
                        failures.push(format!("{} with {}: {reason}", subject.name(), words(&batch)));
                    }
                }
            }
        }
    }
    eprintln!("injection: {:17} seed {seed:#x}: {tally}", class.to_string());
    if !failures.is_empty() {
        bail!("{class}, seed {seed:#x}: {}", failures.join("; "));
    }
    Ok(())
}

/// Flips that can share a run: so few as fit, each in a PE of its own.
fn batches(flips: &[Injection]) -> Vec<Vec<Injection>> {
    let mut batches: Vec<Vec<Injection>> = Vec::new();
    for flip in flips {
        let fits = |batch: &&mut Vec<_>| {
            batch.len() < MAX_INJECTIONS && batch.iter().all(|other: &Injection| other.pe != flip.pe)
        };
        match batches.iter_mut().find(fits) {
            Some(batch) => batch.push(*flip),
            None => batches.push(vec![*flip]),
        }
    }
    batches
}

/// The flips as options of `cargo reprise run`.
fn words(flips: &[Injection]) -> String {
    flips.iter().map(|flip| format!("--inject {flip}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use pe_replay::{Run, Target};

    use super::*;

    #[test]
    fn flips_in_one_pe_do_not_share_a_run() {
        let flip = |pe, at| Injection { pe, run: Run::First, at, target: Target::Rip, bit: 0 };
        let shared = batches(&[flip(1, 0), flip(2, 0), flip(1, 5), flip(3, 0), flip(1, 7)]);
        assert_eq!(shared, [vec![flip(1, 0), flip(2, 0), flip(3, 0)], vec![flip(1, 5)], vec![flip(1, 7)]]);
        let many: Vec<_> = (0..40).map(|pe| flip(pe, 0)).collect();
        assert_eq!(batches(&many).iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 8]);
    }
}
