// SPDX-License-Identifier: MIT
//! What a native run adds up to, as aligned text and as JSON.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::{Counts, Ended, Event, Refused};
use crate::outcome::told::signal_name;

/// Width of the column of names.
const NAME: usize = 26;
/// Width of the column of numbers.
const NUMBER: usize = 16;
/// What stands where nothing was counted.
const NONE: &str = "-";

/// Instructions a cycle, if both were counted.
pub fn per_cycle(counts: &Counts) -> Option<f64> {
    let (instructions, cycles) = (counts.get(Event::Instructions).ok()?, counts.get(Event::Cycles).ok()?);
    Some(instructions as f64 / cycles as f64)
}

/// The summary; ends with a line for each reason why something was not counted.
pub fn text(ended: &Ended) -> String {
    let counts = &ended.counts;
    let number = |event| counts.get(event).map_or(NONE.to_owned(), |count| count.to_string());
    let milliseconds = |ns: u128| format!("{}.{:03}", ns / 1_000_000, ns / 1_000 % 1_000);
    let cpu_time = counts.get(Event::CpuTime).map_or(NONE.to_owned(), |ns| milliseconds(ns.into()));
    let mut text = "native, from the program's first instruction on, its children included\n".to_owned();
    for (name, value) in [
        ("instructions", number(Event::Instructions)),
        ("cycles", number(Event::Cycles)),
        ("instructions a cycle", per_cycle(counts).map_or(NONE.to_owned(), |rate| format!("{rate:.3}"))),
        ("page faults", number(Event::PageFaults)),
        ("CPU time, ms", cpu_time),
        ("elapsed, ms", milliseconds(ended.elapsed.as_nanos())),
    ] {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<NAME$}{value:>NUMBER$}");
    }
    for (reason, names) in reasons(counts) {
        let _ = writeln!(text, "not counted: {}: {reason}", names.join(", "));
    }
    text
}

/// Each reason once, with what was not counted for it.
fn reasons(counts: &Counts) -> Vec<(&Refused, Vec<&'static str>)> {
    let mut reasons: Vec<(&Refused, Vec<&'static str>)> = Vec::new();
    for event in Event::ALL {
        let Err(refused) = counts.get(event) else { continue };
        match reasons.iter_mut().find(|(reason, _)| *reason == refused) {
            Some((_, names)) => names.push(event.name()),
            None => reasons.push((refused, vec![event.name()])),
        }
    }
    reasons
}

/// The summary as JSON; what was not counted is null, and `not_counted` says why.
pub fn value(ended: &Ended) -> Value {
    let counts = &ended.counts;
    let end = match ended.signal {
        None => json!({ "kind": "exited", "status": ended.status }),
        Some(signal) => json!({ "kind": "killed", "signal": signal, "signal_name": signal_name(signal) }),
    };
    let mut value = Map::from_iter([
        ("exit_status".to_owned(), ended.status.into()),
        ("instructions_a_cycle".to_owned(), per_cycle(counts).into()),
        ("elapsed_ns".to_owned(), u64::try_from(ended.elapsed.as_nanos()).ok().into()),
        ("end".to_owned(), end),
    ]);
    let mut refused = Map::new();
    for event in Event::ALL {
        let count = counts.get(event);
        value.insert(event.key().to_owned(), count.ok().into());
        if let Err(reason) = count {
            refused.insert(event.key().to_owned(), reason.to_string().into());
        }
    }
    value.insert("not_counted".to_owned(), refused.into());
    value.into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::counters::tests::counts;
    use super::*;

    fn ended(counts: Counts) -> Ended {
        let elapsed = Duration::from_micros(2_345);
        Ended { status: 139, signal: Some(11), stdout: Vec::new(), stderr: Vec::new(), counts, elapsed }
    }

    #[test]
    fn what_was_counted_stands_in_columns() {
        let text = text(&ended(counts(Ok((1000, 400)))));
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let expected = [
            "instructions                          1000",
            "cycles                                 400",
            "instructions a cycle                 2.500",
            "page faults                             30",
            "CPU time, ms                         1.500",
            "elapsed, ms                          2.345",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_was_not_counted_is_a_dash_and_one_line_says_why() {
        let text = text(&ended(counts(Err(Refused::NoDevice))));
        assert!(text.contains("\ncycles                                   -\n"), "{text}");
        let reason = text.lines().last().unwrap();
        assert!(reason.starts_with("not counted: instructions, cycles: this machine's Linux"), "{text}");
    }

    #[test]
    fn json_says_the_same() {
        let counted = value(&ended(counts(Ok((1000, 400)))));
        assert_eq!(counted["instructions"], 1000);
        assert_eq!(counted["instructions_a_cycle"], 2.5);
        assert_eq!(counted["elapsed_ns"], 2_345_000);
        assert_eq!(counted["not_counted"], json!({}));
        assert_eq!(counted["end"], json!({ "kind": "killed", "signal": 11, "signal_name": "SIGSEGV" }));
        let refused = value(&ended(counts(Err(Refused::Forbidden(Some(3))))));
        assert!(refused["cycles"].is_null() && refused["instructions_a_cycle"].is_null());
        assert!(refused["not_counted"]["cycles"].as_str().unwrap().contains("is 3"));
        assert_eq!(refused["page_faults"], 30);
    }
}
