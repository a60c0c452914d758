// SPDX-License-Identifier: MIT
//! The root tasks that are hit: how they run undisturbed, how the ends of their processing elements are told apart,
//! and what they do when they are hit.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flips::{Injection, Target};
use object::{Object as _, ObjectSymbol as _};
use pe_replay::{Policy, Run};
use wire::injection::{INJECTABLE_FLAGS, bits};
use wire::record::{PeRecord, Records};

use super::Shot;
use crate::emulator::ending::Ending;
use crate::emulator::{self, Finished, Silent};
use crate::inject::draw;
use crate::inject::random::Random;
use crate::outcome::told;
use crate::workload::image::Image;
use crate::workload::nova;
use crate::workload::request::Request;

/// How the ends of processing elements are told apart.
#[derive(Debug)]
enum By {
    /// By the function in which they lie, if its name begins so.
    Function(&'static str),
    /// By their kind in the trace.
    Delimiter,
}

/// A root task, and how it is run.
#[derive(Debug)]
pub struct Plan {
    name: &'static str,
    command_line: Option<&'static str>,
    /// The instruction limit, so short that some processing elements end by it.
    limit: u64,
    by: By,
}

/// Memory of the machine and of the kernel, in MiB.
const MEMORY_MIB: (u32, u32) = (96, 32);

/// The root tasks: one that is made for this, and the one that has the most of the interface.
pub const TASKS: [Plan; 2] = [
    Plan { name: "nova-ends", command_line: None, limit: 2000, by: By::Function("end_") },
    Plan { name: "nova-conformance", command_line: Some("terse"), limit: 10_000, by: By::Delimiter },
];

/// What became of a flip that changed nothing of what is said.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The end of the processing element that it was in.
    pub kind: String,
    /// Whether there was something to flip.
    pub has_hit: bool,
    /// Whether two runs differed by it.
    pub is_found: bool,
}

/// A root task, and its undisturbed run.
pub struct RootTask {
    plan: &'static Plan,
    request: Request,
    console: Vec<u8>,
    /// The functions whose names tell of the end of a processing element, by name.
    functions: Vec<(Range<u64>, String)>,
    /// Processing elements by the kind of their end, each with its instructions.
    pes: BTreeMap<String, Vec<(u64, u64)>>,
    memory: Vec<Range<u64>>,
}

fn boot(kernel: &Path, request: &Request) -> Result<Finished> {
    emulator::boot(&request.boot(kernel.to_owned())?, &mut Silent)
}

fn records(finished: &Finished) -> Result<Vec<PeRecord>> {
    let (_, records) = Records::open(&finished.streams.trace).context("the trace")?;
    records.collect::<Result<_, _>>().context("the trace")
}

impl RootTask {
    /// Runs a root task undisturbed.
    pub fn new(plan: &'static Plan, kernel: &Path, policy: Policy) -> Result<Self> {
        let Plan { name, command_line, limit, by } = plan;
        let mut request = nova::root_task(name, *command_line, MEMORY_MIB)?;
        request.policy = Policy { limit: *limit, ..policy };
        let image = request.contents.modules.first().context("the image")?.bytes.clone();
        let memory = Image::parse(&image)?.data;
        let mut functions = Vec::new();
        if let By::Function(prefix) = by {
            let file = object::File::parse(&*image).context("the image")?;
            for symbol in file.symbols() {
                if let Some(kind) = symbol.name().ok().and_then(|name| name.strip_prefix(prefix)) {
                    let place = symbol.address()..symbol.address() + symbol.size();
                    functions.push((place, kind.replace('_', " ")));
                }
            }
            ensure!(!functions.is_empty(), "{name} has no function {prefix}...");
        }
        let finished = boot(kernel, &request)?;
        let mut task = Self { plan, request, console: Vec::new(), functions, pes: BTreeMap::new(), memory };
        let divergences = task.ended(&finished).unwrap_or_else(Err)?;
        ensure!(divergences == 0, "{name} undisturbed: {divergences} divergences");
        for (pe, record) in (0..).zip(records(&finished)?) {
            if let Some(kind) = task.kind(&record).filter(|_| record.instructions > 0) {
                task.pes.entry(kind).or_default().push((pe, record.instructions));
            }
        }
        task.console = finished.serial;
        Ok(task)
    }

