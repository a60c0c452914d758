// SPDX-License-Identifier: MIT
//! What late interrupts cost: the drivers of the hardware counters, on registers in software
//! that misbehave as told.

use pe_replay::Policy;
use serde_json::{Value, json};
use wire::counter::{CounterChoice, CounterFaults, CounterKind, Lateness};

use super::case::{Case, named};
use super::runner::{Measured, Results};
use super::workload::{COMPUTE, MIXED, SYSCALL, Workload};
use crate::outcome::table::{Align, Table, grouped, ratio};

/// The emulated counters.
pub const COUNTERS: [(&str, CounterChoice); 2] =
    [("intel-emulated", CounterChoice::IntelEmulated), ("amd-emulated", CounterChoice::AmdEmulated)];
/// Seed of what is random about them.
pub const SEED: u64 = 5;

const WORKLOADS: [&Workload; 3] = [&COMPUTE, &SYSCALL, &MIXED];
const LIMITS: [u64; 2] = [10_000, 100_000];
/// One stretch in so many leaves an interrupt over, where interrupts are late.
const STALE: u32 = 100;
const SKIDS: [Lateness; 4] =
    [Lateness::None, Lateness::Fixed(100), Lateness::Random(10_000), Lateness::LongTail(10_000)];

/// A workload at a limit.
struct Group {
    workload: &'static Workload,
    limit: u64,
}

/// A counter with its faults.
struct Row {
    counter: &'static str,
    skid: Lateness,
    case: Case,
}

impl Group {
    fn all() -> impl Iterator<Item = Self> {
        WORKLOADS.into_iter().flat_map(|workload| LIMITS.map(move |limit| Self { workload, limit }))
    }

    /// With virtual time.
    fn exact(&self) -> Case {
        self.workload.case(Policy { limit: self.limit, ..Policy::DEFAULT })
    }

    fn rows(&self) -> Vec<Row> {
        let exact = self.exact();
        let mut rows = Vec::from([Row {
            counter: CounterKind::VirtualTime.name(),
            skid: Lateness::None,
            case: exact.clone(),
        }]);
        for (counter, choice) in COUNTERS {
            rows.extend(SKIDS.map(|skid| {
                let faults = match skid {
                    Lateness::None => CounterFaults::default(),
                    _ => CounterFaults { skid, stale: STALE, seed: SEED, ..CounterFaults::default() },
                };
                Row { counter, skid, case: exact.counted(choice, faults) }
            }));
        }
        rows
    }
}

/// What has to be run.
pub fn cases() -> Vec<Case> {
    Group::all().flat_map(|group| group.rows()).map(|row| row.case).collect()
}

/// A run beside those that it is compared with.
struct Compared<'a> {
    own: &'a Measured,
    off: &'a Measured,
    /// With virtual time.
    exact: &'a Measured,
    /// With the same counter, when that does nothing wrong.
    punctual: &'a Measured,
}

impl<'a> Compared<'a> {
    fn of(results: &'a Results, group: &Group, row: &Row) -> Result<Self, &'a str> {
        let exact = group.exact();
        let punctual = exact.counted(row.case.counter, CounterFaults::default());
        Ok(Self {
            own: results.get(&row.case)?,
            off: results.get(&row.case.baseline())?,
            exact: results.get(&exact)?,
            punctual: results.get(&punctual)?,
        })
    }
}

const COLUMNS: [(&str, Align); 13] = [
    ("workload", Align::Left),
    ("limit", Align::Right),
    ("counter", Align::Left),
    ("skid", Align::Left),
    ("PEs", Align::Right),
    ("debug exceptions a PE: median", Align::Right),
    ("p99.9", Align::Right),
    ("counter misses", Align::Right),
    ("interrupts dropped", Align::Right),
    ("total / off", Align::Right),
    ("total / virtual time", Align::Right),
    ("total / no skid", Align::Right),
    ("modelled / no skid", Align::Right),
];

/// The table of counters.
pub fn table(results: &Results) -> Table {
    let mut table = Table::new("Counters whose interrupts are late, in dual: what it costs.", &COLUMNS);
    for group in Group::all() {
        for row in group.rows() {
            let first =
                [group.workload.name.into(), grouped(group.limit), row.counter.into(), named(row.skid)];
            let figures = match Compared::of(results, &group, &row) {
                Ok(compared) => figures(&compared),
                Err(_) => vec!["FAILED".into()],
            };
            table.row(first.into_iter().chain(figures).collect());
        }
    }
    for note in [
        "emulated counters: the driver's accesses to registers run through a software model, whose instructions are \
         in every total; so the extra cost of late interrupts is `total / no skid`, over the same counter without \
         faults, and `total / virtual time` is not that of a driver on hardware"
            .to_owned(),
        format!(
            "where there is skid, one stretch in {STALE} also leaves an interrupt over, which is dropped; \
             interrupts dropped are these and those that came when something else had ended the stretch"
        ),
        "with skid PEs are longer than the limit, on average by 5,000 with random:10000, and so there are fewer".into(),
        "modelled: with weights for the entry, the debug exception and the debug registers, and with the \
         instructions of the software model as kernel code: too much"
            .into(),
    ] {
        table.note(note);
    }
    table
}

fn figures(compared: &Compared) -> Vec<String> {
    let Compared { own, off, exact, punctual } = *compared;
    vec![
        grouped(own.totals.committed),
        grouped(own.debug_exceptions.median),
        grouped(own.debug_exceptions.most),
        grouped(own.totals.counter_misses),
        grouped(own.totals.drained_overflows),
        ratio(own.over(off)),
        ratio(own.over(exact)),
        ratio(own.over(punctual)),
        ratio(own.modelled_over(punctual)),
    ]
}

/// The counters as JSON.
pub fn value(results: &Results) -> Value {
    let mut values = Vec::new();
    for group in Group::all() {
        values.extend(group.rows().iter().map(|row| {
            let Ok(compared) = Compared::of(results, &group, row) else {
                return json!({ "command": row.case.to_string(), "failed": true });
            };
            let Compared { own, off, exact, punctual } = compared;
            json!({
                "workload": group.workload.name,
                "limit": group.limit,
                "counter": row.counter,
                "skid": named(row.skid),
                "command": row.case.to_string(),
                "pes": own.totals.committed,
                "debug_exceptions": own.totals.debug_exceptions,
                "debug_exceptions_median": own.debug_exceptions.median,
                "debug_exceptions_rare": own.debug_exceptions.most,
                "debug_exceptions_most": own.debug_exceptions.highest,
                "counter_misses": own.totals.counter_misses,
                "drained_overflows": own.totals.drained_overflows,
                "total_instructions": own.totals.total,
                "total_over_off": own.over(off),
                "total_over_virtual_time": own.over(exact),
                "total_over_no_skid": own.over(punctual),
                "modelled_over_no_skid": own.modelled_over(punctual),
            })
        }));
    }
    values.into()
}
