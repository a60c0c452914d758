// SPDX-License-Identifier: MIT
//! Exceptions and faults: which number each has, what its handler is told, and what it can change.

mod ends;
mod numbers;
mod registers;

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nova_rt::crd::{ALL, Crd};
use nova_rt::event::{mtd, offset};
use nova_rt::hypercall::revoke_all;
use nova_rt::thread::Worker;
use nova_rt::trial::{self, Everything, place};
use nova_rt::{EVENTS, Utcb};

use crate::suite::Suite;
use crate::trace;

/// A trial: registers in, one instruction, registers out.
type Trial = extern "C" fn(&mut Everything);

/// What the handler was told last.
static TOLD: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];
/// Whether there was an event since it was last asked.
static CAME: AtomicBool = AtomicBool::new(false);
/// What the handler replies beside where to go on: a message transfer descriptor, and values for all it names.
static REPLY: AtomicU64 = AtomicU64::new(0);

pub fn run(suite: &mut Suite) {
    let worker = watch(suite);
    numbers::run(suite);
    registers::run(suite, worker);
    ends::run(suite);
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
