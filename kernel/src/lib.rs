// SPDX-License-Identifier: MIT
//! The Reprise kernel: runs one program, every processing element twice.
//!
//! The rooms, each of which uses only those before it:
//! - `arch`: the processor and its platform; decoding of instruction bytes
//! - `mem`: frames, page tables, spaces; with `arch`, all `unsafe` there is
//! - `object`: what every personality is made of
//! - `trap`: from "user code stopped" to what it asks for
//! - `replay`: the machine as the engine (`pe-replay`) sees it, its counter included
//! - `executive`, and `personality`, the trait below it: the loop over processing elements
//! - `linux` and `nova`: what programs see
//! - `run`, `system`, `batch`, `selftest` and this file

#![no_std]

extern crate alloc;

mod arch;
mod batch;
mod executive;
mod linux;
mod mem;
/// Public, as host tests drive all of it.
pub mod nova;
/// Public, as it offers more than the one personality that there is asks for.
pub mod object;
mod panic;
pub mod personality;
mod replay;
mod run;
mod selftest;
mod system;
pub mod trap;

use pages::Primitives;
use wire::checks::Text;
use wire::config::{Config, Job, entry};
use wire::counter::CounterChoice;
use wire::end::{End, EndRecord, Refusal};
use wire::isolation::Isolate;
use wire::nova::System;

use arch::boot::{BootInfo, Region};
use arch::{channel, firmware, machine, processor, watchdog};
use mem::frame::{self, OutOfFrames};
use mem::space::{PAGE_LEN, Space};
use mem::{heap, layout, phys};
use object::archive::Archive;
use object::clock::Rate;
use replay::Platform;
use replay::counter::{self, CounterError, Selection};
use replay::reach::{self, Liberties};
use system::Delivered;

/// The watchdog must not run down within so many runs at the limit.
const WATCHDOG_RUNS: u64 = 4;

arch::boot::entry_point!(kernel_main);

/// Called by the boot code, on the kernel's stack, with the boot page tables.
fn kernel_main(boot: &BootInfo) -> ! {
    firmware::read(boot);
    let Some(region) = boot.archive else { panic!("the boot loader passed no archive") };
    let (archive, modules) = Archive::split(phys::claim(region), entry::MEMORY);
    let config = match archive.find(entry::CONFIG).map(Config::decode) {
        Some(Ok(config)) => config,
        Some(Err(error)) => panic!("the configuration is unusable: {error}"),
        None => panic!("the archive has no configuration"),
    };
    let channel = Region { start: config.channel_base, end: config.channel_base + config.channel_size };
    let memory_end = boot.memory.iter().map(|region| region.end).max().unwrap_or(0);
    assert!(
        boot.memory.iter().any(|region| region.start <= channel.start && channel.end <= region.end),
        "the channel does not lie in memory"
    );
    let channel_memory = phys::claim(channel);
    layout::clear_low(&boot.memory);
    let Ok(setup) = frame::init(&boot.memory) else { panic!("there is no memory to keep records of frames") };
    let delivered = match config.system {
        System::Linux => Ok(None),
        System::Nova(nova) => {
            let Some(modules) = modules else { panic!("the archive has no memory of modules") };
            let archive = (region, modules);
            system::set_aside(boot, &setup, nova.kernel_memory_len, archive, channel).map(Some)
        }
    };
    let Ok(root) = layout::init(memory_end) else { panic!("there is no memory for page tables") };
    channel::init(channel_memory, config.sink);
    if setup.unused > 0 {
        defmt::warn!("{=u64} bytes of memory above 4 GiB are not used", setup.unused);
    }
    let started = delivered.map_err(out_of_memory(config.memory_len / PAGE_LEN));
    let started = started.and_then(|delivered| start(&config, &archive, delivered, root));
    let end = match started {
        Ok(end) => end,
        Err(refusal) => run::ended(End::Refused(refusal)),
    };
    channel::finish(&end)
}

fn out_of_memory(needed_pages: u64) -> impl Fn(OutOfFrames) -> Refusal {
    move |OutOfFrames| Refusal::OutOfMemory { needed_pages, free_pages: frame::free_count() }
}

