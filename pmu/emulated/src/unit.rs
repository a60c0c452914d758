// SPDX-License-Identifier: MIT
//! One counter with its overflow interrupt, whatever its registers are called.
//!
//! The face around it ([`super::IntelUnit`], [`super::AmdUnit`]) decodes the
//! registers and says when it counts, and what. Its driver tells it how many user
//! instructions were executed, and how user mode was left.

use super::faults::Faults;
use super::random::SplitMix64;
use pmu::back_end::StopKind;
use pmu::registers::LVT_MASKED;

/// The longest wait for a spurious interrupt.
const SPURIOUS_WITHIN: u64 = 1_000;

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Instructions.
    Retired,
    /// Locked instructions that were executed on speculation, if they are.
    SpeculativeLocks { speculates: bool },
}

/// While these are counted, one instruction in so many is taken for a locked one, as
/// in [`pmu::Block::Locked`].
const LOCKED_ONE_IN: u64 = 3;

/// A counter, its local APIC entry, and its interrupt on the way.
#[derive(Clone, Debug)]
pub struct Unit {
    width: u8,
    /// The APIC masks its entry on delivery.
    self_masking: bool,
    value: u64,
    counting: Option<Event>,
    interrupting: bool,
    /// The counter stops itself when it overflows.
    freezing: bool,
    /// It stands still in System Management Mode.
    frozen_in_smm: bool,
    /// System Management Interrupts.
    smis: u64,
    status: bool,
    local_vector: u32,
    /// User instructions until an interrupt on its way arrives.
    in_flight: Option<u64>,
    /// User instructions until an interrupt without an overflow arrives.
    spurious: Option<u64>,
    /// An interrupt waits in the APIC.
    pending: bool,
    /// One that is left over for the next stretch.
    stale: bool,
    /// Lateness of the next interrupt; none if that will be lost.
    next_skid: Option<u64>,
    /// Instructions still owed by the last interrupt.
    owed: u64,
    total: u64,
    interrupts: u64,
    would_fault: u32,
    faults: Faults,
    random: SplitMix64,
}

impl Unit {
    pub(super) fn new(width: u8, self_masking: bool, faults: Faults) -> Self {
        let mut unit = Self {
            width,
            self_masking,
            value: 0,
            counting: None,
            interrupting: false,
            freezing: false,
            frozen_in_smm: false,
            smis: 0,
            status: false,
            local_vector: LVT_MASKED,
            in_flight: None,
            spurious: None,
            pending: false,
            stale: false,
            next_skid: None,
            owed: 0,
            total: 0,
            interrupts: 0,
            would_fault: 0,
            faults,
            random: SplitMix64::new(faults.seed),
        };
        unit.draw();
        unit
    }

    /// What goes wrong from now on; what is random about it does not start anew.
    pub fn misbehave(&mut self, faults: Faults) {
        self.faults = faults;
        self.draw();
    }

    /// What goes wrong.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Interrupts delivered so far.
    pub fn interrupts(&self) -> u64 {
        self.interrupts
    }

    /// Accesses so far that a processor would have answered with #GP.
    pub fn would_fault(&self) -> u32 {
        self.would_fault
    }

    pub(super) fn refuse(&mut self) -> u64 {
        self.would_fault += 1;
        0
    }

    fn draw(&mut self) {
        let lost = self.random.one_in(self.faults.lost);
        let skid = self.faults.skid.draw(&mut self.random);
        self.next_skid = if lost { None } else { Some(skid) };
    }

    fn mask(&self) -> u64 {
        (1 << self.faults.narrow.unwrap_or(self.width)) - 1
    }

    pub(super) fn value(&self) -> u64 {
        self.value
    }

    pub(super) fn set_value(&mut self, value: u64) {
        self.value = value & self.mask();
    }

    pub(super) fn set_freezing(&mut self, freezing: bool) {
        self.freezing = freezing;
    }

    pub(super) fn set_frozen_in_smm(&mut self, frozen: bool) {
        self.frozen_in_smm = frozen && !self.faults.thaws;
    }

    pub(super) fn smis(&self) -> u64 {
        self.smis
    }

    pub(super) fn set_counting(&mut self, counting: Option<Event>, interrupting: bool) {
        let begins = counting.is_some() && self.counting.is_none();
        self.counting = counting;
        self.interrupting = interrupting;
        if begins {
            self.pending |= core::mem::take(&mut self.stale);
            if self.random.one_in(self.faults.spurious) {
                self.spurious = Some(self.random.up_to(SPURIOUS_WITHIN));
            }
        } else if counting.is_none() {
            self.spurious = None;
        }
    }

