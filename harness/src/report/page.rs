// SPDX-License-Identifier: MIT
//! The report as one page: no other file and no network is needed to read it.
//!
//! Every figure is written by the function `figure`, which takes it from the report's JSON and says where it stands
//! there. The JSON is in the page, too, and what the timeline is drawn from.

use std::sync::Arc;

use anyhow::Result;
use minijinja::value::{Kwargs, Value as Shown};
use minijinja::{Error, ErrorKind, context};
use pe_replay::TimedPhase;
use plotters::style::RGBColor;
use serde_json::{Value, json};
use wire::end::End;
use wire::{DelimiterKind, Name, ThreadNumber};

use super::against::{self, number};
use super::analysis::timeline::{Bin, MOST_LANES, MOST_MARKS, Mark, Single};
use super::analysis::{Analysis, delimiter_name};
use super::charts::{self, Picture};
use super::runs;
use crate::outcome::{page, told};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// Makes the page.
pub fn page(
    name: &str,
    report: &Value,
    parameters: &Value,
    analysis: &Analysis,
    end: &End,
) -> Result<String> {
    // The registers below its first line are of no use here.
    let verdict = told::told(end).map(|text| text.lines().next().unwrap_or_default().to_owned());
    let mut environment = page::environment();
    let figures = Arc::new(report.clone());
    environment
        .add_function("figure", move |pointer: &str, options: Kwargs| figure(&figures, pointer, &options));
    environment.add_filter("words", |text: &str| text.replace('_', " "));
    environment.add_template("page", PAGE)?;
    let pictures: Vec<Shown> = charts::draw(report)?.iter().map(shown).collect();
    let of_runs: Vec<Shown> = runs::charts::draw(report)?.iter().map(shown).collect();
    let run_figures = runs::figures(runs::of(report)).map(|(title, at)| context! { title, at });
    let legend: Vec<Shown> =
        charts::legend().map(|(phase, title, _)| context! { key => phase.name(), title }).collect();
    let color = |(phase, _, color): (TimedPhase, _, RGBColor)| {
        format!(" --{}: rgb({},{},{});", phase.name(), color.0, color.1, color.2)
    };
    let colors: String = charts::legend().map(color).collect();
    Ok(environment.get_template("page")?.render(context! {
        name,
        verdict,
        report => converted(report),
        parameters => converted(parameters),
        pictures,
        of_runs,
        run_figures => run_figures.collect::<Vec<_>>(),
        legend,
        compared => against::figures().map(|(title, at)| context! { title, at }).collect::<Vec<_>>(),
        head => page::head(&format!("{name}: report of a run"), &format!(":root {{{colors} }}\n{STYLE}"))?,
        script => Shown::from_safe_string(SCRIPT.into()),
        json => embedded(report),
        timeline => embedded(&data(analysis, report, verdict.as_deref())),
    })?)
}

fn shown(picture: &Picture) -> Shown {
    let Picture { name, title, svg } = picture;
    context! { name, title, svg => Shown::from_safe_string(svg.clone()) }
}

/// JSON as templates take it.
fn converted(value: &Value) -> Shown {
    match value {
        Value::Null => Shown::from(()),
        Value::Bool(is) => Shown::from(*is),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(number), _) => Shown::from(number),
            (None, number) => Shown::from(number.unwrap_or_default()),
        },
        Value::String(text) => Shown::from(text.as_str()),
        Value::Array(values) => values.iter().map(converted).collect(),
        Value::Object(keys) => keys.iter().map(|(key, value)| (key.as_str(), converted(value))).collect(),
    }
}

/// JSON as it can stand in a page.
fn embedded(value: &Value) -> Shown {
    Shown::from_safe_string(value.to_string().replace('<', "\\u003c"))
}

/// A figure of the report, with the place in the JSON that it comes from.
fn figure(report: &Value, pointer: &str, options: &Kwargs) -> Result<Shown, Error> {
    let value = report.pointer(pointer);
    let value = value.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("no {pointer}")))?;
    let of: Option<&str> = options.get("share_of")?;
    options.assert_all_used()?;
    let text = match of {
        None => {
            return Ok(Shown::from_safe_string(format!(
                "<span data-json=\"{pointer}\">{}</span>",
                number(value)
            )));
        }
        Some(of) => {
            let whole = report.pointer(of).and_then(Value::as_f64).unwrap_or_default();
            let part = value.as_f64().unwrap_or_default();
            if whole > 0.0 { format!("{:.2} %", 100.0 * part / whole) } else { "-".into() }
        }
    };
    Ok(Shown::from(text))
}

