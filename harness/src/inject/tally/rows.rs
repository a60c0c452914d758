// SPDX-License-Identifier: MIT
//! A campaign flip by flip, as CSV, and what the flips have in common that is no count.

use anyhow::Result;
use pe_replay::Policy;
use wire::Name;

use super::Report;
use crate::inject::flip::{Answer, Flip};

/// The columns that there are whatever the policies are.
const FIXED: [&str; 10] = [
    "number",
    "program",
    "target",
    "inject",
    "process",
    "thread",
    "rip",
    "symbol",
    "pe_instructions",
    "without_replay",
];
/// The columns that each policy has, behind its name.
const OF_POLICY: [&str; 7] = ["hit", "detected", "restarted", "outvoted", "verdict", "wrong", "latency"];

/// How soon flips were seen under a policy, and how long that held others up, in the counter's unit.
pub struct Handling {
    /// Flips behind which a difference was seen.
    pub seen: usize,
    /// The time from flip to difference, the middle flip's, the lower of two.
    pub median: u64,
    /// The longest time from flip to difference.
    pub longest: u64,
    /// The longest time that a PE took which was hit, with all that followed.
    pub hold: u64,
}

impl Report {
    /// A line for each flip, below one with the titles.
    pub fn csv(&self) -> Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let of_policy = |policy: &Policy| {
            let policy = format!("{}_{}", policy.mode.name(), policy.recovery.name());
            OF_POLICY.map(|column| format!("{policy}_{column}"))
        };
        let titles = FIXED.map(str::to_owned).into_iter();
        writer.write_record(titles.chain(self.policies.iter().flat_map(of_policy)))?;
        for flip in &self.flips {
            writer.write_record(cells(flip))?;
        }
        Ok(writer.into_inner().map_err(csv::IntoInnerError::into_error)?)
    }

    /// How soon flips were seen under a policy; none if no flip was.
    pub fn handling(&self, policy: usize) -> Option<Handling> {
        let seen = self.flips.iter().filter_map(|flip| flip.on.get(policy)).filter(|on| on.latency.is_some());
        let (mut latencies, holds): (Vec<u64>, Vec<u64>) =
            seen.map(|on| (on.latency.unwrap_or_default(), on.hold)).unzip();
        latencies.sort_unstable();
        Some(Handling {
            seen: latencies.len(),
            median: *latencies.get(latencies.len().checked_sub(1)? / 2)?,
            longest: *latencies.last()?,
            hold: holds.into_iter().max()?,
        })
    }
}

fn cells(flip: &Flip) -> Vec<String> {
    let or_none = |number: Option<u64>| number.map_or_else(String::new, |number| number.to_string());
    let thread = flip.thread;
    let mut cells = vec![
        flip.number.to_string(),
        flip.program.clone(),
        flip.class.to_string(),
        flip.spec(),
        or_none(thread.map(|thread| thread.process.into())),
        or_none(thread.map(|thread| thread.thread.into())),
        flip.rip.map_or_else(String::new, |rip| format!("{rip:#x}")),
        flip.symbol.clone().unwrap_or_default(),
        flip.instructions.to_string(),
        flip.off.map_or("", |effect| effect.name()).to_owned(),
    ];
    for Answer { reaction, latency, .. } in &flip.on {
        let told = match reaction {
            Some(it) => {
                let told =
                    [it.hit, it.is_detection(), it.is_restarted(), it.is_outvoted(), it.verdict, false];
                told.map(|it| u8::from(it).to_string())
            }
            None => ["", "", "", "", "", "1"].map(str::to_owned),
        };
        cells.extend(told);
        cells.push(or_none(*latency));
    }
    cells
}

#[cfg(test)]
pub mod tests {
    use flips::{Injection, Target};
    use pe_replay::{Mode, Run};
    use wire::ThreadNumber;

    use super::*;
    use crate::inject::campaign::{Campaign, Scope};
    use crate::inject::draw::{Class, Seen};
    use crate::inject::effect::{Effect, Reaction};

    /// A flip of RAX that gave a wrong output without replay.
    pub fn flip(on: Vec<Answer>) -> Flip {
        Flip {
            number: 1,
            program: "own, mine".into(),
            class: Class::Seen(Seen::General, Run::First),
            bits: vec![Injection { pe: 3, run: Run::First, at: 7, target: Target::Gpr(0), bit: 5 }],
            thread: Some(ThreadNumber { process: 1, thread: 2 }),
            instructions: 10,
            rip: Some(0x40_1000),
            symbol: Some("main+0x2".into()),
            off: Some(Effect::WrongOutput),
            on,
        }
    }

    #[test]
    fn a_flip_is_a_line_that_run_can_repeat() {
        let policies = vec![Policy::DEFAULT, Policy { mode: Mode::Triple, ..Policy::DEFAULT }];
        let campaign = Campaign { count: 1, seed: 7, policies, scope: Scope::All, jobs: 1 };
        let mut report = Report::new(&campaign, &Class::PAIRED);
        assert!(report.handling(0).is_none());
        let restarted = Reaction { hit: true, restarts: 1, outvoted: 0, verdict: false };
        let seen = Answer { reaction: Some(restarted), latency: Some(500), hold: 900 };
        report.flips.push(flip(vec![seen, Answer::default()]));
        let text = String::from_utf8(report.csv().unwrap()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[0].starts_with("number,program,target,inject,process,")
                && lines[0].ends_with(",triple_restart_latency")
        );
        let expected = "1,\"own, mine\",\"general registers, run 1\",\"pe=3,run=1,at=7,target=rax,bit=5\",1,2,0x401000,main+0x2,10,wrong output,1,1,1,0,0,0,500,,,,,,1,";
        assert_eq!(lines[1], expected);
        let handling = report.handling(0).unwrap();
        assert_eq!((handling.seen, handling.median, handling.longest, handling.hold), (1, 500, 500, 900));
    }
}
