// SPDX-License-Identifier: MIT
//! AMD's core counter 0, with the global registers of PerfMonV2 where there are
//! any.
//!
//! Event C0h, retired instructions, in ring 3 only. Without PerfMonV2 there is
//! no overflow status: a counter armed with minus its budget has its top bit set
//! until it overflows. AMD's APIC does not mask the entry when it delivers; the
//! interrupt may come so late that only a repetition helps.

use core::fmt;

use crate::counter::{Calibration, Counter, Entry, Lateness, Reading, Repeats, StopKind, Stopped, Unkept};
use crate::registers::amd::*;
use crate::registers::{LVT_MASKED, Registers};

/// rr's skid for all Zen, which it calls unbounded.
const LEAST_MARGIN: u32 = 10_000;
const VENDOR: [u32; 3] =
    [u32::from_le_bytes(*b"Auth"), u32::from_le_bytes(*b"enti"), u32::from_le_bytes(*b"cAMD")];
const TOP: u64 = 1 << (WIDTH - 1);
const MASK: u64 = (1 << WIDTH) - 1;

/// Why there is no such counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Another vendor's processor.
    Vendor,
    /// Before family 15h: no core counters at C001_0200h.
    NoCoreCounters,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vendor => write!(f, "not an AMD processor"),
            Self::NoCoreCounters => write!(f, "CPUID announces neither PerfMonV2 nor core counters"),
        }
    }
}

/// Core counter 0 of one logical processor.
#[derive(Debug)]
pub struct Amd<R> {
    registers: R,
    vector: u8,
    /// There are global registers.
    version2: bool,
    calibration: Calibration,
    /// RDPMC is to be trusted: the registers have proven to be there.
    quick: bool,
    /// What the counter was armed with.
    preset: u64,
}

impl<R: Registers> Amd<R> {
    /// Takes the counter if CPUID announces it, and puts everything around it in
    /// order; it interrupts with `vector`.
    pub fn new(mut registers: R, vector: u8) -> Result<Self, (R, Absent)> {
        let version2 = match Self::find(&mut registers) {
            Ok(found) => found,
            Err(absent) => return Err((registers, absent)),
        };
        let mut counter = Self {
            registers,
            vector,
            version2,
            calibration: Calibration::default(),
            quick: false,
            preset: 0,
        };
        counter.set_up();
        Ok(counter)
    }

    fn find(registers: &mut R) -> Result<bool, Absent> {
        let [_, b, c, d] = registers.cpuid(0, 0);
        if [b, d, c] != VENDOR {
            return Err(Absent::Vendor);
        }
        let [highest, ..] = registers.cpuid(0x8000_0000, 0);
        let core_counters = highest >= 0x8000_0001 && registers.cpuid(0x8000_0001, 0)[2] & 1 << 23 != 0;
        if !core_counters {
            return Err(Absent::NoCoreCounters);
        }
        Ok(highest >= 0x8000_0022 && registers.cpuid(0x8000_0022, 0)[0] & 1 != 0)
    }

    /// The counter held, its interrupt routed; SpecLockMap off where it miscounts.
    fn set_up(&mut self) {
        self.hold();
        let [signature, _, features, _] = self.registers.cpuid(1, 0);
        let family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
        let under_hypervisor = features & 1 << 31 != 0;
        // Zen, Zen+ and Zen 2. A hypervisor need not have the register.
        if family == 0x17 && !under_hypervisor {
            let config = self.registers.read_msr(LS_CFG);
            self.registers.write_msr(LS_CFG, config | LS_CFG_NO_SPEC_LOCK_MAP);
        }
        if self.version2 {
            self.registers.write_msr(GLOBAL_STATUS_CLEAR, GLOBAL_COUNTER0);
        }
        self.registers.set_local_vector(self.vector.into());
    }

    /// Stops the counter by whichever register does it at once.
    fn hold(&mut self) {
        if self.version2 {
            self.registers.write_msr(GLOBAL_CTL, 0);
            self.registers.write_msr(PERF_CTL0, CTL_RETIRED_USER);
        } else {
            self.registers.write_msr(PERF_CTL0, CTL_RETIRED_USER & !CTL_ENABLE);
        }
    }

    /// Turns the counter off, its interrupt too, and gives the registers back.
    pub fn release(mut self) -> R {
        self.hold();
        self.registers.write_msr(PERF_CTL0, 0);
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
        for pattern in [0x5555_5555_5555_5555, 0xaaaa_aaaa_aaaa_aaaa] {
            self.keeps("PERF_CTR0", PERF_CTR0, pattern & MASK)?;
        }
        for control in [0, CTL_RETIRED_USER & !CTL_ENABLE] {
            self.keeps("PERF_CTL0", PERF_CTL0, control)?;
        }
        if self.version2 {
            for control in [GLOBAL_COUNTER0, 0] {
                self.keeps("PerfCntrGlobalCtl", GLOBAL_CTL, control)?;
            }
        }
        Ok(())
    }

    fn overflowed(&mut self, value: u64) -> bool {
        if self.version2 {
            self.registers.read_msr(GLOBAL_STATUS) & GLOBAL_COUNTER0 != 0
        } else {
            self.preset & TOP != 0 && value & TOP == 0
        }
    }
}

impl<R: Registers> Counter for Amd<R> {
    fn name(&self) -> &'static str {
        if self.version2 { "AMD PerfMonV2 counter 0" } else { "AMD core counter 0" }
    }

    fn probe(&mut self) -> Result<(), Unkept> {
        let kept = self.probe_held();
        self.quick = kept.is_ok();
        self.hold();
        kept
    }

    fn longest(&self) -> u64 {
        MASK >> 1
    }

    fn repeats(&self) -> Repeats {
        Repeats::PerInstruction
    }

    fn lateness(&self) -> Lateness {
        Lateness::Unbounded(LEAST_MARGIN)
    }

    fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    fn calibration_mut(&mut self) -> &mut Calibration {
        &mut self.calibration
    }

    fn arm(&mut self, budget: u64) -> Entry {
        let budget = budget.saturating_add_signed(self.calibration.lead).clamp(1, self.longest());
        self.preset = budget.wrapping_neg() & MASK;
        self.registers.write_msr(PERF_CTR0, self.preset);
        if self.version2 {
            self.registers.write_msr(GLOBAL_CTL, GLOBAL_COUNTER0);
        } else {
            self.registers.write_msr(PERF_CTL0, CTL_RETIRED_USER);
        }
        Entry { timer: 0, step: false }
    }

    fn stop(&mut self, stopped: Stopped) -> Reading {
        self.hold();
        self.registers.serialize();
        let value =
            if self.quick { self.registers.read_counter(0) } else { self.registers.read_msr(PERF_CTR0) };
        let overflowed = self.overflowed(value);
        let interrupted = stopped.kind == StopKind::Counter;
        if overflowed && self.version2 {
            self.registers.write_msr(GLOBAL_STATUS_CLEAR, GLOBAL_COUNTER0);
        }
        // Linux waits for this interrupt (amd_pmu_wait_on_overflow); here it is the next
        // stretch that meets it, if it is later than this.
        let late = !interrupted && self.registers.take_pending();
        let raw = value.wrapping_sub(self.preset) & MASK;
        Reading {
            instructions: self.calibration.biases.remove(stopped.kind, raw),
            own: interrupted && overflowed,
            strays: u32::from(late || interrupted && !overflowed),
        }
    }

    fn is_clear(&mut self) -> bool {
        !self.version2 || self.registers.read_msr(GLOBAL_STATUS) & GLOBAL_COUNTER0 == 0
    }
}
