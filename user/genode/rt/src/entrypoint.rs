// SPDX-License-Identifier: MIT
//! Serving objects: a thread that runs on its callers' time, and a portal for each object.
//!
//! The state belongs to that thread. Other threads of the component get at it by a call, as clients do.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering};

use nova_rt::{Utcb, hypercall, worker};

use crate::cap::Cap;
use crate::layout::{DOMAIN, MOST_THREADS, STACK, stack, utcb};
use crate::message::{Answered, Incoming, call};
use crate::services::{Name, access, kind};
use crate::utcb::open_window;
use crate::{Env, Failure, Result, kernel_memory};

/// The next slot for a stack; the main thread has the first one.
static SLOT: AtomicU64 = AtomicU64::new(1);
/// The number of the portal by which the component's own threads tell of signals.
const TELL: u64 = u64::MAX;

/// What is served.
pub trait Server {
    /// Does a call that was made to an object, by the object's number.
    fn call(&mut self, object: u64, incoming: Incoming) -> Answered;

    /// Takes note of a signal, by its number and how often it was sent; what it returns is the teller's.
    fn signal(&mut self, signal: u64, count: u64) -> u64;
}

/// The thread that serves, by which objects are made.
#[derive(Clone, Copy, Debug)]
pub struct Entrypoint {
    thread: Cap,
    context: Cap,
    tell: Cap,
}

/// Memory for the stack in a fresh slot.
fn fresh_stack(env: Env) -> Result<u64> {
    let slot = SLOT.fetch_add(1, Ordering::Relaxed);
    if slot >= MOST_THREADS {
        return Err(Failure::BadArgument);
    }
    let memory = env.alloc_ds(STACK)?;
    env.pd.attach(memory, 0, 0, stack(slot), access::WRITE)?;
    Ok(slot)
}

impl Entrypoint {
    /// Makes the thread, and the state that it serves, which can make objects from its beginning.
    pub fn new<S: Server>(env: Env, name: &str, state: impl FnOnce(Self) -> S) -> Result<Self> {
        crate::share()?;
        let slot = fresh_stack(env)?;
        let name = Name::from(name).map_err(|_| Failure::BadArgument)?;
        let (thread, context) = env.cpu.create_thread(env.pd.0, name, kind::LOCAL, slot, top(slot))?;
        let tell = Cap::fresh();
        let entrypoint = Self { thread, context, tell };
        settle(slot, Told(state(entrypoint)));
        entrypoint.object_at(tell, TELL)?;
        Ok(entrypoint)
    }

    /// Makes an object with a number of the server's choice.
    pub fn object(self, number: u64) -> Result<Cap> {
        let portal = Cap::fresh();
        self.object_at(portal, number)?;
        Ok(portal)
    }

    fn object_at(self, portal: Cap, number: u64) -> Result<()> {
        let (portal, context) = (portal.selector(), self.context.selector());
        kernel_memory::done(|| hypercall::create_pt(portal, DOMAIN, context, 0, worker::portal_entry()))?;
        kernel_memory::done(|| hypercall::pt_ctrl(portal, number))?;
        kernel_memory::done(|| hypercall::seal(portal))
    }

    /// Tells the server of a signal, on the caller's time, and what it returned.
    pub fn tell(self, signal: u64, count: u64) -> u64 {
        call::<_, u64>(self.tell, 1, &(signal, count)).unwrap_or(0)
    }

    /// The thread.
    #[must_use]
    pub const fn thread(self) -> Cap {
        self.thread
    }
}

/// What a thread does that runs on its callers' time.
pub trait Work {
    /// Does a call that was made by the portal of a number, in a UTCB, and answers there; tells the selector of the
    /// semaphore to park the caller on, or 0.
    fn work(&mut self, number: u64, utcb: Utcb) -> u64;
}

/// Gives the thread in a slot, whose stack is there already, the state by which it works, for ever; its stack begins
/// at [`top`].
pub fn settle<W: Work>(slot: u64, state: W) {
    extern "C" fn work<W: Work>(number: u64, page: Utcb) -> u64 {
        let state = worker::argument(page.address() - worker::BEGINNING) as *mut W;
        // SAFETY: `settle` leaked the state for this thread, which does one call at a time.
        unsafe { &mut *state }.work(number, page)
    }
    open_window(Utcb::at(utcb(slot)));
    let state = &raw mut *Box::leak(Box::new(state));
    worker::begin(top(slot), utcb(slot), work::<W> as *const () as u64, state as u64);
}

/// Where the stack begins of a thread that serves.
#[must_use]
pub const fn top(slot: u64) -> u64 {
    utcb(slot) - worker::BEGINNING
}

/// A server, whose thread is told of signals, too.
struct Told<S>(S);

impl<S: Server> Work for Told<S> {
    fn work(&mut self, number: u64, utcb: Utcb) -> u64 {
        let incoming = Incoming::new(utcb);
        let Answered { .. } = match number {
            TELL => incoming.answer(|(signal, count)| Ok(self.0.signal(signal, count))),
            object => self.0.call(object, incoming),
        };
        0
    }
}
