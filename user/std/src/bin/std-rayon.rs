// SPDX-License-Identifier: MIT
//! Data parallelism by rayon in a pool of four: sums, joins, scopes, sorts, and a panic that comes back.

use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Numbers that are sorted and summed.
const NUMBERS: u64 = 6_000;

fn main() {
    let pool = ThreadPoolBuilder::new().num_threads(4).build().expect("four threads start");
    pool.install(|| {
        sums();
        joins();
        scopes();
        sorts();
    });
    panics(&pool);
    println!("threads: {}", pool.current_num_threads());
    drop(pool);
    println!("all steps are done");
}

/// A number for each place, from a linear congruential sequence.
fn numbers() -> Vec<u64> {
    let next = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    std::iter::successors(Some(1), next).map(|state| state >> 40).take(NUMBERS as usize).collect()
}

fn sums() {
    let numbers = numbers();
    let (sum, least) = (numbers.par_iter().sum::<u64>(), numbers.par_iter().min());
    assert_eq!(sum, numbers.iter().sum::<u64>());
    let odd = numbers.par_iter().filter(|number| *number % 2 == 1).count();
    let squares: Vec<u64> = (0..NUMBERS).into_par_iter().map(|it| it * it).collect();
    let at = squares.par_iter().position_first(|square| *square > 1_000_000);
    println!("sums: {sum}, least {least:?}, {odd} odd, first large square at {at:?}");
}

fn joins() {
    fn fibonacci(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let (one, other) = rayon::join(|| fibonacci(n - 1), || fibonacci(n - 2));
        one + other
    }
    println!("joins: {}", fibonacci(15));
}

fn scopes() {
    let sum = AtomicU64::new(0);
    let mut parts = [0_u64; 8];
    rayon::scope(|scope| {
        for (index, part) in parts.iter_mut().enumerate() {
            let sum = &sum;
            scope.spawn(move |scope| {
                *part = index as u64 * 100;
                // A task of a scope starts another one.
                scope.spawn(move |_| {
                    sum.fetch_add(*part, Ordering::Relaxed);
                });
            });
        }
    });
    println!("scopes: {}, {parts:?}", sum.into_inner());
}

fn sorts() {
    let (mut stable, mut unstable) = (numbers(), numbers());
    stable.par_sort_by_key(|number| number % 1000);
    unstable.par_sort_unstable();
    let mut expected = numbers();
    expected.sort_by_key(|number| number % 1000);
    assert_eq!(stable, expected);
    expected.sort_unstable();
    assert_eq!(unstable, expected);
    let text: String = unstable.iter().step_by(1201).map(|number| format!(" {number}")).collect();
    println!("sorts:{text}");
}

/// A panic of a task comes to whoever waits for it, and the pool goes on.
fn panics(pool: &ThreadPool) {
    panic::set_hook(Box::new(|_| eprintln!("hook")));
    let task = || (0..100_u64).into_par_iter().for_each(|it| assert_ne!(it, 57, "a task panics"));
    let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| pool.install(task)));
    println!(
        "panics: {}, then {}",
        caught.is_err(),
        pool.install(|| (0..10_u64).into_par_iter().sum::<u64>())
    );
}
