// SPDX-License-Identifier: MIT
//! What a boot costs this machine: the processor time of an emulator that boots the kernel and runs the smallest
//! program, beside that of one as it comes, with its usual firmware, whose guest ends at its first instruction.

mod empty;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use wire::counter::CounterChoice;

use crate::emulator::ending::Ending;
use crate::emulator::{self, Silent, qemu};
use crate::host::meter;
use crate::outcome::table::{Align, Table, ratio};
use crate::workload::catalogue;
use crate::workload::request::Request;

/// The most that a boot of ours may cost, in boots of an empty guest.
const MOST: f64 = 2.5;
/// Boots of each kind, in turn, so that what else the machine does hits all alike.
const ROUNDS: usize = 11;
const PROGRAM: &str = "tiny";

/// A kind of boot.
struct Kind {
    name: &'static str,
    /// What counts; `None` for a guest without a kernel of ours, and without the firmware that we choose.
    counter: Option<CounterChoice>,
}

const KINDS: [Kind; 3] = [
    Kind { name: "empty", counter: None },
    Kind { name: "virtual-time", counter: Some(CounterChoice::VirtualTime) },
    Kind { name: "detected", counter: Some(CounterChoice::Detect) },
];

/// Medians of CPU seconds, in the order of [`KINDS`].
pub struct Boots([f64; KINDS.len()]);

impl Boots {
    /// Boots each kind so many times.
    pub fn measure(kernel: &Path) -> Result<Self> {
        let directory = tempfile::tempdir().context("cannot make a temporary directory")?;
        let empty = directory.path().join("empty");
        std::fs::write(&empty, empty::file()).with_context(|| empty.display().to_string())?;
        let request = Request::program(&catalogue::program(PROGRAM)?, PROGRAM, &[])?;
        let mut seconds: [Vec<f64>; KINDS.len()] = Default::default();
        for _ in 0..ROUNDS {
            for (kind, seconds) in KINDS.iter().zip(&mut seconds) {
                seconds.push(once(kind, &request, kernel, &empty).context(kind.name)?);
            }
        }
        Ok(Self(seconds.map(median)))
    }

    /// A boot of a kind, in boots of an empty guest.
    fn over(&self, kind: usize) -> f64 {
        self.0[kind] / self.0[0].max(f64::MIN_POSITIVE)
    }

    /// What is more than it may be.
    pub fn failure(&self) -> Option<String> {
        let (kind, over) =
            KINDS.iter().zip((0..).map(|kind| self.over(kind))).find(|(_, over)| *over > MOST)?;
        Some(format!("a boot ({}) costs {over:.2} times an empty one; {MOST} is the most", kind.name))
    }

    /// As a table.
    pub fn table(&self) -> Table {
        let columns = [("boot", Align::Left), ("CPU seconds", Align::Right), ("over empty", Align::Right)];
        let mut table = Table::new("Boots on this machine (CPU time of the emulator)", &columns);
        for (index, kind) in KINDS.iter().enumerate() {
            table.row(vec![kind.name.into(), format!("{:.3}", self.0[index]), ratio(self.over(index))]);
        }
        table.note(format!(
            "medians of {ROUNDS}; empty is QEMU as it comes; virtual-time and detected run `{PROGRAM}`, the latter after all self-checks of \
             the counter; both are held at {MOST}"
        ));
        table
    }

    /// The boots as JSON.
    pub fn value(&self) -> Value {
        let rows = KINDS.iter().enumerate().map(|(index, kind)| {
            json!({ "boot": kind.name, "cpu_seconds": self.0[index], "over_empty": self.over(index) })
        });
        rows.collect()
    }
}

/// The CPU seconds of one boot.
fn once(kind: &Kind, request: &Request, kernel: &Path, empty: &Path) -> Result<f64> {
    let mut request = request.clone();
    let kernel: PathBuf = match kind.counter {
        Some(counter) => {
            request.counter = counter;
            kernel.to_owned()
        }
        None => {
            request.extra = ["-bios", qemu::USUAL_FIRMWARE].map(OsString::from).into();
            empty.to_owned()
        }
    };
    meter::take();
    let finished = emulator::boot(&request.boot(kernel)?, &mut Silent)?;
    let spent = meter::take();
    // What has no kernel leaves no record.
    let expected = match kind.counter {
        Some(_) => matches!(finished.ending, Ending::Normal(_)),
        None => matches!(finished.ending, Ending::NoEndRecord(_)),
    };
    ensure!(expected, "{}", finished.ending);
    Ok(spent.time.as_secs_f64())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_too_much_is_told() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(Boots([0.1, 0.2, 0.25]).failure(), None);
        for (boots, told) in [([0.1, 0.3, 0.3], "virtual-time"), ([0.1, 0.2, 0.3], "detected")] {
            let failure = Boots(boots).failure().unwrap();
            assert!(failure.contains(told) && failure.contains("3.00 times"), "{failure}");
        }
        assert!(Boots([0.1, 0.2, 0.3]).table().show(super::super::Style::Text).contains("3.000"));
    }
}
