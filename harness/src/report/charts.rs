// SPDX-License-Identifier: MIT
//! The pictures of a report: the phases as bars, and how lengths, written pages and holds are distributed.
//!
//! They are drawn from the report's JSON, so that no figure in them is another one than there.

use anyhow::{Context, Result};
use pe_replay::TimedPhase;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use serde_json::Value;
use wire::Name;

use crate::outcome::summary::text::phase_title;
use crate::outcome::table::{grouped, ratio};

/// The font of text in pictures.
pub const FONT: &str = "sans-serif";
/// Text in pictures: readable, too, where a picture is only as wide as a telephone.
pub const TEXT: u32 = 13;
/// How wide a picture is that has a section's width.
pub const WIDE: u32 = 520;
const NARROW: (u32, u32) = (480, 250);
/// What a bar of a breakdown and the room around it take, of few bars and of many.
const ROW: u32 = 58;
const LOW_ROW: u32 = 42;
const MANY: usize = 6;
/// How high a line of a legend is, and how wide its square with the room around it and a letter about are.
pub const LINE: u32 = 20;
const SQUARE: i32 = 34;
const LETTER: i32 = 7;
/// The colours of the phases, apart for those who see few colours, too, on white and on black.
pub const COLORS: [RGBColor; TimedPhase::ALL.len()] = [
    RGBColor(66, 133, 214),
    RGBColor(230, 159, 0),
    RGBColor(178, 150, 60),
    RGBColor(150, 100, 200),
    RGBColor(0, 158, 135),
    RGBColor(220, 110, 170),
    RGBColor(205, 85, 60),
    RGBColor(140, 146, 154),
];

/// A picture.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The name of its file, without the ending.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// The picture.
    pub svg: String,
}

impl Picture {
    /// The picture for viewers that may have a dark ground of their own.
    pub fn on_white(&self) -> String {
        let ground = "<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>";
        match self.svg.split_once(">\n") {
            Some((head, rest)) => format!("{head}>\n{ground}\n{rest}"),
            None => self.svg.clone(),
        }
    }
}

/// All pictures of a report.
pub fn draw(report: &Value) -> Result<Vec<Picture>> {
    let mut pictures = vec![Picture {
        name: "breakdown",
        title: "Where the time goes, in multiples of the second run",
        svg: breakdown(&bars(report))?,
    }];
    for (name, title, key, axis) in [
        ("lengths", "Length of a PE", "instructions", "instructions"),
        ("written-pages", "Pages that a PE wrote", "frames_written", "pages"),
        ("holds", "From a PE's first instruction to its commit", "hold", unit(report)),
    ] {
        let ranges = &report["distributions"][key]["ranges"];
        pictures.push(Picture { name, title, svg: histogram(ranges, axis).context(title)? });
    }
    Ok(pictures)
}

/// The unit of durations.
pub fn unit(report: &Value) -> &str {
    report["unit"].as_str().unwrap_or_default()
}

/// A bar of a breakdown.
pub struct Bar {
    /// What it is of.
    pub name: String,
    /// In multiples of the second run or, without one, of the whole.
    pub phases: Vec<f64>,
    /// All of them, as the report says it.
    total: Option<f64>,
}

impl Bar {
    fn new(name: String, mut phases: Vec<f64>, total: Option<f64>) -> Self {
        let whole: f64 = phases.iter().sum();
        let second = phases[TimedPhase::SecondRun as usize];
        let one = if second > 0.0 { second } else { whole.max(1.0) };
        phases.iter_mut().for_each(|phase| *phase /= one);
        Self { name, phases, total }
    }

    /// A bar of the durations of a summary.
    pub fn counted(name: String, summary: &Value) -> Self {
        Self::new(name, ticks(summary, "phases"), summary["total_over_second_run"].as_f64())
    }

    /// A bar of the modelled cycles of a summary.
    pub fn modelled(name: String, summary: &Value) -> Self {
        Self::new(name, ticks(summary, "modelled_cycles"), summary["modelled_over_second_run"].as_f64())
    }

    /// The bar without the flush, if that took any time.
    pub fn without_flush(&self) -> Option<Self> {
        let mut phases = self.phases.clone();
        let flush = std::mem::take(&mut phases[TimedPhase::Flush as usize]);
        let name = format!("{} without the flush", self.name);
        (flush > 0.0).then_some(Self { name, phases, total: None })
    }

