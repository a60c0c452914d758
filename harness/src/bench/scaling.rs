// SPDX-License-Identifier: MIT
//! What a call costs when that which it looks at doubles: no more than a little over the double.
//!
//! The program makes it n, 2n and 4n large, and each time makes one call that is found in the
//! trace by where it left the kernel. Its cost is the time of that processing element that is
//! not the program's and not replay's. Whatever takes the square comes out at 4.

use std::path::Path;

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSymbol as _};
use pe_replay::{Policy, TimedPhase};
use serde_json::{Value, json};
use wire::record::PeRecord;

use super::case::{Case, SCALING};
use super::runner::Results;
use crate::outcome::table::{Align, Table, grouped, ratio};

/// Twice as large, it may cost so many times as much.
const MOST: f64 = 2.3;
/// Sizes of each kind.
const SIZES: usize = 3;
/// Where the program's measured calls, page faults and `execve` leave the kernel.
const MARKS: [&str; 3] = ["measured_call", "measured_touch", "_start"];

/// A kind of growth.
struct Kind {
    /// Its name, as the program takes it.
    name: &'static str,
    /// The call.
    call: &'static str,
    /// What grows.
    grows: &'static str,
    /// The smallest size: large enough that a square shows.
    n: u32,
    /// Whether it is measured with `--quick` as well.
    quick: bool,
}

const fn kind(name: &'static str, call: &'static str, grows: &'static str, n: u32) -> Kind {
    Kind { name, call, grows, n, quick: false }
}

const fn quick(kind: Kind) -> Kind {
    Kind { quick: true, ..kind }
}

const KINDS: [Kind; 26] = [
    quick(kind("segments", "execve", "program headers, from the highest address down", 1000)),
    kind("arguments", "execve", "argument strings", 1000),
    quick(kind("descriptors", "exit", "descriptors, of which every other one is closed", 250)),
    kind("descriptors-exec", "execve", "descriptors that it closes", 250),
    quick(kind("objects-mmap", "mmap", "shared mappings that are there already", 500)),
    kind("objects-munmap", "munmap", "shared mappings, all taken away", 500),
    kind("objects-fault", "page fault", "shared mappings that are there", 500),
    kind("objects-read", "read", "shared mappings of one page, all read into", 500),
    kind("objects-exit", "exit", "shared mappings of one page", 500),
    kind("cuts", "switch", "mapped files that another process has cut", 250),
    quick(kind("shared-munmap", "munmap", "pages of one shared mapping", 1000)),
    kind("shared-fork", "fork", "shared pages, the lower ones in higher frames", 1000),
    kind("aliases-mprotect", "mprotect", "mappings of one page", 500),
    quick(kind("aliases-munmap", "munmap", "mappings of one page", 500)),
    kind("isolated-madvise", "madvise", "pages apart from each other, in as many areas", 1000),
    quick(kind("isolated-mremap", "mremap", "pages apart from each other", 1000)),
    kind("isolated-read", "read", "pages between pages that are there", 1000),
    kind("file-pwrite", "pwrite", "pages of a mapped file, in front of as many", 1000),
    quick(kind("links", "access", "names in each of thirty links in a row", 250)),
    kind("names", "access", "names in a path, and entries of the directory", 400),
    kind("entries", "getdents64", "entries", 500),
    kind("unlink", "unlink", "entries beside the first", 500),
    kind("depth", "getcwd", "directories in each other", 250),
    kind("buffers", "readv", "buffers, each in a page of its own", 250),
    kind("poll", "poll", "descriptors", 250),
    quick(kind("waiters", "futex", "processes that are woken", 15)),
];

impl Kind {
    fn case(&self) -> Case {
        Case::new(SCALING, &[self.name, &self.n.to_string()], Policy::DEFAULT)
    }
}

/// The costs of the marked calls in the trace of a run of the program in `path`.
pub fn marked(path: &Path, records: &[PeRecord]) -> Result<Vec<u64>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let file = object::File::parse(bytes.as_slice()).context("the program's symbols")?;
    let marks: Vec<u64> = file
        .symbols()
        .filter(|symbol| symbol.name().is_ok_and(|name| MARKS.contains(&name)))
        .map(|symbol| symbol.address())
        .collect();
    let marked = records.iter().filter(|record| marks.contains(&record.rip));
    Ok(marked.map(|record| record.phases.get(TimedPhase::Other)).collect())
}

