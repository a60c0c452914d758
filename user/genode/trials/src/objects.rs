// SPDX-License-Identifier: MIT
//! Objects of the component itself: an entrypoint, signals, threads.

use genode_rt::entrypoint::{Entrypoint, Server};
use genode_rt::message::{Answered, Incoming, call};
use genode_rt::services::{Blob, Name, echo, kind};
use genode_rt::signal::{Signals, submit};
use genode_rt::{Cap, Env, Failure, Result};

use crate::cases::Cases;
use crate::junk;

/// What is served: sums, and how many signals came.
struct Sums {
    entrypoint: Entrypoint,
    signals: u64,
}

impl echo::Server for Sums {
    fn add(&mut self, a: u64, b: u64) -> Result<u64> {
        Ok(a.wrapping_add(b))
    }

    fn blob(&mut self, bytes: Blob) -> Result<Blob> {
        Ok(bytes)
    }

    fn make(&mut self) -> Result<Cap> {
        self.entrypoint.object(2)
    }

    fn signal(&mut self, signal: Cap) -> Result<()> {
        submit(signal);
        Ok(())
    }
}

impl Server for Sums {
    fn call(&mut self, object: u64, incoming: Incoming) -> Answered {
        match object {
            1 | 2 => echo::Server::dispatch(self, incoming),
            _ => incoming.refuse(Failure::Gone),
        }
    }

    fn signal(&mut self, signal: u64, count: u64) -> u64 {
        self.signals += signal * count;
        self.signals
    }
}

pub fn run(env: Env, cases: &mut Cases) {
    let Ok(entrypoint) = Entrypoint::new(env, "ep", |entrypoint| Sums { entrypoint, signals: 0 }) else {
        cases.holds("there is an entrypoint", false);
        return;
    };
    let object = echo::Client(entrypoint.object(1).unwrap_or(Cap::NONE));
    cases.equal("an object is called", object.add(3, 4), Ok(7));
    let mut bytes = Blob::new();
    bytes.extend((0..1001).map(|index| index as u8));
    cases.equal("bytes go there and back", object.blob(bytes.clone()), Ok(bytes));
    let other = object.make().map(echo::Client);
    cases.equal("an object makes an object", other.and_then(|other| other.add(u64::MAX, 2)), Ok(1));
    cases.equal(
        "an object without an operation",
        call::<_, ()>(object.0, 1, &()),
        Err(Failure::NoSuchOperation),
    );
    cases.equal("nothing is called", echo::Client(junk()).add(1, 2), Err(Failure::Gone));
    signals(entrypoint, object, cases);
    threads(env, cases);
}

fn signals(entrypoint: Entrypoint, object: echo::Client, cases: &mut Cases) {
    let source = Signals::new();
    let signal = source.and_then(|source| source.context(5));
    let (Ok(source), Ok(signal)) = (source, signal) else {
        cases.holds("there are signals", false);
        return;
    };
    submit(signal);
    cases.equal("a signal is sent by whoever has it", object.signal(signal), Ok(()));
    cases.equal("signals are counted", source.receive(0), Some((5, 2)));
    cases.equal("without one, nothing is received", source.receive(1), None);
    cases.equal("a server is told of signals", entrypoint.tell(5, 2), 10);
}

fn threads(env: Env, cases: &mut Cases) {
    let name = Name::from("t").unwrap_or_default();
    let made = |pd, kind, slot| env.cpu.create_thread(pd, name, kind, slot, 0).map(|_| ());
    cases.equal("a thread wants a domain", made(junk(), kind::LOCAL, 9), Err(Failure::BadCapability));
    cases.equal("a thread is of a kind", made(env.pd.0, 7, 9), Err(Failure::BadArgument));
    cases.equal("a thread has a slot", made(env.pd.0, kind::LOCAL, 256), Err(Failure::BadArgument));
    cases.equal("a slot is one thread's", made(env.pd.0, kind::LOCAL, 0), Err(Failure::Occupied));
    let thread = env.cpu.create_thread(env.pd.0, name, kind::LOCAL, 200, 0);
    let ended = thread.and_then(|(thread, _)| env.cpu.kill_thread(thread));
    cases.equal("a thread is made and ended", ended, Ok(()));
    cases.equal("its slot is free again", made(env.pd.0, kind::LOCAL, 200), Ok(()));
    let own = env.cpu.exception_sigh(Cap::at(genode_rt::layout::DOMAIN));
    cases.equal("a domain is no signal", own, Err(Failure::BadCapability));
    cases.equal("a domain is no thread", env.cpu.kill_thread(env.pd.0), Err(Failure::BadCapability));
}