    /// All phases together.
    pub fn length(&self) -> f64 {
        self.phases.iter().sum()
    }
}

/// A summary's durations or modelled cycles of all phases.
fn ticks(summary: &Value, key: &str) -> Vec<f64> {
    let of = |phase: TimedPhase| summary[key][phase.name()].as_f64().unwrap_or_default();
    TimedPhase::ALL.into_iter().map(of).collect()
}

/// The bars of the breakdown, and those of the trace that is held against this one.
fn bars(report: &Value) -> Vec<Bar> {
    let against = &report["against"];
    let other = against["name"].as_str().map(|name| (format!("{name}: "), &against["summary"]));
    let mut bars = Vec::new();
    for (name, report) in [(String::new(), report)].into_iter().chain(other) {
        bars.push(Bar::counted(format!("{name}{}", unit(report)), report));
        if report["modelled_cycles"].is_object() {
            let bar = Bar::modelled(format!("{name}modelled cycles"), report);
            let without = bar.without_flush();
            bars.extend([Some(bar), without].into_iter().flatten());
        }
    }
    bars
}

/// Bars below each other, with what they come to at their ends.
pub fn breakdown(bars: &[Bar]) -> Result<String> {
    let most = bars.iter().map(Bar::length).fold(1.0, f64::max);
    let row = if bars.len() > MANY { LOW_ROW } else { ROW };
    let is_there = |phase: TimedPhase| bars.iter().any(|bar| bar.phases[phase as usize] > 0.0);
    let legend = placed(legend().filter(|(phase, ..)| is_there(*phase)));
    let lines = legend.last().map_or(0, |(.., line)| line + 1) as u32;
    picture((WIDE, row * bars.len() as u32 + 48 + LINE * lines), |area| {
        let (above, below) = area.split_vertically(LINE * lines);
        for (title, color, x, line) in legend {
            let y = line * LINE as i32 + 4;
            above.draw(&Rectangle::new([(x, y), (x + 11, y + 11)], color.filled()))?;
            above.draw(&Text::new(title, (x + 17, y - 1), (FONT, TEXT).into_font()))?;
        }
        let mut chart = ChartBuilder::on(&below)
            .margin_right(64)
            .margin_left(14)
            .x_label_area_size(40)
            .build_cartesian_2d(0.0..most, 0.0..bars.len() as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .disable_y_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.15))
            .x_desc("times the second run")
            .label_style((FONT, TEXT))
            .axis_desc_style((FONT, TEXT))
            .x_label_formatter(&|times| short(*times))
            .draw()?;
        for (row, bar) in bars.iter().enumerate() {
            let bottom = (bars.len() - row) as f64 - 0.92;
            let mut from = 0.0;
            for (phase, length) in bar.phases.iter().enumerate() {
                let color = COLORS[phase].filled();
                let corners = [(from, bottom), (from + length, bottom + 0.56)];
                chart.draw_series([Rectangle::new(corners, color)])?;
                from += length;
            }
            let style = (FONT, TEXT).into_font();
            chart.draw_series([Text::new(bar.name.clone(), (0.0, bottom + 0.86), style.clone())])?;
            let at = (from + most * 0.01, bottom + 0.4);
            chart.draw_series([Text::new(ratio(bar.total.unwrap_or(from)), at, style)])?;
        }
        Ok(())
    })
}

