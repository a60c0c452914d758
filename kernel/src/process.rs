// SPDX-License-Identifier: MIT
//! The life of a process: a loop over processing elements.
//!
//! The engine commits a PE; only then does the kernel do, once, what its
//! delimiter asks for. The outcome is part of the next PE's start state.

use pe_replay::drive::Committed;
use pe_replay::wire::brief::Recorded;
use pe_replay::wire::channel::Progress;
use pe_replay::wire::config::Config;
use pe_replay::wire::end::{Damage, Death, End, EndRecord, Refusal, Registers, Totals, Verdict};
use pe_replay::wire::record::{CounterKind, Record, TraceHeader, Unit};
use pe_replay::{DelimiterKind, Engine, Mode, Outcome, Phases, TimedPhase, Uprr};

use crate::arch::segment::{USER_CS, USER_SS};
use crate::arch::{context, machine};
use crate::archive::Archive;
use crate::channel;
use crate::delimit::{self, Duty, signal};
use crate::linux::{Linux, Next};
use crate::mem::frame;
use crate::mem::space::{OutOfFrames, Space};
use crate::replay::{self, KernelMachine, Platform};

/// The margin of the virtual-time counter: its interrupt has no skid.
const MARGIN: u64 = 0;
/// Ticks after which progress is published again, at the end of a PE.
const PUBLISH_EVERY: u64 = 1 << 20;
const PROCESS: u16 = 1;
const THREAD: u16 = 1;

/// Loads the archive's program and runs it to its end.
pub fn run(config: &Config, archive: &Archive<'static>, platform: &Platform) -> Result<EndRecord, Refusal> {
    channel::record(&Record::Header(TraceHeader {
        version: pe_replay::wire::VERSION,
        unit: Unit::Instructions,
        counter: CounterKind::VirtualTime,
        policy: config.policy,
    }));
    execute(config, archive, platform, config.trace)
}

/// Loads the archive's program, runs it to its end, and gives back all it had.
pub fn execute(
    config: &Config,
    archive: &Archive<'static>,
    platform: &Platform,
    trace: bool,
) -> Result<EndRecord, Refusal> {
    let out_of_memory = |needed_pages| {
        move |OutOfFrames: OutOfFrames| Refusal::OutOfMemory { needed_pages, free_pages: frame::free_count() }
    };
    let tracking = config.policy.mode != Mode::Off;
    let mut space = Space::new(platform.kernel_root, tracking).map_err(out_of_memory(1))?;
    let mut state = Uprr::new(USER_CS, USER_SS);
    let linux = match Linux::load(archive, config.seed, &mut space, &mut state) {
        Ok(linux) => linux,
        Err(refusal) => {
            space.dismantle();
            return Err(refusal);
        }
    };
    let machine = KernelMachine::new(space, platform, &config.policy)
        .map_err(out_of_memory(replay::reserve(&config.policy) as u64))?;
    let mut engine =
        Engine::new(config.policy, MARGIN, config.injections.clone(), config.mutation, machine::now());
    engine.state_mut().clone_from(&state);
    let process = Process {
        engine,
        machine,
        linux,
        totals: Totals::default(),
        drained: context::drained(),
        published: 0,
    };
    Ok(process.run(trace))
}

struct Process {
    engine: Engine<KernelMachine>,
    machine: KernelMachine,
    linux: Linux,
    totals: Totals,
    /// Overflows that were dropped before the program started.
    drained: u64,
    /// When progress was published last.
    published: u64,
}

impl Process {
    fn run(mut self, trace: bool) -> EndRecord {
        let end = loop {
            let sequence = self.engine.sequence();
            let outcome = self.engine.execute(&mut self.machine);
            if sequence == 0 {
                self.totals.boot = self.engine.watch.mark() - self.engine.watch.phases.total();
            }
            self.totals.pes += 1;
            self.count();
            let (kind, count, end) = match outcome {
                Outcome::Committed(committed) => {
                    self.totals.committed += 1;
                    self.totals.user_instructions += committed.count;
                    self.totals.frames_written += u64::from(self.engine.account().frames_written);
                    let (kind, end) = self.serve(&committed);
                    self.totals.ends[kind as usize] += 1;
                    (Some(kind), committed.count, end)
                }
                Outcome::Persistent { difference, end_rip } => {
                    let verdict = Verdict {
                        pe: sequence,
                        start_rip: self.engine.state().rip,
                        end_rip,
                        difference,
                        attempts: self.engine.account().divergences.len() as u8,
                        code: delimit::code_at(&self.machine.space, end_rip),
                    };
                    (None, 0, Some(End::Persistent(verdict)))
                }
                Outcome::Damaged { difference } => {
                    (None, 0, Some(End::Damaged(Damage { pe: sequence, difference })))
                }
                Outcome::OutOfFrames => {
                    (None, 0, Some(self.killed(signal::SIGKILL, None, self.engine.state().rip)))
                }
            };
            self.engine.watch.lap(TimedPhase::Other, machine::now());
            let phases = self.engine.watch.take();
            self.totals.phases.add_all(&phases);
            if trace && let Some(kind) = kind {
                self.record(sequence, kind, count, phases);
            }
            self.publish();
            if let Some(end) = end {
                break end;
            }
        };
        self.totals.total = self.totals.phases.total();
        self.totals.drained_overflows += context::drained() - self.drained;
        self.totals.lost_records = channel::lost_records();
        self.totals.events = self.engine.events;
        self.engine.retire(&mut self.machine);
        match context::kernel_nmis() {
            0 => {}
            count => defmt::info!("the watchdog ran down in the kernel {=u64} times, to no harm", count),
        }
        self.machine.dismantle();
        EndRecord { end, unit: Unit::Instructions, counter: CounterKind::VirtualTime, totals: self.totals }
    }

