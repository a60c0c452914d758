// SPDX-License-Identifier: MIT
//! A run taken apart: by the process whose PEs they are, and by what ended them.
//!
//! All but the modelled cycles of a part is counted. The kernel counts events over the whole run: of each kind of
//! event a part is given a share, see [`Part::share`], and the model is asked what that would need.

use std::collections::BTreeMap;
use std::fmt;

use pe_replay::{Policy, TimedPhase};
use sums::totals;
use wire::end::Totals;
use wire::record::{Label, PeRecord};
use wire::{DelimiterKind, Events};

use super::model::{Cycles, Model};
use super::table::{Align, Style, Table, grouped, ratio};

/// What some PEs of a run come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// What they have in common: the name of a process, or of a delimiter.
    pub name: String,
    /// Their sums, as far as records have them; of the events a share.
    pub totals: Totals,
    /// Modelled cycles; none where the run was timed in cycles.
    pub cycles: Option<Cycles>,
    /// Entries into user mode that the records tell of.
    entries: u64,
}

/// All PEs of a run, in parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Breakdown {
    /// By process, or by name where several processes have one, in the order in which they ran first.
    pub processes: Vec<Part>,
    /// By delimiter, without those that ended none.
    pub delimiters: Vec<Part>,
}

/// Adds records up by process and by delimiter.
#[derive(Debug, Default)]
pub struct Collector {
    /// In the order in which they ran first.
    processes: Vec<(u32, Part)>,
    /// Where in that list a process is.
    places: BTreeMap<u32, usize>,
    /// The process of the last PE, and where it is: mostly that of the next one, too.
    last: Option<(u32, usize)>,
    delimiters: [Option<Part>; DelimiterKind::ALL.len()],
}

impl Collector {
    /// Adds a PE.
    pub fn add(&mut self, record: &PeRecord) {
        let process = record.thread.process;
        let place = match self.last {
            Some((last, place)) if last == process => place,
            _ => *self.places.entry(process).or_insert_with(|| {
                self.processes.push((process, Part::default()));
                self.processes.len() - 1
            }),
        };
        self.last = Some((process, place));
        self.processes[place].1.add(record);
        let delimiter = &mut self.delimiters[record.delimiter as usize];
        delimiter.get_or_insert_with(|| Part::new(record.delimiter.name().replace('_', " "))).add(record);
    }

    /// The parts of processes, those of one name together.
    fn named(processes: Vec<(u32, Part)>, labels: &[Label]) -> Vec<Part> {
        let mut parts = Vec::<Part>::new();
        for (process, part) in processes {
            let label = labels.iter().find(|label| label.process == process);
            let name = label.map_or_else(|| format!("process {process}"), |label| label.text.to_string());
            match parts.iter_mut().find(|known| known.name == name) {
                Some(known) => known.join(&part),
                None => parts.push(Part { name, ..part }),
            }
        }
        parts
    }

    /// What came together, of a run with these sums and of processes of which some have names; modelled after `model`,
    /// if it was timed in instructions.
    pub fn finish(
        self,
        labels: &[Label],
        whole: &Totals,
        policy: &Policy,
        model: Option<&Model>,
    ) -> Breakdown {
        let mut processes = Self::named(self.processes, labels);
        let mut delimiters: Vec<_> = self.delimiters.into_iter().flatten().collect();
        for parts in [&mut processes, &mut delimiters] {
            let entries = parts.iter().map(|part| part.entries).sum();
            let frames = parts.iter().map(|part| part.totals.frames_written).sum();
            let in_phase = |phase| parts.iter().map(|part: &Part| part.totals.phases.get(phase)).sum::<u64>();
            let (other, flush) = (in_phase(TimedPhase::Other), in_phase(TimedPhase::Flush));
            for part in parts.iter_mut() {
                part.share(&whole.events, [entries, frames, other, flush]);
                part.cycles = model.map(|model| model.cycles_of_part(policy, &part.totals, whole));
            }
        }
        Breakdown { processes, delimiters }
    }
}

