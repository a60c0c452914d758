// SPDX-License-Identifier: MIT
//! What a component has from its beginning, and the sessions that it opens.

use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};

use nova_rt::hypercall;

use crate::cap::Cap;
use crate::layout::{DOMAIN, PARENT};
use crate::lock::Lock;
use crate::rpc::Service;
use crate::services::{Args, Name, cpu, environment, log, parent, pd};
use crate::{Failure, Result, error, kernel_memory};

/// What a component has from its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Env {
    /// The parent.
    pub parent: parent::Client,
    /// The component's own domain.
    pub pd: pd::Client,
    /// What its threads are made by.
    pub cpu: cpu::Client,
    /// Where its output goes.
    pub log: log::Client,
}

/// The capabilities of the first sessions.
static FIRST: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
/// The number of the next session.
static NEXT_ID: AtomicU64 = AtomicU64::new(environment::FREE);
/// Who waits for a session.
static OPENING: Lock = Lock::new();
/// Who waits for resources.
static ASKING: Lock = Lock::new();
/// What is upped when a session is there.
static SESSION: AtomicU64 = AtomicU64::new(0);
/// What is upped when there are more resources.
static RESOURCES: AtomicU64 = AtomicU64::new(0);
/// By how much a session's quota grows if it was too little: bytes, and capabilities.
const MORE: (u64, u64) = (4096, 4);

/// A request for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The label.
    pub label: &'a str,
    /// RAM in bytes, and capabilities.
    pub quota: (u64, u64),
    /// Further arguments, each behind a comma.
    pub more: &'a str,
}

impl Request<'_> {
    /// The request as text.
    pub fn args(&self) -> Result<Args> {
        let Self { label, quota: (ram, caps), more } = self;
        let mut args = Args::new();
        let written = write!(args, "label=\"{label}\", ram_quota={ram}, cap_quota={caps}{more}");
        written.map(|()| args).map_err(|_| Failure::BadArgument)
    }
}

/// The semaphore that a place names, which is made and told to the parent at first.
fn semaphore(place: &AtomicU64, tell: impl FnOnce(Cap) -> Result<()>) -> Result<u64> {
    if place.load(Ordering::Relaxed) == 0 {
        let made = Cap::fresh();
        kernel_memory::done(|| hypercall::create_sm(made.selector(), DOMAIN, 0))?;
        tell(made)?;
        place.store(made.selector(), Ordering::Relaxed);
    }
    Ok(place.load(Ordering::Relaxed))
}

impl Env {
    /// Asks the parent for the first sessions.
    pub fn begin() -> Result<Self> {
        let (pd, cpu, log) = parent::Client(Cap::at(PARENT)).environment()?;
        for (place, cap) in FIRST.iter().zip([pd, cpu, log]) {
            place.store(cap.selector(), Ordering::Relaxed);
        }
        Ok(Self::get())
    }

    /// What there is.
    #[must_use]
    pub fn get() -> Self {
        let [pd, cpu, log] = FIRST.each_ref().map(|place| Cap::at(place.load(Ordering::Relaxed)));
        Self {
            parent: parent::Client(Cap::at(PARENT)),
            pd: pd::Client(pd),
            cpu: cpu::Client(cpu),
            log: log::Client(log),
        }
    }

    /// Makes all that the runtime shares ready for more than one thread.
    pub(crate) fn share() -> Result<()> {
        OPENING.share()?;
        ASKING.share()
    }

    /// Opens a session with a label; it says so and never returns if the parent refuses it.
    pub fn session<S: Service>(self, label: &str) -> S {
        self.session_with(&Request { label, quota: S::QUOTA, more: "" })
    }

    /// Opens a session with arguments; it says so and never returns if the parent refuses it.
    pub fn session_with<S: Service>(self, request: &Request<'_>) -> S {
        match self.try_session(request) {
            Ok((session, _)) => session,
            Err(_) => {
                let args = request.args().unwrap_or_default();
                error!("stop because parent denied {}-session: {args}", S::NAME);
                crate::stop()
            }
        }
    }

    /// Opens a session, waits until it is there, and tells its number.
    pub fn try_session<S: Service>(self, request: &Request<'_>) -> Result<(S, u64)> {
        let service = Name::from(S::NAME).map_err(|_| Failure::BadArgument)?;
        self.try_session_of(service, request).map(|(session, id)| (S::of(session), id))
    }

    /// Opens a session of a service by its name, waits until it is there, and tells its number.
    pub fn try_session_of(self, service: Name, request: &Request<'_>) -> Result<(Cap, u64)> {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let mut request = request.clone();
        OPENING.lock();
        let session = loop {
            match self.ask(id, service, request.args()) {
                Err(Failure::InsufficientRam) => request.quota.0 += MORE.0,
                Err(Failure::InsufficientCaps) => request.quota.1 += MORE.1,
                Err(failure @ (Failure::OutOfRam | Failure::OutOfCaps)) => {
                    let amount = if failure == Failure::OutOfRam { request.quota.0 } else { request.quota.1 };
                    if let Err(refused) = self.request_resources(failure, amount) {
                        break Err(refused);
                    }
                }
                answer => break answer,
            }
        };
        OPENING.unlock();
        session.map(|cap| (cap, id))
    }

    /// Asks for a session once, and waits for the answer.
    fn ask(self, id: u64, service: Name, args: Result<Args>) -> Result<Cap> {
        let mut session = self.parent.session(id, service, args?)?;
        if session.is_none() {
            let ready = semaphore(&SESSION, |signal| self.parent.session_sigh(signal))?;
            session = self.parent.session_cap(id)?;
            while session.is_none() {
                let _ = hypercall::down(ready, 0);
                session = self.parent.session_cap(id)?;
            }
        }
        Ok(session)
    }

    /// Gives a session back.
    pub fn close(self, id: u64) -> Result<()> {
        self.parent.close(id)
    }

    /// Asks the parent for what something took too much of, and waits until there is more.
    pub fn request_resources(self, failure: Failure, amount: u64) -> Result<()> {
        let name = match failure {
            Failure::OutOfRam => "ram_quota",
            Failure::OutOfCaps => "cap_quota",
            other => return Err(other),
        };
        ASKING.lock();
        let asked =
            semaphore(&RESOURCES, |signal| self.parent.resource_avail_sigh(signal)).and_then(|more| {
                let mut args = Args::new();
                write!(args, "{name}={amount}").map_err(|_| Failure::BadArgument)?;
                self.parent.resource_request(args)?;
                let _ = hypercall::down(more, 0);
                Ok(())
            });
        ASKING.unlock();
        asked
    }

    /// Takes memory of so many bytes, and waits for more quota if there is too little.
    pub fn alloc_ds(self, size: u64) -> Result<Cap> {
        loop {
            match self.pd.alloc_ds(size) {
                Err(failure @ Failure::OutOfRam) => self.request_resources(failure, size)?,
                Err(failure @ Failure::OutOfCaps) => self.request_resources(failure, MORE.1)?,
                answer => return answer,
            }
        }
    }

    /// Ends the component with a value.
    pub fn exit(self, value: u64) -> ! {
        let _ = self.parent.exit(value);
        crate::stop()
    }
}
