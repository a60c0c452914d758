// SPDX-License-Identifier: MIT
//! What the calls of the NOVA interface take, as a root task of ours measures them by the time-stamp counter.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pe_replay::{Mode, Policy};
use serde_json::{Value, json};
use wire::Name;

use crate::emulator::ending::Ending;
use crate::emulator::{self, Silent};
use crate::outcome::table::{Align, Table, grouped, ratio};
use crate::outcome::told;
use crate::workload::nova;
use crate::workload::request::Request;

/// What is published of NOVA, and why it is no more than beside these figures.
const PUBLISHED: &str = "published of NOVA: 288 cycles one way to another address space, caches hot (Intel Core i7 920, 2.67 GHz, 32 bit, \
     2010; EuroSys 2010, as listed by trustworthy.systems, L4 comparative performance). Those are cycles of a processor \
     and half a round trip; these are instructions of an emulator, of a call and its reply";
/// The root task that measures.
const ROOT_TASK: &str = "nova-ipc";
/// Memory of the machine and of the kernel, in MiB.
const MEMORY_MIB: (u32, u32) = (128, 32);
/// The modes in which it does.
const MODES: [Mode; 2] = [Mode::Off, Mode::Dual];

/// A call's name, and its ticks in each of [`MODES`].
struct Call {
    name: String,
    ticks: [u64; MODES.len()],
}

/// What the calls take.
pub struct Calls(Vec<Call>);

impl Calls {
    /// Measures in each mode.
    pub fn measure(kernel: &Path, timeout: Duration) -> Result<Self> {
        let request = Request { timeout, ..nova::root_task(ROOT_TASK, None, MEMORY_MIB)? };
        let [off, dual] = MODES.map(|mode| {
            let policy = Policy { mode, ..Policy::DEFAULT };
            once(kernel, &Request { policy, ..request.clone() }).context(mode.name())
        });
        let (off, dual) = (off?, dual?);
        ensure!(
            off.len() == dual.len() && !off.is_empty(),
            "{} calls in off, {} in dual",
            off.len(),
            dual.len()
        );
        let pairs = off.into_iter().zip(dual);
        let call = |((name, off), (other, dual)): ((String, u64), (String, u64))| {
            ensure!(name == other, "{name} in off is {other} in dual");
            Ok(Call { name, ticks: [off, dual] })
        };
        Ok(Self(pairs.map(call).collect::<Result<_>>()?))
    }

    /// As a table.
    pub fn table(&self) -> Table {
        let columns = [
            ("call", Align::Left),
            ("off", Align::Right),
            ("dual", Align::Right),
            ("dual / off", Align::Right),
        ];
        let mut table = Table::new(
            "Calls of the NOVA interface (instructions of user and kernel, as QEMU counts them)",
            &columns,
        );
        for Call { name, ticks: [off, dual] } in &self.0 {
            let times = ratio(*dual as f64 / *off as f64);
            table.row(vec![name.clone(), grouped(*off), grouped(*dual), times]);
        }
        table.note("means of 1,000".to_owned());
        table.note(PUBLISHED.to_owned());
        table
    }

    /// As JSON.
    pub fn value(&self) -> Value {
        let call =
            |Call { name, ticks: [off, dual] }: &Call| json!({ "call": name, "off": off, "dual": dual });
        self.0.iter().map(call).collect()
    }
}

/// Boots once, and returns what the root task prints: names and ticks.
fn once(kernel: &Path, request: &Request) -> Result<Vec<(String, u64)>> {
    let finished = emulator::boot(&request.boot(kernel.to_owned())?, &mut Silent)?;
    match &finished.ending {
        Ending::Normal(record) => {
            let (status, divergences) = (told::exit_status(&record.end), record.totals.divergences);
            ensure!((status, divergences) == (0, 0), "status {status}, {divergences} divergences");
        }
        other => bail!("{other}"),
    }
    String::from_utf8_lossy(&finished.serial).lines().map(parsed).collect()
}

/// The name and the ticks in a line.
fn parsed(line: &str) -> Result<(String, u64)> {
    let (name, ticks) = line.rsplit_once(": ").with_context(|| format!("{line:?} has no figure"))?;
    Ok((name.to_owned(), ticks.trim().parse().with_context(|| format!("{line:?} has no figure"))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_name_and_a_figure() {
        assert_eq!(
            parsed("call and reply, same domain: 1234").unwrap(),
            ("call and reply, same domain".into(), 1234)
        );
        assert!(parsed("panicked at").is_err() && parsed("a: b").is_err());
    }
}
