// SPDX-License-Identifier: MIT
//! What the counters of processors have in common, whoever made them.
//!
//! Such a counter counts up, in ring 3 only; armed, it holds minus the budget,
//! and its overflow interrupts through the local APIC. It is changed only while
//! it is held, and goes on counting while its interrupt is under way, so that
//! after the stop it tells how late that was. What the registers are called, and
//! what else has to be put in order around them, is the [`Vendor`]'s.

use crate::back_end::{BackEnd, Entry, Lateness, Reading, Repeats, Smm, StopKind, Stopped, Unkept};
use crate::registers::{LVT_MASKED, Registers};

/// Values written where only 32 bits can be are sign-extended from bit 31 (Intel
/// SDM vol. 3B, 21.2.8).
const NARROW_LONGEST: u64 = (1 << 31) - 1;
/// CPUID.1:ECX: there is a hypervisor. Reserved for them by both vendors.
const HYPERVISOR: u32 = 1 << 31;

/// A counter's registers, as one vendor's manual has them.
pub trait Vendor {
    /// The counter: its name in the manual, its MSR, and its number for RDPMC.
    const COUNTER: (&'static str, u32, u32);
    /// The APIC masks its entry when it delivers.
    const MASKS_ITSELF: bool;
    /// An interrupt may wait while the status shows no overflow.
    const STATUS_IS_LATE: bool;

    /// The back end's name.
    fn name(&self) -> &'static str;
    /// Bits of the counter.
    fn width(&self) -> u8;
    /// All of them can be written.
    fn is_full_width(&self) -> bool;
    /// What is known of its lateness.
    fn lateness(&self) -> Lateness;
    /// Puts everything around the counter in order, and holds it.
    fn set_up(&self, registers: &mut impl Registers);
    /// Holds the counter: it keeps its value.
    fn hold(&self, registers: &mut impl Registers);
    /// Lets it count.
    fn go(&self, registers: &mut impl Registers);
    /// Turns it off, being held.
    fn turn_off(&self, registers: &mut impl Registers);
    /// Sees whether the control registers keep what is written to them.
    fn probe(&self, registers: &mut impl Registers) -> Result<(), Unkept>;
    /// Whether it has overflowed, from `preset` to `value`; clears the status.
    fn take_overflow(&self, registers: &mut impl Registers, preset: u64, value: u64) -> bool;
    /// Whether the status is clear.
    fn is_clear(&self, registers: &mut impl Registers) -> bool;

    /// How it stands to System Management Mode.
    fn smm(&self, _registers: &mut impl Registers) -> Smm {
        Smm::default()
    }

    /// Lets the counter count speculative locks from 0; false where there are none.
    fn watch_locks(&self, _registers: &mut impl Registers) -> bool {
        false
    }
}

/// One counter of one logical processor.
#[derive(Debug)]
pub struct Overflow<R, V> {
    registers: R,
    vendor: V,
    vector: u8,
    /// RDPMC is to be trusted: the registers have proven to be there.
    quick: bool,
    /// What the counter was armed with.
    preset: u64,
    /// The APIC has masked the entry when it delivered.
    unmask: bool,
}

/// Writes and reads back.
pub(crate) fn keeps(
    registers: &mut impl Registers,
    register: &'static str,
    msr: u32,
    value: u64,
) -> Result<(), Unkept> {
    registers.write_msr(msr, value);
    let read = registers.read_msr(msr);
    if read == value { Ok(()) } else { Err(Unkept { register, wrote: value, read }) }
}

/// Whether CPUID names a hypervisor.
pub(crate) fn is_virtual(registers: &mut impl Registers) -> bool {
    registers.cpuid(1, 0)[2] & HYPERVISOR != 0
}

/// Family and model, with their extensions (Intel SDM vol. 2A, CPUID; AMD APM vol.
/// 3, appendix E).
pub(crate) fn family_and_model(registers: &mut impl Registers) -> (u32, u32) {
    let [signature, ..] = registers.cpuid(1, 0);
    let (family, model) = (signature >> 8 & 0xf, signature >> 4 & 0xf);
    let extended_model = if matches!(family, 0x6 | 0xf) { signature >> 16 & 0xf } else { 0 };
    let extended_family = if family == 0xf { signature >> 20 & 0xff } else { 0 };
    (family + extended_family, extended_model << 4 | model)
}

impl<R: Registers, V: Vendor> Overflow<R, V> {
    pub(crate) fn set_up(mut registers: R, vendor: V, vector: u8) -> Self {
        vendor.set_up(&mut registers);
        registers.set_local_vector(vector.into());
        Self { registers, vendor, vector, quick: false, preset: 0, unmask: false }
    }

