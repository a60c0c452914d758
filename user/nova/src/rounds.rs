// SPDX-License-Identifier: MIT
//! Rounds in which processing elements end in every way: what flips are aimed at. A round's line tells what it has
//! computed, and how often the devices were accessed by then.

use nova_rt::crd::{ALL, Crd, READ, WRITE};
use nova_rt::ends::{
    end_call, end_delegate, end_device_change, end_device_read, end_exception, end_fault, end_interrupt,
    end_limit, end_port_read, end_port_write, end_receive, end_reply, end_revoke, end_signal, end_time,
};
use nova_rt::event::{mtd, offset};
use nova_rt::hypercall::{create_pt, create_signal, number, pt_ctrl, status};
use nova_rt::raw::Registers;
use nova_rt::start::Root;
use nova_rt::thread::{Domain, Handler, Thread, Worker};
use nova_rt::utcb::Item;
use nova_rt::{PAGE, Status, Utcb, access, device, grants, line, supply};

use crate::keyboard;
use crate::lines::{LEVEL_HIGH, Line};
use crate::suite::Suite;
use crate::trace;

/// The rounds of a run.
const ROUNDS: u64 = 100;
/// Turns of the loop that ends by the limit.
const TURNS: u64 = 2000;
/// The event timer's frame, and its registers: whether it counts, and its counter.
const TIMER: u64 = 0xfed0_0000 / PAGE;
const CONFIGURATION: u64 = 0x10;
const COUNTER: u64 = 0xf0;
/// The clock's ports, and a byte of its memory that nobody uses.
const CLOCK: u64 = 0x70;
const CLOCK_DATA: u64 = 0x71;
const UNUSED: u64 = 0x58;
/// Numbers of events.
const UNDEFINED: u64 = 6;
const PAGE_FAULT: u64 = 14;
/// Words that threads hand over: the page that is mapped, the receiver's semaphore, signals that were received.
const PAGE_OF_FAULTS: usize = 0;
const BELL: usize = 1;
const RECEIVED: usize = 2;

/// What the rounds are made with.
struct Stage {
    root: Root,
    /// Portals of a worker of the root task's domain, and of one of another domain.
    portals: [u64; 2],
    signal: u64,
    /// Where the page of faults shows, and the page of the root task's that it is.
    faults: u64,
    page: u64,
    timer: u64,
    line: Line,
    child: Domain,
    object: Crd,
}

fn made(end: extern "C" fn(&mut Registers), number: u64, flags: u64, selector: u64, first: u64, second: u64) {
    let mut registers = Registers::new(number, flags, selector, [first, second, 0, 0]);
    end(&mut registers);
    assert_eq!(status(registers), Status::SUCCESS, "call {number}");
}

fn revoke(range: Crd) {
    made(end_revoke, number::REVOKE, 0, 0, range.0, 0);
}

fn delegate(utcb: Utcb, from: u64, window: Crd, to: u64, item: Item) {
    utcb.set_counts(0, 0);
    utcb.set_items(&[item]);
    made(end_delegate, number::MISC, 1, from, window.0, to);
}

/// A portal of a worker that replies by the end of that name.
fn portal(root: Root, worker: Worker, selector: u64, mtd: u64, id: u64) -> u64 {
    let entry = end_reply as *const () as u64;
    assert_eq!(create_pt(selector, root.pd, worker.ec, mtd, entry), Status::SUCCESS, "a portal is made");
    assert_eq!(pt_ctrl(selector, id), Status::SUCCESS, "its id is set");
    selector
}

/// Counts the first word on.
extern "C" fn counts_on(_: u64, utcb: Utcb) -> u64 {
    utcb.set_word(0, next(utcb.word(0)));
    0
}

/// Goes on behind an instruction of two bytes.
extern "C" fn passes(_: u64, utcb: Utcb) -> u64 {
    utcb.put(offset::MTD, mtd::RIP);
    utcb.put(offset::RIP, utcb.get(offset::RIP) + 2);
    0
}

/// Maps the page of faults, in the domain of the portal's id.
extern "C" fn maps(pd: u64, utcb: Utcb) -> u64 {
    let page = utcb.get(offset::ADDRESS) / PAGE;
    let item = Item::delegate(Crd::memory(trace::handed(PAGE_OF_FAULTS), 0, READ), 0);
    delegate(utcb, pd, Crd::memory(page, 0, READ), pd, item);
    utcb.set_counts(0, 0);
    utcb.put(offset::MTD, 0);
    0
}

/// Receives signals for ever, and adds up how many there were.
extern "C" fn receives(_: Utcb, _: u64) {
    loop {
        let mut registers = Registers::new(number::SM_CTRL, 1, trace::handed(BELL), [0; 4]);
        end_receive(&mut registers);
        trace::add(RECEIVED, registers.rdx);
    }
}

