// SPDX-License-Identifier: MIT
//! The NOVA personality in the executive, over scripts: a root task, its threads, and its children.

mod devices;
mod ends;
mod interrupts;
mod messages;
mod objects;
mod own;
mod random;
mod shortage;

use std::cell::RefCell;

use wire::clock::ClockKind;
use wire::device::DeviceAccess;
use wire::end::{End, Refusal, Totals};
use wire::limit::ReachedLimit;
use wire::record::{Label, Record, UnsupportedCall};

use super::*;
use crate::arch::channel;
use crate::executive::Executive;
use crate::heap::{self, Failing};
use crate::mem::device;
use crate::mem::shared::SharedFrame;
use crate::nova::Nova;
use crate::nova::crd::{Rights, Span};
use crate::nova::root::{Beginning, FIRST_PAGE};
use crate::object::Objects;
use crate::object::clock::{Clock, Rate};
use crate::object::processor::{Piece, Processor};
use crate::object::scheduler::Woken;
use crate::personality::{Effect, Personality};
use crate::processor::{Op, Scripted};
use crate::trap::Trap;
use crate::trap::environment::{Fault, Place, Wants};

/// Where the root task begins, and where its threads and children do.
const ROOT: u64 = 0x10_0000;
const WORKER: u64 = 0x20_0000;
const CHILD: u64 = 0x30_0000;
const PAGER: u64 = 0x40_0000;
/// Instructions that programs may have.
const MOST: u64 = 2_000_000;
/// The place of the first of 32 frames that are one piece.
const LARGE: usize = 32;
/// Message pages.
const WORKER_PAGE: u64 = 0x50_0000;
const CHILD_PAGE: u64 = 0x60_0000;
const PAGER_PAGE: u64 = 0x70_0000;

thread_local! {
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// Frames that programs have.
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

/// How many hypercalls go by from one audit to the next.
const AUDITED: u64 = 16;

/// The personality, which begins without an image.
struct Scenario {
    nova: Nova,
    /// How often it was asked for something.
    served: u64,
}

impl Scenario {
    /// Checks now and then that owners of frames are those who have them.
    fn audit<P: Processor>(&mut self, objects: &mut Objects<P>) {
        self.served += 1;
        if self.served.is_multiple_of(AUDITED) {
            let held: Vec<_> = MEMORY.with_borrow(|memory| memory.iter().map(SharedFrame::number).collect());
            self.nova.audit(objects, &held);
        }
    }
}

impl Personality for Scenario {
    type Origin<'a> = Archive<'static>;

    fn start<P: Processor>(
        _: &Config,
        _: &Archive<'static>,
        objects: &mut Objects<P>,
    ) -> Result<Self, Refusal> {
        let first = MEMORY.with_borrow_mut(|memory| {
            *memory = (0..64).map(|_| SharedFrame::zeroed().unwrap()).collect();
            let numbers: Vec<_> = memory.iter().map(SharedFrame::number).collect();
            assert!(numbers.is_sorted() && numbers[63] - numbers[0] == 63);
            numbers[0]
        });
        let devices = Span { base: device::FIRST, order: 13 };
        // So many that it is mapped when it is touched.
        let large = Span { base: first + LARGE as u64, order: 5 };
        let memory: Vec<_> = (first..first + 16).map(Span::one).chain([large, devices]).collect();
        let memory: Vec<_> = memory.into_iter().map(|span| (span, Rights::MEMORY)).collect();
        let beginning = Beginning {
            entry: ROOT,
            information: b"NOVA",
            memory: &memory,
            image: &[],
            kernel_pages: 1000,
            until: b"",
        };
        Ok(Self { nova: Nova::begin(objects, &beginning).unwrap(), served: 0 })
    }

    fn registers() -> UserRegisters {
        Nova::first_registers()
    }

    fn serve<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId, trap: Trap) -> Effect {
        let effect = with_little_memory(|| self.nova.serve(objects, thread, trap));
        self.audit(objects);
        effect
    }

    fn resume<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        woken: Option<Woken>,
    ) -> Effect {
        with_little_memory(|| self.nova.resume(objects, thread, woken))
    }

    fn locate<P: Processor>(
        &mut self,
        objects: &mut Objects<P>,
        thread: ThreadId,
        address: u64,
        wants: Wants,
    ) -> Result<Place, Fault> {
        self.nova.locate(objects, thread, address, wants)
    }

    fn run_out<P: Processor>(&mut self, objects: &mut Objects<P>, thread: ThreadId) -> Effect {
        self.nova.run_out(objects, thread)
    }

    fn cut<P: Processor>(&mut self, _: &mut Objects<P>, _: ThreadId) -> End {
        End::Exited { status: 124 }
    }

    fn ring<P: Processor>(&mut self, _: &mut Objects<P>) -> Option<End> {
        unreachable!("nobody sets an alarm")
    }

    fn interrupt<P: Processor>(&mut self, objects: &mut Objects<P>, line: u8, count: u32) {
        self.nova.interrupt(objects, line, count);
    }

    fn for_each_label<P: Processor>(&self, objects: &Objects<P>, act: impl FnMut(Label)) {
        self.nova.for_each_label(objects, act);
    }

    fn awaits_lines<P: Processor>(&self, objects: &Objects<P>) -> bool {
        self.nova.awaits_lines(objects)
    }

    fn reached_limits(&self) -> impl Iterator<Item = ReachedLimit> {
        std::iter::empty()
    }

    fn unsupported_calls(&self) -> impl Iterator<Item = UnsupportedCall> {
        std::iter::empty()
    }
}

