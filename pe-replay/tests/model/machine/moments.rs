// SPDX-License-Identifier: MIT
//! Faults between two of the engine's operations: each call of its machine is a
//! moment, and a flip comes before one of them.
//!
//! Of what was hit it is noted what the engine does with it next, for that decides
//! whether the fault can be found.

use pe_replay::lifecycle::Phase;
use pe_replay::placement::Placement;
use pe_replay::{Internals, Run};

use super::{Model, Use};
use crate::space::PAGE_LEN;

/// A saved register set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stored {
    /// What runs 1 and 3 start from.
    Start,
    /// What run 2 starts from.
    Shadow,
    /// What a run left.
    Result(Run),
}

/// A page of the written set, with the engine's copies.
#[derive(Clone, Copy, Debug)]
struct Tracked {
    home: usize,
    /// As far as there are that many: checkpoint, second and spare, or one for each run.
    copies: [Option<usize>; 3],
}

/// What a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// The home of a page of the written set.
    Home,
    Checkpoint,
    Second,
    Spare,
    /// The home of a page that is not in the set.
    Memory,
    /// Whether a page of the set has been written, in its table entry.
    Written,
    /// A hash on its way into the set.
    Hash,
    /// A comparison, which says no where it should say yes.
    Comparison,
    /// A general register of a saved state.
    Stored(Stored),
}

/// What a call of the machine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The engine shows what it keeps.
    Visit,
    Hash,
    Comparison,
    Other,
}

/// Stands for all phases with which a PE is over.
pub const OVER: Phase = Phase::Committing(None);

/// A call, and where in a PE's life it came.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub phase: Phase,
    pub call: Call,
    /// Whether there were pages in the set, as it was shown last.
    pub tracked: bool,
}

/// A fault to come.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub pe: u64,
    /// Before which of the PE's calls, from 0.
    pub call: usize,
    pub spot: Spot,
    /// Picks the page, the byte, and the bit.
    pub choice: u64,
}

/// What the engine did first with what was hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    Compared,
    Copied,
    /// To a page's home.
    CopiedHome,
    Overwritten,
}

/// A fault that came.
#[derive(Clone, Copy, Debug)]
pub struct Strike {
    pub phase: Phase,
    pub next: Next,
    /// A note of a write was lost, rather than made up.
    pub cleared: bool,
    frame: Option<usize>,
}

/// Results that are damaged where they are to be compared, so that what follows a
/// divergence comes about. No damage of a general register equals it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Provoked {
    pub pe: u64,
    pub results: [bool; 2],
}

#[derive(Default)]
pub struct Moments {
    pub fault: Option<Fault>,
    pub provoked: Option<Provoked>,
    pub struck: Option<Strike>,
    /// The calls of the current PE, if they are to be noted.
    pub log: Option<Vec<Moment>>,
    /// Something was provoked.
    pub has_provoked: bool,
    pe: u64,
    phase: Option<Phase>,
    call: usize,
    tracked: Vec<Tracked>,
    is_due: bool,
    /// The home whose note was changed.
    noted: Option<usize>,
}

impl Moments {
    /// Before the first call of a PE.
    pub fn begin(&mut self, pe: u64) {
        self.pe = pe;
        self.call = 0;
        self.phase = Some(Phase::Preparing);
        if let Some(log) = &mut self.log {
            log.clear();
        }
    }

    pub fn enter(&mut self, phase: Phase) {
        self.phase = Some(if phase >= OVER { OVER } else { phase });
    }

    pub fn forget(&mut self, frame: usize) {
        self.tracked.retain(|it| !it.copies.contains(&Some(frame)));
    }

    /// Notes what is done with a frame.
    pub fn used(&mut self, frame: usize, next: Next) {
        if let Some(strike) = &mut self.struck
            && strike.next == Next::Nothing
            && strike.frame == Some(frame)
        {
            strike.next = next;
        }
    }

    /// Notes that a frame is hashed: to compare what a run left, or to save PM0.
    pub fn hashed(&mut self, frame: usize) {
        let saved = matches!(self.phase, Some(Phase::Preparing | Phase::Running(_)));
        self.used(frame, if saved { Next::Copied } else { Next::Compared });
    }

    /// Notes that the start state is copied to its shadow.
    pub fn state_copied(&mut self) {
        let is_stored = matches!(self.fault, Some(Fault { spot: Spot::Stored(_), .. }));
        if let Some(strike) = self.struck.as_mut().filter(|_| is_stored) {
            strike.next = Next::Copied;
        }
    }

    /// Whether a page counts as written because of a fault.
    pub fn made_up(&self, home: usize) -> bool {
        self.noted == Some(home)
    }

    fn is_active(&self) -> bool {
        self.fault.is_some() || self.provoked.is_some() || self.log.is_some()
    }

    fn strike(&mut self, frame: Option<usize>) {
        let phase = self.phase.expect("there are no calls outside PEs");
        self.struck = Some(Strike { phase, next: Next::Nothing, cleared: false, frame });
    }
}

