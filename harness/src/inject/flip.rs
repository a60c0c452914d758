// SPDX-License-Identifier: MIT
//! One flip of a campaign: where it hit, what it did without replay, and what was done about it under each policy.

use flips::Injection;
use wire::ThreadNumber;
use wire::injection::Text;

use super::draw::Class;
use super::effect::{Effect, Reaction};
use super::lab::Outcome;
use super::subject::Subject;
use crate::workload::symbols::Symbols;

/// A flip, and what came of it.
#[derive(Clone, Debug)]
pub struct Flip {
    /// Its number in the campaign, from 1.
    pub number: usize,
    /// The program.
    pub program: String,
    /// What it hits.
    pub class: Class,
    /// The bits; two for a class that hits a vote.
    pub bits: Vec<Injection>,
    /// Whose PE it is.
    pub thread: Option<ThreadNumber>,
    /// The instructions of that PE.
    pub instructions: u64,
    /// Where the program was; none if it did not come there.
    pub rip: Option<u64>,
    /// The symbol of that place, if the program has it.
    pub symbol: Option<String>,
    /// What it did without replay; none of a flip that has no counterpart there, or where the kernel failed.
    pub off: Option<Effect>,
    /// What was done about it under each policy.
    pub on: Vec<Answer>,
}

/// What was done about a flip under a policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer {
    /// What replay did; none if that was wrong.
    pub reaction: Option<Reaction>,
    /// How long after the flip the difference was seen, in the counter's unit, kernel included; none if none was.
    pub latency: Option<u64>,
    /// The longest time in the run that interrupts were held back: that of the PE that was hit, if it was run again.
    pub hold: u64,
}

impl Flip {
    /// A flip of which nothing is known but its aim.
    pub fn new(number: usize, class: Class, subject: &Subject, bits: &[Injection]) -> Self {
        let pe = bits.first().map_or(0, |flip| flip.pe);
        let instructions = usize::try_from(pe).ok().and_then(|pe| subject.instructions().get(pe));
        Self {
            number,
            program: subject.name().to_owned(),
            class,
            bits: bits.to_vec(),
            thread: subject.thread(pe),
            instructions: instructions.copied().unwrap_or_default(),
            rip: None,
            symbol: None,
            off: None,
            on: Vec::new(),
        }
    }

    /// Learns from a run where the program was when it was hit.
    pub fn locate(&mut self, outcome: &Outcome) {
        if let (None, Ok(ended)) = (self.rip, outcome) {
            self.rip = ended.flips.first().map(|made| made.flipped.rip);
        }
    }

    /// Names the place by the symbols of the program.
    pub fn name(&mut self, symbols: &Symbols) {
        self.symbol = self.rip.and_then(|rip| symbols.name(rip));
    }

    /// Adds what was done about it under the next policy.
    pub fn answer(&mut self, outcome: &Outcome, reaction: Option<Reaction>) {
        let mut answer = Answer { reaction, ..Answer::default() };
        if let Ok(ended) = outcome {
            answer.latency = ended.flips.iter().find_map(|made| made.latency);
            answer.hold = ended.record.totals.longest_hold;
        }
        self.on.push(answer);
    }

    /// The bits as `run --inject` takes them, one option each.
    pub fn spec(&self) -> String {
        self.bits.iter().map(|bit| Text(*bit).to_string()).collect::<Vec<_>>().join(" ")
    }
}