/// What a run came to.
struct Ran {
    /// What its programs said.
    said: Vec<String>,
    totals: Totals,
    /// Names that domains were given, by the numbers of their processes.
    labels: Vec<(u32, String)>,
    /// Policies that spaces were given.
    policies: Vec<(u32, Policy)>,
    /// What was done with the memory of devices, and with ports.
    devices: Vec<(u64, Piece, Option<u64>)>,
    ports: Vec<(u16, u32)>,
    /// Accesses to devices that were recorded.
    accesses: Vec<DeviceAccess>,
}

/// Runs programs until nobody can run any more; returns what they said.
fn run(programs: &[(u64, &[Op])]) -> Vec<String> {
    run_on(Scripted::new(programs)).said
}

/// Runs a processor's programs until nobody can run any more.
fn run_on(processor: Scripted) -> Ran {
    frame::set_free(FRAMES);
    channel::take_records();
    SAID.take();
    let clock = Clock::new(ClockKind::User, Rate::NANOSECOND);
    let executive = Executive::<_, Scenario>::new(&config(), &standard(), processor, clock);
    let Ok(executive) = executive else { panic!("nothing was started") };
    let (end, totals, processor) = executive.until_end(Recording::Pes, MOST);
    assert!(matches!(end, End::Deadlock | End::Exited { status: 124 } | End::RootDied(_)), "{end:?}");
    let (mut labels, mut accesses) = (Vec::new(), Vec::new());
    for record in channel::take_records() {
        match record {
            Record::Label(label) => labels.push((label.process, label.text.to_string())),
            Record::Device(access) => accesses.push(access),
            _ => {}
        }
    }
    let policies = processor.policies.clone();
    let (devices, ports) = (processor.devices.clone(), processor.ports.clone());
    drop(processor);
    MEMORY.take();
    assert_eq!(frame::free_count(), FRAMES, "frames are lost");
    Ran { said: SAID.take(), totals, labels, policies, devices, ports, accesses }
}

/// The number of a call, with a selector and flags.
const fn call(number: u64, flags: u64, selector: u64) -> u64 {
    selector << 8 | flags << 4 | number
}

/// The end of the root task: it waits for ever on a new semaphore.
const SLEEP: [Op; 2] = [Op::Hyper(call(6, 0, 0xfff), [0x20, 0, 0, 0]), Op::Hyper(call(12, 3, 0xfff), [0; 4])];

/// The root task makes a worker with a portal at 0x201, number 0x77.
const MAKE_WORKER: [Op; 3] = [
    Op::Hyper(call(3, 0, 0x200), [0x20, WORKER_PAGE, 0x1234, 0x300]),
    Op::Hyper(call(5, 0, 0x201), [0x20, 0x200, 0, WORKER]),
    Op::Hyper(call(11, 0, 0x201), [0x77, 0, 0, 0]),
];

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
