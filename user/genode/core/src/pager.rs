// SPDX-License-Identifier: MIT
//! Events of threads: page faults, which are resolved by the region maps; exceptions, beginnings, and recalls.

use core::ops::Range;

use genode_ledger::regions::{Piece, piece};
use genode_rt::layout::{STACK_SLOT, STACKS};
use genode_rt::services::access;
use genode_rt::{Cap, Failure, PAGE, Result};
use nova_rt::crd::{ALL, Crd, EXECUTE, READ, WRITE};
use nova_rt::event::{RECALL, START_UP, mtd, offset};
use nova_rt::{EVENTS, Item, Status, Utcb, hypercall, line, worker};

use crate::machine;
use crate::memory::MOST_NESTED;
use crate::object::{Content, Id, Object};
use crate::state::Core;

/// The numbers of portals of events: this, the number of the domain's session, and the number of the event.
pub const EVENT: u64 = 1 << 40;
/// The event of a page fault.
const PAGE_FAULT: u64 = 14;
/// The events of exceptions that core tells of.
const EXCEPTIONS: [u64; 8] = [0, 1, 3, 6, 13, 16, 17, 19];
/// Where the events' portals of all domains begin among core's selectors.
const PORTALS: u64 = 1 << 32;
/// The rights of an event's portal: to be called.
const CALLED: u64 = 2;
/// Bits of a fault's error code: the page is there, it is a write, it is a fetch.
const PRESENT: u64 = 1;
const WRITES: u64 = 2;
const FETCHES: u64 = 16;

/// What was tried by a fault with this error code, in the words of a report.
const fn attempted(error: u64) -> &'static str {
    if error & WRITES != 0 {
        "WRITE"
    } else if error & FETCHES != 0 {
        "EXEC"
    } else {
        "READ"
    }
}

/// The events that a domain's threads have portals for, and what of the registers core is told.
fn events() -> impl Iterator<Item = (u64, u64)> {
    let place = mtd::RIP | mtd::RSP;
    let exceptions = EXCEPTIONS.into_iter().map(move |event| (event, place));
    exceptions.chain([(PAGE_FAULT, place | mtd::QUAL), (START_UP, place), (RECALL, place)])
}

/// Makes a portal for an event.
fn portal(core: &Core, selector: u64, pd: Id, (event, registers): (u64, u64)) -> Status {
    let entry = worker::portal_entry();
    match hypercall::create_pt(selector, core.root.pd, core.context, registers, entry) {
        Status::SUCCESS => hypercall::pt_ctrl(selector, EVENT + (pd as u64) * EVENTS + event),
        other => other,
    }
}

/// Has core's own main thread's faults be resolved as those of a component.
pub fn serve_core(core: &Core, pd: Id) {
    let made = portal(core, PAGE_FAULT, pd, (PAGE_FAULT, mtd::RIP | mtd::RSP | mtd::QUAL));
    assert_eq!(made, Status::SUCCESS, "core's main thread may have page faults");
}

/// Makes the portals for all events of a domain's threads, which share them.
pub fn serve(core: &mut Core, pd: Id) -> Result<()> {
    let first = PORTALS + pd as u64 * EVENTS;
    core.pd_mut(pd)?.events = first;
    for event in events() {
        if portal(core, first + event.0, pd, event) != Status::SUCCESS {
            return Err(Failure::OutOfKernelMemory);
        }
    }
    let domain = core.pd(pd)?.domain.selector();
    let order = u64::from(EVENTS.ilog2());
    let item = Item::delegate(Crd::object(first, order, CALLED), 0);
    core.with_memory_of(pd, |core| {
        hypercall::delegate(core.utcb, core.root.pd, domain, Crd::object(0, order, ALL), &[item])
    })
}

/// What an address shows.
enum Seen {
    /// Frames, and what may be done with them.
    Frames(Piece, u64),
    /// Nothing, in a region map that somebody looks after.
    Fault(Id, u64),
    /// Nothing.
    Nothing,
}

impl Core {
    /// What a page of a domain shows.
    fn look(&self, pd: Id, page: u64) -> Result<Seen> {
        let (mut local, mut within, mut rights) = (page, 0..u64::MAX, READ | WRITE | EXECUTE);
        let mut regions = &self.pd(pd)?.regions;
        let mut inside: Option<Id> = None;
        for _ in 0..MOST_NESTED {
            let Some(region) = regions.find(local) else {
                return Ok(match inside {
                    Some(map) if !self.map(map)?.handler.is_none() => Seen::Fault(map, local),
                    _ => Seen::Nothing,
                });
            };
            let dataspace = self.dataspace(region.dataspace)?;
            let seen = |local_page: u64| (page + local_page).saturating_sub(local);
            within = intersection(within, seen(region.page)..page + (region.end() - local));
            rights &= READ | region.access & (access::WRITE | access::EXECUTE);
            if !dataspace.is_writable {
                rights &= !WRITE;
            }
            let shown = region.offset + (local - region.page);
            match dataspace.content {
                Content::Ram(frame, _) | Content::Fixed(frame) => {
                    let piece = piece(page, &within, frame + shown);
                    return Ok(piece.map_or(Seen::Nothing, |piece| Seen::Frames(piece, rights)));
                }
                Content::Map(map) => {
                    regions = &self.map(map)?.regions;
                    inside = Some(map);
                    local = shown;
                }
            }
        }
        Ok(Seen::Nothing)
    }

