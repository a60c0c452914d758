// SPDX-License-Identifier: MIT
//! Intel architectural performance monitoring: fixed counter 0, version 2 and up.
//!
//! Fixed counter 0 counts instructions as they retire. It is changed only while
//! IA32_PERF_GLOBAL_CTRL holds it (SDM vol. 3B, 21.2.2). The local APIC masks its
//! entry at each delivery (vol. 3A, 12.5.1).
//!
//! Being architectural, it is the same on all models; what is not is used on known
//! ones only (MSR_SMI_COUNT).

use displaydoc::Display;

use crate::back_end::{Freezing, Lateness, Smm, Unkept};
use crate::overflow::{Overflow, Vendor, family_and_model, is_virtual, keeps};
use crate::registers::Registers;
use crate::registers::intel::*;

/// rr's skid for Nehalem to Comet Lake, in conditional branches; reverie's and
/// hermit's advice is not to go below it either.
const LEAST_MARGIN: u32 = 100;
/// Bits without which the counter is of no use.
const LEAST_WIDTH: u8 = 32;
const VENDOR: [u32; 3] =
    [u32::from_le_bytes(*b"Genu"), u32::from_le_bytes(*b"ineI"), u32::from_le_bytes(*b"ntel")];

/// Why there is no such counter. As text: the first line of each description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display)]
#[ignore_extra_doc_attributes]
pub enum Absent {
    /// CPUID leaf 0AH is empty
    NoLeaf,
    /// not an Intel processor
    ///
    /// Another vendor's processor has the leaf, but no history.
    Vendor,
    /// performance monitoring version {0}, at least 2 is needed
    ///
    /// Version 1 has no fixed counters and no global registers.
    Version(u8),
    /// CPUID leaf 0AH announces no fixed counter
    NoFixedCounter,
    /// the fixed counters have {0} bits, at least 32 are needed
    Narrow(u8),
}

/// Fixed counter 0 of one logical processor.
pub type Intel<R> = Overflow<R, Architectural>;

/// What CPUID says of it.
#[derive(Clone, Copy, Debug)]
pub struct Architectural {
    width: u8,
    full_width: bool,
    /// There is FREEZE_WHILE_SMM.
    freezes_in_smm: bool,
    /// There is MSR_SMI_COUNT.
    counts_smis: bool,
}

impl<R: Registers> Intel<R> {
    /// Takes the counter if CPUID announces it, and puts everything around it in
    /// order; it interrupts with `vector`.
    pub fn new(mut registers: R, vector: u8) -> Result<Self, (R, Absent)> {
        match Architectural::find(&mut registers) {
            Ok(found) => Ok(Self::set_up(registers, found, vector)),
            Err(absent) => Err((registers, absent)),
        }
    }
}

impl Architectural {
    fn find(registers: &mut impl Registers) -> Result<Self, Absent> {
        let [highest, b, c, d] = registers.cpuid(0, 0);
        if highest < 0xa {
            return Err(Absent::NoLeaf);
        }
        let is_intel = [b, d, c] == VENDOR;
        let [a, _, _, d] = registers.cpuid(0xa, 0);
        let (version, counters, width) = (a as u8, d & 0x1f, (d >> 5) as u8);
        match version {
            0 => return Err(Absent::NoLeaf),
            _ if !is_intel => return Err(Absent::Vendor),
            1 => return Err(Absent::Version(version)),
            2.. => {}
        }
        if counters == 0 {
            return Err(Absent::NoFixedCounter);
        }
        if !(LEAST_WIDTH..=63).contains(&width) {
            return Err(Absent::Narrow(width));
        }
        let [_, _, c, _] = registers.cpuid(1, 0);
        let capabilities = if c & 1 << 15 != 0 { registers.read_msr(PERF_CAPABILITIES) } else { 0 };
        Ok(Self {
            width,
            full_width: capabilities & CAPABILITY_FULL_WIDTH != 0,
            freezes_in_smm: capabilities & CAPABILITY_FREEZE_IN_SMM != 0,
            counts_smis: Self::counts_smis(registers, version),
        })
    }