/// A step of a sequence that goes through all numbers.
const fn next(value: u64) -> u64 {
    value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

impl Stage {
    fn new(root: Root) -> Self {
        let suite = &Suite::new(root);
        let worker = |domain, events, handler: Handler| Worker::new(root, domain, events, handler);
        let own = || Domain::own(root);
        let serving = [
            worker(own(), supply::event_base(), counts_on),
            worker(Domain::new(root, 64), nova_rt::EVENTS, counts_on),
        ];
        portal(root, worker(own(), supply::event_base(), passes), UNDEFINED, mtd::RIP, 0);
        portal(root, worker(own(), supply::event_base(), maps), PAGE_FAULT, mtd::QUAL | mtd::RIP, root.pd);
        let (bell, signal) = (suite.semaphore(0), supply::selector());
        assert_eq!(create_signal(signal, root.pd, 1, bell), Status::SUCCESS, "a signal is made");
        trace::hand(BELL, bell);
        Thread::new(root, suite.starter, own(), receives, 0).run(root, 5);
        let page = grants::memory(root, 0);
        trace::hand(PAGE_OF_FAULTS, page / PAGE);
        let timer = supply::pages(0);
        assert_eq!(
            grants::map(root, TIMER, timer, 0, READ | WRITE),
            Status::SUCCESS,
            "the timer is delegated"
        );
        device::write(timer + CONFIGURATION, 0, 0);
        device::write(timer + COUNTER, 0, 0);
        let _ = keyboard::open();
        Self {
            root,
            portals: serving.map(|worker| portal(root, worker, supply::selector(), 0, 0)),
            signal,
            faults: supply::pages(0),
            page,
            timer,
            line: Line::new(root, keyboard::LINE, LEVEL_HIGH),
            child: Domain::bare(root, 64),
            object: Crd::object(bell, 0, ALL),
        }
    }

    /// One round; returns what it comes to.
    fn round(&self, round: u64, mut sum: u64) -> u64 {
        let Self { root, .. } = *self;
        for portal in self.portals {
            root.utcb.set_words(&[sum]);
            made(end_call, number::CALL, 0, portal, 0, 0);
            sum = root.utcb.word(0);
        }
        made(end_signal, number::SM_CTRL, 0, self.signal, 0, 0);
        sum = next(sum ^ trace::handed(RECEIVED));
        access::write(self.page, sum);
        sum = next(end_fault(self.faults, 0));
        revoke(Crd::memory(self.page / PAGE, 0, ALL));
        sum = next(end_exception(0, sum));
        delegate(root.utcb, root.pd, self.object, self.child.pd, Item::delegate(self.object, 0));
        revoke(self.object);
        let before = end_time(0, 0);
        assert!(before < end_time(0, 0), "time goes on");
        sum = self.interrupt(round, sum);
        sum = end_limit(TURNS, sum);
        self.count();
        sum
    }

    /// A key that is waited for in even rounds, and that comes while something is computed in odd ones.
    fn interrupt(&self, round: u64, mut sum: u64) -> u64 {
        let key = round as u8 & 0x3f;
        keyboard::announce();
        end_port_write(u64::from(keyboard::DATA), key.into());
        if round % 2 == 1 {
            sum = end_limit(TURNS, sum);
        }
        let mut registers = Registers::new(number::SM_CTRL, 1, self.line.bell, [0; 4]);
        end_interrupt(&mut registers);
        assert_eq!((status(registers), registers.rdx), (Status::SUCCESS, 1), "one interrupt comes");
        assert_eq!(access::input(keyboard::DATA), key, "it is the key's");
        self.line.acknowledge();
        sum
    }

    /// Counts on what two devices keep, once each.
    fn count(&self) {
        end_device_change(self.timer + COUNTER, 1);
        end_port_write(CLOCK, UNUSED);
        let count = end_port_read(CLOCK_DATA, 0);
        end_port_write(CLOCK_DATA, count + 1);
    }

    /// What the devices have counted since the counts began with these.
    fn counted(&self) -> (u64, u64) {
        (end_device_read(self.timer + COUNTER, 0), end_port_read(CLOCK_DATA, 0))
    }
}

/// Runs all rounds.
pub fn run(root: Root) {
    let stage = &Stage::new(root);
    end_port_write(CLOCK, UNUSED);
    end_port_write(CLOCK_DATA, 0);
    let mut sum = 1;
    for round in 0..ROUNDS {
        sum = stage.round(round, sum);
        let (memory, port) = stage.counted();
        line!("{round} {sum:x} {memory} {port}");
    }
    // Nothing is waited for any more.
    stage.line.close();
}
