// SPDX-License-Identifier: MIT
//! Sends packets over a packet stream, waits until all are acknowledged, and says what was in them.
#![no_std]
#![no_main]

use genode_components::{config, run, stop_for};
use genode_parts::packets::{Broken, Outcome, Packet, SLOTS, Stream};
use genode_parts::script::Unclear;
use genode_parts::sums;
use genode_rt::dataspace::Attached;
use genode_rt::env::Request;
use genode_rt::rpc::Service;
use genode_rt::services::access;
use genode_rt::services::packet::Client;
use genode_rt::signal::{self, Signals};
use genode_rt::{Cap, Env, Failure, Result, log};

extern crate alloc;
use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::Ordering;

genode_rt::component!(main);

/// Numbers of the signals.
const READY_TO_SUBMIT: u64 = 1;
const ACK_AVAILABLE: u64 = 2;
/// The longest packet, in bytes.
const MOST_BYTES: u64 = 512;

/// The sending side of a stream.
struct Source<'a> {
    stream: Stream<'a>,
    signals: Signals,
    packet_available: Cap,
    ready_to_acknowledge: Cap,
    /// Packets that nobody uses.
    free: Vec<Packet>,
}

fn main(env: Env) {
    run(env, work);
}

fn work(env: Env) -> Result<()> {
    let (packets, bytes) = config::read(env, |settings| {
        let (packets, bytes) = (settings.amount("packets", 100)?, settings.amount("bytes", MOST_BYTES)?);
        if bytes > MOST_BYTES || !bytes.is_multiple_of(8) {
            return Err(Unclear(format!(
                "config: bytes=\"{bytes}\": expected a multiple of 8, at most {MOST_BYTES}"
            )));
        }
        Ok((packets, bytes))
    })?;
    let request = Request { label: "", quota: Client::QUOTA, more: "" };
    let (session, number): (Client, u64) = env.try_session(&request)?;
    let signals = Signals::new()?;
    let memory = session.dataspace()?;
    let memory = Attached::new(env.pd, memory, env.pd.ds_size(memory)?, access::WRITE)?;
    let (packet_available, ready_to_acknowledge) =
        session.connect(signals.context(READY_TO_SUBMIT)?, signals.context(ACK_AVAILABLE)?)?;
    let stream = Stream::new(memory.shared()).ok_or(Failure::BadArgument)?;
    let all =
        (0..SLOTS as u64).map(|slot| Packet { offset: (slot * MOST_BYTES) as u32, length: bytes as u32 });
    let free = all.filter(|packet| stream.words(*packet).is_ok()).collect();
    let mut source = Source { stream, signals, packet_available, ready_to_acknowledge, free };
    let sum = source.send(packets).unwrap_or_else(|Broken| stop_for(Failure::BadArgument));
    log!("sent packets={packets} bytes={} sum={sum:#018x}", packets.saturating_mul(bytes));
    drop(memory);
    env.close(number)
}

impl Source<'_> {
    /// Sends so many packets, and returns the sum of their words.
    fn send(&mut self, packets: u64) -> core::result::Result<u64, Broken> {
        let (total, mut sum) = (self.free.len(), 0u64);
        for number in 0..packets {
            while self.free.is_empty() {
                self.take_back()?;
            }
            let Some(packet) = self.free.pop() else { return Err(Broken) };
            for (index, place) in (0..).zip(self.stream.words(packet)?) {
                let word = sums::word(index, number);
                place.store(word, Ordering::Relaxed);
                sum = sum.wrapping_add(word);
            }
            loop {
                match self.stream.submitted.push(packet)? {
                    Outcome::Done { signals, .. } => {
                        if signals {
                            signal::submit(self.packet_available);
                        }
                        break;
                    }
                    Outcome::Wait => self.wait(),
                }
            }
        }
        while self.free.len() < total {
            self.take_back()?;
        }
        Ok(sum)
    }

    /// Takes acknowledged packets back, at least one.
    fn take_back(&mut self) -> core::result::Result<(), Broken> {
        loop {
            match self.stream.acknowledged.pop()? {
                Outcome::Done { value, signals } => {
                    if signals {
                        signal::submit(self.ready_to_acknowledge);
                    }
                    self.stream.words(value)?;
                    self.free.push(value);
                    return Ok(());
                }
                Outcome::Wait => self.wait(),
            }
        }
    }

    /// Waits for either signal.
    fn wait(&self) {
        let _ = self.signals.receive(0);
    }
}
