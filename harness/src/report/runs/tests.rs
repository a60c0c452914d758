// SPDX-License-Identifier: MIT
//! Runs that are made up of one sample.

use super::super::value as report_value;
use super::*;
use crate::outcome::summary::Summary;
use crate::outcome::summary::tests::sample;

/// A run with another policy, which took so many times as long.
fn run(change: &[(&str, Value)], times: f64) -> Value {
    let (trace, end) = sample();
    let mut summary = json::value(&Summary::new(&trace, end).unwrap(), 0);
    for (key, value) in change {
        summary[*key] = value.clone();
    }
    for key in ["total_instructions", "modelled_total", "total_over_second_run", "modelled_over_second_run"] {
        summary[key] = (summary[key].as_f64().unwrap() * times).into();
    }
    json!({ "name": format!("{times}.trace"), "summary": summary })
}

fn report(mut runs: Vec<Value>) -> Value {
    let (trace, end) = sample();
    let summary = Summary::new(&trace, end).unwrap();
    let analysis = super::super::analysis::tests::analysed();
    let mut report = report_value::value(&summary, 0, &analysis, None);
    order(&mut runs);
    report["runs"] = runs.into();
    report
}

fn limited(limit: u64, times: f64) -> Value {
    run(&[("limit", limit.into())], times)
}

#[test]
fn runs_are_named_by_what_differs_and_ordered_by_limit() {
    let flush = |flush: &str, times| run(&[("flush", flush.into())], times);
    let report =
        report(vec![limited(5000, 2.0), limited(1000, 3.0), flush("none", 1.0), flush("wbinvd", 4.0)]);
    let told: Vec<_> = of(&report).iter().map(|run| (plain(&run["name"]), limit(run))).collect();
    let labels: Vec<&str> = of(&report).iter().map(label).collect();
    assert!(labels.iter().all(|label| label.starts_with("dual, flush ")), "{labels:?}");
    assert!(told.is_sorted_by_key(|(_, limit)| *limit) || labels.windows(2).any(|two| two[0] != two[1]));
    assert!(labels.is_sorted(), "{labels:?}");
    assert!(labels.last().is_some_and(|label| *label == "dual, flush wbinvd"), "{labels:?}");
}

#[test]
fn what_a_run_costs_is_told_over_the_one_without_replay() {
    let off = run(&[("mode", OFF.into()), ("flush", "other".into())], 0.5);
    let report = report(vec![limited(1000, 3.0), off, limited(5000, 2.0)]);
    let over: Vec<_> = of(&report).iter().map(|run| (label(run), run["total_over_off"].as_f64())).collect();
    assert_eq!(over, [("dual", Some(6.0)), ("dual", Some(4.0)), (OFF, Some(1.0))]);
    let text = text(&report);
    let row = |of: &str| text.lines().find(|line| line.contains(of)).unwrap_or_default().to_owned();
    assert!(row("3.trace").contains(" 1,000 ") && row("3.trace").contains(" 6.000 "), "{text}");
    // The sample's model has a flush.
    assert!(row("dual, limit 5,000 without the flush").contains("1.000"), "{text}");
    let pictures = charts::draw(&report).unwrap();
    assert!(pictures[0].title.contains("without replay") && pictures[0].svg.contains("modelled cycles"));
    assert!(!pictures[0].svg.contains(">off: "), "the measure is no curve");
}

#[test]
fn without_a_run_off_nothing_is_told_over_it() {
    let report = report(vec![limited(1000, 3.0), limited(5000, 2.0)]);
    let text = text(&report);
    assert!(!text.contains("over off") && text.contains("total over second run"), "{text}");
    assert!(charts::draw(&report).unwrap()[0].title.contains("second run"));
    let pictures = charts::draw(&self::report(vec![limited(1000, 1.0), limited(1000, 2.0)])).unwrap();
    assert_eq!(
        pictures.iter().map(|picture| picture.name).collect::<Vec<_>>(),
        ["phases-by-run", "phases-by-run-with-flush"]
    );
}

#[test]
fn what_was_measured_otherwise_is_refused_with_both_names() {
    let error = same_unit(&limited(1, 1.0), &run(&[("unit", "cycles".into())], 2.0)).unwrap_err().to_string();
    assert_eq!(error, "2.trace is not comparable with 1.trace: unit cycles against instructions");
}