    pub(super) fn status(&self) -> bool {
        self.status
    }

    pub(super) fn clear_status(&mut self) {
        self.status = self.faults.sticky_status && self.status;
    }

    pub(super) fn local_vector(&self) -> u32 {
        self.local_vector
    }

    pub(super) fn set_local_vector(&mut self, entry: u32) {
        let stuck = self.faults.masks_for_good && self.interrupts > 0;
        self.local_vector = if stuck { entry | LVT_MASKED } else { entry };
    }

    pub(super) fn take_pending(&mut self) -> bool {
        core::mem::take(&mut self.pending)
    }

    fn is_masked(&self) -> bool {
        self.local_vector & LVT_MASKED != 0
    }

    fn is_dead(&self) -> bool {
        self.faults.stops_after.is_some_and(|after| self.total >= after)
    }

    fn until_overflow(&self) -> u64 {
        self.mask() + 1 - self.value
    }

    /// User instructions until the next interrupt comes, if one will.
    pub fn until_interrupt(&self) -> Option<u64> {
        if self.pending {
            return Some(0);
        }
        if self.is_masked() {
            return None;
        }
        let counts = self.counting.is_some() && self.interrupting && !self.is_dead();
        let overflow =
            self.next_skid.filter(|_| counts).map(|skid| self.until_overflow().saturating_add(skid));
        [self.in_flight, self.spurious, overflow].into_iter().flatten().min()
    }

    /// The processor executes so many user instructions.
    pub fn execute(&mut self, instructions: u64) {
        let taken = u64::from(self.random.one_in(self.faults.shared));
        let events = match self.counting {
            Some(Event::SpeculativeLocks { speculates }) if speculates || self.faults.speculates => {
                instructions / LOCKED_ONE_IN
            }
            Some(Event::SpeculativeLocks { .. }) => 0,
            Some(Event::Retired) | None => instructions.saturating_sub(taken),
        };
        let since_overflow = self.count(events);
        let arrives = |wait: &mut Option<u64>, after: u64| match wait {
            Some(left) if *left <= after => {
                *wait = None;
                true
            }
            Some(left) => {
                *left -= after;
                false
            }
            None => false,
        };
        let overflow = arrives(&mut self.in_flight, since_overflow.unwrap_or(instructions));
        let spurious = arrives(&mut self.spurious, instructions);
        if overflow || spurious {
            self.deliver();
        }
        self.total = self.total.saturating_add(instructions);
    }

    /// Counts, and says how long ago an overflow was then.
    fn count(&mut self, events: u64) -> Option<u64> {
        if self.counting.is_none() || self.is_dead() {
            return None;
        }
        let until = self.until_overflow();
        self.value = self.value.wrapping_add(events) & self.mask();
        if events < until {
            return None;
        }
        self.status = true;
        if self.freezing {
            self.value = 0;
            self.counting = None;
        }
        if self.interrupting {
            self.in_flight = self.next_skid;
            self.draw();
        }
        Some(events - until)
    }

    fn deliver(&mut self) {
        if self.is_masked() {
            return;
        }
        self.pending = true;
        self.interrupts += 1;
        if self.self_masking || self.faults.masks_for_good {
            self.local_vector |= LVT_MASKED;
        }
    }

    /// The processor leaves user mode; its counter's interrupt, if that is why, is
    /// taken. One that is still on its way arrives in the kernel.
    pub fn leave(&mut self, kind: StopKind) {
        let own = match kind {
            StopKind::Counter => self.faults.per_interrupt,
            StopKind::Fault | StopKind::Debug => self.faults.per_fault,
            StopKind::Syscall => 0,
        };
        let uneven = if kind == StopKind::Syscall { 0 } else { self.faults.uneven };
        let odd = u64::from(self.random.one_in(self.faults.wobble)) + u64::from(self.random.one_in(uneven));
        let owed = core::mem::take(&mut self.owed);
        let managed = self.random.one_in(self.faults.smi);
        self.smis += u64::from(managed);
        let seen_of_it = u64::from(managed && !self.frozen_in_smm);
        self.count(u64::from(own) + odd + owed + seen_of_it);
        match kind {
            StopKind::Counter => {
                self.pending = false;
                self.owed = self.faults.after_interrupt.into();
            }
            StopKind::Fault | StopKind::Syscall => {
                self.stale |= self.random.one_in(self.faults.stale);
                if self.random.one_in(self.faults.late) && self.counting.is_some() {
                    self.status = true;
                    self.in_flight = Some(0);
                }
            }
            StopKind::Debug => {}
        }
        if self.in_flight.take().is_some() {
            self.deliver();
        }
    }
}
