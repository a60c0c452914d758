// SPDX-License-Identifier: MIT
//! The page primitives on the host, each variant beside the platform's memcpy and
//! memcmp: one hot page, and the pages of a 2 MiB set in turn.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pages::{PAGE_LEN, Page, Primitives};

#[derive(Clone, Copy)]
#[repr(align(4096))]
struct Aligned(Page);

/// One call on the pages of number `n` of each operand.
struct Operands {
    a: Vec<Aligned>,
    b: Vec<Aligned>,
    to: Vec<Aligned>,
    n: usize,
}

impl Operands {
    fn new(pages: usize) -> Self {
        let noise = Aligned(core::array::from_fn(|at| (at * 131 + at / 256) as u8));
        Self { a: vec![noise; pages], b: vec![noise; pages], to: vec![noise; pages], n: 0 }
    }

    /// The next page of each.
    fn next(&mut self) -> (&Page, &Page, &mut Page) {
        self.n = if self.n + 1 < self.a.len() { self.n + 1 } else { 0 };
        let (a, b, to) = (&self.a[self.n].0, &self.b[self.n].0, &mut self.to[self.n].0);
        (black_box(a), black_box(b), black_box(to))
    }
}

fn primitives(criterion: &mut Criterion) {
    for (set, pages) in [("hot", 1), ("2 MiB", 512)] {
        let mut operands = Operands::new(pages);

        let mut group = criterion.benchmark_group(format!("copy, {set}"));
        group.throughput(Throughput::Bytes(PAGE_LEN as u64));
        group.bench_function("memcpy", |bench| {
            bench.iter(|| {
                let (a, _, to) = operands.next();
                to.copy_from_slice(a);
            });
        });
        for variant in Primitives::available() {
            group.bench_function(BenchmarkId::from_parameter(variant.name()), |bench| {
                bench.iter(|| {
                    let (a, _, to) = operands.next();
                    variant.copy(a, to);
                });
            });
        }
        group.finish();

        let mut group = criterion.benchmark_group(format!("equal, {set}"));
        group.throughput(Throughput::Bytes(PAGE_LEN as u64));
        group.bench_function("memcmp", |bench| {
            bench.iter(|| {
                let (a, b, _) = operands.next();
                a[..black_box(PAGE_LEN)] == b[..black_box(PAGE_LEN)]
            });
        });
        for variant in Primitives::available() {
            group.bench_function(BenchmarkId::from_parameter(variant.name()), |bench| {
                bench.iter(|| {
                    let (a, b, _) = operands.next();
                    variant.equal(a, b)
                });
            });
        }
        group.finish();

        let mut group = criterion.benchmark_group(format!("compare_and_copy, {set}"));
        group.throughput(Throughput::Bytes(PAGE_LEN as u64));
        group.bench_function("memcmp, memcpy", |bench| {
            bench.iter(|| {
                let (a, b, to) = operands.next();
                let same = a[..black_box(PAGE_LEN)] == b[..black_box(PAGE_LEN)];
                to.copy_from_slice(a);
                same
            });
        });
        for variant in Primitives::available() {
            group.bench_function(BenchmarkId::from_parameter(variant.name()), |bench| {
                bench.iter(|| {
                    let (a, b, to) = operands.next();
                    variant.compare_and_copy(a, b, to)
                });
            });
        }
        group.finish();

        let mut group = criterion.benchmark_group(format!("first_difference and hash, {set}"));
        group.throughput(Throughput::Bytes(PAGE_LEN as u64));
        for variant in Primitives::available() {
            group.bench_function(BenchmarkId::new("first_difference", variant.name()), |bench| {
                bench.iter(|| {
                    let (a, b, _) = operands.next();
                    variant.first_difference(a, b)
                });
            });
        }
        group.bench_function("hash", |bench| {
            bench.iter(|| {
                let (a, ..) = operands.next();
                Primitives::plain().hash(a)
            });
        });
        group.finish();
    }
}

criterion_group!(all, primitives);
criterion_main!(all);