    /// Handles an event; tells the semaphore to hold the thread at, or 0.
    pub fn event(&mut self, pd: Id, event: u64, utcb: Utcb) -> u64 {
        let (ip, stack) = (utcb.get(offset::RIP), utcb.get(offset::RSP));
        let held = match event {
            PAGE_FAULT => {
                let (error, at) = (utcb.get(offset::ERROR), utcb.get(offset::ADDRESS));
                self.fault(pd, (ip, stack), error, at)
            }
            START_UP => match self.begins(pd, stack) {
                Some((ip, stack)) => {
                    utcb.put(offset::RIP, ip);
                    utcb.put(offset::RSP, stack);
                    utcb.set_counts(0, 0);
                    utcb.put(offset::MTD, mtd::RIP | mtd::RSP);
                    return 0;
                }
                None => self.never,
            },
            RECALL => self.recalled(pd, (ip, stack)),
            exception => self.exception(pd, (ip, stack), exception),
        };
        utcb.set_counts(0, 0);
        utcb.put(offset::MTD, 0);
        held.selector()
    }

    /// Where a thread begins, whose number stands in its stack pointer.
    fn begins(&self, pd: Id, number: u64) -> Option<(u64, u64)> {
        let thread = self.thread(usize::try_from(number).ok()?).ok()?;
        (thread.pd == pd && thread.is_global).then_some(thread.at)
    }

    /// Resolves a page fault, or holds the thread.
    fn fault(&mut self, pd: Id, place: (u64, u64), error: u64, at: u64) -> Cap {
        let page = at / PAGE;
        let seen = self.look(pd, page).unwrap_or(Seen::Nothing);
        let is_write = error & WRITES != 0;
        match seen {
            Seen::Frames(Piece { page, frame, order }, rights) => {
                let needed = if is_write {
                    WRITE
                } else if error & FETCHES != 0 {
                    EXECUTE
                } else {
                    READ
                };
                if rights & needed != 0 && error & PRESENT == 0 {
                    let mapped = self.pd(pd).map(|pd| pd.domain.selector()).and_then(|domain| {
                        self.with_memory_of(pd, |core| {
                            machine::map(core.utcb, core.root.pd, domain, page, frame, order, rights)
                        })
                    });
                    if mapped.is_ok() {
                        return Cap::NONE;
                    }
                    self.tell(pd, place, format_args!("no kernel memory to show address {at:#x}"));
                } else {
                    let what = attempted(error);
                    self.tell(pd, place, format_args!("{what} violation at address {at:#x}"));
                }
                self.never
            }
            Seen::Fault(map, local) => self.hold(map, is_write, local * PAGE + at % PAGE),
            Seen::Nothing => {
                let what = attempted(error);
                self.tell(pd, place, format_args!("illegal {what} at address {at:#x}"));
                self.never
            }
        }
    }

    /// Holds a thread whose fault somebody else resolves.
    fn hold(&mut self, map: Id, is_write: bool, at: u64) -> Cap {
        let never = self.never;
        let Ok(map) = self.map_mut(map) else { return never };
        if map.faults.try_reserve(1).is_err() {
            return never;
        }
        map.faults.push((is_write, at));
        let _ = hypercall::up(map.handler.selector());
        map.held
    }

    /// The thread of a domain on whose stack a stack pointer is.
    pub fn thread_at(&self, pd: Id, stack: u64) -> Option<Id> {
        let slot = stack.checked_sub(STACKS + 1)? / STACK_SLOT;
        let is_it = |object: &Object| matches!(object, Object::Thread(it) if it.pd == pd && it.slot == slot);
        self.find(is_it)
    }

    /// Prints what a thread did.
    pub fn tell(&self, pd: Id, (ip, stack): (u64, u64), what: core::fmt::Arguments<'_>) {
        let label = self.session(pd).map_or("", |session| &session.label);
        let thread = self.thread_at(pd, stack).and_then(|id| self.thread(id).ok());
        let thread = thread.map_or("?", |thread| &thread.name);
        line!("{what} by pager_object: pd='{label}' thread='{thread}' ip={ip:#x}");
    }

    /// An exception that the thread does not survive.
    fn exception(&mut self, pd: Id, place: (u64, u64), number: u64) -> Cap {
        self.tell(pd, place, format_args!("unresolvable exception {number}"));
        let thread = self.thread_at(pd, place.1);
        if let Some(thread) = thread
            && let Ok(thread) = self.thread_mut(thread)
        {
            thread.at = place;
            let (own, cpu) = (thread.sigh, thread.cpu);
            for signal in [own, self.exception_signal(cpu)].into_iter().filter(|signal| !signal.is_none()) {
                let _ = hypercall::up(signal.selector());
            }
        }
        self.never
    }
}

fn intersection(a: Range<u64>, b: Range<u64>) -> Range<u64> {
    a.start.max(b.start)..a.end.min(b.end)
}
