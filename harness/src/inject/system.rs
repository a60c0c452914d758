// SPDX-License-Identifier: MIT
//! Flips in root tasks of the NOVA interface, many in one boot: evenly over the places where their processing elements
//! end, since each of them is served in another part of the kernel. Wherever a flip hits, the console has to be that of
//! the undisturbed run, or what each component says. If it is not, each flip of the boot is made again alone, to tell
//! which of them was wrong.

mod plan;
mod report;
mod task;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use flips::Injection;
use pe_replay::Policy;

pub use self::plan::{COMPONENTS, Plan, ROOT_TASKS};
pub use self::report::Report;
use self::task::RootTask;
use super::random::Random;

/// Flips in one boot, each in another processing element.
const BATCH: usize = 100;

/// Where processing elements end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whose they are: a root task's, or a component's.
    whose: String,
    /// What ends them.
    end: String,
}

impl Place {
    /// Any other place of the same.
    fn elsewhere(&self) -> Self {
        Self { whose: self.whose.clone(), end: "elsewhere".to_owned() }
    }
}

/// A flip, and the place of the processing element that it is aimed at.
#[derive(Clone, Copy)]
struct Shot<'a> {
    place: &'a Place,
    flip: Injection,
}

/// Divides flips among boots, so that none has two of them in one processing element.
fn batches(shots: Vec<Shot<'_>>) -> Vec<Vec<Shot<'_>>> {
    let mut batches: Vec<(BTreeSet<u64>, Vec<Shot<'_>>)> = Vec::new();
    for shot in shots {
        let has_room =
            |(pes, shots): &&mut (BTreeSet<u64>, Vec<_>)| shots.len() < BATCH && !pes.contains(&shot.flip.pe);
        match batches.iter_mut().find(has_room) {
            Some((pes, shots)) => {
                pes.insert(shot.flip.pe);
                shots.push(shot);
            }
            None => batches.push((BTreeSet::from([shot.flip.pe]), vec![shot])),
        }
    }
    batches.into_iter().map(|(_, shots)| shots).collect()
}

/// Makes so many flips in these root tasks under each of the policies, and calls `done` after so many of them.
pub fn run(
    kernel: &Path,
    plans: &'static [Plan],
    policies: &[Policy],
    (count, seed): (u64, u64),
    done: &dyn Fn(usize),
) -> Result<Report> {
    let first = policies.first().copied().unwrap_or(Policy::DEFAULT);
    let tasks = plans.iter().map(|plan| RootTask::new(plan, kernel, first)).collect::<Result<Vec<_>>>()?;
    let places: Vec<_> =
        tasks.iter().flat_map(|task| task.places().map(move |place| (task, place))).collect();
    ensure!(!places.is_empty(), "the root tasks have executed nothing");
    let mut random = Random::new(seed);
    let mut shots: Vec<Vec<Shot<'_>>> = tasks.iter().map(|_| Vec::new()).collect();
    for index in 0..count {
        let (task, place) = places[(index % places.len() as u64) as usize];
        let at = tasks.iter().position(|other| std::ptr::eq(other, task)).unwrap_or_default();
        shots[at].push(Shot { place, flip: task.flip(&mut random, place) });
    }
    let mut report = Report::new(seed, policies);
    for (task, shots) in tasks.iter().zip(shots) {
        let batches = batches(shots);
        for (row, policy) in policies.iter().enumerate() {
            for batch in &batches {
                let outcome = task.hit(kernel, *policy, batch)?;
                match outcome {
                    Ok(hits) => hits.into_iter().for_each(|hit| report.add(row, hit)),
                    Err(reason) if batch.len() == 1 => report.wrong(row, task, batch, &reason),
                    Err(reason) => {
                        let mut is_told = false;
                        for shot in batch {
                            match task.hit(kernel, *policy, &[*shot])? {
                                Ok(hits) => hits.into_iter().for_each(|hit| report.add(row, hit)),
                                Err(reason) => {
                                    is_told = true;
                                    report.wrong(row, task, &[*shot], &reason);
                                }
                            }
                        }
                        if !is_told {
                            report.wrong(row, task, batch, &reason);
                        }
                    }
                }
                done(batch.len());
            }
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use flips::Target;
    use pe_replay::Run;

    use super::*;

    #[test]
    fn no_boot_has_two_flips_in_one_processing_element() {
        let place = Place { whose: "task".to_owned(), end: "call".to_owned() };
        let shot = |pe| Shot {
            place: &place,
            flip: Injection { pe, run: Run::First, at: 0, target: Target::Rip, bit: 0 },
        };
        let all = batches((0..3 * BATCH as u64).map(|index| shot(index % 2 * index)).collect());
        assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 3 * BATCH);
        for batch in &all {
            let pes: BTreeSet<_> = batch.iter().map(|shot| shot.flip.pe).collect();
            assert!(pes.len() == batch.len() && batch.len() <= BATCH);
        }
    }
}