/// One of several.
fn pick<T: Copy>(from: &[T], choice: u64) -> Option<T> {
    from.get(choice as usize % from.len().max(1)).copied()
}

impl Model {
    /// Before each call.
    pub(super) fn tick(&mut self, call: Call) {
        let moments = &mut self.moments;
        if !moments.is_active() {
            return;
        }
        if let (Some(log), Some(phase)) = (&mut moments.log, moments.phase) {
            log.push(Moment { phase, call, tracked: !moments.tracked.is_empty() });
        }
        let at = moments.call;
        moments.call += 1;
        moments.is_due = false;
        let Some(Fault { pe, call: due, spot, choice }) = moments.fault else { return };
        if (pe, due) != (moments.pe, at) {
            return;
        }
        let mut tracked = moments.tracked.clone();
        if spot == Spot::Written {
            // Sooner a note that is there than one that is made up.
            let noted = |home| self.entries.values().any(|entry| entry.home == home && entry.views[0].dirty);
            tracked.sort_by_key(|page| !noted(page.home));
            let count = tracked.iter().filter(|page| noted(page.home)).count();
            tracked.truncate(if count > 0 { count } else { tracked.len() });
        }
        let page = pick(&tracked, choice);
        let copy = |at: usize| page.and_then(|page| page.copies[at]);
        let frame = match spot {
            Spot::Home => page.map(|page| page.home),
            Spot::Checkpoint => copy(0),
            Spot::Second => copy(1),
            Spot::Spare => copy(2),
            Spot::Memory => {
                let tracked = |home| moments.tracked.iter().any(|page| page.home == home);
                let homes = self.entries.values().map(|entry| entry.home);
                pick(&homes.filter(|home| !tracked(*home)).collect::<Vec<_>>(), choice)
            }
            Spot::Written => {
                self.flip_written(page.map(|page| page.home));
                None
            }
            Spot::Hash | Spot::Comparison | Spot::Stored(_) => {
                moments.is_due = true;
                None
            }
        };
        if let Some(frame) = frame.filter(|frame| self.frames[*frame].1 != Use::Free) {
            self.moments.strike(Some(frame));
            let [page, .., at, low, bit] = (choice >> 8).to_le_bytes();
            // Often where programs keep something.
            let near = [0x100, 0, PAGE_LEN - 32, PAGE_LEN - 16][usize::from(at) % 4] + u64::from(low) % 16;
            let far = (u64::from(at) << 8 | u64::from(low)) % PAGE_LEN;
            let at = if page % 2 == 0 { near } else { far };
            self.frames[frame].0[at as usize] ^= 1 << (bit % 8);
        }
    }

    fn flip_written(&mut self, home: Option<usize>) {
        let Some(home) = home else { return };
        let aliases = self.entries.values_mut().filter(|entry| entry.home == home);
        // The one that has it, if one has.
        let Some(entry) = aliases.max_by_key(|entry| entry.views[0].dirty) else { return };
        entry.views[0].dirty = !entry.views[0].dirty;
        let cleared = !entry.views[0].dirty;
        self.moments.noted = Some(home);
        self.moments.strike(None);
        self.moments.struck.iter_mut().for_each(|strike| strike.cleared = cleared);
    }

    /// Before a hash is taken or a comparison answered: whether that is to go wrong.
    pub(super) fn goes_wrong(&mut self, call: Call) -> bool {
        self.tick(call);
        let wrong = core::mem::take(&mut self.moments.is_due);
        if wrong {
            self.moments.strike(None);
        }
        wrong
    }

    pub fn show<P: Placement>(&mut self, inside: Internals<'_, Self, P>) {
        if !self.moments.is_active() {
            return;
        }
        let tracked = inside.pages().map(|entry| Tracked {
            home: entry.page.frame,
            copies: std::array::from_fn(|at| entry.copies().get(at).copied()),
        });
        self.moments.tracked = tracked.collect();
        self.tick(Call::Visit);
        let verifying = matches!(self.moments.phase, Some(Phase::Verifying(_)));
        if verifying && let Some(it) = self.moments.provoked.take_if(|it| it.pe == self.moments.pe) {
            self.moments.has_provoked = true;
            for (run, bit) in [(Run::First, 5), (Run::Second, 6)] {
                if it.results[run as usize] {
                    inside.results[run as usize].fs_base ^= 1 << bit;
                }
            }
        }
        if let Some(Fault { spot: Spot::Stored(stored), choice, .. }) = self.moments.fault
            && core::mem::take(&mut self.moments.is_due)
        {
            self.moments.strike(None);
            let [register, bit, ..] = choice.to_le_bytes();
            let place = match stored {
                Stored::Start => inside.start,
                Stored::Shadow => inside.shadow,
                Stored::Result(run) => &mut inside.results[run as usize],
            };
            *place.gpr_mut(register % 16) ^= 1 << (bit % 64);
        }
    }
}