/// Finds a counter, and takes the kernel out of the user's page tables, if it is to be isolated; returns what spaces
/// are made upon from then on.
fn settle(
    config: &Config,
    root: layout::KernelHalf,
    is_isolated: bool,
    mxcsr_mask: u32,
) -> Result<(layout::KernelHalf, Selection), Refusal> {
    let select = |root, found| {
        let mut space = Space::new(root, true).map_err(out_of_memory(1))?;
        let selection = match found {
            Some(found) => counter::select_again(found, config, &mut space, mxcsr_mask),
            None => counter::select(config, &mut space, mxcsr_mask),
        };
        space.destroy();
        selection.map_err(|error| match error {
            CounterError::Fault(fault) => Refusal::Counter(fault),
            CounterError::OutOfFrames => out_of_memory(8)(OutOfFrames),
        })
    };
    if !is_isolated {
        return Ok((root, select(root, None)?));
    }
    // A counter proves itself on thousands of entries into code of the kernel's own. Isolated, each of them would have an
    // emulator forget all translations twice.
    let found = (config.counter == CounterChoice::Detect).then(|| select(root, None)).transpose()?;
    let root = layout::isolate(root).map_err(out_of_memory(8))?;
    Ok((root, select(root, found)?))
}

/// Brings the machine up and does the job.
fn start(
    config: &Config,
    archive: &Archive<'static>,
    delivered: Option<Delivered<'_>>,
    root: layout::KernelHalf,
) -> Result<EndRecord, Refusal> {
    if config.mutation.is_some() && !cfg!(feature = "mutants") {
        return Err(Refusal::Mutation);
    }
    processor::init().map_err(Refusal::Processor)?;
    arch::init();
    if let Some(fault) = firmware::fault() {
        defmt::warn!("{}: lines are taken to be wired as in every PC", defmt::Display2Format(&fault));
    }
    let measured = watchdog::init().ok_or(Refusal::NoIoApic)?;
    let period = measured.period;
    let heap_len = frame::free_count() / if delivered.is_some() { 2 } else { 4 } * PAGE_LEN;
    heap::init(heap_len).map_err(out_of_memory(heap_len / PAGE_LEN))?;
    arch::decode::init();
    let mxcsr_mask = processor::mxcsr_mask();
    let mut space = Space::new(root, true).map_err(out_of_memory(1))?;
    let examined = reach::examine(&mut space, mxcsr_mask).map_err(out_of_memory(4));
    space.destroy();
    let Liberties { reach, mxcsr: mxcsr_mask } = examined?;
    let is_isolated = match config.isolate {
        Isolate::Auto => reach.any(),
        Isolate::Always => true,
        Isolate::Never => false,
    };
    let isolation = if is_isolated { "out of" } else { "in" };
    defmt::info!("{}; it is {=str} the user's page tables", defmt::Display2Format(&reach), isolation);
    let (root, selection) = settle(config, root, is_isolated, mxcsr_mask)?;
    let counting = selection.counting;
    defmt::info!("{}; watchdog period {=u64}", defmt::Display2Format(&selection), period);
    if config.policy.limit > period / WATCHDOG_RUNS {
        return Err(Refusal::LimitAboveWatchdog { limit: config.policy.limit, most: period / WATCHDOG_RUNS });
    }
    let rate = Rate::measured(measured.ticks, measured.duration_ns);
    let platform =
        Platform { kernel_root: root, counting, mxcsr_mask, primitives: Primitives::detect(), rate };
    match config.job {
        Job::Run => match delivered {
            Some(delivered) => system::run(config, archive, delivered, &platform),
            None => run::run(config, archive, &platform),
        },
        Job::Batch => Ok(run::ended(batch::run(config, archive, &platform))),
        Job::SelfTest => Ok(run::ended(selftest::run(config, &platform))),
        Job::Calibrate => {
            #[expect(clippy::disallowed_macros, reason = "there is no program")]
            let table = alloc::format!(
                "{}{selection}\n{reach}; it is {isolation} the user's page tables\n",
                Text(&selection.report)
            );
            if let Err(full) = channel::output(1, table.as_bytes()) {
                return Ok(run::ended(End::OutputFull { limit: full.capacity }));
            }
            Ok(run::ended(End::Calibrated(counter::report(&counting))))
        }
        Job::Panic => panic!("as asked for"),
        Job::TripleFault => machine::triple_fault(),
        Job::Hang => machine::hang(),
    }
}
