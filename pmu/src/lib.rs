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
//! | a counter: armed for a budget before user mode, read after it | [`Counter`] |
//! | what counts, uncalibrated | [`BackEnd`] |
//! | how it reaches the hardware: a handful of register accesses, in software if need be | [`Registers`] |
//! | what there is to count with: Intel's fixed counter, AMD's core counter, the time of instruction-counting emulators, single steps | [`intel`], [`amd`], [`virtual_time`], [`stepping`] |
//! | the one driver of the counters of processors, which follows a description of the registers | [`overflow`] |
//! | the best one that is there, and why not a better one | [`detect()`] |
//! | calibration and self-checks, as rows of a table; which pitfall is looked after where | [`check`] |
//! | blocks of user code on which they are made; whoever has a user mode executes them | [`Workbench`] |
//! | how late interrupts are, and the margin that follows | [`skid`] |
//! | the way to exactly one place, with a bound on debug exceptions | [`exact`] |
//! | counters in software that misbehave as told, and a processor for host tests | crate `pmu-emulated` |
//!
//! The crate has no `unsafe` code, no allocator and no text, and knows nothing of the
//! kernel that uses it: what it finds out are values, and whoever prints them has the
//! words. All counts are of instructions.
//!
//! # A counter proves itself
//!
//! Here on a processor in software; a kernel implements [`Workbench`] with its
//! own user mode, and [`Registers`] with RDMSR and WRMSR, and calls [`detect()`].
//!
//! ```
//! use pmu::check::{self, Check};
//! use pmu_emulated::{Emulated, Faults, IntelModel, IntelUnit, Op, Processor, Program, SkidModel};
//! use pmu::{Overflow, StopKind, VirtualTime, intel};
//!
//! // The processor's time counts instructions, as that of QEMU does; it drives the
//! // emulated counter, whose interrupts are up to 1,000 instructions late.
//! let mut bench = Processor::new(Program::new(&[Op::Syscall]));
//! let clock = VirtualTime::calibrate(&mut bench).unwrap();
//! let faults = Faults { skid: SkidModel::Random(1_000), per_fault: 1, ..Faults::default() };
//! let mut unit = IntelUnit::new(IntelModel::default(), faults);
//! let found = intel::find(&mut unit).unwrap();
//! let driver = Overflow::new(unit, found, 0xfe);
//! let mut counter = Emulated::counter(driver, clock);
//!
//! let report = check::run(&mut counter, &mut bench);
//! for row in report.rows() {
//!     println!("{row:?}");
//! }
//! assert!(report.passed());
//! // What it counts too much is a constant, and taken off from now on.
//! assert_eq!(counter.calibration.biases.0[StopKind::Fault as usize], 1);
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
//! `pmu_emulated::replay` is the shortest user of [`ExactStop`]: a first run that the
//! counter stops somewhere beyond the limit, a second one that is brought there.
//!
//! ```
//! # use pmu::check;
//! # use pmu_emulated::{Emulated, Faults, AmdModel, AmdUnit, Op, SkidModel};
//! # use pmu::{Overflow, VirtualTime, amd};
//! use pmu_emulated::{Processor, Program, Rules, replay};
//!
//! # let mut bench = Processor::new(Program::new(&[Op::Syscall]));
//! # let clock = VirtualTime::calibrate(&mut bench).unwrap();
//! # let faults = Faults { skid: SkidModel::Random(1_000), ..Faults::default() };
//! # let unit = AmdUnit::new(AmdModel::default(), faults);
//! # let found = amd::find(&unit).unwrap();
//! # let driver = Overflow::new(unit, found, 0xfe);
//! # let mut counter = Emulated::counter(driver, clock);
//! # assert!(check::run(&mut counter, &mut bench).passed());
//! let processor = Processor::new(Program::loop_of(7));
//! let replayed = replay(&processor, &mut counter, Rules { limit: 100_000, attempts: 10, passes: true }).unwrap();
//! assert!(replayed.exact);
//! assert!(replayed.position.count >= 100_000);
//! assert!(replayed.debug_exceptions <= 4 + 1_000 / 7 + 1);
//! ```
//!
//! `cargo run -p wire --example self_checks` prints the table of checks for
//! counters that behave and for some that do not; `--example debug_exceptions`
//! prints what stopping exactly costs in tight loops.
//!
//! # Using it in a kernel
//!
//! 1. Implement [`Registers`] and [`Workbench`]. A [`Block`] is a few instructions
//!    in a user page; the registers tell how many were executed. A watchdog that
//!    needs no counter must end a stretch whose interrupt never comes.
//! 2. [`detect()`] at start-up, with interrupts held back but the counter's; print
//!    its refusals and its report. On an emulator, `pmu_emulated::Emulated` takes the
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
//! All of that, for code without REP string instructions; `machine` is the kernel's
//! own assembly, here a processor in software whose interrupts are up to 500
//! instructions late:
//!
//! ```
//! # mod machine {
//! #     use pmu_emulated::*;
//! #     use pmu::*;
//! #     use std::cell::RefCell;
//! #     thread_local! {
//! #         static UNIT: RefCell<IntelUnit> = RefCell::new(IntelUnit::new(
//! #             IntelModel::default(),
//! #             Faults { skid: SkidModel::Random(500), per_fault: 1, seed: 3, ..Faults::default() },
//! #         ));
//! #     }
//! #     fn with<T>(work: impl FnOnce(&mut IntelUnit) -> T) -> T {
//! #         UNIT.with_borrow_mut(work)
//! #     }
//! #     pub fn cpuid(leaf: u32, subleaf: u32) -> CpuIdResult { with(|unit| unit.cpuid(leaf, subleaf)) }
//! #     pub fn rdmsr(msr: u32) -> u64 { with(|unit| unit.read_msr(msr)) }
//! #     pub fn wrmsr(msr: u32, value: u64) { with(|unit| unit.write_msr(msr, value)) }
//! #     pub fn rdpmc(index: u32) -> u64 { with(|unit| unit.read_counter(index)) }
//! #     pub fn lfence() {}
//! #     pub fn apic_write(_register: u32, value: u32) { with(|unit| unit.set_local_vector(value)) }
//! #     pub fn drain_counter_vector() -> bool { with(|unit| unit.take_pending()) }
//! #     pub const LVT_PERFORMANCE: u32 = 0x340;
//! #     fn armed(entry: Entry) -> Entry {
//! #         let due = with(|unit| unit.unit().until_interrupt()).filter(|&due| due < 1 << 31);
//! #         Entry { timer: due.map_or(0, |due| due as u32 + 22), ..entry }
//! #     }
//! #     fn left(kind: StopKind, executed: u64) {
//! #         with(|unit| { unit.unit().execute(executed); unit.unit().leave(kind) });
//! #     }
//! #     pub struct UserMode(Processor);
//! #     impl UserMode {
//! #         pub fn new() -> Self { Self(Processor::new(Program::loop_of(7))) }
//! #         pub fn start_over(&mut self) { *self = Self::new() }
//! #         pub fn position(&self, count: u64) -> Position { self.0.position(count) }
//! #         pub fn enter(&mut self, entry: Entry, debug: Debug) -> Stopped {
//! #             let before = self.0.executed();
//! #             let exit = self.0.enter(armed(entry), debug).unwrap();
//! #             left(exit.kind, self.0.executed() - before);
//! #             Stopped { kind: exit.kind, elapsed: exit.elapsed, swallowed: exit.swallowed, passed: exit.passed }
//! #         }
//! #     }
//! #     impl exact::Decoder for UserMode {
//! #         fn decode(&mut self, rip: u64) -> exact::Instruction { self.0.decode(rip) }
//! #     }
//! #     impl Workbench for UserMode {
//! #         fn execute(&mut self, block: Block, entry: Entry) -> Option<Sample> {
//! #             let sample = self.0.execute(block, armed(entry))?;
//! #             left(sample.kind, sample.executed);
//! #             Some(sample)
//! #         }
//! #         fn resume(&mut self, entry: Entry) -> Option<Sample> {
//! #             let sample = self.0.resume(armed(entry))?;
//! #             left(sample.kind, sample.executed);
//! #             Some(sample)
//! #         }
//! #     }
//! # }
//! use machine::UserMode;
//! use pmu_emulated::Debug;
//! use pmu::detect::Chosen;
//! use pmu::{CpuIdResult, ExactStop, Move, Registers};
//!
//! struct Hardware;
//!
//! impl Registers for Hardware {
//!     fn cpuid(&self, leaf: u32, subleaf: u32) -> CpuIdResult {
//!         machine::cpuid(leaf, subleaf)
//!     }
//!     fn read_msr(&mut self, msr: u32) -> u64 {
//!         machine::rdmsr(msr)
//!     }
//!     fn write_msr(&mut self, msr: u32, value: u64) {
//!         machine::wrmsr(msr, value);
//!     }
//!     fn read_counter(&mut self, index: u32) -> u64 {
//!         machine::rdpmc(index)
//!     }
//!     fn serialize(&mut self) {
//!         machine::lfence();
//!     }
//!     fn set_local_vector(&mut self, entry: u32) {
//!         machine::apic_write(machine::LVT_PERFORMANCE, entry);
//!     }
//!     fn take_pending(&mut self) -> bool {
//!         machine::drain_counter_vector()
//!     }
//! }
//!
//! let mut user = UserMode::new(); // It is a Workbench and a Decoder.
//! let mut found = pmu::detect(Hardware, 0xfe, &mut user);
//! println!("{:?}, {:?}", found.report, found.refusals);
//! assert!(matches!(found.chosen, Chosen::Overflow(_)));
//! let counter = found.chosen.counter();
//!
//! // Run 1 goes on until the counter's interrupt has come, however late.
//! user.start_over();
//! let mut count = 0;
//! while count < 10_000 {
//!     let entry = counter.arm(10_000 - count);
//!     let stopped = user.enter(entry, Debug::default());
//!     count += counter.stop(stopped).instructions;
//! }
//! let target = user.position(count);
//!
//! // Run 2 ends at the same place.
//! let mut way = ExactStop::new(target, counter.margin(), counter.back_end.nature().repeats);
//! 'attempt: loop {
//!     user.start_over();
//!     let (mut count, mut stopped) = (0, None);
//!     loop {
//!         let far = counter.back_end.nature().longest;
//!         let (budget, debug) = match way.next(user.position(count), stopped, &mut user) {
//!             Move::Arrived => break 'attempt,
//!             Move::Missed => break,
//!             Move::Strayed => panic!("the two runs differ"),
//!             Move::Count { budget } => (budget, Debug::default()),
//!             // `pass` says which hits need not be told; here all are.
//!             Move::Breakpoint { rip, resume, budget, pass: _ } => {
//!                 (budget, Debug { breakpoint: Some(rip), resume, ..Debug::default() })
//!             }
//!             Move::Step => (far, Debug { step: true, ..Debug::default() }),
//!             Move::Repeat(_) => unreachable!("there is no REP string instruction"),
//!         };
//!         let entry = counter.arm(budget);
//!         let exit = user.enter(entry, debug);
//!         count += counter.stop(exit).instructions;
//!         stopped = Some(exit.kind);
//!     }
//!     way = way.again();
//! }
//! assert_eq!(user.position(target.count), target);
//! assert!(way.debug_exceptions() <= way.bound());
//! ```
//!
//! `pmu_emulated::replay` is the same with REP string instructions.
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
pub mod counter;
pub mod detect;
pub mod exact;
pub mod intel;
pub mod overflow;
pub mod registers;
pub mod skid;
pub mod stepping;
pub mod virtual_time;
pub mod workbench;

pub use back_end::{BackEnd, Entry, Nature, Reading, Repeats, Smm, StopKind, Stopped};
pub use counter::{Biases, Calibration, Counter};
pub use detect::{Detection, detect};
pub use exact::{ExactStop, Move, Position};
pub use overflow::Overflow;
pub use raw_cpuid::CpuIdResult;
pub use registers::Registers;
pub use skid::{Margin, Skid};
pub use virtual_time::{Clock, VirtualTime};
pub use workbench::{Block, MAX_AFTER, Sample, TRAILING, Trapped, Workbench};
