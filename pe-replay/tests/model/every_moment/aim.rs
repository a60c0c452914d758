// SPDX-License-Identifier: MIT
//! Which moments the PEs of a scene have, and faults at them.

use std::collections::BTreeMap;

use pe_replay::lifecycle::Phase;
use pe_replay::{Comparison, Mode, Outcome, Recovery};

use super::{Fault, Provoked, Scene, Spot};
use crate::counter::noise;
use crate::machine::moments::{Call, Moment};
use crate::session::Session;

/// PEs that faults are aimed at.
const PES: u64 = 8;

/// One fault.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    pub fault: Fault,
    pub provoked: Option<Provoked>,
}

/// Where in a scene's PEs a fault may come.
struct Place {
    pe: u64,
    call: usize,
    moment: Moment,
    provoked: Option<Provoked>,
}

/// What can be hit in which phase.
pub type Pair = (Spot, Phase);

/// The moments of a scene, by phase.
pub struct Courses {
    by_phase: BTreeMap<Phase, Vec<Place>>,
    pairs: Vec<Pair>,
    comparison: Comparison,
}

impl Scene {
    pub fn disturbed(&self, fault: Fault, provoked: Option<Provoked>) -> Session {
        let mut session = self.session(Vec::new());
        session.expect(Some(fault), provoked);
        session
    }

    /// What may be provoked in a PE: that one run of two or three is another one, or
    /// that all are.
    fn provoked(&self, pe: u64, choice: u64) -> Provoked {
        let votes = self.policy.mode == Mode::Triple || self.policy.recovery == Recovery::Vote;
        let results = match choice % 4 {
            0 => [true, false],
            1 => [false, true],
            _ if votes => [true, true],
            _ => [true, false],
        };
        Provoked { pe, results }
    }
}

impl Courses {
    /// To be hit are these.
    pub fn of(scene: &Scene, wanted: &[Pair]) -> Self {
        let comparison = scene.policy.comparison;
        let mut courses = Self { by_phase: BTreeMap::new(), pairs: Vec::new(), comparison };
        let mut pes = 0;
        courses.follow(scene, None, &mut pes);
        let mut noise = noise(scene.noise);
        for _ in 0..2 {
            let provoked = scene.provoked(noise(pes - 1), noise(u64::MAX - 1));
            courses.follow(scene, Some(provoked), &mut 0);
        }
        let wanted = wanted.iter().copied();
        courses.pairs =
            wanted.filter(|(spot, phase)| courses.places(*spot, *phase).next().is_some()).collect();
        courses
    }

    /// Notes the moments of all PEs, or of the one in which something is provoked.
    fn follow(&mut self, scene: &Scene, provoked: Option<Provoked>, pes: &mut u64) {
        let mut session = scene.session(Vec::new());
        session.expect(None, provoked);
        session.machine.moments.log = Some(Vec::new());
        loop {
            let pe = session.engine.sequence();
            let (outcome, _) = session.execute();
            if provoked.is_none_or(|it| it.pe == pe) {
                let log = session.machine.moments.log.iter().flatten().copied();
                for (call, moment) in log.enumerate() {
                    let place = Place { pe, call, moment, provoked };
                    self.by_phase.entry(moment.phase).or_default().push(place);
                }
            }
            *pes += 1;
            if provoked.is_some_and(|it| it.pe == pe) {
                return;
            }
            let Outcome::Committed(committed) = outcome else { panic!("{outcome:?} without a fault") };
            if !session.serve(committed.delimiter) || *pes == PES {
                return;
            }
        }
    }

    /// Whether the spot is there at that moment.
    fn has(&self, spot: Spot, moment: Moment) -> bool {
        let bytes = self.comparison == Comparison::Bytes;
        match spot {
            Spot::Memory => true,
            Spot::Home | Spot::Checkpoint | Spot::Written => moment.tracked,
            Spot::Second | Spot::Spare => moment.tracked && bytes,
            Spot::Hash => moment.call == Call::Hash,
            Spot::Comparison => moment.call == Call::Comparison,
            Spot::Stored(_) => moment.call == Call::Visit,
        }
    }

    /// A fault, the same for the same `aim`: first what is hit in which phase, out of
    /// what this scene has, then when.
    pub fn aim(&self, aim: u64) -> Option<Aim> {
        let mut noise = noise(aim);
        let last = (self.pairs.len() as u64).checked_sub(1)?;
        let (spot, phase) = self.pairs[noise(last) as usize];
        let mut places: Vec<_> = self.places(spot, phase).collect();
        let Place { pe, call, provoked, .. } = *places.swap_remove(noise(places.len() as u64 - 1) as usize);
        Some(Aim { fault: Fault { pe, call, spot, choice: noise(u64::MAX - 1) }, provoked })
    }

    fn places(&self, spot: Spot, phase: Phase) -> impl Iterator<Item = &Place> {
        let places = self.by_phase.get(&phase).into_iter().flatten();
        places.filter(move |place| self.has(spot, place.moment))
    }
}