/// The entries of a legend with their places: how far from the left, and in which line.
fn placed(
    entries: impl Iterator<Item = (TimedPhase, &'static str, RGBColor)>,
) -> Vec<(&'static str, RGBColor, i32, i32)> {
    let (mut x, mut line) = (14, 0);
    let place = |(_, title, color): (TimedPhase, &'static str, RGBColor)| {
        let width = SQUARE + LETTER * title.len() as i32;
        if x + width > WIDE as i32 {
            (x, line) = (14, line + 1);
        }
        x += width;
        (title, color, x - width, line)
    };
    entries.map(place).collect()
}

/// A number on an axis: as it is, with thousands apart if it is large.
pub fn short(number: f64) -> String {
    if number < 1000.0 { format!("{number}") } else { grouped(number.round() as u64) }
}

/// An axis of ranges, each as wide as the next, with the first value of some of them written below.
struct Ranges(Vec<u64>);

impl Ranged for Ranges {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (value / self.0.len() as f64 * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let step = self.0.len().div_ceil(hint.max_num_points().clamp(1, 6)).max(1);
        (0..self.0.len()).step_by(step).map(|at| at as f64).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        0.0..self.0.len() as f64
    }
}

impl ValueFormatter<f64> for Ranges {
    fn format_ext(&self, at: &f64) -> String {
        self.0.get(*at as usize).map(|from| grouped(*from)).unwrap_or_default()
    }
}

/// The numbers of PEs by range, on an axis on which each line is ten times the one below: one PE is seen beside millions.
fn histogram(ranges: &Value, axis: &str) -> Result<String> {
    let ranges = ranges.as_array().context("no ranges")?;
    let of = |range: &Value, key: &str| range[key].as_u64().unwrap_or_default();
    let most = ranges.iter().map(|range| of(range, "pes")).max().unwrap_or_default().max(10);
    let starts: Vec<u64> = ranges.iter().map(|range| of(range, "from")).collect();
    picture(NARROW, |area| {
        let powers: Vec<f64> =
            (0..20).map(|power| 10_f64.powi(power)).take_while(|it| *it <= 2.0 * most as f64).collect();
        let mut chart = ChartBuilder::on(area)
            .margin_top(10)
            .margin_right(24)
            .x_label_area_size(42)
            .y_label_area_size(74)
            .build_cartesian_2d(
                Ranges(if starts.is_empty() { vec![0] } else { starts }),
                (0.6..most as f64 * 1.3).log_scale().with_key_points(powers),
            )?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.15))
            .x_desc(axis)
            .y_desc("PEs")
            .label_style((FONT, TEXT))
            .axis_desc_style((FONT, TEXT))
            .y_label_formatter(&|pes| grouped(pes.round() as u64))
            .draw()?;
        let drawn = ranges.iter().enumerate().filter(|(_, range)| of(range, "pes") > 0);
        chart.draw_series(drawn.map(|(at, range)| {
            let corners = [(at as f64 + 0.08, 0.6), (at as f64 + 0.92, of(range, "pes") as f64)];
            Rectangle::new(corners, COLORS[0].filled())
        }))?;
        Ok(())
    })
}

/// Draws a picture.
pub fn picture(
    size: (u32, u32),
    draw: impl FnOnce(&DrawingArea<SVGBackend, Shift>) -> Result<()>,
) -> Result<String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw(&root)?;
        root.present()?;
    }
    Ok(svg)
}

/// The legend of the phases: their titles and colours.
pub fn legend() -> impl Iterator<Item = (TimedPhase, &'static str, RGBColor)> {
    TimedPhase::ALL.into_iter().zip(COLORS).map(|(phase, color)| (phase, phase_title(phase), color))
}

#[cfg(test)]
mod tests {
    use super::super::analysis::tests::analysed;
    use super::super::value;
    use super::*;
    use crate::outcome::summary::Summary;
    use crate::outcome::summary::tests::sample;

    #[test]
    fn a_report_has_its_pictures() {
        let (trace, end) = sample();
        let mut report = value::value(&Summary::new(&trace, end).unwrap(), 0, &analysed(), None);
        let pictures = draw(&report).unwrap();
        let names: Vec<&str> = pictures.iter().map(|picture| picture.name).collect();
        assert_eq!(names, ["breakdown", "lengths", "written-pages", "holds"]);
        // The sample's model has a flush, and so a bar without it.
        for text in ["instructions", "modelled cycles without the flush", "2.132"] {
            assert!(pictures[0].svg.contains(text), "{text}");
        }
        assert!(pictures[0].on_white().contains("fill=\"#FFFFFF\""));
        let bars = |report: &Value| bars(report).len();
        let alone = bars(&report);
        report["against"] = serde_json::json!({ "name": "other", "summary": report.clone() });
        assert_eq!((alone, bars(&report)), (3, 6));
    }

    #[test]
    fn nothing_to_draw_is_drawn_empty() {
        assert!(histogram(&serde_json::json!([]), "pages").unwrap().contains("pages"));
    }
}
