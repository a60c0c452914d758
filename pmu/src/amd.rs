// SPDX-License-Identifier: MIT
//! AMD's core counter 0, with the global registers of PerfMonV2 where there are
//! any.
//!
//! Event C0h, retired instructions. Without PerfMonV2 there is no overflow
//! status: a counter armed with minus its budget has its top bit set until it
//! overflows. AMD's APIC does not mask the entry when it delivers; the interrupt
//! may come so late that only a repetition helps.
//!
//! Events are the families' own; one that is not known is refused.

use displaydoc::Display;

use crate::back_end::{Lateness, Unkept};
use crate::overflow::{Overflow, Vendor, family_and_model, is_virtual, keeps};
use crate::registers::Registers;
use crate::registers::amd::*;

/// rr's skid for all Zen, which it calls unbounded.
const LEAST_MARGIN: u32 = 10_000;
const VENDOR: [u32; 3] =
    [u32::from_le_bytes(*b"Auth"), u32::from_le_bytes(*b"enti"), u32::from_le_bytes(*b"cAMD")];
const TOP: u64 = 1 << (WIDTH - 1);
/// Zen, Zen+ and Zen 2, which execute locked instructions on speculation.
const ZEN: u32 = 0x17;

/// Why there is no such counter. As text: the first line of each description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
#[ignore_extra_doc_attributes]
pub enum Absent {
    /// not an AMD processor
    Vendor,
    /// CPUID announces neither PerfMonV2 nor core counters
    ///
    /// Before family 15h there are no core counters at C001_0200h.
    NoCoreCounters,
    /// family {0:X}H is not known
    ///
    /// It is not known what event C0h counts there.
    Unknown(u32),
}

/// Core counter 0 of one logical processor.
pub type Amd<R> = Overflow<R, Core>;

/// What CPUID says of it.
#[derive(Clone, Copy, Debug)]
pub struct Core {
    /// There are global registers.
    version2: bool,
    /// Locks are speculated on unless told otherwise.
    speculates: bool,
}

impl<R: Registers> Amd<R> {
    /// Takes the counter if CPUID announces it, and puts everything around it in
    /// order; it interrupts with `vector`.
    pub fn new(mut registers: R, vector: u8) -> Result<Self, (R, Absent)> {
        match Core::find(&mut registers) {
            Ok(found) => Ok(Self::set_up(registers, found, vector)),
            Err(absent) => Err((registers, absent)),
        }
    }
}

impl Core {
    fn find(registers: &mut impl Registers) -> Result<Self, Absent> {
        let [_, b, c, d] = registers.cpuid(0, 0);
        if [b, d, c] != VENDOR {
            return Err(Absent::Vendor);
        }
        let [highest, ..] = registers.cpuid(0x8000_0000, 0);
        let core_counters = highest >= 0x8000_0001 && registers.cpuid(0x8000_0001, 0)[2] & 1 << 23 != 0;
        if !core_counters {
            return Err(Absent::NoCoreCounters);
        }
        let (family, _) = family_and_model(registers);
        if !matches!(family, 0x15..=0x17 | 0x19..=0x1a) {
            return Err(Absent::Unknown(family));
        }
        let version2 = highest >= 0x8000_0022 && registers.cpuid(0x8000_0022, 0)[0] & 1 != 0;
        Ok(Self { version2, speculates: family == ZEN })
    }
}

impl Vendor for Core {
    const COUNTER: (&'static str, u32, u32) = ("PERF_CTR0", PERF_CTR0, 0);
    const MASKS_ITSELF: bool = false;
    // Linux waits for such an interrupt (amd_pmu_wait_on_overflow); here it is the next
    // stretch that meets it, if it is later than the stop.
    const STATUS_IS_LATE: bool = true;

    fn name(&self) -> &'static str {
        if self.version2 { "AMD PerfMonV2 counter 0" } else { "AMD core counter 0" }
    }

    fn width(&self) -> u8 {
        WIDTH
    }

    fn is_full_width(&self) -> bool {
        true
    }

    fn lateness(&self) -> Lateness {
        Lateness::Unbounded(LEAST_MARGIN)
    }

    /// The counter held; SpecLockMap off where it miscounts.
    fn set_up(&self, registers: &mut impl Registers) {
        self.hold(registers);
        // A hypervisor need not have the register.
        if self.speculates && !is_virtual(registers) {
            let config = registers.read_msr(LS_CFG);
            registers.write_msr(LS_CFG, config | LS_CFG_NO_SPEC_LOCK_MAP);
        }
        if self.version2 {
            registers.write_msr(GLOBAL_STATUS_CLEAR, GLOBAL_COUNTER0);
        }
    }

    /// By whichever register does it at once.
    fn hold(&self, registers: &mut impl Registers) {
        if self.version2 {
            registers.write_msr(GLOBAL_CTL, 0);
            registers.write_msr(PERF_CTL0, CTL_RETIRED_USER);
        } else {
            registers.write_msr(PERF_CTL0, CTL_RETIRED_USER & !CTL_ENABLE);
        }
    }

    fn go(&self, registers: &mut impl Registers) {
        if self.version2 {
            registers.write_msr(GLOBAL_CTL, GLOBAL_COUNTER0);
        } else {
            registers.write_msr(PERF_CTL0, CTL_RETIRED_USER);
        }
    }

    fn turn_off(&self, registers: &mut impl Registers) {
        registers.write_msr(PERF_CTL0, 0);
    }

    fn probe(&self, registers: &mut impl Registers) -> Result<(), Unkept> {
        for control in [0, CTL_RETIRED_USER & !CTL_ENABLE] {
            keeps(registers, "PERF_CTL0", PERF_CTL0, control)?;
        }
        if self.version2 {
            for control in [GLOBAL_COUNTER0, 0] {
                keeps(registers, "PerfCntrGlobalCtl", GLOBAL_CTL, control)?;
            }
        }
        Ok(())
    }

    fn take_overflow(&self, registers: &mut impl Registers, preset: u64, value: u64) -> bool {
        if !self.version2 {
            return preset & TOP != 0 && value & TOP == 0;
        }
        let overflowed = !self.is_clear(registers);
        if overflowed {
            registers.write_msr(GLOBAL_STATUS_CLEAR, GLOBAL_COUNTER0);
        }
        overflowed
    }

    fn is_clear(&self, registers: &mut impl Registers) -> bool {
        !self.version2 || registers.read_msr(GLOBAL_STATUS) & GLOBAL_COUNTER0 == 0
    }

    fn watch_locks(&self, registers: &mut impl Registers) -> bool {
        if self.speculates {
            self.hold(registers);
            registers.write_msr(PERF_CTL0, CTL_SPECULATIVE_LOCKS & !CTL_ENABLE);
            registers.write_msr(PERF_CTR0, 0);
            registers.write_msr(PERF_CTL0, CTL_SPECULATIVE_LOCKS);
            if self.version2 {
                registers.write_msr(GLOBAL_CTL, GLOBAL_COUNTER0);
            }
        }
        self.speculates
    }
}
