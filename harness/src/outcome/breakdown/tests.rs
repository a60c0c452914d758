// SPDX-License-Identifier: MIT
//! Parts of made-up runs: what they sum to, and whose they are.

use wire::record::{MAX_RECORD_LEN, Record};

use super::super::summary::Summary;
use super::super::summary::tests::sample;
use super::*;

fn label(process: u32, text: &str) -> Label {
    Label { process, text: text.try_into().unwrap() }
}

/// The sample's PEs, dealt out to three processes.
fn dealt(labels: &[Label]) -> Summary {
    let (trace, mut end) = sample();
    let (header, records) = wire::record::Records::open(&trace).unwrap();
    let mut dealt = Record::Header(header).encode(&mut [0; MAX_RECORD_LEN]).to_vec();
    for record in records {
        let mut record = record.unwrap();
        record.thread.process = 1 + record.sequence as u32 % 3;
        dealt.extend_from_slice(Record::Pe(record).encode(&mut [0; MAX_RECORD_LEN]));
    }
    for label in labels {
        dealt.extend_from_slice(Record::Label(*label).encode(&mut [0; MAX_RECORD_LEN]));
    }
    // Large numbers, of which little is lost when they are shared out.
    end.totals.events.entries = 17_000;
    end.totals.events.copied = 30_000;
    end.totals.events.spaces_loaded = 5000;
    Summary::new(&dealt, end).unwrap()
}

#[test]
fn processes_of_one_name_are_one_part() {
    let summary = dealt(&[label(1, "core"), label(3, "init -> a"), label(2, "core")]);
    let parts = &summary.breakdown.processes;
    let names: Vec<_> = parts.iter().map(|part| (part.name.as_str(), part.totals.committed)).collect();
    assert_eq!(names, [("core", 4), ("init -> a", 1)]);
    let unnamed = dealt(&[label(2, "init")]);
    let names: Vec<_> = unnamed.breakdown.processes.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["process 1", "init", "process 3"]);
}

#[test]
fn the_parts_are_the_whole() {
    let summary = dealt(&[label(1, "core")]);
    let (whole, modelled) = (summary.totals(), summary.modelled.unwrap());
    for parts in [&summary.breakdown.processes, &summary.breakdown.delimiters] {
        let sum = |of: fn(&Part) -> u64| parts.iter().map(of).sum::<u64>();
        assert_eq!(sum(|part| part.totals.committed), whole.committed);
        assert_eq!(sum(|part| part.totals.user_instructions), whole.user_instructions);
        assert_eq!(sum(|part| part.totals.frames_written), whole.frames_written);
        assert_eq!(sum(|part| part.totals.total), whole.total);
        let cycles: f64 = parts.iter().map(|part| part.cycles.unwrap().total()).sum();
        assert!((cycles / modelled.total() - 1.0).abs() < 0.01, "{cycles} of {}", modelled.total());
    }
}

#[test]
fn a_part_is_given_what_its_pes_made_the_machine_do() {
    let summary = dealt(&[]);
    let parts = &summary.breakdown.processes;
    // Process 1 has two PEs of five, alike in runs, faults and pages.
    assert_eq!(parts[0].totals.events.entries, 17_000 * 2 / 5);
    assert_eq!(parts[0].totals.events.copied, 30_000 * 2 / 5);
}

#[test]
fn the_text_has_a_row_for_each_part() {
    let text = dealt(&[label(1, "core")]).breakdown.to_string();
    let firsts: Vec<_> = text.lines().filter_map(|line| line.split("  ").next()).collect();
    assert_eq!(
        firsts,
        ["component", "core", "process 2", "process 3", "", "ended by", "syscall", "limit", ""]
    );
}

/// However often a PE enters user mode, all caches are flushed once for it.
#[test]
fn flushes_of_all_caches_are_shared_out_by_the_time_that_they_took() {
    let part = |entries, frames| {
        let mut part = Part { entries, ..Part::new("part".into()) };
        part.totals.frames_written = frames;
        part.totals.phases.0[TimedPhase::Flush as usize] = 40;
        part
    };
    let events = Events { cache_flushes: 100, ..Events::default() };
    for mut part in [part(2, 0), part(11, 9)] {
        part.share(&events, [13, 9, 0, 80]);
        assert_eq!(part.totals.events.cache_flushes, 50, "{} entries", part.entries);
    }
}
