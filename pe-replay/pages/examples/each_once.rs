// SPDX-License-Identifier: MIT
//! Calls each primitive of each variant once on equal pages, so that a profiler's
//! count of a function is its instructions a page:
//!
//! ```text
//! cargo build --profile kernel -p pages --example each_once
//! valgrind --tool=callgrind --dump-line=no target/kernel/examples/each_once
//! callgrind_annotate --threshold=100 --inclusive=yes --tree=calling callgrind.out.*
//! ```
//!
//! A line with `(2x)` stands for the two variants that share the function.

use std::hint::black_box;

use pages::{PAGE_LEN, Page, Primitives, REGISTERS_LEN};

#[repr(align(4096))]
struct Aligned(Page);

fn main() {
    let a = Aligned([0x5a; PAGE_LEN]);
    let b = Aligned(a.0);
    let mut to = Aligned([0; PAGE_LEN]);
    for variant in Primitives::available() {
        variant.copy(black_box(&a.0), black_box(&mut to.0));
        let same = variant.equal(black_box(&a.0), black_box(&b.0));
        let copied = variant.compare_and_copy(black_box(&a.0), black_box(&b.0), black_box(&mut to.0));
        let registers = black_box(&[0x5a; REGISTERS_LEN]);
        let alike = variant.equal_registers(registers, black_box(&registers.clone()));
        println!("{}: {}", variant.name(), same && copied && alike);
    }
    println!("hash: {:032x}", Primitives::detect().hash(black_box(&a.0)));
}
