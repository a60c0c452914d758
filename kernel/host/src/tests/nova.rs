// SPDX-License-Identifier: MIT
//! The NOVA personality in the executive, over scripts: a root task, its threads, and its children.

use std::cell::RefCell;

use wire::clock::ClockKind;
use wire::end::{End, Refusal};
use wire::limit::ReachedLimit;
use wire::record::UnsupportedCall;

use super::*;
use crate::arch::channel;
use crate::executive::Executive;
use crate::heap::{self, Failing};
use crate::mem::shared::SharedFrame;
use crate::nova::Nova;
use crate::nova::crd::Span;
use crate::nova::root::{Beginning, FIRST_PAGE, INFORMATION};
use crate::object::Objects;
use crate::object::clock::{Clock, Rate};
use crate::object::processor::Processor;
use crate::object::scheduler::Woken;
use crate::personality::{Effect, Personality};
use crate::processor::{Op, Scripted};
use crate::trap::Trap;

/// Where the root task begins, and where its threads and children do.
const ROOT: u64 = 0x10_0000;
const WORKER: u64 = 0x20_0000;
const CHILD: u64 = 0x30_0000;
const PAGER: u64 = 0x40_0000;
/// Instructions that programs may have.
const MOST: u64 = 2_000_000;
/// Message pages.
const WORKER_PAGE: u64 = 0x50_0000;
const CHILD_PAGE: u64 = 0x60_0000;
const PAGER_PAGE: u64 = 0x70_0000;

thread_local! {
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// Frames that programs have, and the number of the first one.
    static MEMORY: RefCell<Vec<SharedFrame>> = const { RefCell::new(Vec::new()) };
}

fn say(what: String) {
    SAID.with_borrow_mut(|said| said.push(what));
}

/// Says what a thread has in RDI, RSI, RDX.
fn tell(_: &mut Space, registers: &mut UserRegisters) {
    say(format!("{:x} {:x} {:x}", registers.rdi, registers.rsi, registers.rdx));
}

fn word(space: &Space, address: u64) -> u64 {
    let mut word = [0; 8];
    space.peek(address, &mut word).unwrap();
    u64::from_le_bytes(word)
}

fn put(space: &mut Space, address: u64, words: &[u64]) {
    for (index, word) in words.iter().enumerate() {
        space.write(address + 8 * index as u64, &word.to_le_bytes()).unwrap();
    }
}

/// Puts an item on a message page.
fn put_item(space: &mut Space, page: u64, index: u64, item: [u64; 2]) {
    put(space, page + PAGE_LEN - 16 * (index + 1), &item);
}

thread_local! {
    /// Whether the heap ends somewhere, now and then.
    static IS_SHORT: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Does something while the heap, or the frames, may end at any allocation.
fn with_little_memory<T>(serve: impl FnOnce() -> T) -> T {
    if !IS_SHORT.get() || noise(3) > 0 {
        return serve();
    }
    let frames = frame::free_count();
    let kept = if noise(4) == 0 { noise(3).min(frames) } else { frames };
    frame::set_free(kept);
    heap::fail(Failing::From(noise(6)));
    let result = serve();
    heap::recover();
    frame::set_free(frame::free_count() + (frames - kept));
    result
}

/// The personality, which begins without an image.
struct Scenario(Nova);

impl Personality for Scenario {
    fn start<P: Processor>(
        _: &Config,
        _: &Archive<'static>,
        objects: &mut Objects<P>,
    ) -> Result<Self, Refusal> {
        let first = MEMORY.with_borrow_mut(|memory| {
            *memory = (0..16).map(|_| SharedFrame::zeroed().unwrap()).collect();
            let numbers: Vec<_> = memory.iter().map(SharedFrame::number).collect();
            assert!(numbers.is_sorted() && numbers[15] - numbers[0] == 15);
            numbers[0]
        });
        let memory: Vec<_> = (first..first + 16).map(Span::one).collect();
        let beginning =
            Beginning { entry: ROOT, information: b"NOVA", memory: &memory, image: &[], kernel_pages: 1000 };
        Ok(Self(Nova::begin(objects, &beginning).unwrap()))
    }

    fn registers() -> UserRegisters {
        Nova::first_registers()
    }

    fn serve<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId, trap: Trap) -> Effect {
        with_little_memory(|| self.0.serve(objects, thread, trap))
    }

    fn resume<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        woken: Option<Woken>,
    ) -> Effect {
        with_little_memory(|| self.0.resume(objects, thread, woken))
    }

    fn run_out<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) -> Effect {
        self.0.run_out(objects, thread)
    }

    fn cut<P: Processor>(&mut self, _: &mut Objects<P>, _: ThreadId) -> End {
        End::Exited { status: 124 }
    }

    fn ring<P: Processor>(&mut self, _: &mut Objects<P>) {
        unreachable!("nobody sets an alarm")
    }

    fn interrupt<P: Processor>(&mut self, _: &mut Objects<P>, line: u8) {
        unreachable!("line {line} has interrupted, and nobody enables one")
    }

    fn reached_limits(&self) -> impl Iterator<Item = ReachedLimit> {
        std::iter::empty()
    }

    fn unsupported_calls(&self) -> impl Iterator<Item = UnsupportedCall> {
        std::iter::empty()
    }
}

