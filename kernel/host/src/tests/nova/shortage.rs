// SPDX-License-Identifier: MIT
//! Kernel memory that is used up: the status of a call, or the handler that is told and may give more.

use super::*;

/// Where the handler begins, its page, and its portal's number.
const HANDLER: u64 = 0x41_0000;
const HANDLER_PAGE: u64 = 0x78_0000;
const NUMBER: u64 = 0x55;
/// A domain, and its share.
const DOMAIN: u64 = 0x500;
const SHARE: u64 = 12;

/// The handler says what it is told, gives pages, and replies.
const GIVE: [Op; 3] =
    [Op::Do(tell), Op::Hyper(call(15, 0, 0x20), [DOMAIN, 10, 0, 0]), Op::Hyper(call(1, 0, 0), [0; 4])];

/// A thread that handles shortage, with a portal at this selector.
fn handler(portal: u64) -> [Op; 3] {
    [
        Op::Hyper(call(3, 0, 0x530), [0x20, HANDLER_PAGE, 0x1234, 0x300]),
        Op::Hyper(call(5, 0, portal), [0x20, 0x530, 0, HANDLER]),
        Op::Hyper(call(11, 0, portal), [NUMBER, 0, 0, 0]),
    ]
}

/// Takes all pages from the domain that it has not used.
const DRAIN: [Op; 2] = [
    Op::Hyper(call(15, 2, DOMAIN), [0; 4]),
    Op::CallBy(|_, registers| {
        (registers.rdx, registers.rsi) = (registers.rsi - registers.rdx, 0x20);
        registers.rdi = call(15, 0, DOMAIN);
    }),
];

/// A thread of the domain that begins at [`CHILD`] when nothing is left, with a semaphore at 0x520.
fn child(with: &[Op]) -> Vec<Op> {
    let start = [
        Op::Hyper(call(2, 0, DOMAIN), [0x20, 0, SHARE << 32, 0]),
        Op::Hyper(call(6, 0, 0x520), [0x20, 0, 0, 0]),
        Op::Hyper(call(5, 0, 0x521), [0x20, 0x200, 0xc, PAGER]),
        Op::Do(|space, _| {
            put(space, FIRST_PAGE, &[2 << 16]);
            put_item(space, FIRST_PAGE, 0, [0x520 << 12 | 0x7f, 0x520 << 12 | 1]);
            put_item(space, FIRST_PAGE, 1, [0x521 << 12 | 0x7f, 0x521 << 12 | 1]);
        }),
        Op::Hyper(call(8, 1, 0x20), [0x520 << 12 | 1 << 7 | 0x7f, DOMAIN, 0, 0]),
    ];
    let run = [
        // Its start is event 0x1e.
        Op::Hyper(call(3, 1, 0x510), [DOMAIN, CHILD_PAGE, 0, 0x521 - 0x1e]),
        DRAIN[0],
        DRAIN[1],
        Op::Hyper(call(4, 0, 0x512), [0x20, 0x510, 10_000 << 12 | 64, 0]),
    ];
    [&MAKE_WORKER[..], &start, with, &run, &SLEEP].concat()
}

/// A thread raises its semaphore, and waits for ever.
const RAISE: [Op; 3] =
    [Op::Hyper(call(12, 0, 0x520), [7, 8, 0, 0]), Op::Do(tell), Op::Hyper(call(12, 1, 0x520), [0; 4])];

#[test]
fn without_a_handler_a_call_fails_with_its_status() {
    let said = run(&[(ROOT, &child(&[])), (PAGER, &START), (CHILD, &RAISE[..2])]);
    assert_eq!(said, ["9 7 8"]);
}

#[test]
fn a_handler_may_give_more_and_the_call_is_made_anew() {
    let ops = child(&handler(0x511));
    let said = run(&[(ROOT, &ops), (PAGER, &START), (CHILD, &RAISE[..2]), (HANDLER, &GIVE)]);
    assert_eq!(said, ["55 0 4", "0 7 8"]);
}

#[test]
fn a_handler_that_dies_leaves_the_status() {
    let ops = child(&handler(0x511));
    let dies = [Op::Do(tell), Op::Refused(&[0x0f, 0x0b])];
    let said = run(&[(ROOT, &ops), (PAGER, &START), (CHILD, &RAISE[..2]), (HANDLER, &dies)]);
    assert_eq!(said, ["55 0 4", "9 7 8"]);
}

/// Where a piece of memory shows that is mapped when it is touched.
const SPARSE: u64 = 0x40_0000_0000;

/// The child's domain gets a piece of memory, far from all that it has.
const FAR: [Op; 2] = [
    Op::Do(|space, _| {
        let frame = MEMORY.with_borrow(|memory| memory[LARGE].number());
        put(space, FIRST_PAGE, &[1 << 16]);
        put_item(space, FIRST_PAGE, 0, [frame << 12 | 5 << 7 | 0xd, 0x801]);
    }),
    Op::Hyper(call(8, 1, 0x20), [SPARSE | 5 << 7 | 0xd, DOMAIN, 0, 0]),
];

/// It touches that memory, and says so.
const TOUCH: [Op; 2] = [Op::Touch(SPARSE + 0x3010), Op::Do(|_, _| say("it is there".into()))];

#[test]
fn a_touched_page_needs_quota_for_its_tables() {
    let said = run(&[(ROOT, &child(&FAR)), (PAGER, &START), (CHILD, &TOUCH)]);
    assert!(said.is_empty(), "{said:?}");
    let ops = child(&[&FAR[..], &handler(0x511)].concat());
    let said = run(&[(ROOT, &ops), (PAGER, &START), (CHILD, &TOUCH), (HANDLER, &GIVE)]);
    assert_eq!(said, ["55 0 4", "it is there"]);
}

