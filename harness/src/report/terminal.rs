// SPDX-License-Identifier: MIT
//! The report in a terminal: aligned tables and bars, below the summary.

use pe_replay::TimedPhase;
use wire::record::PeRecord;

use crate::outcome::breakdown::{Breakdown, Part};
use crate::outcome::place::Places;
use crate::outcome::share;
use crate::outcome::summary::Summary;
use crate::outcome::summary::text::{phase_title, unit_name};
use crate::outcome::table::{Align, Style, Table, grouped, ratio};
use sums::analysis::group::Group;
use sums::analysis::{Analysis, delimiter_name};
use sums::durations::hold;

/// Width of a bar that is the whole, in letters.
const WHOLE: usize = 60;
/// What stands where there is no figure.
const NONE: &str = "-";

/// All that the analysis adds to a summary.
pub fn text(summary: &Summary, analysis: &Analysis, places: Option<&Places>) -> String {
    let unit = unit_name(summary.header.unit);
    let mut parts = vec![bars(summary)];
    let Breakdown { delimiters, processes } = &summary.breakdown;
    for (title, groups, modelled) in [
        ("ended by", &analysis.delimiters, &delimiters[..]),
        ("thread", &analysis.threads, &[]),
        ("component", &analysis.components, &processes[..]),
    ] {
        // A thread or component that is alone would repeat what the summary says.
        if groups.len() < 2 && title != "ended by" {
            continue;
        }
        parts.push(sums(title, groups, modelled));
        parts.push(durations(title, groups));
    }
    parts.push(longest(&analysis.longest, unit, places));
    parts.join("\n")
}

/// The share of each phase as a bar, counted and, where there is a model, modelled.
fn bars(summary: &Summary) -> String {
    let totals = summary.totals();
    let counted = |phase| totals.phases.get(phase) as f64;
    let mut text = shares(unit_name(summary.header.unit), counted, totals.total as f64);
    if let Some(cycles) = summary.modelled {
        text.push('\n');
        text.push_str(&shares("modelled cycles", |phase| cycles.get(phase), cycles.total()));
    }
    text
}

fn shares(unit: &str, of: impl Fn(TimedPhase) -> f64, whole: f64) -> String {
    let mut text = format!("share of each phase, in {unit}\n");
    for phase in TimedPhase::ALL.into_iter().filter(|phase| of(*phase) > 0.0) {
        text.push_str(&share::line(phase, of(phase) / whole, WHOLE));
        text.push('\n');
    }
    text
}

/// What each group comes to; in modelled cycles, too, where the parts of a breakdown tell.
fn sums(title: &'static str, groups: &[Group], modelled: &[Part]) -> String {
    let mut columns = vec![
        (title, Align::Left),
        ("PEs", Align::Right),
        ("instructions", Align::Right),
        ("written frames", Align::Right),
        ("write faults", Align::Right),
        ("divergences", Align::Right),
        ("total", Align::Right),
        ("over second run", Align::Right),
    ];
    if !modelled.is_empty() {
        columns.extend([("modelled cycles", Align::Right), ("modelled over second run", Align::Right)]);
    }
    let mut table = Table::new("", &columns);
    for group in groups {
        let counts = [
            group.pes,
            group.instructions,
            group.frames,
            group.write_faults,
            group.divergences,
            group.phases.total(),
        ];
        let counts = counts.map(grouped);
        let over = group.over_second_run().map_or_else(|| NONE.to_owned(), ratio);
        let mut cells = [std::slice::from_ref(&group.name), &counts[..], &[over]].concat();
        if !modelled.is_empty() {
            let cycles = modelled.iter().find(|part| part.name == group.name).and_then(|part| part.cycles);
            let over = cycles.and_then(|cycles| cycles.over_second_run());
            cells.push(cycles.map_or_else(|| NONE.to_owned(), |it| grouped(it.total().round() as u64)));
            cells.push(over.map_or_else(|| NONE.to_owned(), ratio));
        }
        table.row(cells);
    }
    table.show(Style::Text).trim_start_matches('\n').to_owned()
}

/// Median and worst of each phase that took any time in one of the groups.
fn durations(title: &'static str, groups: &[Group]) -> String {
    let is_there = |phase: &TimedPhase| groups.iter().any(|group| group.worst(*phase) > 0);
    let phases: Vec<TimedPhase> = TimedPhase::ALL.into_iter().filter(is_there).collect();
    let mut columns = vec![(title, Align::Left), ("a PE", Align::Left)];
    columns.extend(phases.iter().map(|phase| (phase_title(*phase), Align::Right)));
    columns.push(("hold", Align::Right));
    let mut table = Table::new("", &columns);
    for group in groups {
        let of = |value: fn(&Group, TimedPhase) -> u64| {
            phases.iter().map(move |phase| grouped(value(group, *phase))).collect::<Vec<_>>()
        };
        let (median, worst) = (grouped(group.holds.median()), grouped(group.holds.highest()));
        table.row([vec![group.name.clone(), "median".into()], of(Group::median), vec![median]].concat());
        table.row([vec![String::new(), "worst".into()], of(Group::worst), vec![worst]].concat());
    }
    table.show(Style::Text).trim_start_matches('\n').to_owned()
}

/// The PEs that held interrupts back longest.
fn longest(records: &[PeRecord], unit: &str, places: Option<&Places>) -> String {
    let mut table = Table::new(
        "",
        &[
            ("longest PEs", Align::Left),
            ("hold", Align::Right),
            ("instructions", Align::Right),
            ("frames", Align::Right),
            ("faults", Align::Right),
            ("process", Align::Right),
            ("thread", Align::Right),
            ("ended by", Align::Left),
            ("at", Align::Left),
        ],
    );
    for record in records {
        let rip = format!("{:#x}", record.rip);
        table.row(vec![
            format!("PE {}", record.sequence),
            grouped(hold(&record.phases)),
            grouped(record.instructions),
            record.frames_written.to_string(),
            record.write_faults.to_string(),
            record.thread.process.to_string(),
            record.thread.thread.to_string(),
            delimiter_name(record.delimiter),
            match places.and_then(|places| places.of(record.rip)) {
                Some(place) => format!("{rip} {place}"),
                None => rip,
            },
        ]);
    }
    table.note(format!("hold: {unit} from a PE's first instruction to its commit, in which interrupts wait"));
    table.show(Style::Text).trim_start_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::sample::analysed;
    use super::*;
    use crate::outcome::summary::tests::sample;

    #[test]
    fn the_text_is_as_it_always_was() {
        let (trace, end) = sample();
        let text = text(&Summary::new(&trace, end).unwrap(), &analysed(), None);
        assert_eq!(text, include_str!("terminal/tests.txt"), "\n{text}");
    }

    #[test]
    fn a_group_that_is_the_whole_has_no_table() {
        let (trace, end) = sample();
        let (summary, mut analysis) = (Summary::new(&trace, end).unwrap(), analysed());
        let has = |analysis: &Analysis, title| text(&summary, analysis, None).contains(title);
        assert!(!has(&analysis, "\nthread ") && !has(&analysis, "\ncomponent "));
        analysis.threads.extend(analysis.threads.clone());
        assert!(has(&analysis, "\nthread ") && !has(&analysis, "\ncomponent "));
        analysis.components.extend(analysis.components.clone());
        assert!(has(&analysis, "\ncomponent "));
        analysis.delimiters.truncate(1);
        assert!(has(&analysis, "\nended by "));
    }
}
