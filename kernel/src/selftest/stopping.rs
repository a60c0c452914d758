// SPDX-License-Identifier: MIT
//! Whole PEs in tight loops whose counter is late: they end at one place, and the
//! number of debug exceptions stays below its bound.

use pe_replay::{Outcome, Policy};
use pmu::exact::PATIENCE;
use wire::counter::{CounterChoice, CounterFaults, Lateness};

use super::fixture::Fixture;
use super::{Found, Test, check};
use crate::replay::counter::choose;

pub const TESTS: &[Test] = &[
    ("stopping: JMP to itself", |fixture| tight(fixture, &[0xeb, 0xfe], 1)),
    ("stopping: a loop of 2 instructions", |fixture| tight(fixture, &[0x90, 0xeb, 0xfd], 2)),
    ("stopping: a loop of 7 instructions", |fixture| {
        tight(fixture, &[0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xeb, 0xf8], 7)
    }),
];

const LIMIT: u64 = 30_000;
const SEED: u64 = 0x5245_5052_4953_4501;

fn tight(fixture: &mut Fixture, code: &[u8], length: u64) -> Found {
    let usual = fixture.machine.counting;
    let mut found = Ok(());
    for (skid, pes) in [(0, 100), (100, 100), (10_000, 5)] {
        found = found.and_then(|()| late(fixture, code, length, skid, pes));
    }
    fixture.machine.counting = usual;
    found
}

fn late(fixture: &mut Fixture, code: &[u8], length: u64, skid: u32, pes: u32) -> Found {
    let faults = CounterFaults { skid: Lateness::Random(skid), seed: SEED, ..CounterFaults::default() };
    let selection = fixture.on_bench(|bench| choose(CounterChoice::IntelEmulated, faults, bench));
    let Ok(selection) = selection else { return Err(alloc::format!("skid {skid}: it is refused")) };
    fixture.machine.counting = selection.counting;
    let margin = selection.counting.margin;
    let state = fixture.start(code);
    let policy = Policy { limit: LIMIT, ..Policy::DEFAULT };
    let mut engine = fixture.engine_with(policy, margin, &[]);
    engine.state_mut().clone_from(&state);
    for pe in 0..pes {
        let outcome = engine.execute(&mut fixture.machine);
        let account = engine.account();
        let ends =
            matches!(outcome, Outcome::Committed(ref end) if (LIMIT..=LIMIT + 10_000).contains(&end.count));
        check!(ends && account.divergences.is_empty(), "skid {skid}, PE {pe}: {outcome:?}, {account:?}");
        let attempts = 1 + u64::from(account.counter_misses);
        // All attempts together: each has twice the margin of the one before.
        let bound = attempts * (PATIENCE + 1) + (margin.near << attempts) / length;
        let exceptions = u64::from(account.debug_exceptions);
        check!(exceptions <= bound, "skid {skid}, PE {pe}: {exceptions} debug exceptions, not {bound}");
    }
    Ok(())
}