    /// Says how far the program has come, now and then.
    fn publish(&mut self) {
        let now = self.engine.watch.mark();
        if now.wrapping_sub(self.published) >= PUBLISH_EVERY {
            self.published = now;
            let (pes, instructions) = (self.totals.committed, self.totals.user_instructions);
            channel::progress(Progress { pes, instructions, rip: self.engine.state().rip });
        }
    }

    fn count(&mut self) {
        let (totals, account) = (&mut self.totals, self.engine.account());
        let divergences = account.divergences.len() as u64;
        totals.divergences += divergences;
        let restarts = divergences - u64::from(account.outvoted.is_some());
        totals.restarts += restarts.min(u64::from(pe_replay::policy::MAX_DIVERGENCES) - 1);
        totals.outvoted += u64::from(account.outvoted.is_some());
        totals.third_runs += u64::from(account.third_runs);
        totals.counter_misses += u64::from(account.counter_misses);
        totals.drained_overflows += u64::from(account.early_overflows);
        totals.write_faults += u64::from(account.write_faults);
        totals.flips += u64::from(account.flips);
        totals.longest_hold = totals.longest_hold.max(account.longest_hold);
        for difference in &account.divergences {
            defmt::warn!(
                "PE {=u64} diverged: {}",
                self.engine.sequence() - 1,
                defmt::Display2Format(difference)
            );
        }
    }

    fn record(&self, sequence: u64, delimiter: DelimiterKind, count: u64, phases: Phases) {
        channel::pe_record(&Recorded {
            process: PROCESS,
            thread: THREAD,
            sequence,
            delimiter,
            rip: self.engine.state().rip,
            instructions: count,
            phases: &phases,
            account: self.engine.account(),
        });
    }

    /// Does what a committed delimiter asks for; `Some` if that was the end.
    fn serve(&mut self, committed: &Committed) -> (DelimiterKind, Option<End>) {
        let (kind, duty) = delimit::duty(committed.delimiter, self.engine.state(), &self.machine.space);
        let end = match duty {
            Duty::GoOn => None,
            Duty::Syscall => self.syscall(),
            Duty::PageFault { address, error } => {
                match self.linux.page_fault(&mut self.machine.space, address, error) {
                    Ok(()) => None,
                    Err(signal) => {
                        Some(self.killed(signal, Some(pe_replay::stop::vector::PAGE_FAULT), address))
                    }
                }
            }
            Duty::ReadTime { with_processor, length } => {
                let now = machine::now();
                let state = self.engine.state_mut();
                state.rax = now & u64::from(u32::MAX);
                state.rdx = now >> 32;
                if with_processor {
                    state.rcx = 0;
                }
                state.rip += length;
                None
            }
            Duty::Kill { signal, vector } => Some(self.killed(signal, Some(vector), self.engine.state().rip)),
        };
        (kind, end)
    }

    fn syscall(&mut self) -> Option<End> {
        match self.linux.syscall(&mut self.machine.space, self.engine.state_mut(), machine::now()) {
            Next::Continue => None,
            Next::Exit { status } => Some(End::Exited { status }),
            Next::Kill { signal } => Some(self.killed(signal, None, self.engine.state().rip)),
            Next::Deadlock => Some(End::Deadlock),
            Next::OutputFull { limit } => Some(End::OutputFull { limit }),
            Next::OutOfMemory => Some(self.killed(signal::SIGKILL, None, self.engine.state().rip)),
        }
    }

    fn killed(&self, signal: u8, vector: Option<u8>, address: u64) -> End {
        let state = self.engine.state();
        End::Killed(Death {
            signal,
            vector,
            address,
            registers: Registers { gpr: state.gprs(), rip: state.rip, rflags: state.rflags },
        })
    }
}
