// SPDX-License-Identifier: MIT
//! Serves packet streams: it takes each packet, adds its words up, acknowledges it, and says at the end what came.
#![no_std]
#![no_main]

use genode_components::run;
use genode_components::serve::{FREE_SIGNAL, REQUESTS, Sessions, announce};
use genode_parts::packets::{Broken, Outcome, Packet, RINGS_LEN, SLOTS, Stream};
use genode_rt::dataspace::Attached;
use genode_rt::entrypoint::{Entrypoint, Server};
use genode_rt::message::{Answered, Incoming};
use genode_rt::services::access;
use genode_rt::services::packet::{self, Server as _};
use genode_rt::signal::{self, Signals};
use genode_rt::{Cap, Env, Failure, Result, error, log};

use core::sync::atomic::Ordering;

genode_rt::component!(main);

/// The bytes of a stream: the rings, and a packet for each descriptor.
const STREAM_LEN: u64 = (RINGS_LEN + SLOTS * 512) as u64;

/// A session.
struct Session {
    env: Env,
    memory: Cap,
    attached: Option<Attached>,
    packet_available: Cap,
    ready_to_acknowledge: Cap,
    /// The source's signals: that it can submit, and that packets are acknowledged.
    source: (Cap, Cap),
    /// A packet that there was no room to acknowledge.
    unacknowledged: Option<Packet>,
    packets: u64,
    bytes: u64,
    sum: u64,
}

impl packet::Server for Session {
    fn dataspace(&mut self) -> Result<Cap> {
        Ok(self.memory)
    }

    fn connect(&mut self, ready_to_submit: Cap, ack_available: Cap) -> Result<(Cap, Cap)> {
        self.source = (ready_to_submit, ack_available);
        Ok((self.packet_available, self.ready_to_acknowledge))
    }
}

impl Session {
    fn new(env: Env, signals: Signals, number: u64) -> Result<Self> {
        let memory = env.pd.alloc_ds(STREAM_LEN)?;
        let attached = Some(Attached::new(env.pd, memory, STREAM_LEN, access::WRITE)?);
        let signal = FREE_SIGNAL.saturating_add(number);
        let (packet_available, ready_to_acknowledge) = (signals.context(signal)?, signals.context(signal)?);
        Ok(Self {
            env,
            memory,
            attached,
            packet_available,
            ready_to_acknowledge,
            source: (Cap::NONE, Cap::NONE),
            unacknowledged: None,
            packets: 0,
            bytes: 0,
            sum: 0,
        })
    }

    /// Takes all packets that are there.
    fn take(&mut self) -> core::result::Result<(), Broken> {
        let Some(stream) = self.attached.as_ref().and_then(|memory| Stream::new(memory.shared())) else {
            return Err(Broken);
        };
        loop {
            if let Some(packet) = self.unacknowledged {
                match stream.acknowledged.push(packet)? {
                    Outcome::Done { signals, .. } => {
                        if signals {
                            signal::submit(self.source.1);
                        }
                        self.unacknowledged = None;
                    }
                    Outcome::Wait => return Ok(()),
                }
            }
            let Outcome::Done { value, signals } = stream.submitted.pop()? else { return Ok(()) };
            if signals {
                signal::submit(self.source.0);
            }
            let words = stream.words(value)?;
            self.sum =
                words.iter().fold(self.sum, |sum, word| sum.wrapping_add(word.load(Ordering::Relaxed)));
            self.packets += 1;
            self.bytes += u64::from(value.length);
            self.unacknowledged = Some(value);
        }
    }

    fn close(mut self) {
        log!("received packets={} bytes={} sum={:#018x}", self.packets, self.bytes, self.sum);
        self.attached = None;
        for signal in [self.packet_available, self.ready_to_acknowledge, self.source.0, self.source.1] {
            signal.release();
        }
        let _ = self.env.pd.free_ds(self.memory);
    }
}

/// All sessions; none before there is a list of requests.
struct State {
    env: Env,
    signals: Signals,
    sessions: Option<Sessions<Session>>,
}

impl Server for State {
    fn call(&mut self, object: u64, incoming: Incoming) -> Answered {
        match self.sessions.as_mut().and_then(|sessions| sessions.get(object)) {
            Some(session) => session.dispatch(incoming),
            None => incoming.refuse(Failure::Gone),
        }
    }

    fn signal(&mut self, number: u64, _: u64) -> u64 {
        let Self { env, signals, sessions } = self;
        let Some(sessions) = sessions else { return 0 };
        if number == REQUESTS {
            sessions.update(|request| Session::new(*env, *signals, request.id), Session::close);
        } else if let Some(session) = sessions.get(number.saturating_sub(FREE_SIGNAL))
            && session.take() == Err(Broken)
        {
            error!("the source has broken its stream");
            session.attached = None;
        }
        0
    }
}

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let signals = Signals::new()?;
    let requests = signals.context(REQUESTS)?;
    let entrypoint = Entrypoint::new(env, "ep", |entrypoint| State {
        env,
        signals,
        sessions: Sessions::new(env, entrypoint, requests).ok(),
    })?;
    announce(env, packet::NAME)?;
    entrypoint.tell(REQUESTS, 1);
    signals.run(entrypoint)
}
