// SPDX-License-Identifier: MIT
//! What in a crate is not as the table has it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use super::plan::{Circles, Plan, ROOT};
use super::source::Source;

/// The arrows of a crate: from one file to another, with the paths that make them.
type Arrows = BTreeMap<(usize, usize), BTreeSet<String>>;

/// A crate's files, each with its room.
struct Files<'a> {
    all: Vec<(&'a Path, &'a str)>,
    folder: &'a Path,
}

impl<'a> Files<'a> {
    fn of(source: &'a Source) -> Self {
        let mut all: Vec<(&Path, &str)> = Vec::new();
        for module in &source.modules {
            if !all.iter().any(|(file, _)| *file == module.file) {
                all.push((&module.file, module.path.first().map_or(ROOT, String::as_str)));
            }
        }
        let folder = source.modules[0].file.parent().unwrap_or(Path::new(""));
        Self { all, folder }
    }

    fn index(&self, file: &PathBuf) -> usize {
        self.all.iter().position(|(known, _)| known == file).unwrap_or_default()
    }

    fn room(&self, index: usize) -> &'a str {
        self.all[index].1
    }

    fn name(&self, index: usize) -> String {
        let file = self.all[index].0;
        file.strip_prefix(self.folder).unwrap_or(file).display().to_string()
    }
}

/// All that is wrong, a line each.
pub fn complaints(plan: &Plan, source: &Source) -> Vec<String> {
    let files = Files::of(source);
    let mut arrows = arrows(source, &files);
    let named = |&(from, to): &(usize, usize)| (files.name(from), files.name(to));
    let there: BTreeSet<(String, String)> = arrows.keys().map(named).collect();
    let open: BTreeSet<(String, String)> =
        plan.open.iter().map(|&(from, to)| (from.to_owned(), to.to_owned())).collect();
    let gone = open.difference(&there);
    let mut all: Vec<String> = gone
        .map(|(from, to)| format!("{from} -> {to} is not there any more: take it off the table"))
        .collect();
    arrows.retain(|pair, _| !open.contains(&named(pair)));
    if !plan.storeys.is_empty() {
        all.extend(unlisted(plan, &files));
        let upwards: Vec<_> = arrows.extract_if(.., |pair, _| is_upwards(plan, &files, *pair)).collect();
        all.extend(upwards.iter().map(|(pair, paths)| from_above(&files, *pair, paths)));
    }
    all.extend(circles(plan, &files, &arrows));
    all
}

fn arrows(source: &Source, files: &Files) -> Arrows {
    let mut arrows = Arrows::new();
    for (index, module) in source.modules.iter().enumerate() {
        let from = files.index(&module.file);
        let mut add = |to: usize, text: String| {
            let to = files.index(&source.modules[to].file);
            if to != from {
                arrows.entry((from, to)).or_default().insert(text);
            }
        };
        let imported = module.imports.iter().map(|import| &import.path);
        for path in imported.chain(&module.paths) {
            for found in source.resolve(index, path) {
                add(found.module(), path.join("::"));
            }
        }
        for name in &module.macros {
            if let Some(&definition) = source.macros.get(name) {
                add(definition, format!("{name}!"));
            }
        }
    }
    arrows
}

/// Rooms that only the crate or only the table has.
fn unlisted(plan: &Plan, files: &Files) -> Vec<String> {
    let listed: BTreeSet<&str> = plan.storeys.iter().copied().flatten().copied().collect();
    let real: BTreeSet<&str> = files.all.iter().map(|(_, room)| *room).collect();
    let missing = real.difference(&listed).map(|room| format!("room {room} is not in the table"));
    let gone = listed.difference(&real).map(|room| format!("room {room} of the table does not exist"));
    missing.chain(gone).collect()
}

/// Whether an arrow leads to a storey above. A room that is in no storey has a complaint of its own.
fn is_upwards(plan: &Plan, files: &Files, (from, to): (usize, usize)) -> bool {
    let storey = |file| plan.storeys.iter().position(|rooms| rooms.contains(&files.room(file)));
    matches!((storey(from), storey(to)), (Some(from), Some(to)) if from < to)
}

fn from_above(files: &Files, (from, to): (usize, usize), paths: &BTreeSet<String>) -> String {
    format!("{} imports from above, from {}: {}", files.name(from), files.name(to), listed(paths))
}

/// Circles that are not allowed, each with all the arrows in it.
fn circles(plan: &Plan, files: &Files, arrows: &Arrows) -> Vec<String> {
    let graph: DiGraphMap<usize, ()> = arrows.keys().map(|&(from, to)| (from, to, ())).collect();
    let mut all = Vec::new();
    for circle in tarjan_scc(&graph) {
        let rooms: BTreeSet<&str> = circle.iter().map(|file| files.room(*file)).collect();
        let allowed = circle.len() < 2 || plan.circles == Circles::InARoom && rooms.len() < 2;
        if !allowed {
            // In a circle of whole rooms the arrows between rooms are what is wrong.
            let counts = |(from, to)| plan.circles == Circles::Nowhere || files.room(from) != files.room(to);
            let inside = |&(from, to): &(usize, usize)| {
                circle.contains(&from) && circle.contains(&to) && counts((from, to))
            };
            let told = |(&(from, to), paths): (&(usize, usize), &BTreeSet<String>)| {
                format!("\n    {} -> {}: {}", files.name(from), files.name(to), listed(paths))
            };
            let arrows: String = arrows.iter().filter(|(pair, _)| inside(pair)).map(told).collect();
            all.push(format!("{} files stand in a circle:{arrows}", circle.len()));
        }
    }
    all
}

fn listed(paths: &BTreeSet<String>) -> String {
    paths.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
