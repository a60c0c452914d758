// SPDX-License-Identifier: MIT
//! The shortest engine: a run that the counter ends, and a second one that is
//! brought to the same place.

use super::processor::{Debug, Exit, Processor};
use pmu::back_end::{BackEnd, Reading, Repeats, StopKind, Stopped};
use pmu::counter::Counter;
use pmu::exact::{Decoder, ExactStop, Move, Position, run_on};

/// How the two runs are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Instructions after which the first run ends.
    pub limit: u64,
    /// Attempts before the second run is given up.
    pub attempts: u32,
    /// Hits of a breakpoint that need not be told are passed over.
    pub passes: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Where the first run ended.
    pub position: Position,
    /// The second run ended there too, with everything else alike, and the count
    /// was true both times.
    pub exact: bool,
    /// Overshoots.
    pub misses: u32,
    /// Debug exceptions, of all attempts.
    pub debug_exceptions: u64,
    /// No attempt took more of them than its bound.
    pub bound_kept: bool,
    /// Interrupts that meant nothing.
    pub strays: u64,
}

struct Machine<'a> {
    processor: Processor,
    counter: &'a mut Counter<dyn BackEnd + 'a>,
    count: u64,
    /// Instructions that were executed, but not to their end.
    uncounted: u64,
    strays: u64,
    /// Hits that were passed over.
    passed: u64,
}

impl<'a> Machine<'a> {
    fn new(processor: &Processor, counter: &'a mut Counter<dyn BackEnd + 'a>) -> Self {
        Self { processor: processor.clone(), counter, count: 0, uncounted: 0, strays: 0, passed: 0 }
    }

    /// What should have been counted.
    fn executed(&self) -> u64 {
        self.processor.executed() - self.uncounted
    }
}

impl Machine<'_> {
    /// One stretch; `None` if it did not end.
    fn enter(&mut self, budget: u64, debug: Debug) -> Option<StopKind> {
        let entry = self.counter.arm(budget);
        let exit = self.processor.enter(entry, debug)?;
        let Exit { kind, elapsed, swallowed, passed } = exit;
        let stopped = Stopped { kind, elapsed, swallowed, passed };
        let Reading { instructions, strays, .. } = self.counter.stop(stopped);
        self.count += instructions;
        self.strays += u64::from(strays);
        self.passed += u64::from(passed);
        if exit.kind == StopKind::Fault {
            self.processor.unprotect();
        }
        Some(exit.kind)
    }

    /// Executes a piece of a REP string instruction; through faults, if need be.
    fn repeat(&mut self, piece: pmu::exact::Piece) -> Option<StopKind> {
        let before = self.count;
        self.processor.rcx = piece.iterations;
        let stop = loop {
            let debug = Debug { breakpoint: Some(piece.next), ..Debug::default() };
            let stop = self.enter(self.counter.back_end.nature().longest, debug)?;
            if stop == StopKind::Debug {
                break stop;
            }
        };
        let (rip, rcx) = piece.settle(self.processor.rip(), self.processor.rcx, false);
        self.processor.set_rip(rip);
        self.processor.rcx = rcx;
        if rip == piece.rip && self.counter.back_end.nature().repeats == Repeats::PerInstruction {
            self.uncounted += self.count - before;
            self.count = before;
        }
        Some(stop)
    }

    fn first_run(&mut self, limit: u64) -> Option<()> {
        while self.count < limit {
            self.enter(limit - self.count, Debug::default())?;
        }
        if self.counter.back_end.nature().repeats == Repeats::PerInstruction {
            let at = self.processor.position(self.count);
            let here = self.processor.decode(at.rip);
            if let Some(piece) = run_on(at, here) {
                self.repeat(piece)?;
            }
        }
        Some(())
    }

    /// One attempt; whether it arrived.
    fn attempt(&mut self, way: &mut ExactStop, passes: bool) -> Option<bool> {
        let mut stopped = None;
        loop {
            let at = self.processor.position(self.count);
            stopped = Some(match way.next(at, stopped, &mut self.processor) {
                Move::Arrived => return Some(true),
                Move::Missed => return Some(false),
                Move::Strayed => return None,
                Move::Count { budget } => self.enter(budget, Debug::default())?,
                Move::Breakpoint { rip, resume, budget, pass } => {
                    let pass = pass.filter(|_| passes);
                    let before = self.passed;
                    let debug = Debug { breakpoint: Some(rip), resume, pass, step: false };
                    let kind = self.enter(budget, debug)?;
                    way.passed(self.passed - before);
                    kind
                }
                Move::Step => self.enter(
                    self.counter.back_end.nature().longest,
                    Debug { step: true, ..Debug::default() },
                )?,
                Move::Repeat(piece) => self.repeat(piece)?,
            });
        }
    }
}

/// Runs `processor` up to where the counter stops it, and a copy of it to the same
/// place; `None` if that place was never reached.
pub fn replay(
    processor: &Processor,
    counter: &mut Counter<dyn BackEnd + '_>,
    rules: Rules,
) -> Option<Replayed> {
    let mut first = Machine::new(processor, counter);
    first.first_run(rules.limit)?;
    let position = first.processor.position(first.count);
    let (executed, mut strays) = (first.executed(), first.strays);
    let truly = first.count == executed - processor.executed();
    let counter = first.counter;
    let mut way = ExactStop::new(position, counter.margin(), counter.back_end.nature().repeats);
    let (mut debug_exceptions, mut bound_kept) = (0, true);
    for misses in 0..rules.attempts {
        let mut second = Machine::new(processor, &mut *counter);
        let arrived = second.attempt(&mut way, rules.passes)?;
        debug_exceptions += way.debug_exceptions();
        bound_kept &= way.debug_exceptions() <= way.bound();
        strays += second.strays;
        if arrived {
            let reached = second.processor.position(second.count);
            let exact = truly && reached == position && second.executed() == executed;
            return Some(Replayed { position, exact, misses, debug_exceptions, bound_kept, strays });
        }
        way = way.again();
    }
    None
}
