// SPDX-License-Identifier: MIT
//! Exceptions and faults: which number each has, what its handler is told, and what it can change.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nova_rt::crd::{ALL, Crd, READ};
use nova_rt::event::{ITEMS, mtd, offset};
use nova_rt::hypercall::{self, revoke_all};
use nova_rt::thread::{Domain, EVENTS_ELSEWHERE, Thread, Worker};
use nova_rt::trial::{self, Everything, place};
use nova_rt::{EVENTS, PAGE, Status, USER_END, Utcb, access, grants, supply};

use crate::suite::Suite;
use crate::trace;

/// A trial: registers in, one instruction, registers out.
type Trial = extern "C" fn(&mut Everything);

/// A trial: its name, its code, registers to set; and its event's number, error code, and whether that is told at the
/// instruction.
type Case = (&'static str, Trial, &'static [(usize, u64)], u64, u64, bool);

/// What the handler was told last.
static TOLD: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];
/// An address that no processor has.
const NONCANONICAL: u64 = 1 << 48;

/// Whether there was an event since it was last asked.
static CAME: AtomicBool = AtomicBool::new(false);
/// What the handler replies beside where to go on: a message transfer descriptor, and values for all it names.
static REPLY: AtomicU64 = AtomicU64::new(0);

pub fn run(suite: &mut Suite) {
    let worker = watch(suite);
    numbers(suite);
    faults(suite);
    registers(suite, worker);
    replies(suite);
    stepping(suite);
    unhandled(suite);
    revoked(suite);
    forget();
}

/// Keeps all that it is told, and lets the thread go on behind the instruction.
extern "C" fn watches(id: u64, utcb: Utcb) -> u64 {
    for (index, slot) in (0..).zip(&TOLD) {
        slot.store(utcb.get(8 * index), Ordering::Relaxed);
    }
    trace::hand(15, id);
    CAME.store(true, Ordering::Relaxed);
    let reply = REPLY.load(Ordering::Relaxed);
    let fill = Everything::pattern(0x99);
    if reply & mtd::ACDB != 0 {
        let places = [
            (offset::RAX, place::RAX),
            (offset::RCX, place::RCX),
            (offset::RDX, place::RDX),
            (offset::RBX, place::RBX),
        ];
        places.iter().for_each(|(offset, place)| utcb.put(*offset, fill.general[*place]));
    }
    if reply & mtd::BSD != 0 {
        let places = [(offset::RBP, place::RBP), (offset::RSI, place::RSI), (offset::RDI, place::RDI)];
        places.iter().for_each(|(offset, place)| utcb.put(*offset, fill.general[*place]));
    }
    if reply & mtd::R8_R15 != 0 {
        (0..8).for_each(|index| utcb.put(offset::R8 + 8 * index, fill.general[place::R8 + index as usize]));
    }
    if reply & mtd::RFLAGS != 0 {
        // All that can be set: IOPL, NT, RF, VM, AC and the virtual interrupt flags among them; not TF and not DF.
        utcb.put(offset::RFLAGS, 0x1f_78d5);
    }
    utcb.put(offset::MTD, reply | mtd::RIP);
    utcb.put(offset::RIP, trial::next());
    0
}

/// Makes one worker the handler of all the main thread's exceptions.
fn watch(suite: &Suite) -> Worker {
    let worker = suite.worker(watches);
    for vector in (0..EVENTS).filter(|vector| *vector != 0x1e) {
        worker.portal_at(suite.root, vector, mtd::ALL, vector);
    }
    worker
}

/// Takes the handlers of the main thread's exceptions away.
fn forget() {
    let _ = revoke_all(Crd::object(0, 5, ALL));
}

/// What the last event's handler found at an offset of its UTCB.
fn told(offset: u64) -> u64 {
    TOLD[offset as usize / 8].load(Ordering::Relaxed)
}

/// Does a trial and returns its event's number, if there was one.
fn event_of(trial: Trial, registers: &mut Everything) -> Option<u64> {
    REPLY.store(0, Ordering::Relaxed);
    CAME.store(false, Ordering::Relaxed);
    trial(registers);
    CAME.load(Ordering::Relaxed).then(|| trace::handed(15))
}

