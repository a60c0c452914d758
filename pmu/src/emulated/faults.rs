// SPDX-License-Identifier: MIT
//! What an emulated counter may be told to do wrong, each thing by itself.

use super::random::SplitMix64;

/// How late overflow interrupts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SkidModel {
    /// Not at all.
    #[default]
    None,
    /// Always by so many instructions.
    Fixed(u32),
    /// By any number up to this, each as likely.
    Uniform(u32),
    /// Mostly by less than 16; twice as late half as often, up to this.
    LongTail(u32),
}

impl SkidModel {
    /// The lateness of the next one.
    pub(super) fn draw(self, random: &mut SplitMix64) -> u64 {
        match self {
            Self::None => 0,
            Self::Fixed(skid) => skid.into(),
            Self::Uniform(most) => random.up_to(most.into()),
            Self::LongTail(most) => {
                let doublings = random.draw().trailing_zeros().min(28);
                random.up_to(16 << doublings).min(most.into())
            }
        }
    }
}

/// Everything that can be wrong; by default nothing is. "One in" 0 means never.
///
/// The rare ones (stale, spurious, late, lost) are survived by whoever uses a
/// counter, but not by the self-checks, which take one for a defect: set them
/// when calibration is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
}
