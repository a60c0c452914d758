// SPDX-License-Identifier: MIT
//! Performance counters in software, which misbehave on purpose.
//!
//! No open x86 emulator has performance counters. Here are their registers in
//! software, behind [`pmu::Registers`]: the *same* driver that runs
//! on hardware runs on them. What executes user code is somebody else: the
//! processor under the kernel, or [`Processor`] in a host test. [`Emulated`]
//! lets virtual time, which is exact, say how many instructions that were, and
//! arms virtual time for the moment at which the emulated interrupt is due.
//!
//! [`Faults`] lists what can be told to go wrong, by seed.

#![no_std]
#![forbid(unsafe_code)]

mod amd;
mod emulated;
mod faults;
mod intel;
mod processor;
mod random;
mod replay;
mod software;
mod text;
mod unit;

pub use amd::{AmdFace, AmdModel, AmdUnit};
pub use emulated::{Driver, Emulated};
pub use faults::{Faults, SkidModel, StepFaults};
pub use intel::{IntelFace, IntelModel, IntelUnit};
pub use processor::{Debug, Exit, Op, Processor, Program};
pub use random::SplitMix64;
pub use replay::{Replayed, Rules, replay};
pub use software::{Emulation, Face, Software};
pub use text::FaultsError;
pub use unit::Unit;