    fn mask(&self) -> u64 {
        (1 << self.vendor.width()) - 1
    }

    /// Turns the counter off, its interrupt too, and gives the registers back.
    pub fn release(mut self) -> R {
        self.vendor.hold(&mut self.registers);
        self.vendor.turn_off(&mut self.registers);
        self.registers.set_local_vector(u32::from(self.vector) | LVT_MASKED);
        self.registers
    }

    /// The registers, to look at or to be driven.
    pub fn registers_mut(&mut self) -> &mut R {
        &mut self.registers
    }

    fn probe_held(&mut self) -> Result<(), Unkept> {
        let (name, counter, _) = V::COUNTER;
        let reachable = if self.vendor.is_full_width() { self.mask() } else { NARROW_LONGEST };
        for pattern in [0x5555_5555_5555_5555, 0xaaaa_aaaa_aaaa_aaaa] {
            keeps(&mut self.registers, name, counter, pattern & reachable)?;
        }
        self.vendor.probe(&mut self.registers)
    }

    fn hold_and_read(&mut self) -> u64 {
        let (_, counter, number) = V::COUNTER;
        self.vendor.hold(&mut self.registers);
        self.registers.serialize();
        if self.quick { self.registers.read_counter(number) } else { self.registers.read_msr(counter) }
    }
}

impl<R: Registers, V: Vendor> BackEnd for Overflow<R, V> {
    fn name(&self) -> &'static str {
        self.vendor.name()
    }

    fn probe(&mut self) -> Result<(), Unkept> {
        let kept = self.probe_held();
        self.quick = kept.is_ok();
        self.vendor.hold(&mut self.registers);
        kept
    }

    fn longest(&self) -> u64 {
        if self.vendor.is_full_width() { self.mask() >> 1 } else { NARROW_LONGEST }
    }

    fn repeats(&self) -> Repeats {
        Repeats::PerInstruction
    }

    fn lateness(&self) -> Lateness {
        self.vendor.lateness()
    }

    fn arm(&mut self, budget: u64) -> Entry {
        let (_, counter, _) = V::COUNTER;
        self.preset = budget.min(self.longest()).wrapping_neg() & self.mask();
        if self.unmask {
            self.registers.set_local_vector(self.vector.into());
            self.unmask = false;
        }
        self.registers.write_msr(counter, self.preset);
        self.vendor.go(&mut self.registers);
        Entry::PLAIN
    }

    fn stop(&mut self, stopped: Stopped) -> Reading {
        let value = self.hold_and_read();
        let overflowed = self.vendor.take_overflow(&mut self.registers, self.preset, value);
        let interrupted = stopped.kind == StopKind::Counter;
        let may_wait = !interrupted && (overflowed || V::STATUS_IS_LATE);
        let late = may_wait && self.registers.take_pending();
        self.unmask |= V::MASKS_ITSELF && (overflowed || interrupted);
        Reading {
            instructions: value.wrapping_sub(self.preset) & self.mask(),
            own: interrupted && overflowed,
            strays: u32::from(late || interrupted && !overflowed),
        }
    }

    fn is_clear(&mut self) -> bool {
        self.vendor.is_clear(&mut self.registers)
    }

    fn is_lent(&mut self) -> bool {
        is_virtual(&mut self.registers)
    }

    fn smm(&mut self) -> Smm {
        self.vendor.smm(&mut self.registers)
    }

    fn watch_locks(&mut self) -> bool {
        self.vendor.watch_locks(&mut self.registers)
    }

    fn speculative_locks(&mut self, _stopped: Stopped) -> u64 {
        self.hold_and_read() & self.mask()
    }
}