/// The kinds that are measured: all, or those of `--quick`.
fn kinds(quick: bool) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(move |kind| kind.quick || !quick)
}

/// What has to be run.
pub fn cases(quick: bool) -> Vec<Case> {
    kinds(quick).map(Kind::case).collect()
}

/// A kind's costs, or why there are none.
fn costs(kind: &Kind, results: &Results) -> Result<[u64; SIZES], String> {
    let marked = &results.get(&kind.case())?.marked;
    marked.as_slice().try_into().map_err(|_| format!("{} of {SIZES} calls are in the trace", marked.len()))
}

fn growth([one, two, four]: [u64; SIZES]) -> [f64; 2] {
    [two as f64 / one as f64, four as f64 / two as f64]
}

fn is_met(costs: [u64; SIZES]) -> bool {
    growth(costs).into_iter().all(|times| times <= MOST)
}

/// The kinds that cost too much, or whose calls are not in the trace, a line each.
pub fn failures(quick: bool, results: &Results) -> Vec<String> {
    let failure = |kind: &Kind| match costs(kind, results) {
        Ok(costs) if is_met(costs) => None,
        Ok(costs) => {
            let [first, second] = growth(costs).map(ratio);
            Some(format!("{}: twice as large, it costs {first} and {second} times as much", kind.case()))
        }
        // Of a run that failed itself that is told anyway.
        Err(reason) => results.get(&kind.case()).is_ok().then(|| format!("{}: {reason}", kind.case())),
    };
    kinds(quick).filter_map(failure).collect()
}

const COLUMNS: [(&str, Align); 9] = [
    ("call", Align::Left),
    ("what grows", Align::Left),
    ("n", Align::Right),
    ("cost at n", Align::Right),
    ("at 2n", Align::Right),
    ("at 4n", Align::Right),
    ("2n / n", Align::Right),
    ("4n / 2n", Align::Right),
    ("verdict", Align::Left),
];

/// The table of kinds.
pub fn table(quick: bool, results: &Results) -> Table {
    let mut table = Table::new(
        "What one call costs when that which it looks at doubles, in dual, in instructions as QEMU counts them.",
        &COLUMNS,
    );
    for kind in kinds(quick) {
        let mut row = vec![kind.call.into(), kind.grows.into(), grouped(kind.n.into())];
        match costs(kind, results) {
            Ok(costs) => {
                row.extend(costs.map(grouped));
                row.extend(growth(costs).map(ratio));
                row.push(if is_met(costs) { "met" } else { "FAILED" }.into());
            }
            Err(_) => row.extend(["-", "-", "-", "-", "-", "FAILED"].map(str::to_owned)),
        }
        table.row(row);
    }
    table.note(format!("verdict: FAILED where a doubling multiplies the cost by more than {MOST}"));
    table
}

/// The calls as JSON.
pub fn value(quick: bool, results: &Results) -> Value {
    kinds(quick)
        .map(|kind| {
            let costs = costs(kind, results).ok();
            json!({
                "kind": kind.name,
                "call": kind.call,
                "grows": kind.grows,
                "n": kind.n,
                "costs": costs,
                "growth": costs.map(growth),
                "met": costs.is_some_and(is_met),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::runner::tests::{measured, results};
    use super::*;
    use crate::outcome::table::Style;

    #[test]
    fn a_square_fails_and_n_log_n_does_not() {
        let with = |kind: &Kind, marked: &[u64]| (kind.case(), measured(|one| one.marked = marked.to_vec()));
        let mut marked: Vec<&[u64]> = vec![&[100, 230, 500]; kinds(true).count()];
        marked[1] = &[100, 400, 1600];
        marked[2] = &[100, 200];
        let results = results(kinds(true).zip(marked).map(|(kind, marked)| with(kind, marked)).collect());
        let failures = failures(true, &results);
        assert_eq!(failures.len(), 2, "{failures:?}");
        assert!(failures[0].contains("costs 4.000 and 4.000 times"), "{failures:?}");
        assert!(failures[1].contains("2 of 3 calls"), "{failures:?}");
        let table = table(true, &results).show(Style::Markdown);
        assert!(table.contains("| 100 | 400 | 1,600 | 4.000 | 4.000 | FAILED |"), "{table}");
        assert!(table.contains("| 100 | 230 | 500 | 2.300 | 2.174 | met |"), "{table}");
        assert_eq!(value(true, &results)[0]["met"], true);
    }
}