/// The error code of a load from an address, if it faults.
pub fn load_error(suite: &Suite, address: u64) -> Option<u64> {
    watch(suite);
    let mut registers = Everything::pattern(1).with(&[(place::RSI, address)]);
    let event = event_of(trial::load, &mut registers);
    forget();
    event.filter(|event| *event == 14 && told(offset::ADDRESS) == address).map(|_| told(offset::ERROR))
}

fn numbers(suite: &mut Suite) {
    let cases: [Case; 13] = [
        ("a division by 0", trial::division, &[(place::RCX, 0)], 0, 0, true),
        ("a breakpoint", trial::breakpoint, &[], 3, 0, false),
        ("an overflow", trial::overflow, &[], 4, 0, false),
        ("an undefined instruction", trial::undefined, &[], 6, 0, true),
        ("a load of no address", trial::load, &[(place::RSI, NONCANONICAL)], 13, 0, true),
        ("an interrupt instruction", trial::interrupt, &[], 13, 0x30 * 8 + 2, true),
        ("a halt", trial::halt, &[], 13, 0, true),
        ("interrupts held back", trial::mask, &[], 13, 0, true),
        ("a model-specific register", trial::model_specific, &[(place::RCX, 0x10)], 13, 0, true),
        ("a load", trial::load, &[(place::RSI, 0x5000)], 14, 4, true),
        ("a store", trial::store, &[(place::RSI, 0x5000)], 14, 6, true),
        ("a jump", trial::jump, &[(place::RSI, 0x5000)], 14, 0x14, false),
        ("x87 arithmetic", trial::x87, &[], 16, 0, false),
    ];
    for (what, trial, set, number, error, at) in cases {
        let mut registers = Everything::pattern(2).with(set);
        let event = event_of(trial, &mut registers);
        // A trap is told behind its instruction; some trials have several instructions, and a jump ends elsewhere.
        let place = !at || told(offset::RIP) == trial::at();
        // Vectors that define no error code have 0 here as on the processor.
        suite.equal(what, (event, told(offset::ERROR), place), (Some(number), error, true));
    }
    let event = event_of(trial::stack_load, &mut Everything::pattern(2).with(&[(place::RBP, NONCANONICAL)]));
    // An emulator may tell this one as any other address of no use.
    suite.holds("a load by the stack segment", event == Some(12) || event == Some(13));
    // An emulator may know no exceptions of vector arithmetic.
    let event = event_of(trial::vector, &mut Everything::pattern(2));
    suite.holds("vector arithmetic", event.is_none() || event == Some(19));
    let traps: [(&str, Trial); 2] = [("breakpoints", trial::breakpoint), ("overflows", trial::overflow)];
    for (what, trial) in traps {
        let _ = event_of(trial, &mut Everything::pattern(2));
        suite.equal(what, told(offset::RIP), trial::next());
    }
}

fn faults(suite: &mut Suite) {
    let (memory, read_only) = (grants::memory(suite.root, 0), supply::pages(0));
    let frame = Crd::memory(memory / PAGE, 0, READ);
    let item = nova_rt::Item::delegate(frame, 0);
    let window = Crd::memory(read_only / PAGE, 0, READ);
    let root = suite.root;
    let delegated = hypercall::delegate(root.utcb, root.pd, root.pd, window, &[item]);
    suite.equal("a page that can be read only", delegated, Status::SUCCESS);
    let fault = |trial, address| {
        let event = event_of(trial, &mut Everything::pattern(3).with(&[(place::RSI, address)]));
        event.map(|event| (event, told(offset::ERROR) & 0x17, told(offset::ADDRESS) == address))
    };
    suite.equal("a load from it", fault(trial::load, read_only), None);
    suite.equal("a store to it", fault(trial::store, read_only + 8), Some((14, 7, true)));
    suite.equal("its execution", fault(trial::jump, read_only), Some((14, 0x15, true)));
    suite.equal("a load at the end of user space", fault(trial::load, USER_END), Some((14, 4, true)));
    suite.equal(
        "a load of the kernel's",
        fault(trial::load, 0xffff_ffff_8020_0000).map(|(event, ..)| event),
        Some(14),
    );
    suite.equal(
        "a store to the information page",
        fault(trial::store, root.hip.address()),
        Some((14, 7, true)),
    );
}

