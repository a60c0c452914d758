// SPDX-License-Identifier: MIT
//! Workloads by policies: one axis at a time is moved away from the default.

use pe_replay::{Comparison, Flush, Mode, Policy, Recovery, TimedPhase};
use serde_json::{Value, json};
use wire::end::Totals;

use super::Case;
use super::runner::{Measured, Results};
use super::workload::Workload;
use crate::native::{Counts, Event, Refused, per_cycle};
use crate::outcome::json;
use crate::outcome::model::Model;
use crate::outcome::table::{Align, Table, grouped, ratio};

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

/// The columns; `benches/tables.md` explains them.
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

/// Further ones, where this machine's Linux counts.
const NATIVE_COLUMNS: [(&str, Align); 3] = [
    ("native instructions", Align::Right),
    ("native cycles", Align::Right),
    ("counted / native", Align::Right),
];

/// The table of ratios.
pub fn table(workloads: &[&Workload], variants: &[Variant], results: &Results, model: &Model) -> Table {
    let refused = native_refused(workloads, results);
    let native_columns = if refused.is_some() { &[][..] } else { &NATIVE_COLUMNS };
    let mut table = Table::new(
        "Ratios: instructions of the whole run over those without replay, as the emulator counts them: a \
         regression guard, not a cost. Then cycles in the same way, modelled, not measured.",
        &[&COLUMNS, native_columns].concat(),
    );
    table.note(format!("modelled processor: {}", model.processor));
    table.note("a flush is in the modelled cycles and counted, its loop is not in the instructions".into());
    table.note("policies: one axis at a time from dual, restart, bytes, no flush, limit 10^5".into());
    table.note(match &refused {
        None => "native: counted by this machine's processor in user mode, in a run of its own, not under an \
                 emulator; counted / native: the program's instructions in `off` over that, above 1 where the \
                 emulator counts each iteration of a REP, off it where a C library chooses other code"
            .into(),
        Some(refused) => format!("no native columns: {refused}"),
    });
    for workload in workloads {
        for variant in variants {
            let case = workload.case(variant.policy);
            let name = [workload.name.to_owned(), variant.name.to_owned()];
            let cells = match (results.get(&case), results.get(&case.baseline())) {
                (Ok(measured), Ok(off)) => {
                    let mut cells = figures(measured, off);
                    if refused.is_none() && case == case.baseline() {
                        cells.extend(native_figures(off));
                    }
                    cells
                }
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

/// What Linux counted natively of a program whose run without replay this is.
fn native(off: &Measured, event: Event) -> Option<u64> {
    off.native.as_ref()?.get(event).ok()
}

/// Instructions of the program itself, as the emulator counts them, over the native ones.
fn counted_over_native(off: &Measured) -> Option<f64> {
    native(off, Event::Instructions).map(|native| off.totals.user_instructions as f64 / native as f64)
}

fn native_figures(off: &Measured) -> [String; NATIVE_COLUMNS.len()] {
    let count = |event| native(off, event).map_or("-".into(), grouped);
    [count(Event::Instructions), count(Event::Cycles), counted_over_native(off).map_or("-".into(), ratio)]
}

/// Why Linux counted neither instructions nor cycles of any of the workloads; `None` if it did of one.
fn native_refused(workloads: &[&Workload], results: &Results) -> Option<Refused> {
    let counts: Vec<&Counts> = workloads
        .iter()
        .filter_map(|workload| results.get(&workload.case(DEFAULT).baseline()).ok()?.native.as_ref())
        .collect();
    let of = |event| counts.iter().map(move |counts| counts.get(event));
    let mut all = of(Event::Instructions).chain(of(Event::Cycles)).peekable();
    let first = all.peek()?.err()?.clone();
    all.all(|count| count.is_err()).then_some(first)
}

/// The native figures as JSON; null where Linux does not count, and why.
pub fn native_value(workloads: &[&Workload], results: &Results) -> Value {
    let row = |workload: &&Workload| {
        let off = results.get(&workload.case(DEFAULT).baseline()).ok()?;
        Some(json!({
            "workload": workload.name,
            "instructions": native(off, Event::Instructions),
            "cycles": native(off, Event::Cycles),
            "instructions_a_cycle": off.native.as_ref().and_then(per_cycle),
            "counted_over_native": counted_over_native(off),
        }))
    };
    json!({
        "not_counted": native_refused(workloads, results).map(|refused| refused.to_string()),
        "workloads": workloads.iter().filter_map(row).collect::<Vec<_>>(),
    })
}

/// Pages that the mean PE writes.
pub fn frames_a_pe(totals: &Totals) -> f64 {
    totals.frames_written as f64 / totals.committed.max(1) as f64
}

/// The grid as JSON, with the figures behind the ratios.
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
            "modelled_over_second_run": measured.cycles.over_second_run(),
            "modelled_cycles": json::modelled(&measured.cycles),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::runner::tests::{measured, results};
    use super::super::workload::QUICK;
    use super::*;
    use crate::native::counts;
    use crate::outcome::table::Style;

    fn shown(native: Counts) -> (String, Value) {
        let off = QUICK.case(DEFAULT).baseline();
        let baseline = measured(|one| one.native = Some(native));
        let results = results(vec![(off, baseline), (QUICK.case(DEFAULT), measured(|_| ()))]);
        let variants: Vec<Variant> =
            quick().into_iter().filter(|variant| variant.policy.comparison == Comparison::Bytes).collect();
        let model = Model::built_in().unwrap();
        let table = table(&[&QUICK], &variants, &results, model).show(Style::Markdown);
        (table, native_value(&[&QUICK], &results))
    }

    #[test]
    fn where_linux_counts_the_row_without_replay_has_native_columns() {
        let (table, value) = shown(counts(Ok((320, 100))));
        assert!(table.contains(" | native instructions | native cycles | counted / native |"), "{table}");
        // 400 user instructions.
        assert!(table.contains(" | 320 | 100 | 1.250 |\n| steady | dual |"), "{table}");
        assert_eq!(value["workloads"][0]["instructions_a_cycle"], 3.2);
        assert!(value["not_counted"].is_null());
    }

    #[test]
    fn where_it_does_not_there_are_none_and_one_line_says_why() {
        let (table, value) = shown(counts(Err(Refused::NoPerfEvents)));
        assert!(!table.contains("native instructions"), "{table}");
        assert!(table.contains("\n- no native columns: this machine's Linux has no perf events"), "{table}");
        assert!(value["workloads"][0]["cycles"].is_null());
        assert!(value["not_counted"].as_str().unwrap().contains("ENOSYS"));
    }
}
