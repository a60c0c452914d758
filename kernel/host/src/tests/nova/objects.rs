// SPDX-License-Identifier: MIT
//! What there is at the start, what calls refuse, and what is left of objects that are gone.

use super::*;
use crate::nova::root::INFORMATION;

#[test]
fn the_root_task_finds_what_it_was_promised() {
    let ops = [
        &[
            Op::Do(|space, registers| {
                say(format!("{:x} {:x} {:x}", registers.rip, registers.rsp, registers.rdi));
                say(format!("{:x} {:x}", word(space, INFORMATION), word(space, FIRST_PAGE)));
            }),
            Op::Hyper(call(8, 0, 0), [0x2007f, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(8, 0, 0), [0x2107f, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(8, 0, 0), [0x2207f, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(8, 0, 0), [0x2307f, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(8, 0, 0), [0x7fff_bfff_f01d, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(8, 0, 0), [0x7fff_bfff_e01d, 0, 0, 0]),
            Op::Do(tell),
        ],
        &SLEEP[..],
    ]
    .concat();
    let said = run(&[(ROOT, &ops)]);
    assert_eq!(
        said,
        [
            "100010 7fffbffff000 0",
            "41564f4e 0",
            "0 2007f 0",
            "0 21037 0",
            "0 22007 0",
            "0 2300f 0",
            "0 7fffbffff005 0",
            "0 7fffbfffe00d 0",
        ]
    );
}

#[test]
fn semaphores_count_and_signals_tell_their_value() {
    let ops = [
        &[
            // A semaphore, raised twice.
            Op::Hyper(call(6, 0, 0x100), [0x20, 0, 0, 0]),
            Op::Hyper(call(12, 0, 0x100), [0; 4]),
            Op::Hyper(call(12, 1, 0x100), [5, 6, 0, 0]),
            Op::Do(tell),
            // A signal with the value 0xbeef that it is told of.
            Op::Hyper(call(6, 0, 0x101), [0x20, 0xbeef, 0x100, 0]),
            Op::Hyper(call(12, 0, 0x101), [0; 4]),
            Op::Hyper(call(12, 0, 0x101), [0; 4]),
            Op::Hyper(call(12, 0, 0x100), [0; 4]),
            Op::Hyper(call(12, 1, 0x100), [0; 4]),
            Op::Do(tell),
            Op::Hyper(call(12, 1, 0x100), [0; 4]),
            Op::Do(tell),
            Op::Hyper(call(12, 1, 0x100), [0, 1, 0, 0]),
            Op::Do(tell),
            // One waits until a deadline.
            Op::Hyper(call(12, 1, 0x100), [0, 50_000, 0, 0]),
            Op::Do(tell),
            // A signal cannot be waited for, and nothing can be chained to one.
            Op::Hyper(call(12, 1, 0x101), [0; 4]),
            Op::Do(tell),
            Op::Hyper(call(6, 0, 0x102), [0x20, 0, 0x101, 0]),
            Op::Do(tell),
        ],
        &SLEEP[..],
    ]
    .concat();
    assert_eq!(run(&[(ROOT, &ops)]), ["0 5 6", "0 beef 2", "0 0 0", "1 0 1", "1 0 c350", "4 0 0", "4 20 0"]);
}

#[test]
fn bad_parameters_have_the_status_that_the_interface_says() {
    let cases: &[(u64, [u64; 4], u64)] = &[
        (call(0, 0, 0x999), [7, 8, 0, 0], 4),
        (call(0, 0, 0x23), [7, 8, 0, 0], 4),
        (call(3, 0, 0x900), [0x999, 0x5000 | 5, 0, 0], 7),
        (call(3, 0, 0x900), [0x999, 0x7fff_c000_0000, 0, 0], 4),
        (call(3, 0, 0x900), [0x20, 0x7fff_c000_0000, 0, 0], 5),
        (call(3, 0, 0x20), [0x20, 0x5000, 0, 0], 4),
        (call(3, 0, 0x900), [0x20, 0, 0, 0], 6),
        (call(5, 0, 0x900), [0x999, 0x21, 0, 0x7fff_c000_0000], 5),
        (call(5, 0, 0x900), [0x20, 0x21, 0, 0], 4),
        (call(2, 0, 0x900), [0x20, 0, 2 << 32 | 3, 0], 5),
        (call(2, 0, 0x900), [0x20, 0, 0x7fff_ffff << 32 | 2, 0], 5),
        (call(2, 0, 0x20), [0x20, 0, 2 << 32 | 1, 0], 4),
        (call(4, 0, 0x900), [0x20, 0x21, 1000 << 12, 0], 5),
        (call(4, 0, 0x900), [0x20, 0x21, 1000 << 12 | 128, 0], 5),
        (call(4, 0, 0x900), [0x20, 0x21, 1, 0], 5),
        (call(7, 3, 0), [0x20 << 12 | 0x7f, 0x999, 0, 0], 4),
        (call(7, 1, 0), [0x999 << 12 | 0x7f, 5, 0, 0], 0),
        (call(8, 1, 0x999), [0, 0x20, 0, 0], 4),
        (call(8, 2, 0x999), [0; 4], 4),
        (call(8, 3, 0), [0; 4], 5),
        (call(9, 0, 0x999), [0; 4], 4),
        (call(9, 1, 0), [0; 4], 0),
        (call(9, 2, 0x999), [0; 4], 4),
        (call(9, 2, 0x21), [1, 0, 0, 0], 5),
        (call(9, 3, 0), [0; 4], 0),
        (call(9, 4, 0), [0; 4], 5),
        (call(9, 5, 0x999), [0; 4], 4),
        (call(9, 9, 0x21), [0; 4], 5),
        (call(10, 0, 0x999), [0; 4], 4),
        (call(11, 0, 0x999), [0; 4], 4),
        (call(12, 0, 0x999), [0; 4], 4),
        (call(12, 1, 0x20), [0; 4], 4),
        (call(13, 0, 0x999), [0; 4], 4),
        (call(14, 0, 0x999), [0; 4], 4),
        (call(14, 0, 0x999), [0, 9, 0, 0], 7),
        (call(15, 0, 0x999), [0x20, 1, 0, 0], 4),
        (call(15, 2, 0x999), [0; 4], 4),
        (call(15, 0, 0x20), [0x20, 1 << 40, 0, 0], 5),
        (1 << 63 | 12, [0; 4], 4),
    ];
    let mut ops = Vec::new();
    let mut expected = Vec::new();
    for (number, arguments, status) in cases {
        ops.push(Op::Hyper(*number, *arguments));
        ops.push(Op::Do(|_, registers| say(format!("{}", registers.rdi))));
        expected.push(status.to_string());
    }
    ops.extend(SLEEP);
    let said = run(&[(ROOT, &ops)]);
    for (index, (case, expected)) in cases.iter().zip(&expected).enumerate() {
        assert_eq!(said.get(index), Some(expected), "{case:x?}");
    }
}

#[test]
fn a_message_page_is_nobodys_any_more_when_its_thread_is_destroyed() {
    const ALIAS: u64 = 0x51_0000;
    let tell = Op::Do(|space, _| {
        let is_mapped = |page| space.next_mapped(page, page + PAGE_LEN).is_some();
        say(format!("{} {}", is_mapped(WORKER_PAGE), is_mapped(ALIAS)));
    });
    let root = [
        &MAKE_WORKER[..],
        &[
            Op::Do(|space, _| {
                put(space, FIRST_PAGE, &[1 << 16]);
                put_item(space, FIRST_PAGE, 0, [WORKER_PAGE | 3 << 2 | 1, 1]);
            }),
            Op::Hyper(call(8, 1, 0x20), [ALIAS | 3 << 2 | 1, 0x20, 0, 0]),
            tell,
            // The thread and its portal.
            Op::Hyper(call(7, 1, 0), [0x200 << 12 | 1 << 7 | 0x1f << 2 | 3, 0, 0, 0]),
            tell,
        ],
        &SLEEP,
    ]
    .concat();
    assert_eq!(run(&[(ROOT, &root)]), ["true true", "false false"]);
}

/// The page of a thread that was handed on, and that its domain has given up alone, goes with the thread all the same.
#[test]
fn a_message_page_goes_from_those_who_have_it_past_a_domain_that_gave_it_up() {
    const ALIAS: u64 = 0x51_0000;
    let tell = Op::Do(|space, _| {
        let is_mapped = |page| space.next_mapped(page, page + PAGE_LEN).is_some();
        say(format!("{} {}", is_mapped(WORKER_PAGE), is_mapped(ALIAS)));
    });
    let root = [
        &MAKE_WORKER[..],
        &[
            Op::Do(|space, _| {
                put(space, FIRST_PAGE, &[1 << 16]);
                put_item(space, FIRST_PAGE, 0, [WORKER_PAGE | 3 << 2 | 1, 1]);
            }),
            Op::Hyper(call(8, 1, 0x20), [ALIAS | 3 << 2 | 1, 0x20, 0, 0]),
            // The page alone, whose child keeps it.
            Op::Hyper(call(7, 5, 0), [WORKER_PAGE | 0x1f << 2 | 1, 0, 0, 0]),
            tell,
            Op::Hyper(call(7, 1, 0), [0x200 << 12 | 1 << 7 | 0x1f << 2 | 3, 0, 0, 0]),
            tell,
        ],
        &SLEEP,
    ]
    .concat();
    assert_eq!(run(&[(ROOT, &root)]), ["false true", "false false"]);
}

#[test]
fn the_processors_idle_budget_is_the_kernels_to_give() {
    let ops = [
        &[
            Op::Do(|space, _| {
                put(space, FIRST_PAGE, &[1 << 16]);
                put_item(space, FIRST_PAGE, 0, [0x7f, 0x300 << 12 | 0x801]);
            }),
            Op::Hyper(call(8, 1, 0x20), [0x300 << 12 | 0x7f, 0x20, 0, 0]),
            Op::Hyper(call(8, 0, 0), [0x300 << 12 | 0x7f, 0, 0, 0]),
            Op::Do(tell),
            // Its time is not counted; it is no thread, and nobody takes it from the kernel.
            Op::Hyper(call(10, 0, 0x300), [0; 4]),
            Op::Do(tell),
            Op::Hyper(call(9, 0, 0x300), [0; 4]),
            Op::Do(tell),
            Op::Hyper(call(7, 1, 0), [0x300 << 12 | 0x7f, 0, 0, 0]),
            Op::Hyper(call(10, 0, 0x300), [0; 4]),
            Op::Do(tell),
            Op::Do(|space, _| {
                put(space, FIRST_PAGE, &[1 << 16]);
                put_item(space, FIRST_PAGE, 0, [0x7f, 0x300 << 12 | 0x801]);
            }),
            Op::Hyper(call(8, 1, 0x20), [0x300 << 12 | 0x7f, 0x20, 0, 0]),
            Op::Hyper(call(10, 0, 0x300), [0; 4]),
            Op::Do(tell),
        ],
        &SLEEP[..],
    ]
    .concat();
    assert_eq!(run(&[(ROOT, &ops)]), ["0 300007 0", "5 0 0", "4 0 0", "4 0 0", "5 0 0"]);
}

#[test]
fn whatever_is_made_and_taken_back_leaves_nothing_behind() {
    // A domain with a thread, a budget, a portal and a semaphore, and an end to all of that at once.
    let ops = [
        vec![
            Op::Hyper(call(3, 0, 0x200), [0x20, WORKER_PAGE, 0x1000, 0]),
            Op::Hyper(call(15, 2, 0x20), [0; 4]),
            Op::Do(|_, registers| say(format!("{:x}", registers.rdx))),
        ],
        [
            Op::Hyper(call(2, 0, 0x300), [0x20, 0, 64 << 32 | 2, 0]),
            Op::Do(tell),
            Op::Hyper(call(3, 1, 0x301), [0x300, CHILD_PAGE, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(3, 0, 0x302), [0x300, CHILD_PAGE + PAGE_LEN, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(5, 0, 0x303), [0x20, 0x302, 0, WORKER]),
            Op::Do(tell),
            Op::Hyper(call(6, 0, 0x304), [0x300, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(6, 0, 0x305), [0x300, 1, 0x304, 0]),
            Op::Do(tell),
            Op::Hyper(call(12, 0, 0x305), [0; 4]),
            // The thread has no portal for its start: it ends as soon as it has a budget.
            Op::Hyper(call(4, 0, 0x306), [0x300, 0x301, 10_000 << 12 | 64, 0]),
            Op::Do(tell),
            Op::Hyper(call(7, 1, 0), [0x300 << 12 | 3 << 7 | 0x7f, 0, 0, 0]),
            Op::Do(tell),
        ]
        .repeat(100),
        vec![
            Op::Hyper(call(15, 2, 0x20), [0; 4]),
            Op::Do(|_, registers| say(format!("{:x}", registers.rdx))),
        ],
        SLEEP.to_vec(),
    ]
    .concat();
    let said = run(&[(ROOT, &ops)]);
    assert_eq!(said.len(), 2 + 8 * 100);
    assert_eq!(said.first(), said.last());
    let wrong: Vec<_> = said[1..801].iter().filter(|line| !line.starts_with("0 ")).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_domain_is_worth_what_the_one_is_that_it_was_made_of() {
    let ops = [
        &[
            Op::Hyper(call(2, 0, 0x300), [0x20, 0, 32 << 32, 0]),
            // All rights but the one to make domains are taken.
            Op::Hyper(call(7, 1, 0), [0x300 << 12 | 0x1e << 2 | 3, 0, 0, 0]),
            Op::Hyper(call(2, 0, 0x301), [0x300, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(8, 0, 0), [0x301 << 12 | 0x7f, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(6, 0, 0x302), [0x301, 0, 0, 0]),
            Op::Do(|_, registers| say(format!("{}", registers.rdi))),
        ],
        &SLEEP[..],
    ]
    .concat();
    assert_eq!(run(&[(ROOT, &ops)]), ["0 300 0", "0 301007 0", "4"]);
}

#[test]
fn a_message_page_goes_with_its_thread() {
    const RANGE: u64 = WORKER_PAGE | 0x1d;
    const ALIAS: u64 = CHILD_PAGE | 0x1d;
    let ops = [
        &[
            Op::Hyper(call(3, 0, 0x200), [0x20, WORKER_PAGE, 0x1000, 0]),
            Op::Do(|space, _| {
                // One item: the message page.
                put(space, FIRST_PAGE, &[1 << 16]);
                put_item(space, FIRST_PAGE, 0, [RANGE, 1]);
            }),
            Op::Hyper(call(8, 1, 0x20), [ALIAS, 0x20, 0, 0]),
            Op::Hyper(call(8, 0, 0), [RANGE, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(8, 0, 0), [ALIAS, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(7, 1, 0), [0x200 << 12 | 0x7f, 0, 0, 0]),
            Op::Hyper(call(8, 0, 0), [RANGE, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(8, 0, 0), [ALIAS, 0, 0, 0]),
            Op::Do(tell),
        ],
        &SLEEP[..],
    ]
    .concat();
    assert_eq!(run(&[(ROOT, &ops)]), ["0 50000d 0", "0 60000d 0", "0 0 0", "0 0 0"]);
}
