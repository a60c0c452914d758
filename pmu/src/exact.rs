// SPDX-License-Identifier: MIT
//! Stopping at exactly one place: where another execution of the same code was
//! stopped.
//!
//! A counter's interrupt comes at or after the instruction it is armed for, by
//! up to its skid. So the counter is armed early by the [`Margin`], and the rest
//! is done with debug exceptions, which are exact: a breakpoint at the target's
//! address and a look at the count at each hit. [`ExactStop::next`] says what to
//! do next; it does nothing itself.
//!
//! ```text
//!        far           near        target
//! ────────┬─────────────┬────────────┬──────>  instructions
//!  count  │ breakpoint, │ breakpoint │
//!         │ PATIENCE    │            │
//!         │ hits, then  │            │
//!         │ count again │            │
//! ```
//!
//! # The bound
//!
//! Every debug exception but one at the very target is at least one instruction
//! further on (inside a REP string instruction there is one more). In the stretch between `far` and `near` there are at most
//! [`PATIENCE`] of them, then the counter is armed once more; behind `near` at
//! most `near`, in a loop of L instructions `near`/L. So however long or
//! irregular the loops are, an attempt takes at most
//!
//! ```text
//! PATIENCE + near / L + 1  <=  PATIENCE + near + 1
//! ```
//!
//! debug exceptions ([`ExactStop::bound`]), where L is the shortest distance
//! between two arrivals at the target's address. With a skid of up to 10,000 as
//! likely as not, `near` is 10,000, and `jmp .` is at worst 10,005 exceptions from
//! its end, 5,000 on average: its iterations differ in nothing but their count,
//! and no event of a processor is both exact and rare. A *constant* skid costs
//! the [`PATIENCE`] exceptions in front of the second arming, which hits the
//! target, and in loops of uneven lengths some more (29 were seen). In longer loops the breakpoint
//! divides all of that by L.
//!
//! Attempts that missed add [`PATIENCE`] each, and each of them doubles `near`: what
//! a whole PE can take. A test holds every PE of three loops to that, in the kernel,
//! under every skid.
//!
//! # Overshoot
//!
//! An interrupt that is later than the margin passes the target:
//! [`Move::Missed`]. The attempt is repeated from the start with
//! [`Margin::doubled`]; with a breakpoint armed nothing can be passed, so before an
//! overshoot there are at most [`PATIENCE`] exceptions. As soon as `near` is as long as the way, no
//! interrupt is needed any more and the way is stepped. If a target is passed with a
//! breakpoint armed, the execution is not the same, [`Move::Strayed`].
//!
//! # REP
//!
//! Inside a REP string instruction a position has RCX, too. Such a target is
//! reached from the instruction's start by a [`Piece`].

mod decode;
mod piece;
mod position;
#[cfg(test)]
mod tests;

pub use decode::{Decoder, Instruction, Single, single};
pub use piece::{LONGEST_PIECE, Piece, run_on};
pub use position::Position;

use crate::back_end::{Repeats, StopKind};
use crate::skid::Margin;

/// Breakpoint hits in a row before the counter is tried once more.
pub const PATIENCE: u64 = 4;

/// How to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Move {
    /// This is the place.
    Arrived,
    /// Enter user mode with the counter armed for so many instructions.
    Count {
        /// The budget.
        budget: u64,
    },
    /// Enter user mode with a breakpoint armed.
    Breakpoint {
        /// Where.
        rip: u64,
        /// With RFLAGS.RF set: the breakpoint is where execution stands.
        resume: bool,
        /// Which hits may be passed over.
        pass: Option<Pass>,
        /// The counter's budget; it is a net, in case that execution strays.
        budget: u64,
    },
    /// Enter user mode with RFLAGS.TF set.
    Step,
    /// Execute some iterations of a REP string instruction.
    Repeat(Piece),
    /// The counter's interrupt came too late: repeat all with a larger margin.
    Missed,
    /// This execution does not pass the place.
    Strayed,
}

/// Hits of a breakpoint that need not be told, since another hit is what would be waited for next: whoever can see from
/// the count and RCX that a hit is one may let user code go on at once, and tell [`ExactStop::passed`] how many were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Instructions up to the target. No hit there is passed over, nor any behind it.
    pub left: u64,
    /// RCX at the target.
    pub rcx: u64,
}

impl Pass {
    /// Whether a hit after so many instructions is passed over. Where RCX holds as many iterations more than at the target
    /// as instructions are left, the target may lie inside this very instruction.
    pub fn is_over(self, executed: u64, rcx: u64) -> bool {
        let left = self.left.saturating_sub(executed);
        left > 0 && rcx.wrapping_sub(self.rcx) != left
    }
}

