// SPDX-License-Identifier: MIT
//! A second source that ends a run: an NMI from the PIT, or from the event timer.
//!
//! It begins at the PIT, through the I/O APIC. When a program takes that, it goes to a comparator of the event timer; where
//! there is none, or when a program takes that one too, it is off, and the log says so.
//!
//! The counter ends every run that keeps its interrupt flag. Should a fault
//! clear that flag, this one still comes. It is one-shot and is wound up again
//! from between PEs long before it runs down, so in an undisturbed system it
//! never fires: an NMI in user mode *is* a divergence.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use x86_64::instructions::port::Port;

use spin::Mutex;
use wire::end::Watchdog;

use super::hpet::Comparator;
use super::line::wiring;
use super::wiring::Pin;
use super::{apic, firmware, io_apic, machine};

const COMMAND: u16 = 0x43;
const CHANNEL_0: u16 = 0x40;
/// Channel 0, low byte then high byte, mode 0: one shot (8254 data sheet).
const ONE_SHOT: u8 = 0b0011_0000;
const LATCH: u8 = 0;
/// Channel 0 as firmware leaves it: mode 3, a square wave of the longest period.
const SQUARE_WAVE: u8 = 0b0011_0110;
const LONGEST: u16 = 0xffff;

/// Ticks of the time stamp counter after which it is wound up again.
static QUARTER: AtomicU64 = AtomicU64::new(0);
/// When that is due; never if it is off.
static DUE: AtomicU64 = AtomicU64::new(0);
/// Where it is.
static PLACE: Mutex<Place> = Mutex::new(Place::Pit);
const NEVER: u64 = u64::MAX;
/// Whether the event timer is a program's.
static TAKEN: AtomicBool = AtomicBool::new(false);
const PAGE: u64 = 4096;

/// Where the watchdog is.
#[derive(Clone, Copy)]
enum Place {
    Pit,
    Hpet(Comparator),
    Off,
}

fn start(mode: u8, count: u16) {
    let mut data = Port::<u8>::new(CHANNEL_0);
    let [low, high] = count.to_le_bytes();
    // SAFETY: programs the PIT's channel 0, which only this module uses as long as the watchdog is there.
    unsafe {
        Port::<u8>::new(COMMAND).write(mode);
        data.write(low);
        data.write(high);
    }
}

/// The PIT's pin, if it has one.
fn pit_pin() -> Option<Pin> {
    wiring().pin(wiring().timer())
}

fn remaining() -> u16 {
    let mut data = Port::<u8>::new(CHANNEL_0);
    // SAFETY: latches and reads the PIT's channel 0, which only this module uses as long as the watchdog is there.
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

/// Measures the PIT against the time stamp counter and winds the watchdog up; `None` if the PIT reaches no I/O APIC.
pub fn init() -> Option<Measured> {
    let pin = pit_pin()?;
    // A hundredth is more than exact enough, and each tick is some eight hundred emulated instructions of waiting.
    const SAMPLE: u16 = 100;
    start(ONE_SHOT, LONGEST);
    let (begin, first) = (machine::now(), remaining());
    while first.wrapping_sub(remaining()) < SAMPLE {}
    let (end, last) = (machine::now(), remaining());
    let elapsed = u64::from(first.wrapping_sub(last)).max(1);
    let ticks = end - begin;
    let period = ticks * u64::from(LONGEST) / elapsed;
    QUARTER.store(period / 4, Ordering::Relaxed);
    wind_up(machine::now());
    io_apic::set_nmi(pin, apic::id());
    Some(Measured { period, ticks, duration_ns: elapsed * TICKS_US * 1000 / TICKS })
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
    let place = *PLACE.lock();
    match place {
        Place::Pit => start(ONE_SHOT, LONGEST),
        Place::Hpet(comparator) => comparator.start(u64::from(LONGEST) * TICKS_US * 1000 / TICKS),
        Place::Off => return DUE.store(NEVER, Ordering::Relaxed),
    }
    DUE.store(now + QUARTER.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// A program is about to use the PIT: the watchdog leaves it as firmware does.
#[cold]
pub fn leave_pit() {
    if let Place::Pit = *PLACE.lock() {
        if let Some(pin) = pit_pin() {
            io_apic::mask(pin);
        }
        start(SQUARE_WAVE, 0);
    } else {
        return;
    }
    let is_free = !TAKEN.load(Ordering::Relaxed);
    match is_free.then(Comparator::claim).flatten() {
        Some(comparator) => {
            defmt::info!("a program has the PIT: the watchdog goes to the event timer");
            go_to(Place::Hpet(comparator));
        }
        None => {
            defmt::warn!(
                "a program has the PIT, and no event timer can interrupt beside it: the watchdog is off"
            );
            go_to(Place::Off);
        }
    }
}

/// A program is about to write to a device at this physical address: if that is the event timer, the watchdog leaves it,
/// or will not go there.
pub fn note_device_write(physical: u64) {
    let page = |address: u64| address / PAGE;
    if firmware::tables().hpet.map(page) == Some(page(physical)) && !TAKEN.swap(true, Ordering::Relaxed) {
        leave_event_timer();
    }
}

/// The watchdog leaves the event timer, if it is there.
#[cold]
fn leave_event_timer() {
    if let Place::Hpet(comparator) = *PLACE.lock() {
        comparator.stop();
        if let Some(pin) = comparator.pin {
            io_apic::mask(pin);
        }
    } else {
        return;
    }
    defmt::warn!("programs have the PIT and the event timer: the watchdog is off");
    go_to(Place::Off);
}

/// A program is about to use a pin: if the watchdog does, it leaves it.
pub fn leave_pin(pin: Pin) {
    let place = *PLACE.lock();
    match place {
        Place::Pit if pit_pin() == Some(pin) => leave_pit(),
        Place::Hpet(comparator) if comparator.pin == Some(pin) => leave_event_timer(),
        Place::Pit | Place::Hpet(_) | Place::Off => {}
    }
}

fn go_to(place: Place) {
    *PLACE.lock() = place;
    wind_up(machine::now());
}

/// Where it is, as a summary says it.
pub fn place() -> Watchdog {
    match *PLACE.lock() {
        Place::Pit => Watchdog::Pit,
        Place::Hpet(_) => Watchdog::EventTimer,
        Place::Off => Watchdog::Off,
    }
}
