// SPDX-License-Identifier: MIT
//! The shape of PE for which the original gives figures, beside those figures.
//!
//! P. Tokponnon and M. Lobelle measured (FOSDEM 2017) a PE of some 20,000 instructions and ten written
//! pages at 5.27 times its second run, and at 34 times with its cache flush; they do not predict pages.
//! What is compared is the whole over the user instructions of the second run, in modelled cycles.

use pe_replay::{Flush, Policy, TimedPhase};
use serde_json::{Value, json};
use wire::Name;

use super::case::Case;
use super::grid::frames_a_pe;
use super::runner::Results;
use super::workload::{FRESH, STEADY, Workload};
use crate::outcome::table::{Align, Table, grouped, ratio};

/// A row: what is run, and what the original measured of such a PE.
struct Shape {
    pages: &'static str,
    flush: Flush,
    workload: Workload,
    original: Option<f64>,
}

const SHAPES: [Shape; 4] = [
    Shape { pages: "predicted", flush: Flush::Never, workload: STEADY, original: None },
    Shape { pages: "new in each PE", flush: Flush::Never, workload: FRESH, original: Some(5.27) },
    Shape { pages: "predicted", flush: Flush::All, workload: STEADY, original: None },
    Shape { pages: "new in each PE", flush: Flush::All, workload: FRESH, original: Some(34.0) },
];

impl Shape {
    fn case(&self) -> Case {
        self.workload.case(Policy { flush: self.flush, ..Policy::DEFAULT })
    }
}

/// What has to be run.
pub fn cases() -> Vec<Case> {
    SHAPES.iter().map(Shape::case).collect()
}

const COLUMNS: [(&str, Align); 8] = [
    ("ten pages", Align::Left),
    ("flush", Align::Left),
    ("PEs", Align::Right),
    ("instructions a PE", Align::Right),
    ("frames a PE", Align::Right),
    ("total / second run", Align::Right),
    ("modelled / second run", Align::Right),
    ("the original", Align::Right),
];

/// The table beside the original.
pub fn table(results: &Results) -> Table {
    let mut table = Table::new(
        "The original's shape in dual: the whole over the user instructions of the second run, as QEMU counts \
         them, and in modelled cycles, which is what the original's figures are to be set beside.",
        &COLUMNS,
    );
    for shape in &SHAPES {
        let name = vec![shape.pages.to_owned(), shape.flush.name().to_owned()];
        let cells = match results.get(&shape.case()) {
            Ok(measured) => {
                let totals = &measured.totals;
                let second = totals.phases.get(TimedPhase::SecondRun).max(1);
                vec![
                    grouped(totals.committed),
                    grouped(totals.user_instructions / totals.committed.max(1)),
                    format!("{:.1}", frames_a_pe(totals)),
                    ratio(measured.instructions() as f64 / second as f64),
                    measured.cycles.over_second_run().map_or("-".into(), ratio),
                    shape.original.map_or("-".into(), |figure| format!("{figure}")),
                ]
            }
            Err(_) => vec!["FAILED".into()],
        };
        table.row([name, cells].concat());
    }
    table.note(
        "the original's PE is the worst of its slides, in microseconds on a processor; a model of one processor \
         stands on this side"
            .into(),
    );
    table
}

/// The rows as JSON.
pub fn value(results: &Results) -> Value {
    let row = |shape: &Shape| {
        let measured = results.get(&shape.case()).ok();
        json!({
            "pages": shape.pages,
            "flush": shape.flush.name(),
            "command": shape.case().to_string(),
            "modelled_total": measured.map(|measured| measured.cycles.total().round()),
            "modelled_over_second_run": measured.and_then(|measured| measured.cycles.over_second_run()),
            "original": shape.original,
        })
    };
    SHAPES.iter().map(row).collect()
}
