// SPDX-License-Identifier: MIT
//! A trace for Perfetto and other viewers of the trace event format, as JSON: processes and threads are tracks, PEs are
//! slices with runs and phases inside, delimiters and divergences are events.
//!
//! A tick is shown as a nanosecond. The phases of a PE stand in the order in which they begin. Their lengths are exact;
//! phases that take turns, as the first run and its treatment do, are shown one behind the other.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Result;
use pe_replay::TimedPhase;
use serde_json::{Value, json};
use wire::ThreadNumber;
use wire::difference::InWords;
use wire::record::{Label, PeRecord};

use super::pe;
use crate::outcome::place::Places;
use crate::outcome::summary::text::phase_title;
use sums::analysis::delimiter_name;
use sums::durations::hold;

/// A PE's parts in the order in which they begin: the run that a phase belongs to, if it is one's.
const PARTS: [(Option<&str>, &[TimedPhase]); 6] = [
    (Some("run 1"), &[TimedPhase::FirstRun, TimedPhase::Treatment]),
    (None, &[TimedPhase::Restart]),
    (None, &[TimedPhase::Flush]),
    (Some("run 2"), &[TimedPhase::SecondRun]),
    (Some("run 3"), &[TimedPhase::ThirdRun]),
    (None, &[TimedPhase::VerifyCommit]),
];
/// Viewers have microseconds.
const TICKS_A_MICROSECOND: f64 = 1000.0;

/// Writes events one by one.
pub struct Events<W: Write> {
    to: W,
    is_first: bool,
    /// When the last PE was committed.
    now: u64,
    threads: BTreeSet<ThreadNumber>,
}

impl<W: Write> Events<W> {
    /// Begins the file; `about` is what is said of the whole run.
    pub fn new(mut to: W, about: &Value) -> Result<Self> {
        write!(to, "{{\"displayTimeUnit\":\"ns\",\"otherData\":{about},\"traceEvents\":[")?;
        Ok(Self { to, is_first: true, now: 0, threads: BTreeSet::new() })
    }

    fn event(&mut self, thread: ThreadNumber, mut event: Value) -> Result<()> {
        event["pid"] = thread.process.into();
        event["tid"] = track(thread).into();
        let comma = if self.is_first { "" } else { "," };
        self.is_first = false;
        Ok(write!(self.to, "{comma}\n{event}")?)
    }

    fn slice(
        &mut self,
        thread: ThreadNumber,
        kind: &str,
        name: &str,
        (from, length): (u64, u64),
    ) -> Result<()> {
        let (ts, dur) = (microseconds(from), microseconds(length));
        self.event(thread, json!({ "ph": "X", "cat": kind, "name": name, "ts": ts, "dur": dur }))
    }

    fn instant(&mut self, thread: ThreadNumber, kind: &str, name: &str, at: u64, args: Value) -> Result<()> {
        let ts = microseconds(at);
        self.event(thread, json!({ "ph": "i", "s": "t", "cat": kind, "name": name, "ts": ts, "args": args }))
    }

    /// Writes a PE's events.
    pub fn add(&mut self, record: &PeRecord, places: Option<&Places>) -> Result<()> {
        let (thread, phases) = (record.thread, &record.phases);
        self.threads.insert(thread);
        let other = phases.get(TimedPhase::Other);
        if other > 0 {
            self.slice(thread, "phase", phase_title(TimedPhase::Other), (self.now, other))?;
        }
        let mut at = self.now + other;
        let mut args = pe::value(record, places);
        if let Value::Object(args) = &mut args {
            // What its track and the slices inside say.
            args.retain(|key, _| !["process", "thread", "hold", "phases"].contains(&key.as_str()));
        }
        let (ts, dur) = (microseconds(at), microseconds(hold(phases)));
        let name = format!("PE {}", record.sequence);
        self.event(
            thread,
            json!({ "ph": "X", "cat": "pe", "name": name, "ts": ts, "dur": dur, "args": args }),
        )?;
        for (run, parts) in PARTS {
            let length: u64 = parts.iter().map(|phase| phases.get(*phase)).sum();
            if let (Some(run), true) = (run, length > 0) {
                self.slice(thread, "run", run, (at, length))?;
            }
            for phase in parts {
                let length = phases.get(*phase);
                if length > 0 {
                    self.slice(thread, "phase", phase_title(*phase), (at, length))?;
                }
                at += length;
            }
        }
        for difference in &record.divergences {
            let difference = InWords(*difference).to_string();
            self.instant(thread, "divergence", "divergence", at, json!({ "difference": difference }))?;
        }
        let args = json!({ "pe": record.sequence });
        self.instant(thread, "delimiter", &delimiter_name(record.delimiter), at, args)?;
        self.now = at;
        Ok(())
    }

