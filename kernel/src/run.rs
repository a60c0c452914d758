// SPDX-License-Identifier: MIT
//! One run: the machine with replay, the executive, and the personality.

use pe_replay::Mode;
use wire::config::{Config, Recording};
use wire::end::{End, EndRecord, Refusal, Totals};
use wire::nova::System;
use wire::record::{CounterKind, Record, TraceHeader, Unit};

use crate::arch::{channel, isolation};
use crate::executive::Executive;
use crate::linux::Linux;
use crate::mem::frame::{self, OutOfFrames};
use crate::mem::space::Space;
use crate::object::archive::Archive;
use crate::object::clock::Clock;
use crate::personality::Personality;
use crate::replay::processor::Replayed;
use crate::replay::{self, Platform};

/// Says in the trace how PEs are run.
pub fn record_header(config: &Config, platform: &Platform) {
    channel::record(&Record::Header(TraceHeader {
        version: wire::VERSION,
        unit: platform.counting.unit,
        counter: platform.counting.kind,
        clock: config.clock.kind,
        is_isolated: isolation::is_isolated(),
        policy: config.policy,
        margin_far: platform.counting.margin.far,
        margin_near: platform.counting.margin.near,
    }));
}

/// Loads the archive's program and runs it to its end.
pub fn run(config: &Config, archive: &Archive<'static>, platform: &Platform) -> Result<EndRecord, Refusal> {
    record_header(config, platform);
    execute::<Linux>(config, archive, platform, config.trace, config.max_instructions)
}

/// Loads a program, runs it to its end, and gives back all it had. After `most` user instructions it is ended, at the
/// end of a PE.
pub fn execute<L: Personality>(
    config: &Config,
    origin: &L::Origin<'_>,
    platform: &Platform,
    trace: Recording,
    most: u64,
) -> Result<EndRecord, Refusal> {
    let out_of_memory = |needed_pages| {
        move |OutOfFrames: OutOfFrames| Refusal::OutOfMemory { needed_pages, free_pages: frame::free_count() }
    };
    let tracking = config.policy.mode != Mode::Off;
    let space = Space::new(platform.kernel_root, tracking).map_err(out_of_memory(1))?;
    let processor = Replayed::new(space, platform, config).map_err(out_of_memory(1))?;
    let clock = Clock::new(config.clock.kind, platform.rate);
    let mut executive = match Executive::<_, L>::new(config, origin, processor, clock) {
        Ok(executive) => executive,
        Err((processor, refusal)) => {
            processor.destroy();
            return Err(refusal);
        }
    };
    if let Err(failed) = executive.processor_mut().reserve() {
        executive.cancel().destroy();
        let needed = replay::reserve(&config.policy, config.system != System::Linux);
        return Err(out_of_memory(needed as u64)(failed));
    }
    let (end, totals, processor) = executive.until_end(trace, most);
    Ok(processor.end_record(end, totals))
}

/// An end without a program behind it.
pub fn ended(end: End) -> EndRecord {
    EndRecord { end, unit: Unit::Instructions, counter: CounterKind::VirtualTime, totals: Totals::default() }
}
