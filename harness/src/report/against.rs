// SPDX-License-Identifier: MIT
//! Two traces side by side: what each comes to, and which PE is the first that did something else, or took another time.

use anyhow::Result;
use pe_replay::TimedPhase;
use serde_json::{Value, json};
use wire::Name;
use wire::record::PeRecord;

use super::analysis::delimiter_name;
use super::trace::{Told, Trace};
use crate::outcome::json;
use crate::outcome::summary::text::phase_title;
use crate::outcome::table::{Align, Style, Table, grouped, ratio};

/// How a run was made, by keys of the summary.
pub const PARAMETERS: [&str; 10] =
    ["mode", "recovery", "compare", "flush", "limit", "max_dirty", "counter", "clock", "isolated", "unit"];
/// What a run came to: titles, and keys of the summary.
const FIGURES: [(&str, &str); 10] = [
    ("PEs", "committed"),
    ("user instructions", "user_instructions"),
    ("written frames", "frames_written"),
    ("write faults", "write_faults"),
    ("divergences", "divergences"),
    ("longest hold", "longest_hold"),
    ("total", "total_instructions"),
    ("total over second run", "total_over_second_run"),
    ("modelled cycles", "modelled_total"),
    ("modelled over second run", "modelled_over_second_run"),
];

/// What the report of a trace has of another one that is held against it.
pub fn value(trace: &Trace, other: &Trace, told: &Told) -> Result<Value> {
    let (mut pes, mut behaved, mut timed) = (0_u64, Found::default(), Found::default());
    let (mut ours, mut theirs) = (trace.records()?, other.records()?);
    loop {
        // The longer one goes on alone.
        let (one, two) = (ours.next().transpose()?, theirs.next().transpose()?);
        match (&one, &two) {
            (None, None) => break,
            (Some(one), Some(two)) if did_the_same(one, two) => {}
            _ => behaved.add(one.as_ref(), two.as_ref()),
        }
        if let (Some(one), Some(two)) = (&one, &two)
            && one.phases != two.phases
        {
            timed.add(Some(one), Some(two));
        }
        pes += 1;
    }
    Ok(json!({
        "name": other.name(),
        "summary": json::value(&told.summary, other.status()),
        "compared_pes": pes,
        "behaved_differently": behaved.value(),
        "took_another_time": timed.value(),
    }))
}

/// Whether two PEs did the same, as far as the traces tell.
fn did_the_same(one: &PeRecord, two: &PeRecord) -> bool {
    let of = |it: &PeRecord| (it.thread, it.delimiter, it.rip, it.instructions, it.frames_written);
    of(one) == of(two) && (one.digest == two.digest || one.digest.is_none() || two.digest.is_none())
}

/// PEs that differ: how many, and the first.
#[derive(Default)]
struct Found {
    count: u64,
    first: Option<[Value; 2]>,
}

impl Found {
    fn add(&mut self, one: Option<&PeRecord>, two: Option<&PeRecord>) {
        self.count += 1;
        self.first.get_or_insert_with(|| [one, two].map(pe));
    }

    fn value(self) -> Value {
        json!({ "pes": self.count, "first": self.first })
    }
}

fn pe(record: Option<&PeRecord>) -> Value {
    record.map_or(Value::Null, |record| {
        json!({
            "pe": record.sequence,
            "process": record.thread.process,
            "thread": record.thread.thread,
            "ended_by": delimiter_name(record.delimiter),
            "rip": format!("{:#x}", record.rip),
            "user_instructions": record.instructions,
            "frames_written": record.frames_written,
            "digest": record.digest.map(|digest| digest.to_string()),
            "phases": json::phases(&record.phases),
        })
    })
}

/// A figure of the report, and the other trace's.
fn both<'a>(report: &'a Value, pointer: &str) -> [&'a Value; 2] {
    let of = |value: &'a Value| value.pointer(pointer).unwrap_or(&Value::Null);
    [of(report), of(&report["against"]["summary"])]
}