/// Runs programs until nobody can run any more; returns what they said.
fn run(programs: &[(u64, &[Op])]) -> Vec<String> {
    frame::set_free(FRAMES);
    channel::take_records();
    SAID.take();
    let clock = Clock::new(ClockKind::User, Rate::NANOSECOND);
    let executive = Executive::<_, Scenario>::new(&config(), &standard(), Scripted::new(programs), clock);
    let Ok(executive) = executive else { panic!("nothing was started") };
    let (end, _, processor) = executive.until_end(Recording::Pes, MOST);
    assert!(matches!(end, End::Deadlock | End::Exited { status: 124 }), "{end:?}");
    drop(processor);
    MEMORY.take();
    assert_eq!(frame::free_count(), FRAMES, "frames are lost");
    SAID.take()
}

/// The number of a call, with a selector and flags.
const fn call(number: u64, flags: u64, selector: u64) -> u64 {
    selector << 8 | flags << 4 | number
}

/// The end of the root task: it waits for ever on a new semaphore.
const SLEEP: [Op; 2] = [Op::Hyper(call(6, 0, 0xfff), [0x20, 0, 0, 0]), Op::Hyper(call(12, 3, 0xfff), [0; 4])];

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

/// The root task makes a worker with a portal at 0x201, number 0x77.
const MAKE_WORKER: [Op; 3] = [
    Op::Hyper(call(3, 0, 0x200), [0x20, WORKER_PAGE, 0x1234, 0x300]),
    Op::Hyper(call(5, 0, 0x201), [0x20, 0x200, 0, WORKER]),
    Op::Hyper(call(11, 0, 0x201), [0x77, 0, 0, 0]),
];

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

/// Makes a global thread at 0x400 that begins at [`CHILD`] with a budget of priority `rdx` at 0x401: its start goes
/// through a portal of the worker at 0x200.
const fn make_child(priority: u64) -> [Op; 4] {
    [
        Op::Hyper(call(5, 0, 0x31e), [0x20, 0x200, 0xc, PAGER]),
        Op::Hyper(call(3, 1, 0x400), [0x20, CHILD_PAGE, 0, 0x300]),
        Op::Hyper(call(4, 0, 0x401), [0x20, 0x400, 10_000 << 12 | priority, 0]),
        Op::Do(|_, _| say("made".into())),
    ]
}

/// What answers the start of a thread: it begins at [`CHILD`].
const START: [Op; 2] = [
    Op::Do(|space, _| {
        // Where calls are random, its page may be elsewhere, or gone.
        if space.next_mapped(WORKER_PAGE, WORKER_PAGE + PAGE_LEN).is_none() {
            return;
        }
        put(space, WORKER_PAGE, &[0, 0, 0, 0, 0xc, 0, CHILD]);
        put(space, WORKER_PAGE + 0x70, &[0]);
    }),
    Op::Hyper(call(1, 0, 0), [0; 4]),
];

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

thread_local! {
    /// The state of the generator of numbers without sense.
    static NOISE: RefCell<u64> = const { RefCell::new(1) };
}

fn noise(below: u64) -> u64 {
    NOISE.with_borrow_mut(|state| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state % below
    })
}

