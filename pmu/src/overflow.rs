// SPDX-License-Identifier: MIT
//! The counters of processors, whoever made them.
//!
//! Such a counter counts up, in ring 3 only; armed, it holds minus the budget,
//! and its overflow interrupts through the local APIC. It is changed only while
//! it is held, and goes on counting while its interrupt is under way, so that
//! after the stop it tells how late that was. What the registers are called, and
//! what else has to be put in order around them, is in its [`Layout`], which
//! [`crate::intel::find`] and [`crate::amd::find`] make of what CPUID says.

use raw_cpuid::{CpuId, CpuIdReader};

use crate::back_end::{BackEnd, Entry, Lateness, Nature, Reading, Repeats, Smm, StopKind, Stopped, Unkept};
use crate::registers::{LVT_MASKED, Registers};

const PATTERN: u64 = 0x5555_5555_5555_5555;

/// Why there is no such counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The processor is another vendor's. One with Intel's leaf 0AH has no history.
    Vendor,
    /// CPUID leaf 0AH is empty.
    NoLeaf,
    /// Performance monitoring has this version; 1 has no fixed counters and no global
    /// registers.
    Version(u8),
    /// CPUID leaf 0AH announces no fixed counter.
    NoFixedCounter,
    /// The fixed counters have so few bits.
    Narrow(u8),
    /// CPUID announces no core counters: before AMD's family 15h there are none at
    /// C001_0200h.
    NoCoreCounters,
    /// It is not known what event C0h counts in this family.
    Family(u8),
}

/// Whose counter it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Intel's.
    Intel,
    /// AMD's.
    Amd,
}

/// A register around the counter, and what has to be changed in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The register.
    pub msr: u32,
    /// The bits to be cleared.
    pub clear: u64,
    /// The bits to be set.
    pub set: u64,
}

/// The register that holds a counter, and lets it count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The register.
    pub msr: u32,
    /// Its value while the counter counts.
    pub on: u64,
    /// Its value while the counter is held.
    pub off: u64,
}

/// The registers that tell of overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The register that tells of overflows.
    pub msr: u32,
    /// The register that makes it forget them.
    pub clear: u32,
    /// The counter's bit in both.
    pub bit: u64,
}

/// A counter's registers, as its vendor's manual has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Whose counter it is.
    pub vendor: Vendor,
    /// Whether a hypervisor lends the counter.
    pub lent: bool,
    /// The counter's MSR.
    pub counter: u32,
    /// The counter's number for RDPMC.
    pub number: u32,
    /// Bits of the counter.
    pub width: u8,
    /// The most that it can be armed for.
    pub longest: u64,
    /// The register that says what the counter counts.
    pub control: u32,
    /// The control register's value, with the counter held.
    pub held: u64,
    /// The register that holds the counter, which may be the control register.
    pub switch: Switch,
    /// Where overflows are told; if nowhere, the counter's top bit tells.
    pub status: Option<Status>,
    /// Whether the APIC masks its entry when it delivers.
    pub masks_itself: bool,
    /// Whether an interrupt may wait while the status shows no overflow.
    pub status_is_late: bool,
    /// What is known of its lateness.
    pub lateness: Lateness,
    /// What has to be put in order around the counter.
    pub edits: [Option<Edit>; 2],
    /// The register and the bit by which the counter stands still in System
    /// Management Mode.
    pub freeze_in_smm: Option<(u32, u64)>,
    /// The register that counts System Management Interrupts, in 32 bits.
    pub smi_count: Option<u32>,
    /// What lets the counter count locked instructions that were executed on speculation,
    /// in place of [`switch`](Self::switch).
    pub speculative_locks: Option<Switch>,
}

/// CPUID, read through these registers.
pub(crate) fn cpuid(registers: &impl Registers) -> CpuId<impl CpuIdReader> {
    CpuId::with_cpuid_reader(|leaf, subleaf| registers.cpuid(leaf, subleaf))
}

/// Whether this is the name of the processor's vendor.
pub(crate) fn is_from(cpu: &CpuId<impl CpuIdReader>, vendor: &str) -> bool {
    cpu.get_vendor_info().is_some_and(|info| info.as_str() == vendor)
}

/// One counter of one logical processor.
#[derive(Debug)]
pub struct Overflow<R> {
    registers: R,
    layout: Layout,
    vector: u8,
    /// RDPMC is to be trusted: the registers have proven to be there.
    quick: bool,
    /// What the counter was armed with.
    preset: u64,
    /// The APIC has masked the entry when it delivered.
    unmask: bool,
}

