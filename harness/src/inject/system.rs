// SPDX-License-Identifier: MIT
//! Flips in a root task of the NOVA interface, each in a boot of its own: evenly over the kinds of ends that its
//! processing elements have, since each of them is served in another part of the kernel.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use flips::{Injection, Target};
use pe_replay::{Policy, Run};
use serde_json::{Value, json};
use wire::injection::{INJECTABLE_FLAGS, bits};
use wire::record::Records;

use super::draw;
use super::random::Random;
use crate::emulator::ending::Ending;
use crate::emulator::{self, Finished, Silent};
use crate::outcome::table::{Align, Table};
use crate::outcome::told;
use crate::workload::image::Image;
use crate::workload::nova;
use crate::workload::request::Request;

/// The root task.
const ROOT_TASK: &str = "nova-conformance";
/// What it is told: to print what fails, and how many cases there were.
const TERSE: &str = "terse";
/// Memory of the machine and of the kernel, in MiB.
const MEMORY_MIB: (u32, u32) = (96, 32);
/// The instruction limit, so short that some processing elements end by it.
const LIMIT: u64 = 10_000;

/// What became of the flips in processing elements with one kind of end.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    flips: u64,
    /// Flips that two runs differed by.
    found: u64,
    /// Flips that nothing came of: the program wrote over what they hit.
    without_effect: u64,
}

/// What became of all flips.
#[derive(Debug, Default)]
pub struct Report {
    rows: BTreeMap<&'static str, Row>,
    failures: Vec<String>,
}

/// A root task, and its undisturbed run.
struct Subject {
    request: Request,
    console: Vec<u8>,
    /// Processing elements by the kind of their end, each with its instructions.
    pes: BTreeMap<&'static str, Vec<(u64, u64)>>,
    memory: Vec<Range<u64>>,
}

impl Subject {
    fn new(kernel: &Path, policy: Policy) -> Result<Self> {
        let mut request = nova::root_task(ROOT_TASK, Some(TERSE), MEMORY_MIB)?;
        request.policy = Policy { limit: LIMIT, ..policy };
        let finished = boot(kernel, &request)?;
        let (status, divergences) = ended(&finished)?;
        ensure!((status, divergences) == (0, 0), "undisturbed: status {status}, {divergences} divergences");
        let (_, records) = Records::open(&finished.streams.trace).context("the trace")?;
        let mut pes: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (pe, record) in (0..).zip(records) {
            let record = record.context("the trace")?;
            if record.instructions > 0 {
                pes.entry(record.delimiter.name()).or_default().push((pe, record.instructions));
            }
        }
        let image = request.contents.modules.first().context("the image")?;
        let memory = Image::parse(&image.bytes)?.data;
        Ok(Self { request, console: finished.serial, pes, memory })
    }

    /// Draws a flip in a processing element of these.
    fn flip(&self, random: &mut Random, pes: &[(u64, u64)]) -> Injection {
        let (pe, instructions) = *random.one(pes);
        let run = *random.one(&[Run::First, Run::Second]);
        let at = random.below(instructions);
        let target = match random.below(5) {
            0 => Target::Rip,
            1 => Target::Rflags,
            2 => Target::Memory(draw::any_byte(random, &self.memory)),
            _ => Target::Gpr(random.below(16) as u8),
        };
        let bit = match target {
            Target::Rflags => draw::any_bit(random, INJECTABLE_FLAGS),
            _ => random.below(bits(target).into()) as u8,
        };
        Injection { pe, run, at, target, bit }
    }
}

fn boot(kernel: &Path, request: &Request) -> Result<Finished> {
    emulator::boot(&request.boot(kernel.to_owned())?, &mut Silent)
}

/// The status and the divergences of a run.
fn ended(finished: &Finished) -> Result<(u8, u64)> {
    match &finished.ending {
        Ending::Normal(record) => Ok((told::exit_status(&record.end), record.totals.divergences)),
        other => bail!("{other}"),
    }
}

/// Makes so many flips under a policy, and calls `done` after each.
pub fn run(kernel: &Path, policy: Policy, (count, seed): (u64, u64), done: &dyn Fn()) -> Result<Report> {
    let subject = Subject::new(kernel, policy)?;
    let kinds: Vec<_> = subject.pes.iter().collect();
    ensure!(!kinds.is_empty(), "{ROOT_TASK} has executed nothing");
    let mut random = Random::new(seed);
    let mut report = Report::default();
    for index in 0..count {
        let (kind, pes) = kinds[(index % kinds.len() as u64) as usize];
        let flip = subject.flip(&mut random, pes);
        let row = report.rows.entry(*kind).or_default();
        row.flips += 1;
        let request = Request { injections: vec![flip], ..subject.request.clone() };
        let finished = boot(kernel, &request)?;
        let wrong = match ended(&finished) {
            Ok((0, _)) if finished.serial != subject.console => Some("another output".to_owned()),
            Ok((0, 0)) => {
                row.without_effect += 1;
                None
            }
            Ok((0, _)) => {
                row.found += 1;
                None
            }
            Ok((status, _)) => Some(format!("status {status}")),
            Err(error) => Some(error.to_string()),
        };
        let flip = wire::injection::Text(flip);
        report.failures.extend(wrong.map(|wrong| format!("{ROOT_TASK} with {flip}: {wrong}")));
        done();
    }
    Ok(report)
}

impl Report {
    /// What was wrong.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        let row = |row: &Row| json!({ "flips": row.flips, "found": row.found, "without_effect": row.without_effect });
        let rows = self.rows.iter().map(|(kind, one)| ((*kind).to_owned(), row(one)));
        json!({ "root_task": ROOT_TASK, "ends": rows.collect::<serde_json::Map<_, _>>(), "failures": self.failures })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = [
            ("end of the PE", Align::Left),
            ("flips", Align::Right),
            ("found", Align::Right),
            ("without effect", Align::Right),
            ("wrong", Align::Right),
        ];
        let mut table = Table::new("Flips in nova-conformance, by the end of the PE that they hit", &columns);
        for (kind, Row { flips, found, without_effect }) in &self.rows {
            let numbers = [*flips, *found, *without_effect, flips - found - without_effect];
            table.row(std::iter::once((*kind).to_owned()).chain(numbers.map(|it| it.to_string())).collect());
        }
        write!(f, "{}", table.show(crate::outcome::table::Style::Text))
    }
}
