// SPDX-License-Identifier: MIT
//! Which root tasks are hit, how they are booted, and how the places of their flips are told apart.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;

use anyhow::{Context as _, Result, ensure};
use genode_config::Config;
use object::{Object as _, ObjectSymbol as _};
use wire::ThreadNumber;
use wire::record::{Label, PeRecord};

use super::Place;
use crate::workload::image::Image;
use crate::workload::request::Request;
use crate::workload::{init, nova};

/// How the ends of processing elements are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By the function in which they lie, if its name begins so.
    Function(&'static str),
    /// By their kind in the trace.
    Delimiter,
    /// By the component that they are of, and by their kind in the trace.
    Component,
}

/// A root task, and how it is run.
#[derive(Debug)]
pub struct Plan {
    /// Its name.
    pub name: &'static str,
    command_line: Option<&'static str>,
    /// The instruction limit, if it is not the usual one: so short that some processing elements end by it.
    pub limit: Option<u64>,
    by: By,
}

/// Memory of the machine and of the kernel, in MiB.
const MEMORY_MIB: (u32, u32) = (96, 32);

/// Root tasks of the NOVA interface: one that is made for this, and the one that has the most of the interface.
pub const ROOT_TASKS: &[Plan] = &[
    Plan { name: "nova-ends", command_line: None, limit: Some(2000), by: By::Function("end_") },
    Plan { name: "nova-conformance", command_line: Some("terse"), limit: Some(10_000), by: By::Delimiter },
];

/// Core with init and the components of the default scenario.
pub const COMPONENTS: &[Plan] =
    &[Plan { name: init::CORE, command_line: None, limit: None, by: By::Component }];

/// Where components are loaded, and where the first byte behind the first thread's stack and message page is, as of
/// `user/genode/rt/src/layout.rs`.
const IMAGE: u64 = 0x100_0000;
const STACK_END: u64 = 0x4000_0000 + (1 << 20);
/// How much of the first thread's stack is hit, with its message page.
const STACK: u64 = 3 * 4096;

impl Plan {
    /// Its boot.
    pub fn request(&self) -> Result<Request> {
        match self.by {
            By::Component => nova::configured(init::scenario(init::DEFAULT)),
            By::Function(_) | By::Delimiter => nova::root_task(self.name, self.command_line, MEMORY_MIB),
        }
    }

    /// What of a command line boots it.
    pub fn options(&self) -> String {
        if self.by == By::Component {
            return init::NAME.to_owned();
        }
        let append = self.command_line.map_or(String::new(), |text| format!(" --append {text}"));
        let limit = self.limit.map_or(String::new(), |limit| format!(" --limit {limit}"));
        let (memory, kernel) = MEMORY_MIB;
        format!("--nova {}{append} --memory {memory} --kernel-memory {kernel}{limit}", self.name)
    }

    /// Whether what is said has an order for each component only.
    pub fn says_by_component(&self) -> bool {
        self.by == By::Component
    }
}

/// What tells the places of a root task apart, and what memory can be hit there.
#[derive(Debug)]
pub struct Map {
    plan: &'static Plan,
    /// The functions whose names tell of the end of a processing element, by name.
    functions: Vec<(Range<u64>, String)>,
    /// The data of the root task's image.
    memory: Vec<Range<u64>>,
    /// The memory of components by their labels.
    components: BTreeMap<String, Vec<Range<u64>>>,
}

impl Map {
    /// What the modules of a boot tell.
    pub fn new(plan: &'static Plan, request: &Request) -> Result<Self> {
        let image = &request.contents.modules.first().context("the image")?.bytes;
        let mut map = Self {
            plan,
            functions: Vec::new(),
            memory: Image::parse(image)?.data,
            components: BTreeMap::new(),
        };
        match plan.by {
            By::Function(prefix) => {
                let file = object::File::parse(&**image).context("the image")?;
                for symbol in file.symbols() {
                    if let Some(kind) = symbol.name().ok().and_then(|name| name.strip_prefix(prefix)) {
                        let place = symbol.address()..symbol.address() + symbol.size();
                        map.functions.push((place, kind.replace('_', " ")));
                    }
                }
                ensure!(!map.functions.is_empty(), "{} has no function {prefix}...", plan.name);
            }
            By::Delimiter => {}
            By::Component => map.components = components(request)?,
        }
        Ok(map)
    }

    /// Where a processing element ended, if flips are aimed at such.
    pub fn place(&self, record: &PeRecord, labels: &[Label]) -> Option<Place> {
        let end = || record.delimiter.name().replace('_', " ");
        let (whose, end) = match self.plan.by {
            By::Component => (label(record.thread, labels), end()),
            By::Delimiter => (self.plan.name.to_owned(), end()),
            By::Function(_) => {
                let (_, name) = self.functions.iter().find(|(place, _)| place.contains(&record.rip))?;
                (self.plan.name.to_owned(), name.clone())
            }
        };
        Some(Place { whose, end })
    }

    /// The memory that is hit at a place.
    pub fn memory(&self, place: &Place) -> &[Range<u64>] {
        self.components.get(&place.whose).unwrap_or(&self.memory)
    }
}

/// The name of a thread's process.
fn label(thread: ThreadNumber, labels: &[Label]) -> String {
    let label = labels.iter().find(|label| label.process == thread.process);
    label.map_or_else(|| format!("process {}", thread.process), |label| label.text.to_string())
}

/// Data and stacks of init and of each child in its configuration.
fn components(request: &Request) -> Result<BTreeMap<String, Vec<Range<u64>>>> {
    let module = |name: &str| {
        let is_it = |known: &[u8]| known == name.as_bytes();
        let mut modules = request.contents.modules.iter();
        let module = modules.find(|module| module.command_line.as_deref().is_some_and(is_it));
        module.map(|module| &*module.bytes).with_context(|| format!("there is no module {name}"))
    };
    let memory = |binary: &str| -> Result<Vec<Range<u64>>> {
        let data = Image::parse(module(binary)?)?.data;
        let loaded = data.into_iter().map(|data| IMAGE + data.start..IMAGE + data.end);
        Ok(loaded.chain(iter::once(STACK_END - STACK..STACK_END)).collect())
    };
    let config = std::str::from_utf8(module(init::CONFIG)?)?;
    let (config, _) = Config::read(config).map_err(|fault| anyhow::anyhow!("{}: {fault:?}", init::CONFIG))?;
    let mut all = BTreeMap::from([(init::NAME.to_owned(), memory(init::NAME)?)]);
    for start in &config.starts {
        all.insert(format!("{} -> {}", init::NAME, start.name), memory(&start.binary)?);
    }
    Ok(all)
}
