// SPDX-License-Identifier: MIT
//! Workloads by policies: one axis at a time is moved away from the default.

use pe_replay::wire::end::Totals;
use pe_replay::{Comparison, Flush, Mode, Policy, Recovery, TimedPhase};
use serde_json::{Value, json};

use super::Case;
use super::runner::{Measured, Results};
use super::table::{Align, Table, grouped, ratio};
use super::workload::Workload;
use crate::json;
use crate::model::Model;

/// A policy with its name in the table.
pub struct Variant {
    /// The name.
    pub name: &'static str,
    /// How the policy is asked for.
    pub about: &'static str,
    /// The policy.
    pub policy: Policy,
}

const DEFAULT: Policy = Policy::DEFAULT;

/// Every axis, one at a time.
pub fn all() -> Vec<Variant> {
    let flush = |flush| Policy { flush, ..DEFAULT };
    let limit = |limit| Policy { limit, ..DEFAULT };
    [
        ("off", "--mode off: each PE once", Policy { mode: Mode::Off, ..DEFAULT }),
        ("dual", "the default: dual, restart, bytes, no flush, 100,000 instructions", DEFAULT),
        ("triple", "--mode triple", Policy { mode: Mode::Triple, ..DEFAULT }),
        ("vote", "--recovery vote", Policy { recovery: Recovery::Vote, ..DEFAULT }),
        ("hash", "--compare hash", Policy { comparison: Comparison::Hash, ..DEFAULT }),
        ("clflush", "--flush clflush", flush(Flush::Lines)),
        ("wbinvd", "--flush wbinvd", flush(Flush::All)),
        ("retry", "--flush retry", flush(Flush::Retry)),
        ("limit 10^3", "--limit 1000", limit(1_000)),
        ("limit 10^4", "--limit 10000", limit(10_000)),
        ("limit 10^6", "--limit 1000000", limit(1_000_000)),
        ("limit 10^7", "--limit 10000000", limit(10_000_000)),
    ]
    .map(|(name, about, policy)| Variant { name, about, policy })
    .into()
}

/// Three of them, for a test of the bench itself.
pub fn quick() -> Vec<Variant> {
    all().into_iter().filter(|variant| ["off", "dual", "hash"].contains(&variant.name)).collect()
}

/// What has to be run.
pub fn cases(workloads: &[&Workload], variants: &[Variant]) -> Vec<Case> {
    let of = |workload: &&Workload| variants.iter().map(|variant| workload.case(variant.policy)).collect();
    workloads.iter().flat_map(|workload| -> Vec<Case> { of(workload) }).collect()
}

/// The columns; `benches/README.md` explains them.
pub const COLUMNS: [(&str, Align); 12] = [
    ("workload", Align::Left),
    ("policy", Align::Left),
    ("PEs", Align::Right),
    ("instructions a PE", Align::Right),
    ("frames a PE", Align::Right),
    ("write faults", Align::Right),
    ("total / off", Align::Right),
    ("total / second run", Align::Right),
    ("modelled / off", Align::Right),
    ("lines flushed", Align::Right),
    ("caches flushed", Align::Right),
    ("modelled for flushes", Align::Right),
];

/// The table of ratios.
pub fn table(workloads: &[&Workload], variants: &[Variant], results: &Results, model: &Model) -> Table {
    let mut table = Table::new(
        "Ratios: instructions of the whole run over those without replay, as the emulator counts them: a \
         regression guard, not a cost. Then cycles in the same way, modelled, not measured.",
        &COLUMNS,
    );
    table.note(format!("modelled processor: {}", model.processor));
    table.note("a flush is in the modelled cycles and counted, its loop is not in the instructions".into());
    table.note("policies: one axis at a time from dual, restart, bytes, no flush, limit 10^5".into());
    for workload in workloads {
        for variant in variants {
            let case = workload.case(variant.policy);
            let name = [workload.name.to_owned(), variant.name.to_owned()];
            let cells = match (results.get(&case), results.get(&case.baseline())) {
                (Ok(measured), Ok(off)) => figures(measured, off),
                (Err(_), _) | (_, Err(_)) => vec!["FAILED".into()],
            };
            table.row(name.into_iter().chain(cells).collect());
        }
    }
    table
}

fn figures(measured: &Measured, off: &Measured) -> Vec<String> {
    let totals = &measured.totals;
    vec![
        grouped(totals.committed),
        grouped(totals.user_instructions / totals.committed.max(1)),
        format!("{:.1}", frames_a_pe(totals)),
        grouped(totals.write_faults),
        ratio(measured.over(off)),
        match totals.phases.get(TimedPhase::SecondRun) {
            0 => "-".into(),
            second => ratio(measured.instructions() as f64 / second as f64),
        },
        ratio(measured.modelled_over(off)),
        grouped(totals.events.lines_flushed),
        grouped(totals.events.cache_flushes),
        format!("{:.1} %", 100.0 * measured.cycles.get(TimedPhase::Flush) / measured.cycles.total()),
    ]
}

/// Pages that the mean PE writes.
pub fn frames_a_pe(totals: &Totals) -> f64 {
    totals.frames_written as f64 / totals.committed.max(1) as f64
}

/// The same as JSON, with the figures behind the ratios.
pub fn value(workloads: &[&Workload], variants: &[Variant], results: &Results) -> Value {
    let rows = workloads.iter().flat_map(|workload| variants.iter().map(move |variant| (workload, variant)));
    rows.map(|(workload, variant)| {
        let case = workload.case(variant.policy);
        let (Ok(measured), Ok(off)) = (results.get(&case), results.get(&case.baseline())) else {
            return json!({ "workload": workload.name, "policy": variant.name, "failed": true });
        };
        json!({
            "workload": workload.name,
            "policy": variant.name,
            "command": case.to_string(),
            "pes": measured.totals.committed,
            "user_instructions": measured.totals.user_instructions,
            "total_instructions": measured.totals.total,
            "total_over_off": measured.over(off),
            "frames_written": measured.totals.frames_written,
            "write_faults": measured.totals.write_faults,
            "longest_hold": measured.totals.longest_hold,
            "phases": json::phases(&measured.totals.phases),
            "events": measured.totals.events,
            "modelled_total": measured.cycles.total().round(),
            "modelled_over_off": measured.modelled_over(off),
            "modelled_cycles": json::modelled(&measured.cycles),
        })
    })
    .collect()
}
