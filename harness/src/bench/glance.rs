// SPDX-License-Identifier: MIT
//! What replay costs at a glance: a row for each workload, and the rows as a picture.

use anyhow::{Result, ensure};
use pe_replay::{Flush, Mode, Policy};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::plot::{COLORS, FONT};
use super::runner::Results;
use super::workload::Workload;
use crate::outcome::table::{Align, Table, ratio};

/// The picture's size.
const WIDTH: u32 = 900;
/// What the bars of a workload take of it.
const ROW: u32 = 44;
/// What axis, legend and title take.
const AROUND: u32 = 150;
/// Half the thickness of a bar, where a row is 1.
const HALF: f64 = 0.17;
/// How far the bars of a row are from its middle.
const APART: f64 = 0.19;

/// What a workload costs, over the run without replay.
pub struct Row {
    workload: &'static Workload,
    /// Nothing if a run failed.
    costs: Option<Costs>,
}

struct Costs {
    instructions: f64,
    modelled: f64,
    modelled_in_triple: f64,
    modelled_with_flush: f64,
}

/// All rows, in the order of the workloads.
pub fn rows(workloads: &[&'static Workload], results: &Results) -> Vec<Row> {
    let costs = |workload: &Workload| {
        let case = workload.case(Policy::DEFAULT);
        let (dual, off) = (results.get(&case).ok()?, results.get(&case.baseline()).ok()?);
        let modelled = |policy| Some(results.get(&workload.case(policy)).ok()?.modelled_over(off));
        Some(Costs {
            instructions: dual.over(off),
            modelled: dual.modelled_over(off),
            modelled_in_triple: modelled(Policy { mode: Mode::Triple, ..Policy::DEFAULT })?,
            modelled_with_flush: modelled(Policy { flush: Flush::Lines, ..Policy::DEFAULT })?,
        })
    };
    workloads.iter().map(|workload| Row { workload, costs: costs(workload) }).collect()
}

/// The columns of the table.
pub const COLUMNS: [(&str, Align); 6] = [
    ("program", Align::Left),
    ("what it does", Align::Left),
    ("instructions", Align::Right),
    ("modelled cycles", Align::Right),
    ("cycles in `triple`", Align::Right),
    ("cycles with `--flush clflush`", Align::Right),
];

/// The rows as a table.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(
        "How many times as much as the same program under the same kernel without replay:",
        &COLUMNS,
    );
    for Row { workload, costs } in rows {
        let names = [workload.name, workload.about].map(str::to_owned);
        let figures = costs.as_ref().map_or_else(
            || vec!["FAILED".to_owned()],
            |costs| {
                let Costs { instructions, modelled, modelled_in_triple, modelled_with_flush } = costs;
                [instructions, modelled, modelled_in_triple, modelled_with_flush].map(|it| ratio(*it)).into()
            },
        );
        table.row(names.into_iter().chain(figures).collect());
    }
    table
}

/// The rows as a picture: two bars for each.
pub fn draw(rows: &[Row]) -> Result<String> {
    let costs: Vec<(&str, &Costs)> =
        rows.iter().filter_map(|row| Some((row.workload.name, row.costs.as_ref()?))).collect();
    ensure!(!costs.is_empty(), "there is nothing to draw");
    let most = costs.iter().map(|(_, costs)| costs.instructions.max(costs.modelled)).fold(2.0, f64::max);
    // The first row stands at the top.
    let middle = |at: usize| (costs.len() - at) as f64 - 0.5;
    let mut picture = String::new();
    {
        let size = (WIDTH, AROUND + ROW * costs.len() as u32);
        let root = SVGBackend::with_string(&mut picture, size).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .caption("Each piece run twice, over each run once", (FONT, 20))
            .margin(14)
            .margin_right(40)
            .x_label_area_size(46)
            .y_label_area_size(90)
            .build_cartesian_2d(0.0..most * 1.3, 0.0..costs.len() as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.15))
            .x_desc("times as much as without replay")
            .label_style((FONT, 15))
            .axis_desc_style((FONT, 15))
            .draw()?;
        let text = |place| TextStyle::from((FONT, 15)).pos(Pos::new(place, VPos::Center));
        chart.draw_series(costs.iter().enumerate().map(|(at, (name, _))| {
            EmptyElement::at((0.0, middle(at))) + Text::new(*name, (-10, 0), text(HPos::Right))
        }))?;
        for (name, of, side, color) in [
            ("modelled cycles", (|costs| costs.modelled) as fn(&Costs) -> f64, APART, COLORS[0]),
            ("instructions", |costs| costs.instructions, -APART, COLORS[1]),
        ] {
            let bars = || {
                let place = move |(at, (_, costs)): (usize, &(&str, &Costs))| (middle(at) + side, of(costs));
                costs.iter().enumerate().map(place)
            };
            chart
                .draw_series(
                    bars()
                        .map(|(y, cost)| Rectangle::new([(0.0, y - HALF), (cost, y + HALF)], color.filled())),
                )?
                .label(name)
                .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 16, y + 5)], color.filled()));
            chart.draw_series(bars().map(|(y, cost)| {
                EmptyElement::at((cost, y)) + Text::new(ratio(cost), (6, 0), text(HPos::Left))
            }))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.9))
            .border_style(BLACK.mix(0.3))
            .label_font((FONT, 14))
            .margin(8)
            .draw()?;
        root.present()?;
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::super::runner::tests::{measured, results};
    use super::super::workload::{COMPUTE, LIGHT};
    use super::*;
    use crate::outcome::table::Style;

    #[test]
    fn a_row_has_the_costs_of_its_workload_and_one_that_failed_says_so() {
        let case = COMPUTE.case(Policy::DEFAULT);
        let triple = COMPUTE.case(Policy { mode: Mode::Triple, ..Policy::DEFAULT });
        let lines = COMPUTE.case(Policy { flush: Flush::Lines, ..Policy::DEFAULT });
        let of = |total| measured(|one| one.totals.total = total);
        let done = vec![(case.baseline(), of(1000)), (case, of(2500)), (triple, of(1)), (lines, of(1))];
        let rows = rows(&[&COMPUTE, &LIGHT], &results(done));
        let table = table(&rows).show(Style::Markdown);
        assert!(table.contains("| compute | arithmetic in registers, no writes | 2.500 |"), "{table}");
        assert!(table.contains("| light | swaps in a table of three pages | FAILED |"), "{table}");
        let picture = draw(&rows).unwrap();
        assert!(picture.contains("compute") && picture.contains("2.500") && !picture.contains("light"));
        assert!(draw(&rows[1..]).is_err());
    }
}