/// What the timeline is drawn from.
fn data(analysis: &Analysis, report: &Value, verdict: Option<&str>) -> Value {
    let timeline = &analysis.timeline;
    let lanes = timeline.lanes.iter().map(|thread| format!("{}.{}", thread.process, thread.thread));
    let name = |thread: &ThreadNumber| {
        let known = analysis.threads.iter().find(|group| group.thread == Some(*thread));
        known.map_or_else(|| thread.to_string(), |group| group.name.clone())
    };
    json!({
        "unit": charts::unit(report),
        "end": timeline.end,
        "pes": timeline.pes,
        "bin_size": timeline.bin_size,
        "lanes": lanes.collect::<Vec<_>>(),
        "names": timeline.lanes.iter().map(name).collect::<Vec<_>>(),
        "shared_lane": timeline.is_crowded().then_some(MOST_LANES - 1),
        "phases": TimedPhase::ALL.map(|phase| phase.name()),
        "delimiters": DelimiterKind::ALL.map(delimiter_name),
        "singles": timeline.singles.iter().map(single).collect::<Vec<_>>(),
        "bins": timeline.bins.iter().map(bin).collect::<Vec<_>>(),
        "marks": timeline.marks.iter().map(mark).collect::<Vec<_>>(),
        "unmarked": timeline.unmarked,
        "most_marks": MOST_MARKS,
        "has_third_runs": report["mode"] == "triple",
        "verdict": verdict,
        "is_bad": report["end"]["kind"] != "exited" && report["end"]["kind"] != "stopped",
    })
}

fn single(single: &Single) -> Value {
    let Single { pe, lane, start, delimiter, rip, instructions, frames, phases } = single;
    json!([pe, lane, start, *delimiter as u8, rip, instructions, frames, phases.0])
}

fn bin(bin: &Bin) -> Value {
    let parts: Vec<Value> =
        bin.parts.iter().map(|(lane, part)| json!([lane, part.pes, part.phases.0])).collect();
    json!([bin.first, bin.pes, bin.start, bin.end, parts])
}

fn mark(mark: &Mark) -> Value {
    let Mark { pe, lane, start, end, divergences, third_run, flips, counter_misses } = mark;
    json!([pe, lane, start, end, divergences, third_run, flips, counter_misses])
}

#[cfg(test)]
mod tests {
    use super::super::analysis::Collector;
    use super::super::analysis::tests::sample_records;
    use super::super::value;
    use super::*;
    use crate::outcome::summary::Summary;
    use crate::outcome::summary::tests::sample;

    /// What somebody may call a file or a component who wants a reader's browser to do something.
    const HOSTILE: &str = "</script><script>alert(1)</script>";

    fn made() -> (String, Value) {
        let (trace, end) = sample();
        let summary = Summary::new(&trace, end).unwrap();
        let mut collector = Collector::new(0);
        sample_records().iter().for_each(|record| collector.add(record));
        let text = arrayvec::ArrayString::from(HOSTILE).unwrap();
        let analysis = collector.finish(&[wire::record::Label { process: 1, text }]);
        let mut report = value::value(&summary, 0, &analysis, None);
        report["against"] = json!({
            "name": HOSTILE,
            "summary": report.clone(),
            "compared_pes": 5,
            "behaved_differently": { "pes": 0, "first": null },
            "took_another_time": { "pes": 0, "first": null },
        });
        let parameters = json!({ "mode": HOSTILE });
        let page = page(HOSTILE, &report, &parameters, &analysis, &End::Deadlock).unwrap();
        (page, report)
    }

    #[test]
    fn names_are_text_and_nothing_else() {
        let (page, _) = made();
        assert_eq!(page.matches("<script").count(), 3);
        assert!(!page.contains("<script>alert"), "a name has become a part of the page");
        assert!(page.contains("&lt;script&gt;alert(1)"));
    }

    #[test]
    fn the_page_has_the_report_and_its_figures() {
        let (page, report) = made();
        let (_, rest) = page.split_once("id=\"report-json\">").unwrap();
        let embedded: Value = serde_json::from_str(rest.split('<').next().unwrap()).unwrap();
        assert_eq!(embedded, report);
        assert!(page.contains("<span data-json=\"/user_instructions\">5,000</span>"));
        assert!(page.contains("<span data-json=\"/against/summary/user_instructions\">5,000</span>"));
        assert!(page.contains("deadlock: nothing is left that could wake the program up"));
        assert!(page.contains("href=\"#from=3&amp;to=3\""));
        let (_, rest) = page.split_once("id=\"timeline-json\">").unwrap();
        let timeline: Value = serde_json::from_str(rest.split('<').next().unwrap()).unwrap();
        assert_eq!((timeline["singles"].as_array().map(Vec::len), &timeline["bins"]), (Some(5), &json!([])));
        assert_eq!(timeline["marks"][0][0], 3);
    }
}