impl Part {
    fn new(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    fn add(&mut self, record: &PeRecord) {
        self.entries += totals::add(&mut self.totals, record);
    }

    /// Adds another part, of which only what records tell is known.
    fn join(&mut self, other: &Self) {
        let (totals, more) = (&mut self.totals, &other.totals);
        totals.committed += more.committed;
        totals.user_instructions += more.user_instructions;
        totals.frames_written += more.frames_written;
        totals.write_faults += more.write_faults;
        totals.debug_exceptions += more.debug_exceptions;
        totals.divergences += more.divergences;
        totals.third_runs += more.third_runs;
        totals.ends.iter_mut().zip(more.ends).for_each(|(sum, one)| *sum += one);
        totals.phases.0.iter_mut().zip(more.phases.0).for_each(|(sum, one)| *sum += one);
        totals.total = totals.phases.total();
        self.entries += other.entries;
    }

    /// Gives the part its share of the run's events: what is done at entries by its entries, what is done to pages by
    /// the pages that it wrote, what the kernel does in between by the time that it had the kernel work, and flushes of
    /// all caches by the time that flushes took. `all` is how many of these there are in the run.
    fn share(&mut self, events: &Events, all: [u64; 4]) {
        let [other, flush] =
            [TimedPhase::Other, TimedPhase::Flush].map(|phase| self.totals.phases.get(phase));
        let own = [self.entries, self.totals.frames_written, other, flush];
        let share = |of: usize, count: u64| match all[of] {
            0 => 0,
            all => (u128::from(count) * u128::from(own[of]) / u128::from(all)) as u64,
        };
        let [at_entries, to_pages, between, in_flushes] =
            [0, 1, 2, 3].map(|of| move |count| share(of, count));
        self.totals.events = Events {
            entries: at_entries(events.entries),
            resumed: at_entries(events.resumed),
            states: at_entries(events.states),
            selectors: at_entries(events.selectors),
            bases_written: at_entries(events.bases_written),
            bases_read: at_entries(events.bases_read),
            x87_resets: at_entries(events.x87_resets),
            x87_clears: at_entries(events.x87_clears),
            time_stamps: at_entries(events.time_stamps),
            apic_writes: at_entries(events.apic_writes),
            cache_flushes: in_flushes(events.cache_flushes),
            translation_flushes: at_entries(events.translation_flushes),
            copied: to_pages(events.copied),
            compared_and_copied: to_pages(events.compared_and_copied),
            compared: to_pages(events.compared),
            hashed: to_pages(events.hashed),
            mapped: to_pages(events.mapped),
            mapped_at_once: to_pages(events.mapped_at_once),
            lines_flushed: to_pages(events.lines_flushed),
            spaces_loaded: between(events.spaces_loaded),
            pages_invalidated: between(events.pages_invalidated),
            lines_copied: between(events.lines_copied),
            lines_filled: between(events.lines_filled),
        };
    }
}

impl fmt::Display for Breakdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, parts) in [("component", &self.processes), ("ended by", &self.delimiters)] {
            let mut table = Table::new(
                "",
                &[
                    (title, Align::Left),
                    ("PEs", Align::Right),
                    ("instructions", Align::Right),
                    ("per PE", Align::Right),
                    ("written frames", Align::Right),
                    ("per PE", Align::Right),
                    ("total", Align::Right),
                    ("modelled cycles", Align::Right),
                    ("over second run", Align::Right),
                ],
            );
            for Part { name, totals, cycles, .. } in parts {
                let each = |sum: u64| format!("{:.1}", sum as f64 / totals.committed.max(1) as f64);
                let cycles = cycles.as_ref();
                table.row(vec![
                    name.clone(),
                    totals.committed.to_string(),
                    totals.user_instructions.to_string(),
                    each(totals.user_instructions),
                    totals.frames_written.to_string(),
                    each(totals.frames_written),
                    totals.total.to_string(),
                    cycles.map_or_else(|| "-".into(), |cycles| grouped(cycles.total().round() as u64)),
                    cycles.and_then(Cycles::over_second_run).map_or_else(|| "-".into(), ratio),
                ]);
            }
            f.write_str(table.show(Style::Text).trim_start_matches('\n'))?;
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
