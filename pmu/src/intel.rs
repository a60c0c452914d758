// SPDX-License-Identifier: MIT
//! Intel architectural performance monitoring: fixed counter 0, version 2 and up.
//!
//! Fixed counter 0 counts instructions as they retire, in ring 3 only. Armed, it
//! holds minus the budget; its overflow interrupts through the local APIC. It is
//! changed only while IA32_PERF_GLOBAL_CTRL holds it (SDM vol. 3B, 21.2.2); it
//! goes on counting while its interrupt is under way, so that after the stop it
//! tells how late that was.

use core::fmt;

use crate::counter::{Calibration, Counter, Entry, Lateness, Reading, Repeats, StopKind, Stopped, Unkept};
use crate::registers::intel::*;
use crate::registers::{LVT_MASKED, Registers};

/// rr's skid for Nehalem to Comet Lake, in conditional branches; reverie's and
/// hermit's advice is not to go below it either.
const LEAST_MARGIN: u32 = 100;
/// Without full-width writes a counter is sign-extended from bit 31.
const NARROW_LONGEST: u64 = (1 << 31) - 1;

/// Why there is no such counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// CPUID has no leaf 0AH, or it is empty.
    NoLeaf,
    /// Version 1 has no fixed counters and no global registers.
    Version(u8),
    /// No fixed counter.
    NoFixedCounter,
    /// The counter is too narrow for any use, in bits.
    Narrow(u8),
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeaf => write!(f, "CPUID leaf 0AH is empty"),
            Self::Version(version) => {
                write!(f, "performance monitoring version {version}, at least 2 is needed")
            }
            Self::NoFixedCounter => write!(f, "CPUID leaf 0AH announces no fixed counter"),
            Self::Narrow(width) => {
                write!(f, "the fixed counters have {width} bits, at least {LEAST_WIDTH} are needed")
            }
        }
    }
}

const LEAST_WIDTH: u8 = 32;

/// Fixed counter 0 of one logical processor.
#[derive(Debug)]
pub struct Intel<R> {
    registers: R,
    vector: u8,
    width: u8,
    full_width: bool,
    calibration: Calibration,
    /// RDPMC is to be trusted: the registers have proven to be there.
    quick: bool,
    /// What the counter was armed with.
    preset: u64,
    /// The APIC has masked the entry when it delivered (SDM vol. 3A, 12.5.1).
    unmask: bool,
}

impl<R: Registers> Intel<R> {
    /// Takes the counter if CPUID announces it, and puts everything around it in
    /// order; it interrupts with `vector`.
    pub fn new(mut registers: R, vector: u8) -> Result<Self, (R, Absent)> {
        let (width, full_width) = match Self::find(&mut registers) {
            Ok(found) => found,
            Err(absent) => return Err((registers, absent)),
        };
        let calibration = Calibration::default();
        let mut counter = Self {
            registers,
            vector,
            width,
            full_width,
            calibration,
            quick: false,
            preset: 0,
            unmask: false,
        };
        counter.set_up();
        Ok(counter)
    }

    fn find(registers: &mut R) -> Result<(u8, bool), Absent> {
        let [highest, ..] = registers.cpuid(0, 0);
        if highest < 0xa {
            return Err(Absent::NoLeaf);
        }
        let [a, _, _, d] = registers.cpuid(0xa, 0);
        let (version, counters, width) = (a as u8, d & 0x1f, (d >> 5) as u8);
        match version {
            0 => return Err(Absent::NoLeaf),
            1 => return Err(Absent::Version(version)),
            2.. => {}
        }
        if counters == 0 {
            return Err(Absent::NoFixedCounter);
        }
        if !(LEAST_WIDTH..=63).contains(&width) {
            return Err(Absent::Narrow(width));
        }
        let full_width = Self::capabilities(registers) & CAPABILITY_FULL_WIDTH != 0;
        Ok((width, full_width))
    }

    /// IA32_PERF_CAPABILITIES, nothing if there is no such register.
    fn capabilities(registers: &mut R) -> u64 {
        let [_, _, c, _] = registers.cpuid(1, 0);
        if c & 1 << 15 != 0 { registers.read_msr(PERF_CAPABILITIES) } else { 0 }
    }

    /// Freezing off on overflow and on in System Management Mode, transactions off,
    /// the counter set to ring 3 and held, its interrupt routed.
    fn set_up(&mut self) {
        let registers = &mut self.registers;
        registers.write_msr(GLOBAL_CTRL, 0);
        let mut debug = registers.read_msr(DEBUGCTL) & !DEBUGCTL_FREEZE_ON_PMI;
        if Self::capabilities(registers) & CAPABILITY_FREEZE_IN_SMM != 0 {
            debug |= DEBUGCTL_FREEZE_IN_SMM;
        }
        registers.write_msr(DEBUGCTL, debug);
        if Self::has_tsx_control(registers) {
            let control = registers.read_msr(TSX_CTRL);
            registers.write_msr(TSX_CTRL, control | TSX_OFF);
        }
        registers.write_msr(FIXED_CTR_CTRL, FIXED_USER | FIXED_INTERRUPT);
        registers.write_msr(GLOBAL_OVF_CTRL, GLOBAL_FIXED0);
        registers.set_local_vector(self.vector.into());
    }

