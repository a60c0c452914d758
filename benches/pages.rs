// SPDX-License-Identifier: MIT
//! The page primitives on the host: copy and compare of one 4 KiB page, hot.
#![expect(missing_docs, reason = "criterion's macros generate the public items")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use pages::{PAGE_LEN, Page};

fn primitives(criterion: &mut Criterion) {
    let source: Page = core::array::from_fn(|at| at as u8);
    let mut target: Page = [0; PAGE_LEN];
    criterion.bench_function("copy", |bench| {
        bench.iter(|| pages::copy(black_box(&source), black_box(&mut target)));
    });
    criterion.bench_function("first_difference of equal pages", |bench| {
        bench.iter(|| pages::first_difference(black_box(&source), black_box(&target)));
    });
}

criterion_group!(all, primitives);
criterion_main!(all);
