// SPDX-License-Identifier: MIT
//! Streams between two sides that take turns, and between one and an enemy.

use alloc::vec::Vec;
use std::sync::Condvar;
use std::sync::Mutex;

use super::*;

extern crate std;

fn memory(words: usize) -> Vec<AtomicU64> {
    (0..words).map(|_| AtomicU64::new(0)).collect()
}

fn packet(number: u32) -> Packet {
    Packet { offset: number * 8, length: 8 }
}

#[test]
fn a_ring_gives_back_what_was_put_in_and_signals_at_its_ends() {
    let memory = memory(1024);
    let ring = Stream::new(&memory).unwrap().submitted;
    for round in 0..3 {
        for number in 0..SLOTS as u32 {
            let pushed = ring.push(packet(round + number)).unwrap();
            assert_eq!(pushed, Outcome::Done { value: (), signals: number == 0 }, "{round}, {number}");
        }
        assert_eq!(ring.push(packet(0)), Ok(Outcome::Wait));
        for number in 0..SLOTS as u32 {
            let popped = ring.pop().unwrap();
            let signals = number == 0;
            assert_eq!(popped, Outcome::Done { value: packet(round + number), signals }, "{round}, {number}");
        }
        assert_eq!(ring.pop(), Ok(Outcome::Wait));
    }
}

#[test]
fn counters_run_over() {
    let memory = memory(1024);
    memory[..2].iter().for_each(|counter| counter.store(u64::MAX, Ordering::SeqCst));
    let ring = Stream::new(&memory).unwrap().submitted;
    for number in 0..3 {
        assert_eq!(ring.push(packet(number)), Ok(Outcome::Done { value: (), signals: number == 0 }));
    }
    for number in 0..3 {
        assert_eq!(ring.pop(), Ok(Outcome::Done { value: packet(number), signals: false }));
    }
}

#[test]
fn counters_that_contradict_each_other_are_noticed() {
    let memory = memory(1024);
    let ring = Stream::new(&memory).unwrap().submitted;
    for (put, taken) in [(0, 1), (SLOTS as u64 + 1, 0), (u64::MAX, 0), (0, u64::MAX / 2)] {
        memory[0].store(put, Ordering::SeqCst);
        memory[1].store(taken, Ordering::SeqCst);
        assert_eq!((ring.push(packet(0)), ring.pop()), (Err(Broken), Err(Broken)), "{put}, {taken}");
    }
}

#[test]
fn packets_lie_within_the_stream() {
    let memory = memory(RINGS_LEN / 8 + 4);
    let stream = Stream::new(&memory).unwrap();
    let length = |offset, length| stream.words(Packet { offset, length }).map(<[_]>::len);
    assert_eq!((length(0, 32), length(24, 8), length(32, 0)), (Ok(4), Ok(1), Ok(0)));
    for (offset, bytes) in [(0, 40), (32, 8), (4, 8), (0, 4), (u32::MAX - 7, 8), (40, 0), (8, u32::MAX - 7)] {
        assert_eq!(length(offset, bytes), Err(Broken), "{offset}, {bytes}");
    }
    assert!(Stream::new(&memory[..RINGS_LEN / 8 - 1]).is_none());
}

/// A signal: how often it was sent since it was last waited for.
#[derive(Default)]
struct Signal(Mutex<u64>, Condvar);

impl Signal {
    fn send(&self) {
        *self.0.lock().unwrap() += 1;
        self.1.notify_one();
    }

    fn wait(&self) {
        let mut count = self.0.lock().unwrap();
        while *count == 0 {
            let (next, waited) = self.1.wait_timeout(count, std::time::Duration::from_secs(20)).unwrap();
            assert!(!waited.timed_out(), "nobody sends the signal that is waited for");
            count = next;
        }
        *count = 0;
    }
}

/// No side waits for ever, although signals are sent only where the other side may be waiting.
#[test]
fn signals_at_the_ends_are_enough() {
    const PACKETS: u32 = 200_000;
    let memory = memory(1024);
    let (available, room) = (Signal::default(), Signal::default());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let ring = Stream::new(&memory).unwrap().submitted;
            for number in 0..PACKETS {
                loop {
                    match ring.push(packet(number)).unwrap() {
                        Outcome::Done { signals: true, .. } => break available.send(),
                        Outcome::Done { .. } => break,
                        Outcome::Wait => room.wait(),
                    }
                }
            }
        });
        let ring = Stream::new(&memory).unwrap().submitted;
        for number in 0..PACKETS {
            let value = loop {
                match ring.pop().unwrap() {
                    Outcome::Done { value, signals } => {
                        if signals {
                            room.send();
                        }
                        break value;
                    }
                    Outcome::Wait => available.wait(),
                }
            };
            assert_eq!(value, packet(number));
        }
    });
}
