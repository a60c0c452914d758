// SPDX-License-Identifier: MIT
//! Calls, replies, events, and who runs on whose budget meanwhile.

use super::*;

#[test]
fn a_call_carries_words_there_and_back() {
    let ops = [
        &MAKE_WORKER[..],
        &[
            Op::Do(|space, _| put(space, FIRST_PAGE, &[2, 0, 0, 0, 0x11, 0x22, 0x33])),
            Op::Hyper(call(0, 0, 0x201), [1, 2, 3, 4]),
            Op::Do(|space, registers| {
                tell(space, registers);
                say(format!("{:x} {:x}", word(space, FIRST_PAGE), word(space, FIRST_PAGE + 0x20)));
            }),
            Op::Hyper(call(0, 0, 0x201), [1, 2, 3, 4]),
            Op::Do(|_, _| say("again".into())),
        ],
        &SLEEP[..],
    ]
    .concat();
    let worker = [
        Op::Do(|space, registers| {
            say(format!("portal {:x} stack {:x}", registers.rdi, registers.rsp));
            let words = [0, 0x20, 0x28].map(|offset| word(space, WORKER_PAGE + offset));
            say(format!("{words:x?}"));
            put(space, WORKER_PAGE, &[1, 0, 0, 0, 0x99]);
            registers.rsp -= 8;
        }),
        Op::Hyper(call(1, 0, 0), [0; 4]),
    ];
    assert_eq!(
        run(&[(ROOT, &ops), (WORKER, &worker)]),
        [
            "portal 77 stack 1234",
            "[2, 11, 22]",
            "20100 1 2",
            "1 99",
            "portal 77 stack 122c",
            "[1, 99, 22]",
            "again",
        ]
    );
}