/// Makes a call of any number with any arguments; most of them make some sense.
fn any_call(space: &mut Space, registers: &mut UserRegisters) {
    fn selector() -> u64 {
        match noise(12) {
            0 => 0x20 + noise(5),
            1 => noise(1 << 52),
            _ => 0x100 + noise(24),
        }
    }
    fn range() -> u64 {
        let base = match noise(3) {
            0 => selector(),
            1 => noise(64),
            _ => MEMORY.with_borrow(|memory| memory[0].number()) + noise(16),
        };
        base << 12 | noise(if noise(9) == 0 { 32 } else { 4 }) << 7 | noise(32) << 2 | noise(4)
    }
    let any = |page: u64| match noise(5) {
        0 => noise(u64::MAX),
        1 => page + PAGE_LEN * noise(8),
        2 => range(),
        _ => selector(),
    };
    for page in [FIRST_PAGE, CHILD_PAGE, WORKER_PAGE] {
        if space.next_mapped(page, page + PAGE_LEN).is_some() {
            let _ = space.write(page, &(noise(4) << 16 | noise(8)).to_le_bytes());
            for at in [8, 16] {
                let _ = space.write(page + at, &(if noise(2) == 0 { 0xfff } else { range() }).to_le_bytes());
            }
            for index in 0..4 {
                let at = page + PAGE_LEN - 16 * (index + 1);
                let _ = space.write(at, &range().to_le_bytes());
                let _ = space.write(at + 8, &(noise(64) << 12 | noise(4) | noise(2) << 11).to_le_bytes());
            }
        }
    }
    registers.rdi = selector() << 8 | noise(16) << 4 | noise(16);
    // To reply without a caller, or to wait for what nobody raises, ends a program: it does so now and then.
    if registers.rdi & 0xf == 1 && noise(500) > 0 {
        registers.rdi = registers.rdi & !0xf | 6;
    }
    // To take back what the first selectors name ends all.
    if registers.rdi & 0xf == 7 && noise(20) > 0 {
        registers.rdi &= !0x20;
    }
    [registers.rsi, registers.rdx] = [any(CHILD_PAGE), any(WORKER_PAGE)];
    [registers.rax, registers.r8] = [any(0), any(WORKER)];
    match registers.rdi & 0xf {
        // A quota, and a slice with a priority.
        2 => registers.rax = noise(64) << 32 | noise(4),
        4 => registers.rax = (1 + noise(100)) << 12 | noise(130),
        7 if noise(50) > 0 => registers.rsi = (0x100 + noise(24)) << 12 | noise(4) << 7 | noise(32) << 2 | 3,
        12 => (registers.rsi, registers.rdx) = (0, 1 + noise(1 << 21)),
        _ => {}
    }
}

#[test]
fn random_calls_of_many_threads_end_nowhere_but_with_the_programs() {
    // Whatever begins anywhere makes random calls: threads that are started, workers that are called.
    let ops = [Op::CallBy(any_call), Op::Jump(ROOT)];
    let worker = [Op::CallBy(any_call), Op::CallBy(any_call), Op::Hyper(call(1, 0, 0), [0; 4])];
    let begin = [
        &[
            Op::Hyper(call(3, 0, 0x100), [0x20, WORKER_PAGE, 0x1000, 0]),
            Op::Hyper(call(5, 0, 0x1e), [0x20, 0x100, 0xc, PAGER]),
            Op::Hyper(call(5, 0, 0x101), [0x20, 0x100, 0, WORKER]),
            Op::Hyper(call(3, 1, 0x102), [0x20, CHILD_PAGE, 0, 0]),
            Op::Hyper(call(4, 0, 0x103), [0x20, 0x102, 1 << 12 | 1, 0]),
        ],
        &ops[..1],
        &[Op::Jump(ROOT + 5 * crate::processor::OP_LEN)],
    ]
    .concat();
    for is_short in [false, true] {
        IS_SHORT.set(is_short);
        for seed in 1..60 {
            NOISE.set(seed);
            run(&[(ROOT, &begin), (WORKER, &worker), (PAGER, &START), (CHILD, &worker)]);
        }
    }
    IS_SHORT.set(false);
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
