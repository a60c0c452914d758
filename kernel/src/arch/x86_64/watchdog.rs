// SPDX-License-Identifier: MIT
//! A second source that ends a run: the PIT, through the IO-APIC, as NMI.
//!
//! The counter ends every run that keeps its interrupt flag. Should a fault
//! clear that flag, this one still comes. It is one-shot and is wound up again
//! from between PEs long before it runs down, so in an undisturbed system it
//! never fires: an NMI in user mode *is* a divergence.

use core::sync::atomic::{AtomicU64, Ordering};

use x86_64::instructions::port::Port;

use super::{apic, machine};

const COMMAND: u16 = 0x43;
const CHANNEL_0: u16 = 0x40;
/// Channel 0, low byte then high byte, mode 0: one shot (8254 data sheet).
const ONE_SHOT: u8 = 0b0011_0000;
const LATCH: u8 = 0;
/// The PIT's output on the IO-APIC of every PC.
const PIN: u8 = 2;
const LONGEST: u16 = 0xffff;

/// Ticks of the time stamp counter after which it is wound up again.
static QUARTER: AtomicU64 = AtomicU64::new(0);
/// When that is due.
static DUE: AtomicU64 = AtomicU64::new(0);

fn start(count: u16) {
    let mut data = Port::<u8>::new(CHANNEL_0);
    let [low, high] = count.to_le_bytes();
    // SAFETY: programs the PIT's channel 0, which only this module uses.
    unsafe {
        Port::<u8>::new(COMMAND).write(ONE_SHOT);
        data.write(low);
        data.write(high);
    }
}

fn remaining() -> u16 {
    let mut data = Port::<u8>::new(CHANNEL_0);
    // SAFETY: latches and reads the PIT's channel 0, which only this module uses.
    unsafe {
        Port::<u8>::new(COMMAND).write(LATCH);
        u16::from_le_bytes([data.read(), data.read()])
    }
}

/// Ticks of the PIT, and how many microseconds so many last: it runs at 105/88 MHz.
const TICKS: u64 = 105;
const TICKS_US: u64 = 88;

/// The PIT measured against the time stamp counter.
pub struct Measured {
    /// The watchdog's period in ticks of the time stamp counter.
    pub period: u64,
    /// Ticks of the time stamp counter while it was measured.
    pub ticks: u64,
    /// How long that was.
    pub duration_ns: u64,
}

/// Measures the PIT against the time stamp counter and winds the watchdog up.
pub fn init() -> Measured {
    // A hundredth is more than exact enough, and each tick is some eight hundred emulated instructions of waiting.
    const SAMPLE: u16 = 100;
    start(LONGEST);
    let (begin, first) = (machine::now(), remaining());
    while first.wrapping_sub(remaining()) < SAMPLE {}
    let (end, last) = (machine::now(), remaining());
    let elapsed = u64::from(first.wrapping_sub(last)).max(1);
    let ticks = end - begin;
    let period = ticks * u64::from(LONGEST) / elapsed;
    QUARTER.store(period / 4, Ordering::Relaxed);
    wind_up(machine::now());
    apic::route_as_nmi(PIN);
    Measured { period, ticks, duration_ns: elapsed * TICKS_US * 1000 / TICKS }
}

/// Winds the watchdog up if a quarter of its period is over at `now`. Called before every
/// user entry, so that at each nearly three quarters are left at least: more than the
/// largest limit, which is refused at boot above one quarter. What is read for `now` may be
/// the time stamp of what came right before; work without a bound must not lie between.
#[inline]
pub fn wind(now: u64) {
    if now > DUE.load(Ordering::Relaxed) {
        wind_up(now);
    }
}

#[cold]
#[inline(never)]
fn wind_up(now: u64) {
    DUE.store(now + QUARTER.load(Ordering::Relaxed), Ordering::Relaxed);
    start(LONGEST);
}
