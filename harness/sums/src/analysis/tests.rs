// SPDX-License-Identifier: MIT
//! Analyses of made-up runs.

use pe_replay::TimedPhase;

use super::timeline::{MOST_LANES, MOST_SINGLE};
use super::*;
use crate::sample::records;

/// The analysis of the sample run.
fn analysed() -> Analysis {
    of(records(), 0)
}

fn of(records: impl IntoIterator<Item = PeRecord>, from: u64) -> Analysis {
    let mut collector = Collector::new(from);
    records.into_iter().for_each(|record| collector.add(&record));
    collector.finish(&[])
}

/// So many PEs, of threads in turn.
fn many(pes: u64, threads: u32) -> impl Iterator<Item = PeRecord> {
    let like = records().remove(0);
    (0..pes).map(move |sequence| {
        let thread = ThreadNumber { process: 1 + sequence as u32 % threads, thread: 1 };
        PeRecord { sequence, thread, ..like.clone() }
    })
}

#[test]
fn each_group_has_its_pes() {
    let analysis = analysed();
    let told: Vec<_> = analysis.delimiters.iter().map(|group| (group.name.as_str(), group.pes)).collect();
    assert_eq!(told, [("syscall", 1), ("limit", 4)]);
    let [thread] = &analysis.threads[..] else { panic!("{:?}", analysis.threads) };
    assert_eq!((thread.name.as_str(), thread.pes, thread.instructions), ("thread 2 of process 1", 5, 5000));
    assert_eq!((thread.median(TimedPhase::Restart), thread.worst(TimedPhase::Restart)), (40, 80));
    assert_eq!((thread.divergences, thread.frames, thread.write_faults), (1, 10, 5));
    let total = 5000.0 * 2.0 + 250.0 + 200.0 + 160.0 + 50.0;
    assert!((thread.over_second_run().unwrap() - total / 5000.0).abs() < 1e-12);
}

#[test]
fn the_longest_pes_come_first() {
    let pes: Vec<u64> = analysed().longest.iter().map(|record| record.sequence).collect();
    assert_eq!(pes, [4, 3, 2, 1, 0]);
    let equal: Vec<u64> = of(many(50, 1), 0).longest.iter().map(|record| record.sequence).collect();
    assert_eq!(equal, (0..LONGEST as u64).collect::<Vec<_>>());
}

#[test]
fn processes_of_one_name_are_one_component() {
    let mut collector = Collector::new(0);
    many(9, 3).for_each(|record| collector.add(&record));
    let label = |process| Label { process, text: arrayvec::ArrayString::from("init").unwrap() };
    let analysis = collector.finish(&[label(1), label(3)]);
    let told: Vec<_> = analysis.components.iter().map(|group| (group.name.as_str(), group.pes)).collect();
    assert_eq!(told, [("init", 6), ("process 2", 3)]);
}

#[test]
fn memory_is_bounded_and_nothing_is_left_out_of_sums() {
    let pes = 3 * MOST_SINGLE as u64;
    let analysis = of(many(pes, 1000), 100);
    let timeline = &analysis.timeline;
    assert_eq!((timeline.singles.len(), timeline.singles[0].pe, timeline.pes), (MOST_SINGLE, 100, pes));
    let binned = pes - MOST_SINGLE as u64;
    assert_eq!(timeline.bins.iter().map(|bin| bin.pes).sum::<u64>(), binned);
    let parts = || timeline.bins.iter().flat_map(|bin| &bin.parts);
    assert_eq!(parts().map(|(_, part)| part.pes).sum::<u64>(), binned);
    assert!(parts().all(|(lane, _)| *lane < MOST_LANES) && timeline.is_crowded());
    // Between the bins there is one gap, where the single PEs are.
    let gaps: Vec<_> = timeline.bins.windows(2).filter(|pair| pair[0].end != pair[1].start).collect();
    let [gap] = &gaps[..] else { panic!("{} gaps", gaps.len()) };
    let last = timeline.singles.last().unwrap();
    assert_eq!((gap[0].end, gap[1].start), (timeline.singles[0].start, last.start + last.phases.total()));
    assert_eq!((timeline.bins[0].start, timeline.bins.last().unwrap().end), (0, timeline.end));
    assert!(timeline.bins.len() <= 1024 && timeline.bins.iter().all(|bin| bin.pes <= timeline.bin_size));
    assert_eq!(analysis.threads.len(), MOST_GROUPS + 1);
    let groups = [&analysis.threads, &analysis.components, &analysis.delimiters];
    assert!(groups.iter().all(|groups| groups.iter().map(|group| group.pes).sum::<u64>() == pes));
}

#[test]
fn what_happened_to_pes_is_marked() {
    let timeline = analysed().timeline;
    let [mark] = &timeline.marks[..] else { panic!("{:?}", timeline.marks) };
    assert_eq!((mark.pe, mark.divergences, mark.flips, mark.third_run), (3, 1, 1, false));
    assert_eq!(mark.start, timeline.singles[3].start);
}
