// SPDX-License-Identifier: MIT
//! The pictures of a campaign: which share of flips was effective, by bit and by place, and how soon flips were seen.
//!
//! A whisker is the two-sided interval of a share.

use std::ops::Range;

use anyhow::{Context, Result};
use plotters::prelude::*;

use super::Report;
use crate::inject::bound;
use crate::inject::draw::{Class, Seen};
use crate::inject::effect::Effect;
use crate::outcome::table::grouped;

const FONT: (&str, u32) = ("sans-serif", 13);
const SIZE: (u32, u32) = (480, 250);
/// Told apart by those who see few colours, too, on white and on black.
const BAR: RGBColor = RGBColor(66, 133, 214);
const WHISKER: RGBColor = RGBColor(140, 146, 154);
/// Parts that a PE is divided into.
const PLACES: u64 = 10;
/// Bits of a register.
const BITS: usize = 64;
/// So many flips a bit, and each bit has a bar of its own; all of a byte have one otherwise.
const ENOUGH: usize = 20;

/// A picture.
pub struct Picture {
    /// What it shows.
    pub title: &'static str,
    /// The picture, as SVG.
    pub svg: String,
}

/// A bar: where it stands, how high it is, and between what its share may be.
struct Bar {
    place: Range<f64>,
    height: f64,
    interval: Option<(f64, f64)>,
}

/// How many of some flips were effective.
#[derive(Clone, Copy, Default)]
struct Share {
    effective: u64,
    all: u64,
}

impl Share {
    fn add(&mut self, effect: Effect) {
        self.all += 1;
        self.effective += u64::from(effect != Effect::None);
    }

    /// The bar of a share, in percent; none of nothing.
    fn bar(self, place: Range<f64>) -> Option<Bar> {
        let (least, most) = bound::interval(self.effective, self.all);
        let height = 100.0 * self.effective as f64 / self.all as f64;
        (self.all > 0).then_some(Bar { place, height, interval: Some((100.0 * least, 100.0 * most)) })
    }
}

/// All pictures of a campaign; those that nothing would be in are left out.
pub fn draw(report: &Report) -> Result<Vec<Picture>> {
    let percent = "effective, %";
    let drawn = [
        (
            "Effective by bit of a general register",
            columns(&by_bit(report), percent, "bit", |at| format!("{at:.0}")),
        ),
        (
            "Effective by place in the PE",
            columns(&by_place(report), percent, "instructions of the PE, %", |at| format!("{at:.0}")),
        ),
        (
            "From flip to seen difference",
            columns(&by_latency(report), "flips", "instructions, kernel included", |at| {
                grouped(at.exp2() as u64)
            }),
        ),
    ];
    let mut pictures = Vec::new();
    for (title, svg) in drawn {
        if let Some(svg) = svg.context(title)? {
            pictures.push(Picture { title, svg });
        }
    }
    Ok(pictures)
}

/// By bit of a general register, without replay.
fn by_bit(report: &Report) -> Vec<Bar> {
    let hits: Vec<_> = report
        .flips
        .iter()
        .filter(|flip| matches!(flip.class, Class::Seen(Seen::General, _)))
        .filter_map(|flip| Some((flip.bits.first()?.bit, flip.off?)))
        .collect();
    let width = if hits.len() < ENOUGH * BITS { 8 } else { 1 };
    let mut shares = vec![Share::default(); BITS / width];
    for (bit, effect) in hits {
        shares[usize::from(bit) % BITS / width].add(effect);
    }
    bars(&shares, width as f64)
}

/// By the part of the PE that was over when the flip was made, without replay.
fn by_place(report: &Report) -> Vec<Bar> {
    let mut shares = [Share::default(); PLACES as usize];
    for flip in &report.flips {
        if let (Some(effect), Some(bit)) = (flip.off, flip.bits.first()) {
            let part = (PLACES * bit.at / flip.instructions.max(1)).min(PLACES - 1);
            shares[part as usize].add(effect);
        }
    }
    bars(&shares, 100.0 / PLACES as f64)
}

/// Flips under the first policy by the power of two that their latency reaches.
fn by_latency(report: &Report) -> Vec<Bar> {
    let mut counts = [0_u64; 64];
    let latencies = report.flips.iter().filter_map(|flip| flip.on.first()?.latency);
    latencies.for_each(|latency| counts[latency.max(1).ilog2() as usize] += 1);
    let used = |(at, count): (usize, &u64)| {
        let place = at as f64..at as f64 + 1.0;
        (*count > 0).then_some(Bar { place, height: *count as f64, interval: None })
    };
    counts.iter().enumerate().filter_map(used).collect()
}

fn bars(shares: &[Share], width: f64) -> Vec<Bar> {
    let bar = |(at, share): (usize, &Share)| share.bar(at as f64 * width..(at + 1) as f64 * width);
    shares.iter().enumerate().filter_map(bar).collect()
}

/// Bars beside each other; none of no bars.
fn columns(bars: &[Bar], height: &str, axis: &str, label: fn(f64) -> String) -> Result<Option<String>> {
    let ([first, ..], [.., last]) = (bars, bars) else { return Ok(None) };
    let top = |bar: &Bar| bar.interval.map_or(bar.height, |(_, most)| most);
    let most = bars.iter().map(top).fold(1.0, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(8)
            .margin_right(28)
            .x_label_area_size(38)
            .y_label_area_size(52)
            .build_cartesian_2d(first.place.start..last.place.end, 0.0..most * 1.05)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.15))
            .label_style(FONT)
            .x_labels(8)
            .y_labels(5)
            .x_desc(axis)
            .y_desc(height)
            .x_label_formatter(&|at| label(*at))
            .draw()?;
        for Bar { place, height, interval } in bars {
            let room = (place.end - place.start) * 0.1;
            let corners = [(place.start + room, 0.0), (place.end - room, *height)];
            chart.draw_series([Rectangle::new(corners, BAR.filled())])?;
            if let Some((least, most)) = interval {
                let middle = f64::midpoint(place.start, place.end);
                chart.draw_series([PathElement::new(
                    [(middle, *least), (middle, *most)],
                    WHISKER.stroke_width(2),
                )])?;
            }
        }
        area.present()?;
    }
    Ok(Some(svg))
}
