// SPDX-License-Identifier: MIT
//! Flips that were made, in words: what was hit, where the program was, and when the difference was seen.

use wire::ThreadNumber;
use wire::flip::Flipped;
use wire::injection::Text;
use wire::record::{Record, Unit, all};

use super::summary::Summary;
use super::summary::text::unit_name;
use crate::workload::symbols::Symbols;

/// A flip that was made, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The flip.
    pub flipped: Flipped,
    /// How long after it a difference between runs was seen first, kernel included; none if none was.
    pub latency: Option<u64>,
}

/// The flips of a run, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub struct Flips(pub Vec<Made>);

impl Flips {
    /// Takes the next record of the run's trace.
    pub fn add(&mut self, record: &Record) {
        match record {
            Record::Flipped(flipped) => self.0.push(Made { flipped: *flipped, latency: None }),
            Record::Noticed(seen) => {
                let is_behind = |made: &&mut Made| made.flipped.flip.pe == seen.pe && made.latency.is_none();
                for made in self.0.iter_mut().filter(is_behind) {
                    made.latency = seen.ticks.checked_sub(made.flipped.ticks);
                }
            }
            _ => {}
        }
    }
}

/// The flips of a program of a batch, from the part of the trace in front of its end.
pub fn made(trace: &[u8]) -> Vec<Made> {
    let mut flips = Flips::default();
    all(trace).for_each(|record| flips.add(&record));
    flips.0
}

/// A line for each flip of a run, with the symbol of the place if the program has it.
pub fn lines(flips: &Flips, summary: &Summary, symbols: &Symbols) -> Vec<String> {
    let thread = |pe| summary.hits.iter().find(|hit| hit.pe == pe).map(|hit| hit.thread);
    let line = |made: &Made| line(made, thread(made.flipped.flip.pe), summary.header.unit, symbols);
    flips.0.iter().map(line).collect()
}

fn line(made: &Made, thread: Option<ThreadNumber>, unit: Unit, symbols: &Symbols) -> String {
    let Made { flipped: Flipped { flip, rip, has_hit, .. }, latency } = made;
    let symbol = symbols.name(*rip).map_or_else(String::new, |name| format!(" ({name})"));
    let thread = thread.map_or_else(String::new, |thread| format!(" in {thread}"));
    let what = match (has_hit, latency) {
        (false, _) => "what it aims at was not there".to_owned(),
        (true, Some(ticks)) => format!("the runs differed, seen {ticks} {} later", unit_name(unit)),
        (true, None) => "no difference between runs was seen".to_owned(),
    };
    format!("flip {}{thread} at rip {rip:#x}{symbol}: {what}", Text(*flip))
}

#[cfg(test)]
mod tests {
    use wire::flip::Noticed;
    use wire::record::MAX_RECORD_LEN;

    use super::*;

    #[test]
    fn a_flip_has_the_first_difference_behind_it() {
        let flip = |text| wire::injection::parse(text).unwrap();
        let flipped =
            |text, ticks| Record::Flipped(Flipped { flip: flip(text), rip: 0x40_1000, ticks, has_hit: true });
        let records = [
            flipped("pe=3,run=1,at=7,target=rax,bit=1", 100),
            Record::Noticed(Noticed { pe: 3, ticks: 150 }),
            Record::Noticed(Noticed { pe: 3, ticks: 170 }),
            flipped("pe=4,run=2,at=0,target=rip,bit=40", 200),
        ];
        let trace: Vec<u8> =
            records.iter().flat_map(|record| record.encode(&mut [0; MAX_RECORD_LEN]).to_vec()).collect();
        let made = made(&trace);
        assert_eq!(made.iter().map(|made| made.latency).collect::<Vec<_>>(), [Some(50), None]);
        let symbols = Symbols::of(&[]);
        let thread = Some(ThreadNumber { process: 1, thread: 2 });
        assert_eq!(
            line(&made[0], thread, Unit::Instructions, &symbols),
            "flip pe=3,run=1,at=7,target=rax,bit=1 in thread 2 of process 1 at rip 0x401000: the runs differed, seen 50 instructions later"
        );
        assert!(
            line(&made[1], None, Unit::Cycles, &symbols).ends_with("no difference between runs was seen")
        );
    }
}
