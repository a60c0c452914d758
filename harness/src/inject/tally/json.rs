// SPDX-License-Identifier: MIT
//! A campaign's result as JSON.

use serde_json::{Value, json};
use wire::Name;

use super::{COLUMNS, Off, Report, Row};
use crate::inject::bound;

impl Report {
    /// The report as JSON.
    pub fn json(&self) -> Value {
        let rows = |policy: usize| -> Vec<Value> {
            let row = |row: &Row| {
                let mut value = json!({ "target": row.class.to_string(), "flips": row.flips });
                for (name, number) in COLUMNS.into_iter().zip(row.on[policy].numbers()) {
                    value[name.to_lowercase()] = number.into();
                }
                value
            };
            self.rows.iter().map(row).collect()
        };
        let policies = self.policies.iter().enumerate().map(|(index, policy)| {
            let (wrong, effective, upper) = self.bound(index);
            let coverage = self.coverage(index);
            json!({
                "mode": policy.mode.name(), "recovery": policy.recovery.name(),
                "compare": policy.comparison.name(), "targets": rows(index),
                "paired": { "wrong": wrong, "effective": effective, "upper_bound": upper },
                "coverage": {
                    "covered": coverage.covered, "effective": coverage.effective,
                    "lower_bound": coverage.least(), "interval": bound::interval(coverage.covered, coverage.effective),
                },
                "handling": self.handling(index).map(|handling| json!({
                    "unit": "instructions", "seen": handling.seen, "latency_median": handling.median,
                    "latency_longest": handling.longest, "longest_hold": handling.hold,
                })),
            })
        });
        let off = self.paired().map(|row| {
            let Off { wrong_output, wrong_status, ended, hung } = row.off;
            json!({
                "target": row.class.to_string(), "flips": row.flips, "effective": row.off.effective(),
                "wrong_output": wrong_output, "wrong_status": wrong_status, "ended": ended, "hung": hung,
                "interval": bound::interval(row.off.effective(), row.flips),
            })
        });
        let threads = self.threads.iter().map(|((program, thread), flips)| {
            json!({
                "program": program, "process": thread.process, "thread": thread.thread, "flips": flips,
            })
        });
        json!({
            "seed": self.seed, "confidence": bound::CONFIDENCE, "bound": "one-sided",
            "interval": "two-sided", "off": off.collect::<Vec<_>>(),
            "policies": policies.collect::<Vec<_>>(), "threads": threads.collect::<Vec<_>>(), "failures": self.failures,
        })
    }
}