#[test]
fn a_fault_is_told_to_a_portal_which_hands_memory_on() {
    let ops = [
        &[
            // A worker that is the pager, and its portals for page faults and for the start.
            Op::Hyper(call(3, 0, 0x200), [0x20, PAGER_PAGE, 0x1000, 0]),
            Op::Hyper(call(5, 0, 0x20e), [0x20, 0x200, 0x800c, PAGER]),
            Op::Hyper(call(5, 0, 0x21e), [0x20, 0x200, 0xc, PAGER + 0x1000]),
            // A domain with a thread whose events are those portals, at 0 in its own table.
            Op::Hyper(call(2, 0, 0x300), [0x20, 0, 32 << 32 | 2, 0]),
            Op::Hyper(call(3, 1, 0x301), [0x300, CHILD_PAGE, 0, 0]),
            Op::Do(|space, _| {
                put(space, FIRST_PAGE, &[1 << 16]);
                put_item(space, FIRST_PAGE, 0, [0x200 << 12 | 5 << 7 | 0x7f, 1]);
            }),
            Op::Hyper(call(8, 1, 0x20), [5 << 7 | 0x7f, 0x300, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(4, 0, 0x302), [0x300, 0x301, 10_000 << 12 | 64, 0]),
            Op::Do(|_, _| say("root goes on".into())),
        ],
        &SLEEP[..],
    ]
    .concat();
    let pager = [
        Op::Do(|space, _| {
            let words = [0, 0x20, 0x30, 0x70, 0xd0, 0xd8].map(|offset| word(space, PAGER_PAGE + offset));
            say(format!("fault {words:x?}"));
            let frame = MEMORY.with_borrow(|memory| memory[3].number());
            put(space, PAGER_PAGE, &[1 << 16]);
            put_item(space, PAGER_PAGE, 0, [frame << 12 | 0x0d, 0x801]);
        }),
        Op::Hyper(call(8, 1, 0x20), [0x9000 << 12 | 0x1d, 0x300, 0, 0]),
        Op::Do(|space, registers| {
            tell(space, registers);
            put(space, PAGER_PAGE, &[0, 0, 0, 0, 0]);
        }),
        Op::Hyper(call(1, 0, 0), [0; 4]),
    ];
    let start = [
        Op::Do(|space, _| {
            say("start".into());
            put(space, PAGER_PAGE, &[0, 0, 0, 0, 0xc, 0, CHILD]);
            put(space, PAGER_PAGE + 0x70, &[0]);
        }),
        Op::Hyper(call(1, 0, 0), [0; 4]),
    ];
    let child = [
        Op::Do(|_, registers| say(format!("child {:x} {:x}", registers.rip, registers.rsp))),
        Op::Touch(0x900_0010),
        Op::Do(|space, _| put(space, 0x900_0010, &[0x42])),
        Op::Do(|space, _| say(format!("{:x}", word(space, 0x900_0010)))),
        // Nobody handles an invalid opcode: that is its end.
        Op::Refused(&[0x0f, 0x0b]),
    ];
    assert_eq!(
        run(&[(ROOT, &ops), (PAGER, &pager), (PAGER + 0x1000, &start), (CHILD, &child)]),
        [
            "0 2ff 300",
            "start",
            "child 300010 0",
            "fault [1fc, 800c, 300020, 0, 6, 9000010]",
            "0 900001d 300",
            "42",
            "root goes on",
        ]
    );
}

#[test]
fn whoever_finds_a_worker_busy_helps_it_and_tries_again() {
    // The root task, of priority 1, calls a worker, which starts a thread of priority 64 that calls the same worker.
    let ops = [
        &MAKE_WORKER[..],
        &make_child(64)[..3],
        &[Op::Hyper(call(0, 0, 0x201), [0; 4]), Op::Do(|_, _| say("root has its reply".into()))],
        &SLEEP[..],
    ]
    .concat();
    let worker = [
        Op::Do(|_, registers| say(format!("worker {:x}", registers.rdi))),
        // The thread waits for this: it comes to run with its own priority.
        Op::Hyper(call(12, 0, 0x500), [0; 4]),
        Op::Spin(100),
        Op::Do(|_, _| say("worker replies".into())),
        Op::Hyper(call(1, 0, 0), [0; 4]),
    ];
    let child = [
        Op::Do(|_, _| say("child".into())),
        Op::Hyper(call(6, 0, 0x500), [0x20, 0, 0, 0]),
        Op::Hyper(call(12, 1, 0x500), [0; 4]),
        Op::Do(|_, _| say("child calls".into())),
        Op::Hyper(call(0, 1, 0x201), [0; 4]),
        Op::Do(tell),
        Op::Hyper(call(0, 0, 0x201), [0; 4]),
        Op::Do(|_, _| say("child has its reply".into())),
        Op::Hyper(call(12, 1, 0x500), [0; 4]),
    ];
    assert_eq!(
        run(&[(ROOT, &ops), (WORKER, &worker), (PAGER, &START), (CHILD, &child)]),
        [
            "child",
            "worker 77",
            "child calls",
            // It does not wait if it is told not to.
            "1 0 0",
            "worker replies",
            "worker 77",
            "worker replies",
            "child has its reply",
            "root has its reply",
        ]
    );
}

#[test]
fn whoever_is_parked_calls_anew() {
    let ops = [
        &MAKE_WORKER[..],
        &make_child(64)[..3],
        &[
            Op::Do(|_, _| say("root raises".into())),
            Op::Hyper(call(12, 0, 0x500), [0; 4]),
            Op::Do(|_, _| say("root".into())),
        ],
        &SLEEP[..],
    ]
    .concat();
    let worker = [
        Op::Do(|space, _| {
            let count = word(space, WORKER_PAGE + 0x800) + 1;
            put(space, WORKER_PAGE + 0x800, &[count]);
            say(format!("call {count} {:x}", word(space, WORKER_PAGE + 0x20)));
        }),
        Op::Hyper(call(1, 0, 0x500), [0; 4]),
    ];
    let child = [
        Op::Hyper(call(6, 0, 0x500), [0x20, 0, 0, 0]),
        Op::Do(|space, _| put(space, CHILD_PAGE, &[1, 0, 0, 0, 0xabc])),
        Op::Hyper(call(0, 0, 0x201), [0; 4]),
        Op::Do(|_, _| unreachable!("it is parked again each time")),
    ];
    assert_eq!(
        run(&[(ROOT, &ops), (WORKER, &worker), (PAGER, &START), (CHILD, &child)]),
        ["call 1 abc", "root raises", "call 2 abc", "root"]
    );
}

#[test]
fn a_thread_is_recalled_before_it_enters_user_mode() {
    let ops = [
        &MAKE_WORKER[..],
        &[Op::Hyper(call(5, 0, 0x31f), [0x20, 0x200, 0x5f, PAGER + 0x1000])],
        &make_child(1)[..3],
        &[
            Op::Hyper(call(9, 1, 0), [0; 4]),
            Op::Hyper(call(9, 0, 0x400), [1, 0, 0, 0]),
            Op::Do(|space, registers| {
                tell(space, registers);
                let words = [0, 0x20, 0x30, 0x80, 0xd0].map(|offset| word(space, FIRST_PAGE + offset));
                say(format!("{words:x?}"));
            }),
            Op::Hyper(call(9, 1, 0), [0; 4]),
            Op::Do(|_, _| say("root".into())),
        ],
        &SLEEP[..],
    ]
    .concat();
    let recall = [
        Op::Do(|space, _| {
            let words = [0, 0x20, 0x30].map(|offset| word(space, WORKER_PAGE + offset));
            say(format!("recalled {words:x?}"));
            // It goes on with another value in RBX.
            put(space, WORKER_PAGE, &[0, 0, 0, 0, 1]);
            put(space, WORKER_PAGE + 0x68, &[0x5555]);
        }),
        Op::Hyper(call(1, 0, 0), [0; 4]),
    ];
    let child = [
        Op::Do(|_, registers| registers.rsi = 0x77),
        Op::Hyper(call(9, 1, 0), [0x88, 0, 0, 0]),
        Op::Do(|_, registers| say(format!("child {:x}", registers.rbx))),
    ];
    assert_eq!(
        run(&[(ROOT, &ops), (WORKER, &[]), (PAGER, &START), (PAGER + 0x1000, &recall), (CHILD, &child)]),
        ["0 1 0", "[1fc, 40801f, 300020, 88, 0]", "recalled [1fc, 5f, 300020]", "child 5555", "root",]
    );
}

#[test]
fn a_worker_that_dies_aborts_the_call_and_is_dead_for_the_next() {
    let ops = [
        &MAKE_WORKER[..],
        &[
            Op::Hyper(call(0, 0, 0x201), [0; 4]),
            Op::Do(tell),
            Op::Hyper(call(0, 0, 0x201), [0; 4]),
            Op::Do(tell),
        ],
        &SLEEP[..],
    ]
    .concat();
    assert_eq!(run(&[(ROOT, &ops), (WORKER, &[])]), ["2 0 0", "1 0 0"]);
}

#[test]
fn capabilities_go_with_a_call_and_come_back_under_their_own_name() {
    let ops = [
        &MAKE_WORKER[..],
        &[
            Op::Hyper(call(6, 0, 0x500), [0x20, 0, 0, 0]),
            Op::Do(|space, _| {
                // One that is translated, one that is delegated, and one that is neither.
                put(space, FIRST_PAGE, &[3 << 16, 0, 0]);
                put_item(space, FIRST_PAGE, 0, [0x500 << 12 | 0x0f, 2]);
                put_item(space, FIRST_PAGE, 1, [0x500 << 12 | 0x07, 1 << 12 | 1]);
                put_item(space, FIRST_PAGE, 2, [0, 2 << 12 | 2]);
            }),
            Op::Hyper(call(0, 0, 0x201), [0; 4]),
            Op::Do(tell),
        ],
        &SLEEP[..],
    ]
    .concat();
    let worker = [
        Op::Do(|space, _| {
            for index in 0..3 {
                let at = WORKER_PAGE + PAGE_LEN - 16 * (index + 1);
                say(format!("{:x} {:x}", word(space, at), word(space, at + 8)));
            }
            put(space, WORKER_PAGE, &[0]);
        }),
        Op::Hyper(call(8, 0, 0), [0x701 << 12 | 0x7f, 0, 0, 0]),
        Op::Do(tell),
        Op::Hyper(call(1, 0, 0), [0; 4]),
    ];
    // The worker has opened its windows before it is called.
    let opened = [
        &ops[..2],
        &[Op::Do(|space, _| put(space, WORKER_PAGE + 8, &[0xfff, 0x700 << 12 | 2 << 7 | 0x7f]))],
        &ops[2..],
    ]
    .concat();
    assert_eq!(
        run(&[(ROOT, &opened), (WORKER, &worker)]),
        ["50000f 2", "701007 1", "0 3", "0 701007 0", "20100 0 0"]
    );
}

#[test]
fn equals_take_turns_by_slices_and_whoever_is_put_off_goes_on_first() {
    // Two threads of priority 64 beside each other, and the root task below them.
    let ops = [
        &MAKE_WORKER[..],
        &[
            Op::Hyper(call(5, 0, 0x31e), [0x20, 0x200, 0xc, PAGER]),
            Op::Hyper(call(5, 0, 0x35e), [0x20, 0x200, 0xc, PAGER + 0x1000]),
            Op::Hyper(call(3, 1, 0x400), [0x20, CHILD_PAGE, 0, 0x300]),
            Op::Hyper(call(3, 1, 0x402), [0x20, CHILD_PAGE + PAGE_LEN, 0, 0x340]),
            // A slice is 1,000 instructions; the first thread waits until the second one is there, too.
            Op::Hyper(call(6, 0, 0x500), [0x20, 0, 0, 0]),
            Op::Hyper(call(4, 0, 0x401), [0x20, 0x400, 1 << 12 | 64, 0]),
            Op::Hyper(call(4, 0, 0x403), [0x20, 0x402, 1 << 12 | 64, 0]),
            Op::Do(|_, _| say("root".into())),
        ],
        &SLEEP[..],
    ]
    .concat();
    let other = CHILD + 0x1000;
    let second = [
        Op::Do(|space, _| {
            put(space, WORKER_PAGE, &[0, 0, 0, 0, 0xc, 0, CHILD + 0x1000]);
            put(space, WORKER_PAGE + 0x70, &[0]);
        }),
        Op::Hyper(call(1, 0, 0), [0; 4]),
    ];
    let first = [
        Op::Hyper(call(12, 1, 0x500), [0; 4]),
        Op::Do(|_, _| say("first".into())),
        Op::Spin(2000),
        Op::Do(|_, _| say("first again".into())),
        Op::Hyper(call(9, 1, 0), [0; 4]),
        Op::Do(|_, _| say("first after others".into())),
        Op::Hyper(call(12, 1, 0x500), [0; 4]),
    ];
    let spins = [
        Op::Hyper(call(12, 0, 0x500), [0; 4]),
        Op::Do(|_, _| say("second".into())),
        Op::Spin(2000),
        Op::Do(|_, _| say("second again".into())),
        Op::Spin(2000),
        Op::Do(|_, _| say("second once more".into())),
        Op::Hyper(call(12, 1, 0x500), [0; 4]),
    ];
    assert_eq!(
        run(&[
            (ROOT, &ops),
            (WORKER, &[]),
            (PAGER, &START),
            (PAGER + 0x1000, &second),
            (CHILD, &first),
            (other, &spins)
        ]),
        [
            // To be woken by an equal puts nobody off.
            "second",
            "first",
            "second again",
            "first again",
            "second once more",
            "first after others",
            "root",
        ]
    );
}

#[test]
fn a_budget_is_lent_until_the_scheduler_decides_anew() {
    let ops = [
        &MAKE_WORKER[..],
        &make_child(1)[..3],
        &[
            Op::Hyper(call(9, 1, 0), [0; 4]),
            Op::Do(|space, _| put(space, CHILD_PAGE + 0x18, &[7])),
            Op::Hyper(call(9, 2, 0x400), [8, 0, 0, 0]),
            Op::Do(tell),
            Op::Hyper(call(9, 2, 0x400), [7, 0, 0, 0]),
            Op::Do(tell),
        ],
        &SLEEP[..],
    ]
    .concat();
    let child = [
        Op::Hyper(call(9, 1, 0), [0; 4]),
        Op::Do(|_, _| say("child on the root task's budget".into())),
        Op::Hyper(call(9, 3, 0), [0; 4]),
        Op::Do(|_, _| say("child".into())),
    ];
    assert_eq!(
        run(&[(ROOT, &ops), (WORKER, &[]), (PAGER, &START), (CHILD, &child)]),
        ["5 8 0", "child on the root task's budget", "0 7 0", "child"]
    );
}
