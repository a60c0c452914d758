// SPDX-License-Identifier: MIT
//! Exact instruction counting: counters that have to prove themselves.
//!
//! A kernel that executes user code twice has to stop the second execution at
//! exactly the instruction at which the first one was stopped. Processors count
//! instructions, but they are late with their interrupts, count some of them
//! twice, and differ in how. So this crate trusts no counter that has not proven
//! itself at start-up, and makes the last steps with debug exceptions.
//!
//! | concept | where |
//! | --- | --- |
//! | what a counter promises: armed for a budget before user mode, read after it | [`Counter`] |
//! | how it reaches the hardware: a handful of register accesses, in software if need be | [`Registers`] |
//! | the back ends: Intel's fixed counter, AMD's core counter, the time of instruction-counting emulators, single steps | [`intel`], [`amd`], [`virtual_time`], [`stepping`] |
//! | the best one that is there, and why not a better one | [`detect()`] |
//! | calibration and self-checks, as rows of a table | [`check`] |
//! | blocks of user code on which they are made; whoever has a user mode executes them | [`Workbench`] |
//! | how late interrupts are, and the margin that follows | [`skid`] |
//! | the way to exactly one place, with a bound on debug exceptions | [`exact`] |
//! | counters in software that misbehave as told, and a processor for host tests | [`emulated`] |
//!
//! The crate has no `unsafe` code, no dependencies and no allocator, and knows
//! nothing of the kernel that uses it.
//!
//! # A counter proves itself
//!
//! Here on a processor in software; a kernel implements [`Workbench`] with its
//! own user mode, and [`Registers`] with RDMSR and WRMSR, and calls [`detect()`].
//!
//! ```
//! use pmu::check::{self, Check};
//! use pmu::emulated::{Emulated, Faults, IntelModel, IntelUnit, Op, Processor, Program, SkidModel};
//! use pmu::intel::Intel;
//! use pmu::VirtualTime;
//!
//! // The processor's time counts instructions, as that of QEMU does; it drives the
//! // emulated counter, whose interrupts are up to 1,000 instructions late.
//! let mut bench = Processor::new(Program::new(&[Op::Syscall]));
//! let clock = VirtualTime::calibrate(&mut bench).unwrap();
//! let faults = Faults { skid: SkidModel::Random(1_000), per_fault: 1, ..Faults::default() };
//! let unit = IntelUnit::new(IntelModel::default(), faults);
//! let driver = Intel::new(unit, 0xfe).map_err(|(_, absent)| absent).unwrap();
//! let mut counter = Emulated::counter(driver, clock);
//!
//! let report = check::run(&mut counter, &mut bench);
//! println!("{report}");
//! assert!(report.passed());
//! // What it counts too much is a constant, and taken off from now on.
//! assert_eq!(counter.calibration.biases.fault, 1);
//! assert!(counter.margin().far > 1_900);
//!
//! // It is not believed when it behaves like an emulator without counters.
//! counter.back_end.unit().misbehave(Faults { swallows_writes: true, ..Faults::default() });
//! let report = check::run(&mut counter, &mut bench);
//! assert_eq!(report.refusal().unwrap().check, Check::Present);
//! ```
//!
//! # Two executions stop at the same place
//!
//! [`emulated::replay`] is the shortest user of [`ExactStop`]: a first run that the
//! counter stops somewhere beyond the limit, a second one that is brought there.
//!
//! ```
//! # use pmu::check;
//! # use pmu::emulated::{Emulated, Faults, AmdModel, AmdUnit, Op, SkidModel};
//! # use pmu::amd::Amd;
//! # use pmu::VirtualTime;
//! use pmu::emulated::{Processor, Program, Rules, replay};
//!
//! # let mut bench = Processor::new(Program::new(&[Op::Syscall]));
//! # let clock = VirtualTime::calibrate(&mut bench).unwrap();
//! # let faults = Faults { skid: SkidModel::Random(1_000), ..Faults::default() };
//! # let unit = AmdUnit::new(AmdModel::default(), faults);
//! # let driver = Amd::new(unit, 0xfe).map_err(|(_, absent)| absent).unwrap();
//! # let mut counter = Emulated::counter(driver, clock);
//! # assert!(check::run(&mut counter, &mut bench).passed());
//! let processor = Processor::new(Program::loop_of(7));
//! let replayed = replay(&processor, &mut counter, Rules { limit: 100_000, attempts: 10 }).unwrap();
//! assert!(replayed.exact);
//! assert!(replayed.position.count >= 100_000);
//! assert!(replayed.debug_exceptions <= 4 + 1_000 / 7 + 1);
//! ```
//!
//! `cargo run -p pmu --example self_checks` prints the table of checks for
//! counters that behave and for some that do not; `--example debug_exceptions`
//! prints what stopping exactly costs in tight loops.
//!
//! # Using it in a kernel
//!
//! 1. Implement [`Registers`] and [`Workbench`]. A [`Block`] is a few instructions
//!    in a user page; the registers tell how many were executed. A watchdog that
//!    needs no counter must end a stretch whose interrupt never comes.
//! 2. [`detect()`] at start-up, with interrupts held back but the counter's; print
//!    its refusals and its report. On an emulator, [`emulated::Emulated`] takes the
//!    place of a hardware counter.
//! 3. Before every entry to user mode call [`Counter::arm`] and obey its
//!    [`Entry`]; after every stop call [`Counter::stop`] with why user mode was left
//!    and the ticks around it, before anything else counts.
//! 4. An interrupt that is not the counter's own ([`Reading::own`]) means nothing;
//!    go on with the rest of the budget.
//! 5. The run that defines the others ends wherever the counter stops it, but not
//!    inside a REP string instruction that is counted as one: [`exact::run_on`].
//!    Every other run follows an [`ExactStop`].
//!
//! # Sources
//!
//! Intel SDM, revision 089: vol. 3A 12.5.1 (local vector table), vol. 3B
//! 19.3.1.4 (single steps), 19.4.7 (freezing on interrupts), 21.2 (architectural
//! performance monitoring), 21.2.8 (full-width writes); AMD APM vol. 2, 13.2, and
//! the PPR for family 19h (PerfMonV2). Weaver, Terpstra, Moore,
//! "Non-determinism and overcount on modern hardware performance counter
//! implementations", ISPASS 2013. What others check and how late interrupts are:
//! rr (`src/PerfCounters.cc`), reverie (`timer.rs`, `validation.rs`), bedrock
//! (`exits/pebs.rs`).

#![no_std]
#![forbid(unsafe_code)]

pub mod amd;
pub mod back_end;
pub mod check;
mod constant;
pub mod counter;
pub mod detect;
pub mod emulated;
pub mod exact;
pub mod intel;
pub mod overflow;
pub mod registers;
pub mod skid;
pub mod stepping;
pub mod virtual_time;
pub mod workbench;

pub use back_end::{BackEnd, Entry, Reading, Repeats, StopKind, Stopped};
pub use counter::{Biases, Calibration, Counter};
pub use detect::{Detection, detect};
pub use exact::{ExactStop, Move, Position};
pub use registers::Registers;
pub use skid::{Margin, Skid};
pub use virtual_time::{Clock, Fault, VirtualTime};
pub use workbench::{Block, MAX_AFTER, Sample, TRAILING, Trapped, Workbench};
