// SPDX-License-Identifier: MIT
//! A root task that is hit: what it says and which processing elements it has undisturbed, and what it does when it is
//! hit.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use flips::{Injection, Target};
use pe_replay::{Policy, Run};
use wire::end::Totals;
use wire::injection::{INJECTABLE_FLAGS, bits};

use super::plan::{Map, Plan};
use super::{Place, Shot};
use crate::emulator::ending::Ending;
use crate::emulator::{self, Silent};
use crate::inject::draw;
use crate::inject::random::Random;
use crate::outcome::console::Log;
use crate::outcome::{Outcome, told};
use crate::workload::request::Request;

/// What became of a flip that changed nothing of what is said.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Where the processing element ended that it was in.
    pub place: Place,
    /// Whether there was something to flip.
    pub has_hit: bool,
    /// Whether two runs differed by it.
    pub is_found: bool,
}

/// A root task, and its undisturbed run.
pub struct RootTask {
    plan: &'static Plan,
    request: Request,
    map: Map,
    console: Vec<u8>,
    /// Processing elements by the place of their end, each with its instructions.
    pes: BTreeMap<Place, Vec<(u64, u64)>>,
}

fn boot(kernel: &Path, request: &Request) -> Result<Outcome> {
    let finished = emulator::boot(&request.boot(kernel.to_owned())?, &mut Silent)?;
    Ok(Outcome::new(kernel.to_owned(), finished))
}

impl RootTask {
    /// Runs a root task undisturbed.
    pub fn new(plan: &'static Plan, kernel: &Path, policy: Policy) -> Result<Self> {
        let mut request = plan.request()?;
        request.policy = policy;
        let map = Map::new(plan, &request)?;
        let mut task = Self { plan, request, map, console: Vec::new(), pes: BTreeMap::new() };
        task.request.policy = task.policy(policy);
        let outcome = boot(kernel, &task.request)?;
        let divergences = task.ended(&outcome)?.divergences;
        ensure!(divergences == 0, "{} undisturbed: {divergences} divergences", plan.name);
        let labels = outcome.summary()?.labels;
        for (pe, record) in (0..).zip(outcome.records()?) {
            if let Some(place) = task.map.place(&record, &labels).filter(|_| record.instructions > 0) {
                task.pes.entry(place).or_default().push((pe, record.instructions));
            }
        }
        task.console = outcome.finished.serial;
        Ok(task)
    }

    /// A policy with the task's own limit.
    fn policy(&self, policy: Policy) -> Policy {
        Policy { limit: self.plan.limit.unwrap_or(policy.limit), ..policy }
    }

    /// The sums of a run that has come to its end.
    fn ended<'a>(&self, outcome: &'a Outcome) -> Result<&'a Totals> {
        let name = self.plan.name;
        match outcome.ending() {
            Ending::Normal(record) => match told::exit_status(&record.end) {
                0 => Ok(&record.totals),
                status => Err(anyhow!("{name}: status {status}: {:?}", record.end)),
            },
            other => Err(anyhow!("{name}: {other}")),
        }
    }

    /// What of a command line boots it.
    pub fn options(&self) -> String {
        self.plan.options()
    }

    /// The places at which its processing elements end.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.pes.keys()
    }

    /// Draws a flip in a processing element that ends at a place: as often right before the end as anywhere.
    pub fn flip(&self, random: &mut Random, place: &Place) -> Injection {
        let (pe, instructions) = *random.one(&self.pes[place]);
        let run = *random.one(&[Run::First, Run::Second]);
        let at = if random.below(2) == 0 { instructions - 1 } else { random.below(instructions) };
        let target = match random.below(5) {
            0 => Target::Rip,
            1 => Target::Rflags,
            2 => Target::Memory(draw::any_byte(random, self.map.memory(place))),
            _ => Target::Gpr(random.below(16) as u8),
        };
        let bit = match target {
            Target::Rflags => draw::any_bit(random, INJECTABLE_FLAGS),
            _ => random.below(bits(target).into()) as u8,
        };
        Injection { pe, run, at, target, bit }
    }

    /// Boots it with flips, and tells what became of each; or what was wrong.
    pub(super) fn hit(&self, kernel: &Path, policy: Policy, shots: &[Shot<'_>]) -> Result<Result<Vec<Hit>>> {
        let injections = shots.iter().map(|shot| shot.flip).collect();
        let policy = self.policy(policy);
        let outcome = boot(kernel, &Request { injections, policy, ..self.request.clone() })?;
        if let Err(reason) = self.is_right(&outcome) {
            return Ok(Err(reason));
        }
        let (records, labels) = (outcome.records()?, outcome.summary()?.labels);
        let became = |shot: &Shot<'_>| {
            // A PE started over takes time, and a vote may move its end: later PEs of this number may be others than in
            // the undisturbed run, or not there at all.
            let record = usize::try_from(shot.flip.pe).ok().and_then(|pe| records.get(pe));
            let place = match record {
                Some(record) => self.map.place(record, &labels).unwrap_or_else(|| shot.place.elsewhere()),
                None => shot.place.clone(),
            };
            let has_hit = record.is_some_and(|record| record.flips > 0);
            let is_found = has_hit && record.is_some_and(|record| !record.divergences.is_empty());
            Hit { place, has_hit, is_found }
        };
        Ok(Ok(shots.iter().map(became).collect()))
    }

    /// A run with flips has come to its end, has seen no more differences than there were flips, and has said what the
    /// undisturbed run says.
    fn is_right(&self, outcome: &Outcome) -> Result<()> {
        let Totals { flips, divergences, .. } = *self.ended(outcome)?;
        ensure!(divergences <= flips, "{divergences} divergences by {flips} flips");
        if self.plan.says_by_component() {
            let (due, said) = (Log::new(&self.console), Log::new(outcome.serial()));
            return said.is_as(&due);
        }
        let is_same = outcome.serial() == self.console;
        ensure!(is_same, "{}", self.first_difference(outcome.serial()));
        Ok(())
    }

    /// The first line of the console that is not the undisturbed run's.
    fn first_difference(&self, console: &[u8]) -> String {
        let lines =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
        let (due, said) = (lines(&self.console), lines(console));
        let at = (0..due.len().max(said.len())).find(|at| due.get(*at) != said.get(*at)).unwrap_or_default();
        format!("it says {:?} instead of {:?}", said.get(at), due.get(at))
    }
}
