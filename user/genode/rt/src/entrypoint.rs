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
        let top = utcb(slot) - worker::BEGINNING;
        let name = Name::from(name).map_err(|_| Failure::BadArgument)?;
        let (thread, context) = env.cpu.create_thread(env.pd.0, name, kind::LOCAL, slot, top)?;
        let tell = Cap::fresh();
        let entrypoint = Self { thread, context, tell };
        open_window(Utcb::at(utcb(slot)));
        let state = Box::leak(Box::new(state(entrypoint)));
        worker::begin(top, utcb(slot), serve::<S> as *const () as u64, &raw mut *state as u64);
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
        kernel_memory::done(|| hypercall::pt_ctrl(portal, number))
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

/// What the thread does at each call.
extern "C" fn serve<S: Server>(number: u64, utcb: Utcb) -> u64 {
    let state = worker::argument(utcb.address() - worker::BEGINNING) as *mut S;
    // SAFETY: `new` leaked the state for this thread, which does one call at a time.
    let state = unsafe { &mut *state };
    let incoming = Incoming::new(utcb);
    let Answered { .. } = match number {
        TELL => incoming.answer(|(signal, count)| Ok(state.signal(signal, count))),
        object => state.call(object, incoming),
    };
    0
}