/// The way to a target, one attempt.
#[derive(Clone, Debug)]
pub struct ExactStop {
    target: Position,
    margin: Margin,
    repeats: Repeats,
    /// The whole way is stepped.
    stepping: bool,
    last: Option<Move>,
    debug_exceptions: u64,
}

impl ExactStop {
    /// The first attempt to get to `target`, from any place before it.
    pub fn new(target: Position, margin: Margin, repeats: Repeats) -> Self {
        Self { target, margin, repeats, stepping: false, last: None, debug_exceptions: 0 }
    }

    /// An attempt that steps the whole way.
    #[must_use]
    pub fn stepped(self) -> Self {
        Self { stepping: true, ..self }
    }

    /// The next attempt, after a miss.
    #[must_use]
    pub fn again(&self) -> Self {
        let margin = self.margin.doubled();
        let stepping = margin.near >= self.target.count;
        Self { stepping, ..Self::new(self.target, margin, self.repeats) }
    }

    /// Debug exceptions of this attempt.
    pub fn debug_exceptions(&self) -> u64 {
        self.debug_exceptions
    }

    /// Counts hits that were [passed over](Pass).
    pub fn passed(&mut self, hits: u64) {
        self.debug_exceptions += hits;
    }

    /// The most that it can take, whatever the code is.
    pub fn bound(&self) -> u64 {
        if self.stepping { self.target.count + 1 } else { PATIENCE + self.margin.near + 1 }
    }

    /// Says what to do, being at `at`; `stopped` is how the last move ended, none at
    /// the start.
    pub fn next(&mut self, at: Position, stopped: Option<StopKind>, decoder: &mut dyn Decoder) -> Move {
        self.debug_exceptions += u64::from(stopped == Some(StopKind::Debug));
        let next = match self.target.count.checked_sub(at.count) {
            None => match self.last {
                Some(Move::Count { .. }) => Move::Missed,
                _ => Move::Strayed,
            },
            Some(left) => self.advance(at, left, decoder),
        };
        self.last = Some(next);
        next
    }

    fn advance(&self, at: Position, left: u64, decoder: &mut dyn Decoder) -> Move {
        if at.rip == self.target.rip
            && let Some(iterations) = at.rcx.checked_sub(self.target.rcx).filter(|&it| it > 0)
            && iterations == self.iterations_in(left, iterations)
        {
            let here = decoder.decode(at.rip);
            // QEMU counts once more when RCX is 0; from there it goes on by itself.
            let iterations = iterations - u64::from(self.target.rcx == 0);
            if here.repeats && iterations > 0 {
                return Move::Repeat(Piece::new(at, here, iterations));
            }
        }
        if left == 0 {
            return Move::Arrived;
        }
        if self.stepping {
            return self.step(at, left, decoder);
        }
        let is_tight = self.debug_exceptions >= PATIENCE;
        let margin = if is_tight { self.margin.near } else { self.margin.far };
        if left > margin {
            return Move::Count { budget: left - margin };
        }
        // Behind `near` nothing but the target is waited for.
        let pass = (left <= self.margin.near).then_some(Pass { left, rcx: self.target.rcx });
        self.breakpoint(at, self.target.rip, left, pass)
    }

    /// How many iterations of the instruction at the target's address are left if
    /// this is the execution of it in which the target lies; then that is
    /// `iterations`, what RCX says.
    fn iterations_in(&self, left: u64, iterations: u64) -> u64 {
        match self.repeats {
            Repeats::PerIteration => left,
            Repeats::PerInstruction if left == 0 => iterations,
            Repeats::PerInstruction => 0,
        }
    }

    fn breakpoint(&self, at: Position, rip: u64, left: u64, pass: Option<Pass>) -> Move {
        Move::Breakpoint { rip, resume: at.rip == rip, pass, budget: left + self.margin.far + 1 }
    }

    fn step(&self, at: Position, left: u64, decoder: &mut dyn Decoder) -> Move {
        let here = decoder.decode(at.rip);
        if here.holds_debug_back && left == 1 {
            // A step would take the instruction behind the target along.
            self.breakpoint(at, self.target.rip, left, None)
        } else if here.repeats && self.repeats == Repeats::PerInstruction {
            // Every iteration would be a step, but not an instruction.
            self.breakpoint(at, here.next, left, None)
        } else {
            match single(at.rip, decoder) {
                Single::Trap => Move::Step,
                Single::Around { next } => self.breakpoint(at, next, left, None),
            }
        }
    }
}
