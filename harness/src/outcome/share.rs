// SPDX-License-Identifier: MIT
//! The share that a phase has of a time, as a line of text with a bar.

use pe_replay::TimedPhase;

use super::summary::text::phase_title;

/// What fills a letter, by eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A line with a phase, its share in percent, and a bar that has `whole` letters for all of it.
pub fn line(phase: TimedPhase, share: f64, whole: usize) -> String {
    let line = format!("{:<20}{:>7.2} %  {}", phase_title(phase), 100.0 * share, bar(share, whole));
    line.trim_end().to_owned()
}

fn bar(share: f64, whole: usize) -> String {
    let eighths = (share * (8 * whole) as f64).round() as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(line(TimedPhase::FirstRun, 0.5, 4), "first run             50.00 %  ██");
        assert_eq!(line(TimedPhase::FirstRun, 0.15625, 4), "first run             15.62 %  ▋");
        assert_eq!(line(TimedPhase::Other, 0.0, 4), "other                  0.00 %");
    }
}