    /// MSR_SMI_COUNT is not announced. It came with Nehalem and Silvermont, and so
    /// with version 3, which before them only Bonnell had. A hypervisor need not
    /// have it.
    fn counts_smis(registers: &mut impl Registers, version: u8) -> bool {
        const BONNELL: [u32; 5] = [0x1c, 0x26, 0x27, 0x35, 0x36];
        let (family, model) = family_and_model(registers);
        family == 6 && version >= 3 && !BONNELL.contains(&model) && !is_virtual(registers)
    }

    fn has_tsx_control(registers: &mut impl Registers) -> bool {
        // Leaf 7 is below leaf 0AH, which is there.
        registers.cpuid(7, 0)[3] & 1 << 29 != 0
            && registers.read_msr(ARCH_CAPABILITIES) & ARCH_CAPABILITY_TSX_CTRL != 0
    }
}

impl Vendor for Architectural {
    const COUNTER: (&'static str, u32, u32) = ("IA32_FIXED_CTR0", FIXED_CTR0, RDPMC_FIXED0);
    const MASKS_ITSELF: bool = true;
    const STATUS_IS_LATE: bool = false;

    fn name(&self) -> &'static str {
        "Intel fixed counter 0"
    }

    fn width(&self) -> u8 {
        self.width
    }

    fn is_full_width(&self) -> bool {
        self.full_width
    }

    fn lateness(&self) -> Lateness {
        Lateness::AtLeast(LEAST_MARGIN)
    }

    /// Freezing off on overflow and on in System Management Mode, transactions off,
    /// the counter set to ring 3 and held.
    fn set_up(&self, registers: &mut impl Registers) {
        self.hold(registers);
        let mut debug = registers.read_msr(DEBUGCTL) & !DEBUGCTL_FREEZE_ON_PMI;
        if self.freezes_in_smm {
            debug |= DEBUGCTL_FREEZE_IN_SMM;
        }
        registers.write_msr(DEBUGCTL, debug);
        if Self::has_tsx_control(registers) {
            let control = registers.read_msr(TSX_CTRL);
            registers.write_msr(TSX_CTRL, control | TSX_OFF);
        }
        registers.write_msr(FIXED_CTR_CTRL, FIXED_USER | FIXED_INTERRUPT);
        registers.write_msr(GLOBAL_OVF_CTRL, GLOBAL_FIXED0);
    }

    fn hold(&self, registers: &mut impl Registers) {
        registers.write_msr(GLOBAL_CTRL, 0);
    }

    fn go(&self, registers: &mut impl Registers) {
        registers.write_msr(GLOBAL_CTRL, GLOBAL_FIXED0);
    }

    fn turn_off(&self, registers: &mut impl Registers) {
        registers.write_msr(FIXED_CTR_CTRL, 0);
    }

    fn probe(&self, registers: &mut impl Registers) -> Result<(), Unkept> {
        for control in [0, FIXED_USER | FIXED_INTERRUPT] {
            keeps(registers, "IA32_FIXED_CTR_CTRL", FIXED_CTR_CTRL, control)?;
        }
        for control in [GLOBAL_FIXED0, 0] {
            keeps(registers, "IA32_PERF_GLOBAL_CTRL", GLOBAL_CTRL, control)?;
        }
        Ok(())
    }

    fn take_overflow(&self, registers: &mut impl Registers, _preset: u64, _value: u64) -> bool {
        let overflowed = !self.is_clear(registers);
        if overflowed {
            registers.write_msr(GLOBAL_OVF_CTRL, GLOBAL_FIXED0);
        }
        overflowed
    }

    fn is_clear(&self, registers: &mut impl Registers) -> bool {
        registers.read_msr(GLOBAL_STATUS) & GLOBAL_FIXED0 == 0
    }

    fn smm(&self, registers: &mut impl Registers) -> Smm {
        let freezing = match registers.read_msr(DEBUGCTL) & DEBUGCTL_FREEZE_IN_SMM {
            _ if !self.freezes_in_smm => Freezing::Absent,
            0 => Freezing::Refused,
            _ => Freezing::Kept,
        };
        let count = self.counts_smis.then(|| registers.read_msr(SMI_COUNT) & 0xffff_ffff);
        Smm { freezing, interrupts: count }
    }
}
