// SPDX-License-Identifier: MIT
//! What became of flips in root tasks: a table for each policy, by the places of the processing elements that they hit.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Error;
use pe_replay::Policy;
use serde_json::{Value, json};
use wire::Name;

use super::task::{Hit, RootTask};
use super::{Place, Shot};
use crate::outcome::table::{Align, Style, Table};

/// What became of the flips in processing elements that end at one place.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    flips: u64,
    hit: u64,
    found: u64,
    wrong: u64,
}

/// The rows of a policy.
type Rows = BTreeMap<Place, Row>;

/// What became of all flips.
#[derive(Debug)]
pub struct Report {
    seed: u64,
    policies: Vec<(Policy, Rows)>,
    failures: Vec<String>,
}

impl Report {
    /// Nothing so far.
    pub fn new(seed: u64, policies: &[Policy]) -> Self {
        let policies = policies.iter().map(|policy| (*policy, Rows::new())).collect();
        Self { seed, policies, failures: Vec::new() }
    }

    /// Adds a flip that changed nothing of what a root task says.
    pub fn add(&mut self, policy: usize, hit: Hit) {
        let Hit { place, has_hit, is_found } = hit;
        let row = self.policies[policy].1.entry(place).or_default();
        row.flips += 1;
        row.hit += u64::from(has_hit);
        row.found += u64::from(is_found);
    }

    /// Adds flips after which something was wrong, all in one boot.
    pub(super) fn wrong(&mut self, policy: usize, task: &RootTask, shots: &[Shot<'_>], reason: &Error) {
        let (policy, rows) = &mut self.policies[policy];
        for shot in shots {
            let row = rows.entry(shot.place.clone()).or_default();
            row.flips += 1;
            row.wrong += 1;
        }
        let flips: String =
            shots.iter().map(|shot| format!(" --inject {}", wire::injection::Text(shot.flip))).collect();
        let (mode, recovery) = (policy.mode.name(), policy.recovery.name());
        self.failures.push(format!(
            "{reason:#}: cargo reprise run {} --mode {mode} --recovery {recovery}{flips}",
            task.options()
        ));
    }

    /// What was wrong.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// How many flips hit something, and how many two runs differed by.
    pub fn counts(&self) -> (u64, u64) {
        let rows = || self.policies.iter().flat_map(|(_, rows)| rows.values());
        (rows().map(|row| row.hit).sum(), rows().map(|row| row.found).sum())
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let row = |(Place { whose, end }, row): (&Place, &Row)| {
            let Row { flips, hit, found, wrong } = row;
            json!({ "whose": whose, "end": end, "flips": flips, "hit": hit, "found": found, "wrong": wrong })
        };
        let policy = |(policy, rows): &(Policy, Rows)| {
            json!({
                "mode": policy.mode.name(),
                "recovery": policy.recovery.name(),
                "ends": rows.iter().map(row).collect::<Vec<_>>(),
            })
        };
        json!({
            "seed": self.seed,
            "policies": self.policies.iter().map(policy).collect::<Vec<_>>(),
            "failures": self.failures,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = |name| (name, Align::Right);
        let columns = [
            ("PE of", Align::Left),
            ("ended by", Align::Left),
            right("flips"),
            right("hit"),
            right("found"),
            right("without effect"),
            right("WRONG"),
        ];
        for (policy, rows) in &self.policies {
            let mut table =
                Table::new("Flips, by the component and the end of the PE that they hit", &columns);
            let mut all = Row::default();
            let mut add = |whose: &str, end: &str, row: Row| {
                let Row { flips, hit, found, wrong } = row;
                let numbers = [flips, hit, found, hit - found, wrong].map(|it| it.to_string());
                table.row([whose, end].into_iter().map(str::to_owned).chain(numbers).collect());
            };
            for (Place { whose, end }, row) in rows {
                add(whose, end, *row);
                all = Row {
                    flips: all.flips + row.flips,
                    hit: all.hit + row.hit,
                    found: all.found + row.found,
                    wrong: all.wrong + row.wrong,
                };
            }
            add("all", "", all);
            table.note(format!("{}, {}, seed {:#x}", policy.mode.name(), policy.recovery.name(), self.seed));
            write!(f, "{}", table.show(Style::Text))?;
        }
        Ok(())
    }
}