/// The pointers of all figures that are compared, with their titles.
pub fn figures() -> impl Iterator<Item = (&'static str, String)> {
    let (figures, totals) = FIGURES.split_at(6);
    let pointer = |(title, key): &(&'static str, &str)| (*title, format!("/{key}"));
    let phases = TimedPhase::ALL.map(|phase| (phase_title(phase), format!("/phases/{}", phase.name())));
    figures.iter().map(pointer).chain(phases).chain(totals.iter().map(pointer))
}

/// The comparison in a terminal, of a report that has one.
pub fn text(name: &str, report: &Value) -> String {
    let against = &report["against"];
    let other = against["name"].as_str().unwrap_or_default();
    let mut text = format!("this: {name}\nother: {other}\n");
    for key in PARAMETERS {
        let [one, two] = both(report, &format!("/{key}"));
        if one != two {
            text.push_str(&format!("{key}: {}, and in the other {}\n", plain(one), plain(two)));
        }
    }
    text.push('\n');
    let columns = ["this", "other", "other over this"].map(|title| (title, Align::Right));
    let mut table = Table::new("", &[&[("", Align::Left)], &columns[..]].concat());
    for (title, pointer) in figures() {
        let [one, two] = both(report, &pointer);
        let over = match (one.as_f64(), two.as_f64()) {
            (Some(one), Some(two)) if one > 0.0 => ratio(two / one),
            _ => "-".into(),
        };
        table.row(vec![title.into(), number(one), number(two), over]);
    }
    text.push_str(table.show(Style::Text).trim_start_matches('\n'));
    text.push('\n');
    let compared = against["compared_pes"].as_u64().unwrap_or_default();
    text.push_str(&told("did something else", &against["behaved_differently"], compared, did));
    text.push_str(&told("took another time", &against["took_another_time"], compared, took));
    text
}

/// How many PEs differ in something, and the first of them.
fn told(what: &str, found: &Value, compared: u64, first: fn(&Value, &Value) -> String) -> String {
    let count = found["pes"].as_u64().unwrap_or_default();
    let compared = grouped(compared);
    if count == 0 {
        return format!("none of {compared} PEs {what}\n");
    }
    let [one, two] = [0, 1].map(|at| &found["first"][at]);
    format!("{} of {compared} PEs {what}, first {}\n", grouped(count), first(one, two))
}

fn did(one: &Value, two: &Value) -> String {
    let of = |pe: &Value| match pe["pe"].as_u64() {
        None => "there is none".to_owned(),
        Some(_) => {
            let digest = pe["digest"].as_str().map(|digest| format!(", digest {digest}")).unwrap_or_default();
            format!(
                "thread {} of process {}, ended by {} at {} after {} instructions, {} pages written{digest}",
                pe["thread"],
                pe["process"],
                plain(&pe["ended_by"]),
                plain(&pe["rip"]),
                number(&pe["user_instructions"]),
                pe["frames_written"],
            )
        }
    };
    let number = if one.is_null() { &two["pe"] } else { &one["pe"] };
    format!("PE {number}:\n  this: {}\n  other: {}", of(one), of(two))
}

fn took(one: &Value, two: &Value) -> String {
    let phases = TimedPhase::ALL.into_iter().filter_map(|phase| {
        let of = |pe: &Value| pe["phases"][phase.name()].clone();
        let (one, two) = (of(one), of(two));
        (one != two).then(|| format!("{} {} against {}", phase_title(phase), number(&one), number(&two)))
    });
    format!("PE {}: {}", one["pe"], phases.collect::<Vec<_>>().join(", "))
}

/// A value without quotes.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A figure as people read it.
pub fn number(value: &Value) -> String {
    match (value.as_u64(), value.as_f64()) {
        (Some(number), _) => grouped(number),
        (None, Some(number)) if number == 0.0 => "0".into(),
        (None, Some(number)) => ratio(number),
        (None, None) => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use wire::end::MAX_END_LEN;
    use wire::record::{MAX_RECORD_LEN, Record, Records};

    use super::super::value;
    use super::*;
    use crate::outcome::summary::tests::sample;
    use crate::outcome::trace_file;

    /// The sample's file, with some records changed.
    fn file(path: &Path, change: impl Fn(&mut PeRecord)) -> Trace {
        let (trace, mut end) = sample();
        let (header, records) = Records::open(&trace).unwrap();
        let mut changed = Record::Header(header).encode(&mut [0; MAX_RECORD_LEN]).to_vec();
        (end.totals.user_instructions, end.totals.phases) = Default::default();
        for record in records {
            let mut record = record.unwrap();
            change(&mut record);
            end.totals.user_instructions += record.instructions;
            end.totals.phases.0.iter_mut().zip(record.phases.0).for_each(|(sum, one)| *sum += one);
            changed.extend_from_slice(Record::Pe(record).encode(&mut [0; MAX_RECORD_LEN]));
        }
        end.totals.total = end.totals.phases.total();
        fs::write(path, trace_file::tests::packed(&changed, end.encode(&mut [0; MAX_END_LEN]))).unwrap();
        Trace::read(path, 0).unwrap()
    }

    fn compared(change: impl Fn(&mut PeRecord)) -> String {
        let directory = tempfile::tempdir().unwrap();
        let trace = file(&directory.path().join("one"), |_| ());
        let other = file(&directory.path().join("two"), change);
        let told = trace.told.as_ref().unwrap();
        let mut report = value::value(&told.summary, 0, &told.analysis, None);
        report["against"] = super::value(&trace, &other, other.told.as_ref().unwrap()).unwrap();
        text("one", &report)
    }

    #[test]
    fn equal_traces_have_no_difference() {
        let text = compared(|_| ());
        assert!(
            text.ends_with("none of 5 PEs did something else\nnone of 5 PEs took another time\n"),
            "{text}"
        );
        assert!(text.lines().any(|line| line.split_whitespace().eq(["PEs", "5", "5", "1.000"])), "{text}");
    }

    #[test]
    fn the_first_differences_are_told() {
        let text = compared(|record| {
            if record.sequence > 1 {
                record.phases.0[TimedPhase::Restart as usize] += 7;
            }
            if record.sequence == 3 {
                record.instructions += 1;
            }
        });
        assert!(text.contains("3 of 5 PEs took another time, first PE 2: restart 40 against 47\n"), "{text}");
        let shorter = compared(|record| record.thread.thread += u32::from(record.sequence == 4));
        assert!(shorter.contains("1 of 5 PEs did something else, first PE 4:\n"), "{shorter}");
        let (_, did) = text.split_once("1 of 5 PEs did something else, first PE 3:\n").unwrap();
        assert!(
            did.contains("  other: thread 2 of process 1, ended by limit at 0x401003 after 1,001"),
            "{text}"
        );
    }
}
