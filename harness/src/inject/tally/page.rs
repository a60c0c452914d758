// SPDX-License-Identifier: MIT
//! A campaign as one page: no other file and no network is needed to read it.

use anyhow::Result;
use minijinja::value::Value as Shown;
use minijinja::{Environment, context};
use serde_json::Value;

use super::charts::{self, Picture};
use super::{Off, Report};
use crate::inject::bound;
use crate::outcome::page;
use crate::outcome::table::Table;

const PAGE: &str = include_str!("page/page.html");
const TABLE: &str = include_str!("page/table.html");
const STYLE: &str = include_str!("page/page.css");
/// What flips did without replay, with the class of the part of a bar that shows it.
const EFFECTS: [(&str, &str); 5] = [
    ("none", "no effect"),
    ("output", "wrong output"),
    ("status", "wrong status"),
    ("ended", "ended"),
    ("hung", "hung"),
];

impl Report {
    /// Makes the page of a campaign with this origin.
    pub fn page(&self, name: &str, origin: &Value) -> Result<String> {
        let mut environment = page::environment();
        environment.add_template("page", PAGE)?;
        environment.add_template("table", TABLE)?;
        let (flips, effective) = self.counts();
        let policies = (0..self.policies.len()).map(|policy| {
            let (wrong, tried, upper) = self.bound(policy);
            let coverage = self.coverage(policy);
            Ok(context! {
                name => self.policy_name(policy), wrong, tried, upper => percent(upper),
                covered => coverage.covered, least => percent(coverage.least()),
                table => shown(&environment, &self.policy(policy))?,
            })
        });
        let pictures = charts::draw(self)?;
        let pictures = pictures.iter().map(|Picture { title, svg }| {
            context! { title, svg => Shown::from_safe_string(svg.clone()) }
        });
        Ok(environment.get_template("page")?.render(context! {
            name, flips, effective,
            seed => format!("{:#x}", self.seed),
            confidence => format!("{:.0} %", 100.0 * bound::CONFIDENCE),
            head => page::head(&format!("{name}: a campaign of flips"), STYLE)?,
            legend => EFFECTS.map(|(class, title)| context! { class, title }),
            outcomes => self.outcomes(),
            off => shown(&environment, &self.off())?,
            policies => policies.collect::<Result<Vec<_>>>()?,
            pictures => pictures.collect::<Vec<_>>(),
            failures => self.failures,
            origin => words(origin),
        })?)
    }

    /// What flips of each class did without replay, each as a part of all of them.
    fn outcomes(&self) -> Vec<Shown> {
        let outcome = |row: &super::Row| {
            let Off { wrong_output, wrong_status, ended, hung } = row.off;
            let none = row.flips - row.off.effective();
            let parts = EFFECTS.into_iter().zip([none, wrong_output, wrong_status, ended, hung]);
            let parts = parts.filter(|(_, count)| *count > 0).map(|((class, title), count)| {
                let share = 100.0 * count as f64 / row.flips.max(1) as f64;
                context! { class, title, count, share => format!("{share:.3}") }
            });
            context! { target => row.class.to_string(), parts => parts.collect::<Vec<_>>() }
        };
        self.paired().map(outcome).collect()
    }
}

/// What the keys of an object stand for, as text.
fn words(object: &Value) -> Vec<Shown> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = object.as_object().into_iter().flatten();
    pairs.map(|(key, value)| context! { key => key.replace('_', " "), value => text(value) }).collect()
}

fn percent(share: f64) -> String {
    format!("{:.3} %", 100.0 * share)
}

/// A table as it stands in the page.
fn shown(environment: &Environment, table: &Table) -> Result<Shown> {
    let heads: Vec<_> = table.heads().collect();
    let values = context! { heads, rows => table.rows(), notes => table.notes() };
    Ok(Shown::from_safe_string(environment.get_template("table")?.render(values)?))
}

#[cfg(test)]
mod tests {
    use pe_replay::Policy;
    use serde_json::json;

    use super::*;
    use crate::inject::campaign::{Campaign, Scope};
    use crate::inject::draw::Class;
    use crate::inject::effect::{Effect, Reaction};
    use crate::inject::tally::rows::tests::flip;

    #[test]
    fn a_page_has_the_figures_of_the_report_and_needs_no_other_file() {
        let campaign =
            Campaign { count: 1, seed: 7, policies: vec![Policy::DEFAULT], scope: Scope::All, jobs: 1 };
        let mut report = Report::new(&campaign, &Class::PAIRED);
        report.begin(0);
        report.effect(0, Effect::WrongOutput);
        let reaction = Reaction { hit: true, restarts: 1, outvoted: 0, verdict: false };
        report.reaction(0, 0, reaction, true);
        let answer = crate::inject::flip::Answer { reaction: Some(reaction), latency: Some(500), hold: 900 };
        report.flips.push(flip(vec![answer]));
        let page = report.page("a <program>", &json!({ "commit": "abc", "seed": 7 })).unwrap();
        for part in [
            "a &lt;program&gt;",
            "95.000 %",
            "wrong output",
            "general registers, run 1",
            "<dd>abc</dd>",
            "<dd>7</dd>",
        ] {
            assert!(page.contains(part), "no {part}");
        }
        assert_eq!(page.matches("<svg").count(), 3);
        for outside in ["src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
