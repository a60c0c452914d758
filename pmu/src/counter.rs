// SPDX-License-Identifier: MIT
//! A back end with what has been measured about it.
//!
//! User mode is entered by *stretches*. Before each the counter is armed with a
//! budget ([`Counter::arm`]); after each it is disarmed and read
//! ([`Counter::stop`]), whatever ended the stretch. Between the two nothing else
//! may touch it. What it says of a stretch is the number of user instructions,
//! with everything that entering and leaving user mode adds already taken off
//! (the [`Biases`], which calibration measures).

use strum::VariantArray as _;

use crate::back_end::{BackEnd, Entry, Reading, StopKind, Stopped};
use crate::skid::{Margin, Skid};

/// What a stretch counts beyond its user instructions, by the [`StopKind`] that ended it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Biases(pub [i64; StopKind::VARIANTS.len()]);

impl Biases {
    /// User instructions in a stretch that counted `raw`, in which so many debug exceptions were passed over.
    pub fn remove(&self, kind: StopKind, passed: u32, raw: u64) -> u64 {
        let at_passes = self.0[StopKind::Debug as usize].wrapping_mul(passed.into());
        (raw as i64).wrapping_sub(self.0[kind as usize]).wrapping_sub(at_passes).max(0) as u64
    }
}

/// What has been measured about a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calibration {
    /// Counted between arming and the first user instruction: a budget is armed
    /// as so many more.
    pub lead: u64,
    /// Counted beyond the user's instructions.
    pub biases: Biases,
    /// How late the interrupt is.
    pub skid: Skid,
}

/// A back end and its calibration: what the user of a counter has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter<B: ?Sized> {
    /// What [`crate::check::run`] has found out, if it has been called.
    pub calibration: Calibration,
    /// What counts.
    pub back_end: B,
}

impl<B> Counter<B> {
    /// One that has not been calibrated, and says what it counts.
    pub fn new(back_end: B) -> Self {
        Self { calibration: Calibration::default(), back_end }
    }
}

impl<B: BackEnd + ?Sized> Counter<B> {
    /// Prepares for a stretch that is to end after `budget` instructions, one at
    /// least, and not earlier.
    pub fn arm(&mut self, budget: u64) -> Entry {
        self.back_end.arm(budget.max(1).saturating_add(self.calibration.lead))
    }

    /// Disarms it, reads it, and takes or acknowledges its interrupt.
    pub fn stop(&mut self, stopped: Stopped) -> Reading {
        let reading = self.back_end.stop(stopped);
        let Stopped { kind, passed, .. } = stopped;
        let instructions = self.calibration.biases.remove(kind, passed, reading.instructions);
        Reading { instructions, ..reading }
    }

    /// What a debug exception adds to the time stamps, if it is by these that it counts.
    pub fn stamped(&self) -> Option<i64> {
        self.back_end.stamped(self.calibration.biases.0[StopKind::Debug as usize])
    }

    /// How far from a target it may be armed.
    pub fn margin(&self) -> Margin {
        self.calibration.skid.margin(self.back_end.nature().lateness)
    }
}