    /// The divergences of a run that has come to its end.
    fn ended(&self, finished: &Finished) -> Result<Result<u64>> {
        let name = self.plan.name;
        Ok(match &finished.ending {
            Ending::Normal(record) => match told::exit_status(&record.end) {
                0 => Ok(record.totals.divergences),
                status => Err(anyhow::anyhow!("{name}: status {status}: {:?}", record.end)),
            },
            other => Err(anyhow::anyhow!("{name}: {other}")),
        })
    }

    /// The kind of the end of a processing element, if flips are aimed at such.
    fn kind(&self, record: &PeRecord) -> Option<String> {
        match self.plan.by {
            By::Delimiter => Some(record.delimiter.name().replace('_', " ")),
            By::Function(_) => {
                let (_, name) = self.functions.iter().find(|(place, _)| place.contains(&record.rip))?;
                Some(name.clone())
            }
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.plan.name
    }

    /// How it is run, as options of `run`.
    pub fn options(&self) -> String {
        let append = self.plan.command_line.map(|text| format!(" --append {text}")).unwrap_or_default();
        let (memory, kernel) = MEMORY_MIB;
        format!(
            "--nova {}{append} --memory {memory} --kernel-memory {kernel} --limit {}",
            self.plan.name, self.plan.limit
        )
    }

    /// The kinds of ends that its processing elements have.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.pes.keys().map(String::as_str)
    }

    /// Draws a flip in a processing element with such an end: as often right before the end as anywhere.
    pub fn flip(&self, random: &mut Random, kind: &str) -> Injection {
        let (pe, instructions) = *random.one(&self.pes[kind]);
        let run = *random.one(&[Run::First, Run::Second]);
        let at = if random.below(2) == 0 { instructions - 1 } else { random.below(instructions) };
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

    /// Boots it with flips, and tells what became of each; or what was wrong.
    pub(super) fn hit(&self, kernel: &Path, policy: Policy, shots: &[Shot<'_>]) -> Result<Result<Vec<Hit>>> {
        let injections = shots.iter().map(|shot| shot.flip).collect();
        let policy = Policy { limit: self.plan.limit, ..policy };
        let finished = boot(kernel, &Request { injections, policy, ..self.request.clone() })?;
        if let Err(reason) = self.ended(&finished)? {
            return Ok(Err(reason));
        }
        if finished.serial != self.console {
            return Ok(Err(anyhow::anyhow!("{}", self.first_difference(&finished.serial))));
        }
        let records = records(&finished)?;
        let became = |shot: &Shot<'_>| {
            let record = usize::try_from(shot.flip.pe).ok().and_then(|pe| records.get(pe));
            let record = record.with_context(|| format!("there is no PE {}", shot.flip.pe))?;
            Ok(Hit {
                // A vote may have moved the ends of later processing elements.
                kind: self.kind(record).unwrap_or_else(|| "elsewhere".to_owned()),
                has_hit: record.flips > 0,
                is_found: record.flips > 0 && !record.divergences.is_empty(),
            })
        };
        Ok(shots.iter().map(became).collect())
    }

    /// The first line of the console that is not the undisturbed run's.
    fn first_difference(&self, console: &[u8]) -> String {
        let lines =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect::<Vec<_>>();
        let (due, said) = (lines(&self.console), lines(console));
        let at = (0..due.len().max(said.len())).find(|at| due.get(*at) != said.get(*at)).unwrap_or_default();
        format!("it says {:?} instead of {:?}", said.get(at), due.get(at))
    }
}