fn registers(suite: &mut Suite, worker: Worker) {
    let sent = Everything::pattern(4);
    let mut after = sent;
    let _ = event_of(trial::undefined, &mut after);
    suite.holds("registers are kept over an event", after.general == sent.general);
    suite.equal("the handler's message has items for all", told(0), ITEMS);
    suite.equal("the descriptor is the portal's", told(offset::MTD), mtd::ALL);
    let pairs = [
        (offset::RAX, place::RAX),
        (offset::RCX, place::RCX),
        (offset::RDX, place::RDX),
        (offset::RBX, place::RBX),
        (offset::RBP, place::RBP),
        (offset::RSI, place::RSI),
        (offset::RDI, place::RDI),
    ];
    let general = pairs.iter().all(|(offset, place)| told(*offset) == sent.general[*place]);
    let extended =
        (0..8).all(|index| told(offset::R8 + 8 * index) == sent.general[place::R8 + index as usize]);
    suite.holds("the handler is told the registers", general && extended);
    suite.equal("and the stack", told(offset::RSP), trial::stack());
    suite.equal("and the flags", told(offset::RFLAGS) & !0x1_0000, 0x202);
    // Each group alone: nothing else of the page is written.
    let groups: [(&str, u64, &[u64]); 7] = [
        ("nothing", 0, &[]),
        ("RAX, RCX, RDX, RBX", mtd::ACDB, &[offset::RAX, offset::RCX, offset::RDX, offset::RBX]),
        ("RBP, RSI, RDI", mtd::BSD, &[offset::RBP, offset::RSI, offset::RDI]),
        ("RSP", mtd::RSP, &[offset::RSP]),
        ("RFLAGS", mtd::RFLAGS, &[offset::RFLAGS]),
        ("error code and address", mtd::QUAL, &[offset::ERROR, offset::ADDRESS]),
        ("R8 to R15", mtd::R8_R15, &[0x90, 0x98, 0xa0, 0xa8, 0xb0, 0xb8, 0xc0, 0xc8]),
    ];
    for (what, group, offsets) in groups {
        let _ = revoke_all(Crd::object(14, 0, ALL));
        worker.portal_at(suite.root, 14, group, 14);
        let page = worker.utcb;
        for at in (0x18..0x200).step_by(8) {
            page.put(at, !at);
        }
        let mut registers = Everything::pattern(5).with(&[(place::RSI, 0x5000)]);
        let event = event_of(trial::load, &mut registers);
        let exact = (0x28..0x200).step_by(8).all(|at| (told(at) == !at) != offsets.contains(&at));
        suite.equal(what, (event, told(offset::MTD), exact), (Some(14), group, true));
    }
}

fn replies(suite: &mut Suite) {
    let fill = Everything::pattern(0x99);
    let sent = Everything::pattern(6);
    let with = |reply| {
        let mut registers = sent;
        REPLY.store(reply, Ordering::Relaxed);
        trial::undefined(&mut registers);
        registers
    };
    suite.holds("a reply without registers changes none", with(0).general == sent.general);
    let changed = |reply, places: &[usize]| {
        let after = with(reply);
        (0..15).all(|index| {
            after.general[index]
                == if places.contains(&index) { fill.general[index] } else { sent.general[index] }
        })
    };
    suite.holds("RAX, RCX, RDX, RBX", changed(mtd::ACDB, &[0, 1, 2, 3]));
    suite.holds("RBP, RSI, RDI", changed(mtd::BSD, &[4, 5, 6]));
    suite.holds("R8 to R15", changed(mtd::R8_R15, &[7, 8, 9, 10, 11, 12, 13, 14]));
    suite.holds("error code and address are never written", changed(mtd::QUAL, &[]));
    let flags = with(mtd::RFLAGS).flags;
    suite.equal("flags", flags & 0x8d5, 0x8d5);
    suite.equal("the interrupt flag stays, privileges do not come", flags & 0x1b_3200, 0x200);
    REPLY.store(0, Ordering::Relaxed);
}

/// Sets TF in its answer to a breakpoint, and keeps where the step ended.
extern "C" fn steps(id: u64, utcb: Utcb) -> u64 {
    trace::mark(id);
    if id == 3 {
        utcb.put(offset::MTD, mtd::RFLAGS | mtd::RIP);
        utcb.put(offset::RFLAGS, 0x302);
        utcb.put(offset::RIP, trial::next());
        return 0;
    }
    trace::hand(14, utcb.get(offset::RIP));
    utcb.put(offset::MTD, mtd::RFLAGS);
    utcb.put(offset::RFLAGS, 0x202);
    0
}