    fn has_tsx_control(registers: &mut R) -> bool {
        let [highest, ..] = registers.cpuid(0, 0);
        if highest < 7 || registers.cpuid(7, 0)[3] & 1 << 29 == 0 {
            return false;
        }
        registers.read_msr(ARCH_CAPABILITIES) & ARCH_CAPABILITY_TSX_CTRL != 0
    }

    fn mask(&self) -> u64 {
        (1 << self.width) - 1
    }

    /// Turns the counter off, its interrupt too, and gives the registers back.
    pub fn release(mut self) -> R {
        self.registers.write_msr(GLOBAL_CTRL, 0);
        self.registers.write_msr(FIXED_CTR_CTRL, 0);
        self.registers.set_local_vector(u32::from(self.vector) | LVT_MASKED);
        self.registers
    }

    /// The registers, to look at or to be driven.
    pub fn registers_mut(&mut self) -> &mut R {
        &mut self.registers
    }

    fn keeps(&mut self, register: &'static str, msr: u32, value: u64) -> Result<(), Unkept> {
        self.registers.write_msr(msr, value);
        let read = self.registers.read_msr(msr);
        if read == value { Ok(()) } else { Err(Unkept { register, wrote: value, read }) }
    }

    fn probe_held(&mut self) -> Result<(), Unkept> {
        let reachable = if self.full_width { self.mask() } else { NARROW_LONGEST };
        for pattern in [0x5555_5555_5555_5555, 0xaaaa_aaaa_aaaa_aaaa] {
            self.keeps("IA32_FIXED_CTR0", FIXED_CTR0, pattern & reachable)?;
        }
        for control in [0, FIXED_USER | FIXED_INTERRUPT] {
            self.keeps("IA32_FIXED_CTR_CTRL", FIXED_CTR_CTRL, control)?;
        }
        for control in [GLOBAL_FIXED0, 0] {
            self.keeps("IA32_PERF_GLOBAL_CTRL", GLOBAL_CTRL, control)?;
        }
        Ok(())
    }
}

impl<R: Registers> Counter for Intel<R> {
    fn name(&self) -> &'static str {
        "Intel fixed counter 0"
    }

    fn probe(&mut self) -> Result<(), Unkept> {
        let kept = self.probe_held();
        self.quick = kept.is_ok();
        self.registers.write_msr(GLOBAL_CTRL, 0);
        self.registers.write_msr(FIXED_CTR_CTRL, FIXED_USER | FIXED_INTERRUPT);
        kept
    }

    fn longest(&self) -> u64 {
        if self.full_width { self.mask() >> 1 } else { NARROW_LONGEST }
    }

    fn repeats(&self) -> Repeats {
        Repeats::PerInstruction
    }

    fn lateness(&self) -> Lateness {
        Lateness::AtLeast(LEAST_MARGIN)
    }

    fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    fn calibration_mut(&mut self) -> &mut Calibration {
        &mut self.calibration
    }

    fn arm(&mut self, budget: u64) -> Entry {
        let budget = budget.saturating_add_signed(self.calibration.lead).clamp(1, self.longest());
        self.preset = budget.wrapping_neg() & self.mask();
        if self.unmask {
            self.registers.set_local_vector(self.vector.into());
            self.unmask = false;
        }
        self.registers.write_msr(FIXED_CTR0, self.preset);
        self.registers.write_msr(GLOBAL_CTRL, GLOBAL_FIXED0);
        Entry { timer: 0, step: false }
    }

    fn stop(&mut self, stopped: Stopped) -> Reading {
        let registers = &mut self.registers;
        registers.write_msr(GLOBAL_CTRL, 0);
        registers.serialize();
        let value =
            if self.quick { registers.read_counter(RDPMC_FIXED0) } else { registers.read_msr(FIXED_CTR0) };
        let overflowed = registers.read_msr(GLOBAL_STATUS) & GLOBAL_FIXED0 != 0;
        let interrupted = stopped.kind == StopKind::Counter;
        if overflowed {
            registers.write_msr(GLOBAL_OVF_CTRL, GLOBAL_FIXED0);
        }
        let late = overflowed && !interrupted && registers.take_pending();
        self.unmask |= overflowed || interrupted;
        let raw = value.wrapping_sub(self.preset) & self.mask();
        Reading {
            instructions: self.calibration.biases.remove(stopped.kind, raw),
            own: interrupted && overflowed,
            strays: u32::from(late || interrupted && !overflowed),
        }
    }

    fn is_clear(&mut self) -> bool {
        self.registers.read_msr(GLOBAL_STATUS) & GLOBAL_FIXED0 == 0
    }
}