    /// Names the tracks, and ends the file.
    pub fn finish(mut self, labels: &[Label]) -> Result<()> {
        let threads = std::mem::take(&mut self.threads);
        let mut last = None;
        for thread in threads {
            if last != Some(thread.process) {
                last = Some(thread.process);
                let label = labels.iter().find(|label| label.process == thread.process);
                let name = label.map_or("process", |label| label.text.as_str());
                self.event(thread, json!({ "ph": "M", "name": "process_name", "args": { "name": name } }))?;
            }
            let name = format!("thread {}", thread.thread);
            self.event(thread, json!({ "ph": "M", "name": "thread_name", "args": { "name": name } }))?;
        }
        writeln!(self.to, "\n]}}")?;
        Ok(())
    }
}

/// The number of a thread's track: viewers want one that no other process has.
fn track(thread: ThreadNumber) -> u64 {
    u64::from(thread.process) << 20 | u64::from(thread.thread)
}

fn microseconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_A_MICROSECOND
}

#[cfg(test)]
mod tests {
    use super::super::sample::sample_records;
    use super::*;

    fn events() -> Vec<Value> {
        let mut bytes = Vec::new();
        let mut events = Events::new(&mut bytes, &json!({ "mode": "dual" })).unwrap();
        sample_records().iter().for_each(|record| events.add(record, None).unwrap());
        events.finish(&[]).unwrap();
        let file: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(file["otherData"]["mode"], "dual");
        file["traceEvents"].as_array().unwrap().clone()
    }

    /// Beginning and end in ticks.
    fn ticks(event: &Value) -> (u64, u64) {
        let ticks =
            |key: &str| (event[key].as_f64().unwrap_or_default() * TICKS_A_MICROSECOND).round() as u64;
        (ticks("ts"), ticks("ts") + ticks("dur"))
    }

    #[test]
    fn slices_nest_and_phases_are_exact() {
        let events = events();
        let of =
            |kind: &str| events.iter().filter(|event| event["cat"] == kind).map(ticks).collect::<Vec<_>>();
        let (pes, runs, phases) = (of("pe"), of("run"), of("phase"));
        assert_eq!((pes.len(), runs.len(), of("delimiter").len(), of("divergence").len()), (5, 10, 5, 1));
        let within = |(from, to): &(u64, u64), all: &[(u64, u64)]| {
            all.iter().any(|(first, last)| first <= from && to <= last)
        };
        assert!(runs.iter().all(|run| within(run, &pes)));
        let total: u64 = sample_records().iter().map(|record| record.phases.total()).sum();
        assert_eq!(phases.iter().map(|(from, to)| to - from).sum::<u64>(), total);
        assert!(pes.windows(2).all(|pair| pair[0].1 < pair[1].0));
        assert_eq!(pes.last().unwrap().1, total);
    }

    #[test]
    fn tracks_have_names_of_their_own() {
        let events = events();
        let named = |name: &str| events.iter().filter(|event| event["name"] == name).count();
        assert_eq!((named("process_name"), named("thread_name")), (1, 1));
        let thread = |process, thread| track(ThreadNumber { process, thread });
        assert!(events.iter().all(|event| event["tid"] == thread(1, 2) && event["pid"] == 1));
        assert_ne!(thread(1, 2), thread(2, 1));
    }
}
