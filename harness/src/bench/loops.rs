// SPDX-License-Identifier: MIT
//! Debug exceptions in endless loops, where nothing but a count tells one iteration from the
//! next: the worst that a counter with late interrupts can meet, and what bounds it.

use anyhow::{Result, ensure};
use pe_replay::Policy;
use serde_json::{Value, json};
use wire::DelimiterKind;
use wire::counter::{CounterFaults, Lateness};
use wire::record::{PeRecord, TraceHeader};

use super::case::{Case, LOOPS, named};
use super::counters::{COUNTERS, SEED};
use super::runner::Results;
use crate::outcome::summary::DebugExceptions;
use crate::outcome::table::{Align, Table, grouped};
use sums::spread::Spread;

/// Instructions of the program's loops, in the order of its processes.
pub const LENGTHS: [u64; 3] = [1, 2, 7];
/// The process of the first loop; the program itself is 1.
const FIRST_PROCESS: u32 = 2;
/// A process's turn, so that each is one PE.
pub const TURN: u64 = 50_000;
/// Turns of each loop.
const TURNS: &str = "1000";

/// How late interrupts are.
pub const SKIDS: [Lateness; 7] = [
    Lateness::None,
    Lateness::Fixed(100),
    Lateness::Random(100),
    Lateness::LongTail(100),
    Lateness::Fixed(10_000),
    Lateness::Random(10_000),
    Lateness::LongTail(10_000),
];

/// One loop under one counter.
#[derive(Clone, Copy, Debug)]
pub struct Looped {
    /// Its instructions.
    pub length: u64,
    /// Its PEs that the limit ended.
    pub pes: u64,
    /// Second runs that were repeated.
    pub misses: u64,
    /// Debug exceptions a PE.
    pub exceptions: DebugExceptions,
    /// The most that there may be in a PE without a miss.
    pub bound: u64,
    /// The first PE that took more than it may.
    above: Option<(u64, u32)>,
}

impl Looped {
    /// Fails if a PE took more debug exceptions than its bound.
    pub fn check(&self) -> Result<()> {
        let Self { length, above, .. } = self;
        if let Some((pe, exceptions)) = above {
            ensure!(false, "PE {pe}, in a loop of {length}: {exceptions} debug exceptions are too many");
        }
        Ok(())
    }
}

/// The program's loops in a trace.
pub fn of(header: &TraceHeader, records: &[PeRecord]) -> Vec<Looped> {
    (FIRST_PROCESS..).zip(LENGTHS).map(|(process, length)| one(header, records, process, length)).collect()
}

fn one(header: &TraceHeader, records: &[PeRecord], process: u32, length: u64) -> Looped {
    let own: Vec<&PeRecord> = records
        .iter()
        .filter(|record| record.thread.process == process && record.delimiter == DelimiterKind::Limit)
        .collect();
    let most = |record: &PeRecord| {
        header.most_debug_exceptions(record.counter_misses.into(), record.instructions, length)
    };
    let above = own.iter().find(|record| u64::from(record.debug_exceptions) > most(record));
    Looped {
        length,
        pes: own.len() as u64,
        misses: own.iter().map(|record| u64::from(record.counter_misses)).sum(),
        exceptions: DebugExceptions::from(
            &own.iter().map(|record| record.debug_exceptions.into()).collect::<Spread>(),
        ),
        bound: header.most_debug_exceptions(0, u64::MAX, length),
        above: above.map(|record| (record.sequence, record.debug_exceptions)),
    }
}

/// All counters and skids.
fn rows() -> impl Iterator<Item = (&'static str, Lateness, Case)> {
    let policy = Policy { limit: TURN, ..Policy::DEFAULT };
    COUNTERS.into_iter().flat_map(move |(name, counter)| {
        SKIDS.into_iter().map(move |skid| {
            let faults = CounterFaults { skid, seed: SEED, ..CounterFaults::default() };
            (name, skid, Case::new(LOOPS, &[TURNS], policy).counted(counter, faults))
        })
    })
}

/// What has to be run.
pub fn cases() -> Vec<Case> {
    rows().map(|(_, _, case)| case).collect()
}

const COLUMNS: [(&str, Align); 9] = [
    ("loop", Align::Left),
    ("counter", Align::Left),
    ("skid", Align::Left),
    ("PEs", Align::Right),
    ("median", Align::Right),
    ("p99.9", Align::Right),
    ("most", Align::Right),
    ("bound", Align::Right),
    ("counter misses", Align::Right),
];

/// What a loop is called.
fn name(length: u64) -> String {
    match length {
        1 => "jmp .".into(),
        length => format!("{length} instructions"),
    }
}

/// The table of loops.
pub fn table(results: &Results) -> Table {
    let mut table = Table::new(
        "Debug exceptions a PE in endless loops: PEs of 50,000 instructions and the skid, in dual.",
        &COLUMNS,
    );
    table.note(
        "bound: PATIENCE + near / length + 1, with the margin that the boot measured for tight loops; each miss \
         adds PATIENCE and doubles near, and the last attempt of all steps the whole PE. Every PE is held to its own."
            .into(),
    );
    for (at, length) in LENGTHS.into_iter().enumerate() {
        for (counter, skid, case) in rows() {
            let first = [name(length), counter.into(), named(skid)];
            let figures = match results.get(&case) {
                Ok(measured) => {
                    let Looped { pes, misses, exceptions, bound, .. } = measured.loops[at];
                    let DebugExceptions { median, most, highest } = exceptions;
                    [pes, median, most, highest, bound, misses].map(grouped).to_vec()
                }
                Err(_) => vec!["FAILED".into()],
            };
            table.row(first.into_iter().chain(figures).collect());
        }
    }
    table
}

/// The loops as JSON.
pub fn value(results: &Results) -> Value {
    let mut values = Vec::new();
    for (counter, skid, case) in rows() {
        let Ok(measured) = results.get(&case) else {
            values.push(json!({ "counter": counter, "skid": named(skid), "failed": true }));
            continue;
        };
        values.extend(measured.loops.iter().map(|looped| {
            json!({
                "loop": looped.length,
                "counter": counter,
                "skid": named(skid),
                "pes": looped.pes,
                "debug_exceptions_median": looped.exceptions.median,
                "debug_exceptions_rare": looped.exceptions.most,
                "debug_exceptions_most": looped.exceptions.highest,
                "bound": looped.bound,
                "counter_misses": looped.misses,
            })
        }));
    }
    values.into()
}
