// SPDX-License-Identifier: MIT
//! A trace in one pass and in bounded memory: what its PEs come to by what ended them, by thread and by component, the
//! longest of them, how lengths are distributed, and where in the run everything was.

pub mod group;
pub mod timeline;

use std::collections::BTreeMap;

use wire::record::{Label, PeRecord};
use wire::{DelimiterKind, ThreadNumber};

use crate::durations::hold;
use crate::spread::Spread;
use group::Group;
use timeline::Timeline;

/// How many threads, and how many processes, have a row of their own; the others share one.
pub const MOST_GROUPS: usize = 64;
/// How many of the longest PEs are kept.
pub const LONGEST: usize = 10;

/// All that a report says beyond the summary.
#[derive(Debug)]
pub struct Analysis {
    /// The PEs by what ended them, in the order in which delimiters are printed.
    pub delimiters: Vec<Group>,
    /// The PEs by process and thread, in the order of their numbers.
    pub threads: Vec<Group>,
    /// The PEs by the name of their process, in the order in which the names ran first.
    pub components: Vec<Group>,
    /// The PEs that held interrupts back longest, the longest first.
    pub longest: Vec<PeRecord>,
    /// Instructions of a PE.
    pub lengths: Spread,
    /// Pages that a PE wrote.
    pub frames: Spread,
    /// How long a PE took from its first instruction to its commit.
    pub holds: Spread,
    /// Where everything was.
    pub timeline: Timeline,
}

/// The name of a delimiter in words.
pub fn delimiter_name(kind: DelimiterKind) -> String {
    kind.name().replace('_', " ")
}

/// Adds records up.
#[derive(Debug)]
pub struct Collector {
    delimiters: BTreeMap<DelimiterKind, Group>,
    threads: BTreeMap<ThreadNumber, Group>,
    other_threads: Group,
    /// By number; names are known at the end only.
    processes: BTreeMap<u32, Group>,
    /// Their numbers in the order in which they ran first.
    order: Vec<u32>,
    other_processes: Group,
    longest: Vec<PeRecord>,
    lengths: Spread,
    frames: Spread,
    holds: Spread,
    timeline: Timeline,
}

impl Collector {
    /// Nothing so far; the timeline has single PEs from this number on.
    pub fn new(from: u64) -> Self {
        Self {
            delimiters: BTreeMap::new(),
            threads: BTreeMap::new(),
            other_threads: Group::new("other threads".into()),
            processes: BTreeMap::new(),
            order: Vec::new(),
            other_processes: Group::new("other processes".into()),
            longest: Vec::new(),
            lengths: Spread::default(),
            frames: Spread::default(),
            holds: Spread::default(),
            timeline: Timeline::new(from),
        }
    }

    /// Adds a PE.
    pub fn add(&mut self, record: &PeRecord) {
        let named = || Group::new(delimiter_name(record.delimiter));
        self.delimiters.entry(record.delimiter).or_insert_with(named).add(record);
        self.thread(record.thread).add(record);
        self.process(record.thread.process).add(record);
        self.lengths.add(record.instructions);
        self.frames.add(record.frames_written.into());
        self.holds.add(hold(&record.phases));
        self.timeline.add(record);
        self.compare(record);
    }

    fn thread(&mut self, thread: ThreadNumber) -> &mut Group {
        if self.threads.len() == MOST_GROUPS && !self.threads.contains_key(&thread) {
            return &mut self.other_threads;
        }
        self.threads.entry(thread).or_insert_with(|| Group::of_thread(thread))
    }

    fn process(&mut self, process: u32) -> &mut Group {
        if !self.processes.contains_key(&process) {
            if self.processes.len() == MOST_GROUPS {
                return &mut self.other_processes;
            }
            self.order.push(process);
        }
        self.processes.entry(process).or_insert_with(|| Group::new(format!("process {process}")))
    }

    /// Keeps a PE that is among the longest so far; of equal ones the earlier.
    fn compare(&mut self, record: &PeRecord) {
        let time = hold(&record.phases);
        let place = self.longest.partition_point(|known| hold(&known.phases) >= time);
        if place < LONGEST {
            self.longest.truncate(LONGEST - 1);
            self.longest.insert(place, record.clone());
        }
    }

    /// What came together, of processes of which some have names.
    pub fn finish(mut self, labels: &[Label]) -> Analysis {
        let mut components: Vec<Group> = Vec::new();
        for process in self.order {
            let Some(mut group) = self.processes.remove(&process) else { continue };
            if let Some(label) = labels.iter().find(|label| label.process == process) {
                group.name = label.text.to_string();
            }
            match components.iter_mut().find(|known| known.name == group.name) {
                Some(known) => known.merge(&group),
                None => components.push(group),
            }
        }
        for group in self.threads.values_mut() {
            let Some(thread) = group.thread else { continue };
            if let Some(label) = labels.iter().find(|label| label.process == thread.process) {
                group.name = format!("{}, {thread}", label.text);
            }
        }
        let with = |mut groups: Vec<Group>, others: Group| {
            groups.extend((others.pes > 0).then_some(others));
            groups
        };
        Analysis {
            delimiters: self.delimiters.into_values().collect(),
            threads: with(self.threads.into_values().collect(), self.other_threads),
            components: with(components, self.other_processes),
            longest: self.longest,
            lengths: self.lengths,
            frames: self.frames,
            holds: self.holds,
            timeline: self.timeline,
        }
    }
}

#[cfg(test)]
mod tests;
