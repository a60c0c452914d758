// SPDX-License-Identifier: MIT
//! Exact instruction counting: counters that have to prove themselves.
#![no_std]
#![forbid(unsafe_code)]

pub mod amd;
pub mod check;
mod constant;
pub mod counter;
pub mod detect;
pub mod emulated;
pub mod exact;
pub mod intel;
pub mod registers;
pub mod skid;
pub mod stepping;
pub mod virtual_time;
pub mod workbench;

pub use counter::{Biases, Calibration, Counter, Entry, Reading, Repeats, StopKind, Stopped};
pub use detect::{Detection, detect};
pub use exact::{ExactStop, Move, Position};
pub use registers::Registers;
pub use skid::{Margin, Skid};
pub use virtual_time::{Fault, VirtualTime};
pub use workbench::{Block, MAX_AFTER, Sample, Workbench};
