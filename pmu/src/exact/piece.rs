// SPDX-License-Identifier: MIT
//! So many iterations of a REP string instruction, at the price of one debug
//! exception.
//!
//! RCX is lowered to the iterations that are wanted, and a breakpoint behind the
//! instruction stops its end; then RCX gets the rest back and RIP goes back to
//! the instruction. Memory, RSI, RDI and the flags are then as they are between
//! two iterations. REPE CMPS and its kin may end early, by ZF; rr does the same
//! (fast_forward.cc).

use super::decode::Instruction;
use super::position::Position;

/// The longest piece of a REP string instruction that a run is made longer by.
pub const LONGEST_PIECE: u64 = 65_536;

/// A part of a REP string instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Piece {
    /// The instruction.
    pub rip: u64,
    /// The one behind it: where the breakpoint goes.
    pub next: u64,
    /// What RCX is set to.
    pub iterations: u64,
    /// What RCX gets back.
    pub rest: u64,
    /// The value of ZF with which the instruction ends, too.
    pub ends_on: Option<bool>,
}

impl Piece {
    /// The first `iterations` of those that are left at `at`.
    pub(super) fn new(at: Position, here: Instruction, iterations: u64) -> Self {
        let Instruction { next, ends_on, .. } = here;
        Self { rip: at.rip, next, iterations, rest: at.rcx - iterations, ends_on }
    }

    /// RIP and RCX after the stop. `ended_by_flag` is whether the instruction's own
    /// condition on ZF (REPE, REPNE) has ended it, which it may in its last iteration,
    /// too. Anything but a stop at `next` leaves both, but for the rest of RCX.
    #[must_use]
    pub fn settle(&self, rip: u64, rcx: u64, ended_by_flag: bool) -> (u64, u64) {
        let goes_on = rip == self.next && rcx == 0 && !ended_by_flag && self.rest > 0;
        (if goes_on { self.rip } else { rip }, rcx + self.rest)
    }
}

/// What a first run does that was stopped at `at`, with `here` the instruction
/// there and a counter that takes a REP string instruction for one: no count tells
/// where inside one it stands. It executes the piece; if RIP then is behind the
/// instruction, that has been counted, and the run ends there. If not, there were
/// too many iterations: the instruction has not been counted, whatever the counter
/// says, and the run ends inside it, which [`super::ExactStop`] can reach.
pub fn run_on(at: Position, here: Instruction) -> Option<Piece> {
    let inside = here.repeats && at.rcx > 0;
    inside.then(|| Piece::new(at, here, at.rcx.min(LONGEST_PIECE)))
}
