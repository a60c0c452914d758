// SPDX-License-Identifier: MIT
//! Pictures of several runs: what they cost against the limit, and where their time goes with and without the flush.

use std::ops::Range;

use anyhow::Result;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use serde_json::Value;

use super::super::charts::{Bar, COLORS, FONT, LINE, Picture, TEXT, WIDE, breakdown, picture, short, unit};
use super::{OFF, has_off, label, limit, of};
use crate::outcome::table::grouped;

/// The titles of the phases by run: in modelled cycles, and counted.
const WITHOUT_FLUSH: [&str; 2] = [
    "Where the time goes without the flush, modelled cycles in multiples of the second run's",
    "Where the time goes without the flush, in multiples of the second run",
];
const WITH_FLUSH: [&str; 2] = [
    "Where the time goes with the flush, modelled cycles in multiples of the second run's",
    "Where the time goes with the flush, in multiples of the second run",
];
/// How high the picture of the cost is without its legend.
const HEIGHT: u32 = 300;
/// How many limits there is room for below the picture.
const MOST_MARKED: usize = 8;

/// The pictures of a report that has runs.
pub fn draw(report: &Value) -> Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    let runs = of(report);
    let curves = curves(runs);
    // One limit is no curve.
    if curves.iter().any(|curve| curve.points.windows(2).any(|two| two[0].0 < two[1].0)) {
        let (title, measure) = match has_off(runs) {
            true => {
                ("Cost against limit, in multiples of the run without replay", "times the run without replay")
            }
            false => ("Cost against limit, in multiples of the second run", "times the second run"),
        };
        pictures.push(Picture { name: "cost-by-limit", title, svg: cost(&curves, measure)? });
    }
    // The flush is much longer than all the rest: beside it nothing else would be seen.
    let (with, without) = bars(runs);
    let is_modelled = report["modelled_cycles"].is_object();
    for (name, [modelled, counted], bars) in
        [("phases-by-run", WITHOUT_FLUSH, without), ("phases-by-run-with-flush", WITH_FLUSH, with)]
    {
        if !bars.is_empty() {
            let title = if is_modelled { modelled } else { counted };
            pictures.push(Picture { name, title, svg: breakdown(&bars)? });
        }
    }
    Ok(pictures)
}

/// The phases of each run that has a second run, in modelled cycles where there is a model: of those with a flush, and
/// of all without it.
pub fn bars(runs: &[Value]) -> (Vec<Bar>, Vec<Bar>) {
    let bar = |run: &Value| {
        let (name, summary) = (format!("{}, limit {}", label(run), grouped(limit(run))), &run["summary"]);
        match summary["modelled_cycles"].is_object() {
            true => Bar::modelled(name, summary),
            false => Bar::counted(name, summary),
        }
    };
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for bar in runs.iter().filter(|run| label(run) != OFF).map(bar) {
        match bar.without_flush() {
            Some(rest) => {
                without.push(rest);
                with.push(bar);
            }
            None => without.push(bar),
        }
    }
    (with, without)
}

/// What runs of one name cost by limit, in one unit.
struct Curve {
    name: String,
    color: RGBColor,
    is_modelled: bool,
    points: Vec<(f64, f64)>,
}

/// The curves of the runs: over the run without replay if there is one, else over the second run.
fn curves(runs: &[Value]) -> Vec<Curve> {
    let (total, modelled) = match has_off(runs) {
        true => ("/total_over_off", "/modelled_over_off"),
        false => ("/summary/total_over_second_run", "/summary/modelled_over_second_run"),
    };
    let mut names: Vec<&str> = runs.iter().map(label).filter(|name| *name != OFF).collect();
    names.dedup();
    let curve = |name: &str, color: RGBColor, unit: &str, is_modelled: bool| {
        let at = if is_modelled { modelled } else { total };
        let runs = runs.iter().filter(|run| label(run) == name);
        let points = runs.filter_map(|run| Some((limit(run) as f64, run.pointer(at)?.as_f64()?))).collect();
        Curve { name: format!("{name}: {unit}"), color, is_modelled, points }
    };
    let unit = runs.first().map_or("", |run| unit(&run["summary"]));
    let both = |(name, color): (&str, RGBColor)| {
        [curve(name, color, "modelled cycles", true), curve(name, color, unit, false)]
    };
    let curves = names.into_iter().zip(COLORS.into_iter().cycle()).flat_map(both);
    curves.filter(|curve| !curve.points.is_empty()).collect()
}

/// 1, 2 and 5 in each power of ten that the axis of a range has.
fn round(range: &Range<f64>) -> Vec<f64> {
    let powers = (-3..13).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
    powers.filter(|value| range.contains(value)).collect()
}

/// The range of an axis with some room at its ends.
fn range(values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    values.clone().fold(f64::MAX, f64::min) / 1.2..values.fold(0.0, f64::max) * 1.2
}

/// The curves below their legend, on axes on which equal ways are equal ratios.
fn cost(curves: &[Curve], measure: &str) -> Result<String> {
    let legend = LINE * curves.len() as u32 + 8;
    let points = || curves.iter().flat_map(|curve| curve.points.iter());
    let (limits, costs) = (range(points().map(|point| point.0)), range(points().map(|point| point.1)));
    let limits_marked = match round(&limits) {
        few if few.len() <= MOST_MARKED => few,
        many => many.into_iter().filter(|limit| limit.log10().fract() == 0.0).collect(),
    };
    picture((WIDE, HEIGHT + legend), |area| {
        let (above, below) = area.split_vertically(legend);
        let mut chart = ChartBuilder::on(&below)
            .margin_top(10)
            .margin_right(30)
            .x_label_area_size(42)
            .y_label_area_size(64)
            .build_cartesian_2d(
                limits.clone().log_scale().with_key_points(limits_marked),
                costs.clone().log_scale().with_key_points(round(&costs)),
            )?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.15))
            .x_desc("limit, in instructions")
            .y_desc(measure)
            .label_style((FONT, TEXT))
            .axis_desc_style((FONT, TEXT))
            .x_label_formatter(&|limit| grouped(limit.round() as u64))
            .y_label_formatter(&|cost| short(*cost))
            .draw()?;
        for (row, curve) in curves.iter().enumerate() {
            let Curve { name, color, is_modelled, points } = curve;
            let (y, line) = (row as i32 * LINE as i32 + 12, color.stroke_width(2));
            let sample = [(20, y), (50, y)];
            if *is_modelled {
                chart.draw_series(LineSeries::new(points.iter().copied(), line))?;
                above.draw(&PathElement::new(sample, line))?;
            } else {
                chart.draw_series(DashedLineSeries::new(points.iter().copied(), 5, 4, line))?;
                above.draw(&DashedPathElement::new(sample, 5, 4, line))?;
            }
            chart.draw_series(points.iter().map(|at| Circle::new(*at, 3, color.filled())))?;
            above.draw(&Text::new(name.clone(), (58, y - TEXT as i32 / 2), (FONT, TEXT).into_font()))?;
        }
        Ok(())
    })
}