impl<R: Registers> Overflow<R> {
    /// Takes the counter that was found, and puts everything around it in order; it
    /// interrupts with `vector`.
    pub fn new(registers: R, layout: Layout, vector: u8) -> Self {
        let mut counter = Self { registers, layout, vector, quick: false, preset: 0, unmask: false };
        counter.hold();
        for Edit { msr, clear, set } in layout.edits.into_iter().flatten() {
            let value = counter.registers.read_msr(msr);
            counter.registers.write_msr(msr, value & !clear | set);
        }
        counter.registers.write_msr(layout.control, layout.held);
        if let Some(Status { clear, bit, .. }) = layout.status {
            counter.registers.write_msr(clear, bit);
        }
        counter.registers.set_local_vector(vector.into());
        counter
    }

    /// Whose counter it is.
    pub fn vendor(&self) -> Vendor {
        self.layout.vendor
    }

    /// Turns the counter off, its interrupt too, and gives the registers back.
    pub fn release(mut self) -> R {
        self.hold();
        self.registers.write_msr(self.layout.control, 0);
        self.registers.set_local_vector(u32::from(self.vector) | LVT_MASKED);
        self.registers
    }

    /// The registers, to look at or to be driven.
    pub fn registers_mut(&mut self) -> &mut R {
        &mut self.registers
    }

    fn mask(&self) -> u64 {
        (1 << self.layout.width) - 1
    }

    /// Stops the counter, which keeps its value.
    fn hold(&mut self) {
        self.registers.write_msr(self.layout.switch.msr, self.layout.switch.off);
    }

    fn hold_and_read(&mut self) -> u64 {
        let Layout { counter, number, .. } = self.layout;
        self.hold();
        self.registers.serialize();
        if self.quick { self.registers.read_counter(number) } else { self.registers.read_msr(counter) }
    }

    fn probe_held(&mut self) -> Result<(), Unkept> {
        let Layout { counter, control, held, switch: Switch { msr, on, off }, .. } = self.layout;
        let [one, other] = [PATTERN, !PATTERN].map(|pattern| (counter, pattern & self.layout.longest));
        for (msr, wrote) in [one, other, (control, 0), (control, held), (msr, on), (msr, off)] {
            self.registers.write_msr(msr, wrote);
            let read = self.registers.read_msr(msr);
            if read != wrote {
                return Err(Unkept { msr, wrote, read });
            }
        }
        Ok(())
    }

    /// Whether the counter has overflowed on its way to `value`; clears the status.
    fn take_overflow(&mut self, value: u64) -> bool {
        let Some(Status { clear, bit, .. }) = self.layout.status else {
            let top = self.mask() / 2 + 1;
            return self.preset & !value & top != 0;
        };
        let overflowed = !self.is_clear();
        if overflowed {
            self.registers.write_msr(clear, bit);
        }
        overflowed
    }
}

impl<R: Registers> BackEnd for Overflow<R> {
    fn probe(&mut self) -> Result<(), Unkept> {
        let kept = self.probe_held();
        self.quick = kept.is_ok();
        self.hold();
        kept
    }

    fn nature(&self) -> Nature {
        let Layout { longest, lateness, lent, .. } = self.layout;
        Nature { longest, repeats: Repeats::PerInstruction, lateness, lent }
    }

    fn arm(&mut self, budget: u64) -> Entry {
        self.preset = budget.min(self.layout.longest).wrapping_neg() & self.mask();
        if self.unmask {
            self.registers.set_local_vector(self.vector.into());
            self.unmask = false;
        }
        self.registers.write_msr(self.layout.counter, self.preset);
        self.registers.write_msr(self.layout.switch.msr, self.layout.switch.on);
        Entry::PLAIN
    }

    fn stop(&mut self, stopped: Stopped) -> Reading {
        let value = self.hold_and_read();
        let overflowed = self.take_overflow(value);
        let interrupted = stopped.kind == StopKind::Counter;
        let may_wait = !interrupted && (overflowed || self.layout.status_is_late);
        let late = may_wait && self.registers.take_pending();
        self.unmask |= self.layout.masks_itself && (overflowed || interrupted);
        Reading {
            instructions: value.wrapping_sub(self.preset) & self.mask(),
            own: interrupted && overflowed,
            strays: u32::from(late || interrupted && !overflowed),
        }
    }

    fn is_clear(&mut self) -> bool {
        self.layout.status.is_none_or(|Status { msr, bit, .. }| self.registers.read_msr(msr) & bit == 0)
    }

    fn smm(&mut self) -> Smm {
        let freezes = self.layout.freeze_in_smm.map(|(msr, bit)| self.registers.read_msr(msr) & bit != 0);
        let interrupts = self.layout.smi_count.map(|msr| self.registers.read_msr(msr) as u32);
        Smm { freezes, interrupts }
    }

    fn swap_locks(&mut self) -> bool {
        let Some(locks) = &mut self.layout.speculative_locks else { return false };
        core::mem::swap(locks, &mut self.layout.switch);
        self.hold();
        true
    }
}
