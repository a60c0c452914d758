// SPDX-License-Identifier: MIT
//! What an emulated counter and processor may be told to do wrong, each thing by
//! itself.

use serde::{Deserialize, Serialize};

use super::random::SplitMix64;

/// How late overflow interrupts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SkidModel {
    /// Not at all.
    #[default]
    None,
    /// Always by so many instructions.
    Fixed(u32),
    /// By any number up to this, each as likely.
    Random(u32),
    /// Mostly by less than 16; twice as late half as often, up to this.
    LongTail(u32),
}

impl SkidModel {
    /// The lateness of the next one.
    pub(crate) fn draw(self, random: &mut SplitMix64) -> u64 {
        match self {
            Self::None => 0,
            Self::Fixed(skid) => skid.into(),
            Self::Random(most) => random.up_to(most.into()),
            Self::LongTail(most) => {
                let doublings = random.draw().trailing_zeros().min(28);
                random.up_to(16 << doublings).min(most.into())
            }
        }
    }
}

/// Everything that can be wrong with a counter; by default nothing is. "One in" 0
/// means never.
///
/// As text it is `NAME=VALUE,NAME=VALUE`, with the names below; `skid` is `none`,
/// `fixed:N`, `random:N` or `long-tail:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Lateness of the interrupts.
    pub skid: SkidModel,
    /// After one in so many stretches that something else ended an interrupt is
    /// left over, which comes at the start of the next one.
    pub stale: u32,
    /// In one in so many stretches there is an interrupt without an overflow.
    pub spurious: u32,
    /// After one in so many system calls and faults the counter has overflowed at
    /// the last instruction, and the interrupt comes in the kernel.
    pub late: u32,
    /// One in so many overflows has no interrupt.
    pub lost: u32,
    /// Every fault or debug exception counts so many instructions.
    pub per_fault: u8,
    /// Every interrupt counts so many.
    pub per_interrupt: u8,
    /// The stretch after an interrupt counts so many more.
    pub after_interrupt: u8,
    /// One in so many stretches counts one more.
    pub wobble: u32,
    /// One in so many stretches that a fault, a debug exception or an interrupt
    /// ended does.
    pub uneven: u32,
    /// The APIC masks its entry when it delivers, and it cannot be unmasked.
    pub masks_for_good: bool,
    /// The counter has only so many bits, whatever CPUID says.
    pub narrow: Option<u8>,
    /// The counter stands still after so many instructions.
    pub stops_after: Option<u64>,
    /// Nothing that is written arrives, as on an emulator without counters.
    pub swallows_writes: bool,
    /// The overflow status cannot be cleared.
    pub sticky_status: bool,
    /// In one in so many stretches the processor goes to System Management Mode,
    /// which counts one instruction unless the counter stands still in it.
    pub smi: u32,
    /// Intel's counter cannot be told to stand still in System Management Mode,
    /// though that is announced.
    pub thaws: bool,
    /// Zen to Zen 2 (family 17h) execute locked instructions on speculation, whatever
    /// they are told.
    pub speculates: bool,
    /// In one in so many stretches a hypervisor gives the counter to somebody else
    /// for an instruction.
    pub shared: u32,
    /// The seed of all that is random about it.
    pub seed: u64,
}

impl Faults {
    /// Those that are there all the time, and can be calibrated or are refused.
    ///
    /// The others (stale, spurious, late, lost) are survived by whoever uses a
    /// counter, but not by the self-checks, which take one for a defect: they are to
    /// begin when calibration is over, by [`super::Unit::misbehave`].
    #[must_use]
    pub fn steady(self) -> Self {
        Self { stale: 0, spurious: 0, late: 0, lost: 0, ..self }
    }
}

/// What can be wrong with a processor's debug exceptions; by default nothing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepFaults {
    /// One in so many single steps takes the next instruction along. 0 means never.
    pub swallows: u32,
    /// After PAUSE or MOV SS, two are taken along.
    pub long_shadow: bool,
    /// The trap flag traps nothing.
    pub untrapped: bool,
    /// PUSHF stores a trap flag that is not set.
    pub shows_trap: bool,
}
