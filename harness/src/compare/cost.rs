// SPDX-License-Identifier: MIT
//! What a program cost under several policies: a table, a sentence that can be quoted, and the same as JSON.

use pe_replay::{Flush, Mode, Phases, Policy, Recovery, TimedPhase};
use serde_json::{Map, Value, json};
use wire::Name;
use wire::record::Unit;

use crate::outcome::json;
use crate::outcome::model::{Cycles, Model};
use crate::outcome::summary::Summary;
use crate::outcome::summary::text::{phase_title, unit_name};
use crate::outcome::table::{Align, Style, Table, grouped, ratio};

/// What does not show in a sentence of two places.
const UNSEEN: f64 = 0.005;

/// What a program cost under a policy.
#[derive(Clone, Debug)]
pub struct Measured {
    policy: Policy,
    unit: Unit,
    pes: u64,
    user_instructions: u64,
    total: u64,
    phases: Phases,
    /// Modelled cycles; none where the run was timed in cycles.
    cycles: Option<Cycles>,
    longest_hold: u64,
}

impl Measured {
    /// What a run adds up to.
    pub fn of(summary: &Summary) -> Self {
        let totals = summary.totals();
        Self {
            policy: summary.header.policy,
            unit: summary.header.unit,
            pes: totals.committed,
            user_instructions: totals.user_instructions,
            total: totals.total,
            phases: totals.phases,
            cycles: summary.modelled,
            longest_hold: totals.longest_hold,
        }
    }

    /// How many times as much as another run cost.
    fn over(&self, other: &Self) -> f64 {
        self.total as f64 / other.total as f64
    }

    /// How many times as many modelled cycles.
    fn cycles_over(&self, other: &Self) -> Option<f64> {
        Some(self.cycles?.total() / other.cycles?.total())
    }
}

/// What a program cost, first without replay.
#[derive(Debug)]
pub struct Costs {
    program: String,
    runs: Vec<Measured>,
}

/// The name of a policy: what of it is not usual.
pub fn name(policy: &Policy) -> String {
    let mut words = vec![policy.mode.name()];
    if policy.mode == Mode::Dual && policy.recovery != Recovery::Restart {
        words.push(policy.recovery.name());
    }
    if policy.mode != Mode::Off && policy.comparison != Policy::DEFAULT.comparison {
        words.push(policy.comparison.name());
    }
    if policy.flush != Flush::Never {
        words.push(policy.flush.name());
    }
    words.join(", ")
}

impl Costs {
    /// The runs of a program, the first of them without replay.
    pub fn new(program: String, runs: Vec<Measured>) -> Self {
        Self { program, runs }
    }

    /// The table, and behind it a sentence for each run with replay.
    pub fn text(&self, style: Style) -> String {
        let [off, replayed @ ..] = &self.runs[..] else { return String::new() };
        let unit = unit_name(off.unit);
        let columns = [
            ("mode", Align::Left),
            ("PEs", Align::Right),
            ("user instructions", Align::Right),
            (unit, Align::Right),
            ("over off", Align::Right),
            ("modelled cycles", Align::Right),
            ("over off", Align::Right),
            ("longest hold", Align::Right),
        ];
        let mut table = Table::new("", &columns);
        for run in &self.runs {
            let cycles =
                run.cycles.map_or_else(|| "-".into(), |cycles| grouped(cycles.total().round() as u64));
            let cycles_over = run.cycles_over(off).map_or_else(|| "-".into(), ratio);
            table.row(vec![
                name(&run.policy),
                grouped(run.pes),
                grouped(run.user_instructions),
                grouped(run.total),
                ratio(run.over(off)),
                cycles,
                cycles_over,
                grouped(run.longest_hold),
            ]);
        }
        table.note(format!(
            "{unit}: all that were executed from the program's first to its end, the kernel's included; longest hold, in {unit}: how long interrupts were held back at most"
        ));
        if let (Some(_), Ok(model)) = (off.cycles, Model::built_in()) {
            table.note(format!("modelled cycles are no measurement: {}", model.processor));
        }
        let mut text = table.show(style).trim_start_matches('\n').to_owned();
        for run in replayed {
            text.push('\n');
            text.push_str(&self.sentence(off, run));
            text.push('\n');
        }
        text
    }

