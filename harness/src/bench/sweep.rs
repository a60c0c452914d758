// SPDX-License-Identifier: MIT
//! The instruction limit: a short one costs more, a long one holds interrupts back longer.

use pe_replay::Policy;
use serde_json::{Value, json};

use super::case::Case;
use super::runner::Results;
use super::workload::{COMPUTE, MEMORY, MIXED, Workload};
use crate::outcome::table::{Align, Table, grouped, ratio};

/// 1, 2, 5 in each power of ten.
const LIMITS: [u64; 13] = [
    1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000, 5_000_000,
    10_000_000,
];

/// Programs whose PEs the limit ends.
const WORKLOADS: [Workload; 3] = [COMPUTE, MEMORY, MIXED];

fn case(workload: &Workload, limit: u64) -> Case {
    workload.case(Policy { limit, ..Policy::DEFAULT })
}

/// What has to be run.
pub fn cases() -> Vec<Case> {
    WORKLOADS.iter().flat_map(|workload| LIMITS.map(|limit| case(workload, limit))).collect()
}

/// One workload over the limit.
pub struct Curve {
    /// The workload.
    pub name: &'static str,
    /// In the order of the limits; those that failed are left out.
    pub points: Vec<Point>,
}

/// One workload at one limit.
pub struct Point {
    /// Instructions after which a PE ends.
    pub limit: u64,
    /// PEs.
    pub pes: u64,
    /// Instructions over those without replay.
    pub over_off: f64,
    /// Modelled cycles over those without replay.
    pub modelled_over_off: f64,
    /// Median delay of an interrupt.
    pub median_delay: u64,
    /// Longest one.
    pub longest_hold: u64,
}

/// All workloads.
pub fn curves(results: &Results) -> Vec<Curve> {
    let point = |workload: &Workload, limit| {
        let case = case(workload, limit);
        let (measured, off) = (results.get(&case).ok()?, results.get(&case.baseline()).ok()?);
        Some(Point {
            limit,
            pes: measured.totals.committed,
            over_off: measured.over(off),
            modelled_over_off: measured.modelled_over(off),
            median_delay: measured.latency.median,
            longest_hold: measured.latency.longest,
        })
    };
    let points = |workload| LIMITS.into_iter().filter_map(|limit| point(workload, limit)).collect();
    WORKLOADS.iter().map(|workload| Curve { name: workload.name, points: points(workload) }).collect()
}

const COLUMNS: [(&str, Align); 7] = [
    ("workload", Align::Left),
    ("limit", Align::Right),
    ("PEs", Align::Right),
    ("total / off", Align::Right),
    ("modelled / off", Align::Right),
    ("median delay", Align::Right),
    ("longest hold", Align::Right),
];

/// The table of the sweep.
pub fn table(results: &Results) -> Table {
    let mut table = Table::new(
        "The instruction limit in dual: cost, over the run without replay at the default limit, and how long \
         interrupts are held back, in instructions as QEMU counts them.",
        &COLUMNS,
    );
    for curve in curves(results) {
        for point in &curve.points {
            table.row(vec![
                curve.name.into(),
                grouped(point.limit),
                grouped(point.pes),
                ratio(point.over_off),
                ratio(point.modelled_over_off),
                grouped(point.median_delay),
                grouped(point.longest_hold),
            ]);
        }
    }
    table.note("median delay: of an interrupt that comes at a random moment of a PE".into());
    table
}

/// The sweep as JSON.
pub fn value(results: &Results) -> Value {
    let mut rows = Vec::new();
    for curve in curves(results) {
        rows.extend(curve.points.iter().map(|point| {
            json!({
                "workload": curve.name,
                "limit": point.limit,
                "pes": point.pes,
                "total_over_off": point.over_off,
                "modelled_over_off": point.modelled_over_off,
                "median_delay": point.median_delay,
                "longest_hold": point.longest_hold,
            })
        }));
    }
    rows.into()
}
