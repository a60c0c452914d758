// SPDX-License-Identifier: MIT
//! The live view of a run: what it has come to, how fast it is, and where its time goes, from the records that the
//! kernel has written so far.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pe_replay::{Mode, Phases, Policy, Recovery, TimedPhase};
use wire::channel::Progress;
use wire::record::Record;
use wire::{Name, ThreadNumber};

use crate::outcome::share;
use crate::outcome::table::grouped;

/// Rates are those of so long.
const WINDOW: Duration = Duration::from_secs(2);
/// Lines above those of the phases.
const ABOVE: usize = 4;
/// Lines of the view: some are empty while not every phase had a part.
pub const LINES: u16 = (ABOVE + TimedPhase::ALL.len()) as u16;
/// No line is longer, so that none takes two on a terminal of the usual width.
const WIDTH: usize = 79;
/// The bar of a phase that has all the time.
const BAR: usize = 48;

/// What is known of a run so far.
#[derive(Debug)]
pub struct Watch {
    title: String,
    /// Instructions after which the run is ended, if there is such a bound.
    most: Option<u64>,
    begun: Instant,
    samples: VecDeque<(Instant, Progress)>,
    divergences: u64,
    /// Whether each of them is a restart.
    restarts: bool,
    flips: u64,
    phases: Phases,
    last: Option<(ThreadNumber, &'static str, u64)>,
}

impl Watch {
    /// Nothing so far, of a run under a policy.
    pub fn new(program: &str, policy: &Policy, most: Option<u64>, now: Instant) -> Self {
        let Policy { mode, recovery, limit, .. } = policy;
        let title = format!("{program}, {}, {}, limit {}", mode.name(), recovery.name(), grouped(*limit));
        Self {
            title,
            most,
            begun: now,
            samples: VecDeque::new(),
            divergences: 0,
            restarts: *mode == Mode::Dual && *recovery == Recovery::Restart,
            flips: 0,
            phases: Phases::default(),
            last: None,
        }
    }

    /// Takes a record that is new.
    pub fn add(&mut self, record: &Record) {
        let Record::Pe(record) = record else { return };
        self.divergences += record.divergences.len() as u64;
        self.flips += u64::from(record.flips);
        self.phases.0.iter_mut().zip(record.phases.0).for_each(|(sum, one)| *sum += one);
        self.last = Some((record.thread, record.delimiter.name(), record.rip));
    }

    /// Takes how far the run has come.
    pub fn note(&mut self, progress: Progress, now: Instant) {
        self.samples.push_back((now, progress));
        while self.samples.len() > 2
            && self.samples.get(1).is_some_and(|(then, _)| now.duration_since(*then) >= WINDOW)
        {
            self.samples.pop_front();
        }
    }

    /// How many PEs and instructions a second there were of late.
    fn rates(&self) -> Option<[f64; 2]> {
        let ((then, before), (now, after)) = (self.samples.front()?, self.samples.back()?);
        let seconds = now.duration_since(*then).as_secs_f64();
        let rate = |before: u64, after: u64| after.saturating_sub(before) as f64 / seconds;
        (seconds > 0.0).then(|| [rate(before.pes, after.pes), rate(before.instructions, after.instructions)])
    }

    /// The view.
    pub fn text(&self) -> String {
        let Progress { pes, instructions, .. } =
            self.samples.back().map_or(Progress::default(), |(_, progress)| *progress);
        let now = self.samples.back().map_or(self.begun, |(now, _)| *now);
        let rates = self.rates().map(|rates| rates.map(|rate| grouped(rate.round() as u64)));
        let [pe_rate, rate] = rates.unwrap_or_else(|| ["-".into(), "-".into()]);
        let bound = self.most.map_or_else(String::new, |most| {
            format!(", {:.1} % of --max-instructions", 100.0 * instructions as f64 / most as f64)
        });
        let place = self.last.map_or_else(String::new, |(thread, end, rip)| {
            format!("{thread} at {rip:#x}, ended by {}", end.replace('_', " "))
        });
        let lines: [String; ABOVE] = [
            format!("{}, {} s", self.title, now.duration_since(self.begun).as_secs()),
            format!("{} PEs, {pe_rate} a second", grouped(pes)),
            format!("{} instructions, {rate} a second{bound}", grouped(instructions)),
            format!(
                "{} {}, {} flips; {place}",
                grouped(self.divergences),
                if self.restarts { "restarts" } else { "divergences" },
                grouped(self.flips)
            ),
        ];
        let mut lines: Vec<String> = lines.into_iter().chain(self.shares()).collect();
        lines.resize(LINES.into(), String::new());
        lines.iter_mut().for_each(|line| *line = line.chars().take(WIDTH).collect());
        lines.join("\n")
    }

    /// The phases that had a part of the time so far, each with its bar.
    fn shares(&self) -> impl Iterator<Item = String> {
        let all = self.phases.total() as f64;
        let part = move |phase: TimedPhase| (phase, self.phases.get(phase));
        let parts = TimedPhase::ALL.into_iter().map(part).filter(|(_, part)| *part > 0);
        parts.map(move |(phase, part)| share::line(phase, part as f64 / all, BAR))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::record_stream::RecordStream;
    use crate::outcome::summary::tests::sample;

    #[test]
    fn a_view_has_totals_rates_and_shares_of_what_was_recorded() {
        let begun = Instant::now();
        let mut watch = Watch::new("tiny", &Policy::DEFAULT, Some(100_000), begun);
        assert_eq!(watch.text().split('\n').count(), usize::from(LINES));
        let (trace, _) = sample();
        let mut stream = RecordStream::default();
        stream.push(&trace);
        stream.complete();
        std::iter::from_fn(|| stream.take()).for_each(|record| watch.add(&record.unwrap()));
        let at = |seconds, pes| {
            let progress = Progress { pes, instructions: 1000 * pes, rip: 0 };
            (progress, begun + Duration::from_secs(seconds))
        };
        for (seconds, pes) in [(1, 10), (2, 15), (3, 25), (4, 45)] {
            let (progress, now) = at(seconds, pes);
            watch.note(progress, now);
        }
        let text = watch.text();
        let lines: Vec<_> = text.split('\n').collect();
        assert_eq!(lines[0], "tiny, dual, restart, limit 100,000, 4 s");
        // Of the last two seconds.
        assert_eq!(lines[1], "45 PEs, 15 a second");
        assert_eq!(lines[2], "45,000 instructions, 15,000 a second, 45.0 % of --max-instructions");
        assert_eq!(lines[3], "1 restarts, 1 flips; thread 2 of process 1 at 0x401004, ended by syscall");
        assert_eq!(lines.len(), usize::from(LINES));
        assert!(lines[4].starts_with("first run") && lines[4].contains(" %  █"), "{}", lines[4]);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }
}