#[test]
fn page_tables_are_charged_until_they_go() {
    let usage = [
        Op::Hyper(call(15, 2, DOMAIN), [0; 4]),
        Op::Do(|_, registers| say(format!("{} of {}", registers.rdx, registers.rsi))),
    ];
    let item = Op::Do(|space, _| {
        put(space, FIRST_PAGE, &[1 << 16]);
        put_item(space, FIRST_PAGE, 0, [FIRST_PAGE | 0xd, 1]);
    });
    // A page each, with three tables of its own beside one for its name.
    let give = |index: u64| {
        let far = SPARSE << index;
        [
            item,
            Op::Hyper(call(8, 1, 0x20), [far | 0xd, DOMAIN, 0, 0]),
            Op::Do(|_, registers| say(format!("{}", registers.rdi))),
        ]
    };
    let ops = [
        &[Op::Hyper(call(2, 0, DOMAIN), [0x20, 0, 8 << 32, 0])],
        &usage[..],
        &give(0),
        &usage,
        &give(3),
        &usage,
        // For three more there is no room.
        &give(4),
        &usage,
        &[Op::Hyper(call(7, 0, 0), [FIRST_PAGE | 0x1d, 0, 0, 0])],
        &usage,
        &SLEEP,
    ]
    .concat();
    let said = run(&[(ROOT, &ops)]);
    assert_eq!(said, ["0 of 8", "0", "4 of 8", "0", "7 of 8", "9", "7 of 8", "0 of 8"]);
}

#[test]
fn what_is_sent_has_the_frames_of_copies() {
    // The worker lives in another domain, and is sent two pages of the root task's. There are frames for one.
    let make = [
        Op::Hyper(call(2, 0, DOMAIN), [0x20, 0, 100 << 32, 0]),
        Op::Hyper(call(3, 0, 0x600), [DOMAIN, WORKER_PAGE, 0x1234, 0x300]),
        Op::Hyper(call(5, 0, 0x610), [0x20, 0x600, 0, WORKER]),
        // It opens its window when it is called for the first time.
        Op::Hyper(call(0, 0, 0x610), [0; 4]),
        Op::Do(|space, _| {
            put(space, FIRST_PAGE, &[2 << 16]);
            put_item(space, FIRST_PAGE, 0, [FIRST_PAGE | 0xd, 0x900 << 12 | 1]);
            put_item(space, FIRST_PAGE, 1, [FIRST_PAGE | 0xd, 0x901 << 12 | 1]);
            frame::lend(frame::free_count() - 200);
            frame::set_tables(150);
        }),
        Op::Hyper(call(0, 0, 0x610), [0; 4]),
        Op::Do(tell),
        Op::Do(|_, _| frame::set_tables(0)),
    ];
    let worker = [
        Op::Do(|space, _| put(space, WORKER_PAGE, &[0, 0, 0x90_0000 | 0x8d])),
        Op::Hyper(call(8, 0, 0), [0x90_1000 | 0x1d, 0, 0, 0]),
        Op::Do(tell),
        Op::Hyper(call(1, 0, 0), [0; 4]),
    ];
    let said = run(&[(ROOT, &[&make[..], &SLEEP].concat()), (WORKER, &worker)]);
    assert_eq!(said, ["0 0 0", "0 90100d 0", &format!("{:x} 0 0", 0x610 << 8)]);
}

#[test]
fn whoever_has_no_room_for_what_it_is_sent_has_its_handler_told() {
    // The worker lives in the domain; it is sent all lines of the kernel's, which take several pages.
    let make = [
        Op::Hyper(call(2, 0, DOMAIN), [0x20, 0, SHARE << 32, 0]),
        Op::Hyper(call(3, 0, 0x600), [DOMAIN, WORKER_PAGE, 0x1234, 0x300]),
        Op::Hyper(call(5, 0, 0x610), [0x20, 0x600, 0, WORKER]),
        // It opens its window when it is called for the first time.
        Op::Hyper(call(0, 0, 0x610), [0; 4]),
        DRAIN[0],
        DRAIN[1],
        Op::Do(|space, _| {
            put(space, FIRST_PAGE, &[1 << 16]);
            put_item(space, FIRST_PAGE, 0, [8 << 7 | 0x7f, 0x800 << 12 | 0x801]);
        }),
        Op::Hyper(call(8, 1, 0x20), [0x800 << 12 | 8 << 7 | 0x7f, 0x20, 0, 0]),
        Op::Do(|space, _| {
            put(space, FIRST_PAGE, &[1 << 16]);
            put_item(space, FIRST_PAGE, 0, [0x800 << 12 | 8 << 7 | 0x7f, 1]);
        }),
        Op::Hyper(call(0, 0, 0x610), [0; 4]),
        Op::Do(tell),
    ];
    let worker = [
        Op::Do(|space, _| {
            put(space, WORKER_PAGE + 0x10, &[0x800 << 12 | 8 << 7 | 0x7f]);
            put(space, WORKER_PAGE, &[0]);
        }),
        // Whether it has got the last line.
        Op::Hyper(call(8, 0, 0), [(0x800 + 64 + 191) << 12 | 0x7f, 0, 0, 0]),
        Op::Do(tell),
        Op::Hyper(call(1, 0, 0), [0; 4]),
    ];
    let ops = [&handler(0x601)[..], &make, &SLEEP].concat();
    let said = run(&[(ROOT, &ops), (WORKER, &worker), (HANDLER, &GIVE)]);
    assert_eq!(said, ["0 0 0", "55 ffffffffffffffff 1", "0 8ff00f 0", &format!("{:x} 0 0", 0x610 << 8)]);
}