fn stepping(suite: &mut Suite) {
    let worker = suite.worker(steps);
    for vector in [1, 3] {
        let _ = revoke_all(Crd::object(vector, 0, ALL));
        worker.portal_at(suite.root, vector, mtd::RIP | mtd::RFLAGS, vector);
    }
    let _ = trace::take();
    trial::breakpoint(&mut Everything::pattern(1));
    suite.holds("a step that a reply asks for", trace::took(&[3, 1]));
    let behind = trace::handed(14);
    suite.holds("ends behind the next instruction", behind > trial::next() && behind < trial::next() + 8);
}

/// Executes an undefined instruction.
extern "C" fn undefined(_: Utcb, _: u64) {
    trace::mark(1);
    trial::undefined(&mut Everything::pattern(1));
    trace::mark(2);
}

fn unhandled(suite: &mut Suite) {
    let thread = suite.thread(undefined, 0).run(suite.root, 5);
    suite.holds("a thread without a portal for its exception goes", trace::took(&[1]));
    thread.destroy();
}

/// Reads a port of its domain, again and again, with a mark for each time.
extern "C" fn ports(_: Utcb, _: u64) {
    let mut registers = Everything::pattern(1).with(&[(place::RDX, 0x80)]);
    trial::port(&mut registers);
    trace::mark(1);
    trial::ports(&mut Everything::pattern(1).with(&[(place::RDX, 0x84)]));
    trace::mark(2);
    trial::ports(&mut Everything::pattern(1).with(&[(place::RDX, 0x85)]));
    trace::mark(3);
    let _ = hypercall::down(5, 0);
    trial::port(&mut registers);
    trace::mark(4);
    trial::ports(&mut Everything::pattern(1).with(&[(place::RDX, 0xffff)]));
    trace::mark(5);
}

/// Marks the event, and lets the thread go on behind its instruction.
extern "C" fn passes(id: u64, utcb: Utcb) -> u64 {
    trace::mark(id << 8 | utcb.get(offset::ERROR));
    utcb.put(offset::MTD, mtd::RIP);
    utcb.put(offset::RIP, trial::next());
    0
}

fn revoked(suite: &mut Suite) {
    let root = suite.root;
    let child = Domain::new(root, 64);
    let item = nova_rt::Item::delegate(Crd::port(0, 16), 0);
    let given = hypercall::delegate(root.utcb, root.pd, child.pd, Crd::port(0x80, 3), &[item]);
    suite.equal("eight ports for a domain", given, Status::SUCCESS);
    let worker = suite.worker(passes);
    let portal = supply::selector();
    worker.portal_at(root, portal, mtd::QUAL, 13);
    child.give(root, portal, EVENTS_ELSEWHERE + 13, 0);
    let semaphore = suite.semaphore(0);
    child.give(root, semaphore, 5, 0);
    let thread = Thread::new(root, suite.starter, child, ports, 0).run(root, 5);
    suite.holds("an access has to have all its ports", trace::took(&[1, 2, 0xd00, 3]));
    let how = hypercall::Revocation { itself: true, remote: Some(child.pd), ..Default::default() };
    suite.equal("the ports go", hypercall::revoke(Crd::port(0x80, 3), how), Status::SUCCESS);
    suite.equal("the thread goes on", hypercall::up(semaphore), Status::SUCCESS);
    suite.holds("without them", trace::took(&[0xd00, 4, 0xd00, 5]));
    suite.holds("the root task has kept them", access::input(0x80) == access::input(0x80));
    thread.destroy();
}

/// Parks a thread in an event on a semaphore that is handed over, and makes RAX what is handed over.
extern "C" fn parks(id: u64, utcb: Utcb) -> u64 {
    trace::mark(id);
    utcb.put(offset::RIP, trial::next());
    utcb.put(offset::MTD, mtd::RIP | mtd::ACDB);
    [offset::RAX, offset::RCX, offset::RDX, offset::RBX]
        .into_iter()
        .for_each(|at| utcb.put(at, trace::handed(13)));
    trace::handed(12)
}

/// Has the event at a selector park its thread on a semaphore, with a value for the thread's registers.
pub fn park_at(suite: &Suite, selector: u64, semaphore: u64, value: u64) {
    trace::hand(12, semaphore);
    trace::hand(13, value);
    suite.worker(parks).portal_at(suite.root, selector, mtd::RIP | mtd::ACDB, selector & (EVENTS - 1));
}
