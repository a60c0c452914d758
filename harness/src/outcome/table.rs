// SPDX-License-Identifier: MIT
//! Tables, as aligned text, as Markdown or for LaTeX.

/// How a table is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For a terminal.
    Text,
    /// For a document.
    Markdown,
    /// For a paper.
    Latex,
}

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table with what has to be known about it.
pub struct Table {
    title: String,
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// A table without rows.
    pub fn new(title: &str, columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row; cells that are missing at its end stay empty.
    pub fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// Adds a line below the table.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The names of its columns.
    pub fn heads(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// Its rows.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// The lines below it.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The table as text; ends with a newline.
    pub fn show(&self, style: Style) -> String {
        if style == Style::Latex {
            return self.latex();
        }
        let heads: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let mut lines = vec![self.title.clone(), String::new()];
        match style {
            Style::Text | Style::Latex => {
                let all = || std::iter::once(&heads).chain(&self.rows);
                let width = |at: usize| all().map(|cells| cells[at].chars().count()).max().unwrap_or(0);
                let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
                lines.extend(all().map(|cells| self.aligned(cells, &widths)));
            }
            Style::Markdown => {
                let rule = |(_, align): &(String, Align)| match align {
                    Align::Left => "---".to_owned(),
                    Align::Right => "---:".to_owned(),
                };
                lines.push(piped(&heads));
                lines.push(piped(&self.columns.iter().map(rule).collect::<Vec<_>>()));
                lines.extend(self.rows.iter().map(|cells| piped(cells)));
                if !self.notes.is_empty() {
                    lines.push(String::new());
                }
            }
        }
        let bullet = if style == Style::Markdown { "- " } else { "" };
        lines.extend(self.notes.iter().map(|note| format!("{bullet}{note}")));
        lines.push(String::new());
        lines.join("\n")
    }

    /// The table as an environment `tabular`, its title and its notes as text around it.
    fn latex(&self) -> String {
        let row = |cells: Vec<String>| format!("{} \\\\", cells.join(" & "));
        let sides = self.columns.iter().map(|(_, align)| if *align == Align::Left { 'l' } else { 'r' });
        let mut lines = vec![escaped(&self.title)];
        lines.push(format!("\\begin{{tabular}}{{{}}}", sides.collect::<String>()));
        lines.push("\\hline".into());
        lines.push(row(self.columns.iter().map(|(name, _)| escaped(name)).collect()));
        lines.push("\\hline".into());
        lines.extend(self.rows.iter().map(|cells| row(cells.iter().map(|cell| escaped(cell)).collect())));
        lines.push("\\hline".into());
        lines.push("\\end{tabular}".into());
        for note in &self.notes {
            lines.extend([String::new(), escaped(note)]);
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn aligned(&self, cells: &[String], widths: &[usize]) -> String {
        let cells =
            cells.iter().zip(widths).zip(&self.columns).map(|((cell, width), (_, align))| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// Text in which nothing means anything else to LaTeX.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        match letter {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => escaped.extend(['\\', letter]),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '\\' => escaped.push_str("\\textbackslash{}"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

fn piped(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A ratio to three places, or to fewer where it is large.
pub fn ratio(value: f64) -> String {
    match value {
        value if !value.is_finite() => "-".into(),
        value if value < 100.0 => format!("{value:.3}"),
        value => grouped(value.round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, Align); 2] = [("name", Align::Left), ("figure", Align::Right)];

    #[test]
    fn the_same_table_for_a_terminal_and_for_a_document() {
        let mut table = Table::new("Title", &COLUMNS);
        table.row(vec!["one".into(), "12".into()]);
        table.row(vec!["seventeen".into()]);
        table.note("A note.".into());
        let text = "Title\n\nname       figure\none            12\nseventeen\nA note.\n";
        assert_eq!(table.show(Style::Text), text);
        let markdown =
            "Title\n\n| name | figure |\n| --- | ---: |\n| one | 12 |\n| seventeen |  |\n\n- A note.\n";
        assert_eq!(table.show(Style::Markdown), markdown);
        let latex = "Title\n\\begin{tabular}{lr}\n\\hline\nname & figure \\\\\n\\hline\none & 12 \\\\\nseventeen &  \\\\\n\\hline\n\\end{tabular}\n\nA note.\n";
        assert_eq!(table.show(Style::Latex), latex);
        assert_eq!(escaped("5 % of a_b"), "5 \\% of a\\_b");
    }

    #[test]
    fn numbers_are_grouped_and_ratios_rounded() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([2.0456, 99.0, 1234.5, f64::NAN].map(ratio), ["2.046", "99.000", "1,235", "-"]);
    }
}