    /// What a stranger can quote: how much more a run cost, and what for.
    fn sentence(&self, off: &Measured, run: &Measured) -> String {
        let unit = unit_name(run.unit);
        let cycles = run.cycles_over(off).map(|ratio| format!(", {ratio:.2} times the modelled cycles"));
        let mut parts: Vec<(TimedPhase, f64)> = TimedPhase::ALL
            .into_iter()
            .map(|phase| (phase, self.more(off, run, phase)))
            .filter(|(_, more)| more.abs() >= UNSEEN)
            .collect();
        parts.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let extra = run.over(off) - 1.0;
        let rest = extra - parts.iter().map(|(_, more)| more).sum::<f64>();
        let mut parts: Vec<_> =
            parts.into_iter().map(|(phase, more)| format!("{} {more:.2}", phase_title(phase))).collect();
        if rest.abs() >= UNSEEN {
            parts.push(format!("the rest {rest:.2}"));
        }
        format!(
            "{}, {}, limit {}: {:.2} times the {unit} of the same program without replay{}; of the extra {extra:.2}, {}",
            self.program,
            name(&run.policy),
            grouped(run.policy.limit),
            run.over(off),
            cycles.unwrap_or_default(),
            parts.join(", "),
        )
    }

    /// How much more a phase took, as a part of the run without replay.
    fn more(&self, off: &Measured, run: &Measured, phase: TimedPhase) -> f64 {
        (run.phases.get(phase) as f64 - off.phases.get(phase) as f64) / off.total as f64
    }

    /// The figures as JSON.
    pub fn json(&self) -> Value {
        let Some(off) = self.runs.first() else { return Value::Null };
        let run = |run: &Measured| {
            let more: Map<String, Value> = TimedPhase::ALL
                .into_iter()
                .map(|phase| (phase.name().to_owned(), self.more(off, run, phase).into()))
                .collect();
            json!({
                "mode": run.policy.mode.name(), "recovery": run.policy.recovery.name(),
                "compare": run.policy.comparison.name(), "flush": run.policy.flush.name(),
                "limit": run.policy.limit, "max_dirty": run.policy.max_dirty, "unit": unit_name(run.unit),
                "pes": run.pes, "user_instructions": run.user_instructions, "total": run.total,
                "total_over_off": run.over(off), "phases": json::phases(&run.phases), "more_by_phase": more,
                "modelled_total": run.cycles.map(|cycles| cycles.total().round()),
                "modelled_over_off": run.cycles_over(off), "longest_hold": run.longest_hold,
            })
        };
        json!({ "program": self.program, "runs": self.runs.iter().map(run).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(mode: Mode, phases: [u64; 8]) -> Measured {
        let phases = Phases(phases);
        Measured {
            policy: Policy { mode, ..Policy::DEFAULT },
            unit: Unit::Instructions,
            pes: 3,
            user_instructions: 900,
            total: phases.total(),
            phases,
            cycles: None,
            longest_hold: 400,
        }
    }

    #[test]
    fn a_sentence_says_how_much_more_and_what_for() {
        let mut dual = [0; 8];
        dual[TimedPhase::FirstRun as usize] = 900;
        dual[TimedPhase::SecondRun as usize] = 900;
        dual[TimedPhase::VerifyCommit as usize] = 79;
        dual[TimedPhase::Other as usize] = 101;
        let mut off = [0; 8];
        off[TimedPhase::FirstRun as usize] = 900;
        off[TimedPhase::Other as usize] = 100;
        let costs = Costs::new("mine".into(), vec![measured(Mode::Off, off), measured(Mode::Dual, dual)]);
        let text = costs.text(Style::Text);
        let last = text.lines().last().unwrap();
        let expected = "mine, dual, limit 100,000: 1.98 times the instructions of the same program without replay; of the extra 0.98, second run 0.90, verify and commit 0.08";
        assert_eq!(last, expected);
        let json = costs.json();
        assert_eq!(json["runs"][1]["total_over_off"], 1.98);
        assert_eq!(json["runs"][1]["more_by_phase"]["second_run"], 0.9);
        assert_eq!(json["runs"][0]["total_over_off"], 1.0);
    }

    #[test]
    fn a_policy_is_named_by_what_is_not_usual() {
        let vote = Policy { recovery: Recovery::Vote, flush: Flush::All, ..Policy::DEFAULT };
        assert_eq!(name(&Policy::DEFAULT), "dual");
        assert_eq!(name(&vote), "dual, vote, wbinvd");
    }
}
