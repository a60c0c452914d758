// SPDX-License-Identifier: MIT
//! The limit sweep as a picture: cost above, latency below, over the same limits.

use std::ops::Range;

use anyhow::{Result, ensure};
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::sweep::{Curve, Point};
use crate::outcome::table::grouped;

const SIZE: (u32, u32) = (900, 860);
/// The font of pictures.
pub const FONT: &str = "sans-serif";
const LIMITS: Range<f64> = 900.0..11_000_000.0;
/// Distinct for those who see few colours, too.
pub const COLORS: [RGBColor; 3] = [RGBColor(0, 90, 170), RGBColor(215, 90, 0), RGBColor(20, 130, 80)];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One half of the picture.
struct Panel<'a> {
    title: &'a str,
    axis: &'a str,
    /// What the solid line shows, and what the broken one.
    names: [&'a str; 2],
    values: [fn(&Point) -> f64; 2],
    ticks: &'a [f64],
    /// Where no curve is.
    legend: SeriesLabelPosition,
}

const COST: Panel<'static> = Panel {
    title: "Cost: dual over off",
    axis: "ratio",
    names: ["modelled cycles", "instructions"],
    values: [|point| point.modelled_over_off, |point| point.over_off],
    ticks: &[2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 70.0, 100.0],
    legend: SeriesLabelPosition::UpperRight,
};

const LATENCY: Panel<'static> = Panel {
    title: "Latency: how long an interrupt is held back",
    axis: "instructions",
    names: ["longest hold", "median delay"],
    values: [|point| point.longest_hold as f64, |point| point.median_delay as f64],
    ticks: &[1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8],
    legend: SeriesLabelPosition::UpperLeft,
};

/// Draws the curves as SVG.
pub fn draw(curves: &[Curve]) -> Result<String> {
    let drawn = curves.iter().filter(|curve| !curve.points.is_empty()).count();
    ensure!(drawn > 0, "there is nothing to draw");
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (top, bottom) = root.split_vertically(SIZE.1 / 2);
        COST.draw(&top, curves)?;
        LATENCY.draw(&bottom, curves)?;
        root.present()?;
    }
    Ok(picture)
}

impl Panel<'_> {
    fn draw(&self, area: &Area, curves: &[Curve]) -> Result<()> {
        let values =
            || curves.iter().flat_map(|curve| &curve.points).flat_map(|one| self.values.map(|of| of(one)));
        let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
        let range = least.max(1.0) * 0.93..most * 1.1;
        // One outside would be drawn outside.
        let ticks = self.ticks.iter().copied().filter(|tick| range.contains(tick)).collect();
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, (FONT, 20))
            .margin(14)
            .margin_right(44)
            .x_label_area_size(46)
            .y_label_area_size(90)
            .build_cartesian_2d(
                LIMITS.log_scale().with_key_points((3..=7).map(|exponent| 10_f64.powi(exponent)).collect()),
                range.log_scale().with_key_points(ticks),
            )?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.15))
            .x_desc("limit, in instructions")
            .y_desc(self.axis)
            .label_style((FONT, 15))
            .axis_desc_style((FONT, 15))
            .x_label_formatter(&|limit| label(*limit))
            .y_label_formatter(&|value| label(*value))
            .draw()?;
        for (curve, color) in curves.iter().zip(COLORS) {
            let points =
                |of: fn(&Point) -> f64| curve.points.iter().map(move |one| (one.limit as f64, of(one)));
            let [solid, broken] = self.values;
            let line = color.stroke_width(2);
            chart
                .draw_series(LineSeries::new(points(solid), line))?
                .label(format!("{}: {}", curve.name, self.names[0]))
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 26, y)], line));
            chart.draw_series(points(solid).map(|at| Circle::new(at, 3, color.filled())))?;
            chart
                .draw_series(DashedLineSeries::new(points(broken), 5, 4, line))?
                .label(format!("{}: {}", curve.name, self.names[1]))
                .legend(move |(x, y)| DashedPathElement::new([(x, y), (x + 26, y)], 5, 4, line));
        }
        chart
            .configure_series_labels()
            .position(self.legend.clone())
            .background_style(WHITE.mix(0.9))
            .border_style(BLACK.mix(0.3))
            .label_font((FONT, 14))
            .legend_area_size(34)
            .margin(8)
            .draw()?;
        Ok(())
    }
}

/// A large number with its thousands apart, a small one as it is.
fn label(value: f64) -> String {
    if value < 1000.0 { format!("{value}") } else { grouped(value.round() as u64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_both_panels_and_needs_points() {
        let point = |limit: u64| Point {
            limit,
            pes: 1,
            over_off: 2.0,
            modelled_over_off: 3.0,
            median_delay: limit,
            longest_hold: 2 * limit,
        };
        let curves = [Curve { name: "light", points: [1_000, 10_000].map(point).into() }];
        let picture = draw(&curves).unwrap();
        for text in [COST.title, LATENCY.title, "light: longest hold", "1,000,000"] {
            assert!(picture.contains(text), "{text}");
        }
        assert!(draw(&[Curve { name: "light", points: Vec::new() }]).is_err());
    }
}
