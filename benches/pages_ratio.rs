// SPDX-License-Identifier: MIT
//! The page primitives against the platform's memcpy and memcmp: one table.
//!
//! Each run times all contestants in turn, several times over, and takes each one's
//! median; a ratio is formed within a run, between neighbours in time, so that a
//! drift of the machine touches both sides. What is printed is the median of 30 runs
//! and the quartiles of the ratio. An argument narrows it to the primitives whose name
//! contains it. `pages.rs` holds the same with criterion's
//! statistics.

use std::hint::black_box;
use std::time::Instant;

use pages::{PAGE_LEN, Page, Primitives};

/// Runs whose median is reported.
const RUNS: usize = 30;
/// Turns of each contestant in a run.
const TURNS: usize = 15;
/// Pages handled in a turn: short enough to stay within a time slice.
const PAGES_PER_TURN: usize = 512;

#[derive(Clone, Copy)]
#[repr(align(4096))]
struct Aligned(Page);

/// The three operands, each of as many pages as the working set has.
struct Set {
    name: &'static str,
    /// The page that comes next.
    next: usize,
    a: Vec<Aligned>,
    b: Vec<Aligned>,
    to: Vec<Aligned>,
}

impl Set {
    fn new(name: &'static str, pages: usize) -> Self {
        let noise = Aligned(core::array::from_fn(|at| (at * 131 + at / 256) as u8));
        Self { name, next: 0, a: vec![noise; pages], b: vec![noise; pages], to: vec![noise; pages] }
    }

    /// Goes on through the set, round and round, for [`PAGES_PER_TURN`] pages; in ns a page.
    fn time(&mut self, work: Work) -> f64 {
        let begin = Instant::now();
        for _ in 0..PAGES_PER_TURN {
            let at = self.next;
            self.next = (at + 1) % self.a.len();
            assert!(work(black_box(&self.a[at].0), black_box(&self.b[at].0), black_box(&mut self.to[at].0)));
        }
        begin.elapsed().as_nanos() as f64 / PAGES_PER_TURN as f64
    }
}

type Work<'a> = &'a dyn Fn(&Page, &Page, &mut Page) -> bool;

/// A primitive and what the platform does instead of it.
struct Contest {
    name: &'static str,
    platform_name: &'static str,
    platform: fn(&Page, &Page, &mut Page) -> bool,
    ours: fn(&Primitives, &Page, &Page, &mut Page) -> bool,
}

const CONTESTS: [Contest; 4] = [
    Contest {
        name: "copy",
        platform_name: "memcpy",
        platform: |a, _, to| {
            platform_copy(a, to);
            true
        },
        ours: |variant, a, _, to| {
            variant.copy(a, to);
            true
        },
    },
    Contest {
        name: "equal",
        platform_name: "memcmp",
        platform: |a, b, _| platform_equal(a, b),
        ours: |variant, a, b, _| variant.equal(a, b),
    },
    Contest {
        name: "compare_and_copy",
        platform_name: "memcmp, memcpy",
        platform: |a, b, to| {
            let same = platform_equal(a, b);
            platform_copy(a, to);
            same
        },
        ours: Primitives::compare_and_copy,
    },
    Contest {
        name: "first_difference",
        platform_name: "memcmp",
        platform: |a, b, _| platform_equal(a, b),
        ours: |variant, a, b, _| variant.first_difference(a, b).is_none(),
    },
];

/// The platform's memcpy.
fn platform_copy(from: &Page, to: &mut Page) {
    to.copy_from_slice(black_box(from.as_slice()));
}

/// The platform's memcmp (bcmp); the length is opaque, so that a call it is.
fn platform_equal(a: &Page, b: &Page) -> bool {
    a[..black_box(PAGE_LEN)] == b[..black_box(PAGE_LEN)]
}

/// The value below which the share `at` of the values lies.
fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * at).round() as usize]
}

/// One contest in one set: a line for the platform and for each variant.
fn hold(contest: &Contest, set: &mut Set, variants: &[Primitives]) {
    let ours: Vec<_> = variants
        .iter()
        .map(|variant| move |a: &Page, b: &Page, to: &mut Page| (contest.ours)(variant, a, b, to))
        .collect();
    let contestants: Vec<Work> =
        std::iter::once(&contest.platform as Work).chain(ours.iter().map(|work| work as Work)).collect();

    let mut times = vec![Vec::with_capacity(RUNS); contestants.len()];
    for _ in 0..RUNS {
        let mut turns = vec![Vec::with_capacity(TURNS); contestants.len()];
        for turn in 0..TURNS {
            // Nobody always follows the same neighbour's cache contents.
            for position in 0..contestants.len() {
                let who = (position + turn) % contestants.len();
                turns[who].push(set.time(contestants[who]));
            }
        }
        for (times, turns) in times.iter_mut().zip(&mut turns) {
            times.push(quantile(turns, 0.5));
        }
    }

    let platform = times[0].clone();
    let names = std::iter::once(contest.platform_name).chain(variants.iter().map(Primitives::name));
    for (name, mut times) in names.zip(times) {
        let mut ratios: Vec<f64> = times.iter().zip(&platform).map(|(time, base)| time / base).collect();
        println!(
            "| {} | {name} | {} | {:.1} | {:.2} | {:.2} to {:.2} |",
            contest.name,
            set.name,
            quantile(&mut times, 0.5),
            quantile(&mut ratios, 0.5),
            quantile(&mut ratios, 0.25),
            quantile(&mut ratios, 0.75),
        );
    }
}

fn main() {
    let variants: Vec<_> = Primitives::available().filter(|variant| variant.name() != "plain").collect();
    // Cargo adds an option of its own.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    eprintln!(
        "{RUNS} runs, each the median of {TURNS} turns of {PAGES_PER_TURN} pages; detected: {}",
        Primitives::detect().name()
    );
    println!("| primitive | by | set | ns/page | ratio | quartiles |");
    println!("|---|---|---|---|---|---|");
    for (name, pages) in [("hot", 1), ("2 MiB", 512), ("64 MiB", 16_384)] {
        let mut set = Set::new(name, pages);
        for contest in CONTESTS.iter().filter(|contest| contest.name.contains(&wanted)) {
            // Variants with ERMS differ from those without in the copy alone.
            let variants: Vec<_> = variants
                .iter()
                .copied()
                .filter(|variant| contest.name == "copy" || !variant.name().ends_with("+erms"))
                .collect();
            hold(contest, &mut set, &variants);
        }
    }
}
