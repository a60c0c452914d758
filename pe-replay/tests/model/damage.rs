// SPDX-License-Identifier: MIT
//! Damage to what the engine keeps beside copies and registers: another valid value of a length, a count, a role, a
//! discriminant, at every step of every PE. Whatever comes of it, no page is committed that was not compared: the
//! committed state is right, or there is a verdict, or the engine stops.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pe_replay::lifecycle::Phase;
use pe_replay::placement::Placement;
use pe_replay::{Comparison, Internals, Mode, Outcome, Policy, Run, Tracker};

use crate::cpu::{Alu, Condition, Op};
use crate::machine::Model;
use crate::session::{Session, Setup};
use crate::space::{DATA, PAGE_LEN};

/// What is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    Length,
    First,
    Count,
    Agreed,
    Turned,
    Witnessed,
    Written,
    Idle,
    SecondIsHome,
    CheckpointIsSecond,
    SpareIsHome,
    Resting,
    Phase,
    Triple,
    Failed,
    Done,
}

const CELLS: [Cell; 16] = [
    Cell::Length,
    Cell::First,
    Cell::Count,
    Cell::Agreed,
    Cell::Turned,
    Cell::Witnessed,
    Cell::Written,
    Cell::Idle,
    Cell::SecondIsHome,
    Cell::CheckpointIsSecond,
    Cell::SpareIsHome,
    Cell::Resting,
    Cell::Phase,
    Cell::Triple,
    Cell::Failed,
    Cell::Done,
];

/// Damage to come: at which visit of all, to what, and how.
#[derive(Clone, Copy, Debug)]
pub struct Damage {
    pub visit: u64,
    pub cell: Cell,
    pub choice: u64,
}

impl Damage {
    /// Whether there is such a thing now; then it has another value.
    pub fn strike<P: Placement>(self, inside: &mut Internals<'_, Model, P>) -> bool {
        let Tracker { open, attempt, .. } = &mut *inside.tracker;
        let entry = open.first;
        let other =
            |value: u16| if self.choice & 1 == 0 { value.wrapping_add(1) } else { value.saturating_sub(1) };
        let phases = [
            Phase::Preparing,
            Phase::Running(Run::First),
            Phase::Running(Run::Second),
            Phase::Turning(Run::Second),
            Phase::Verifying(Run::Second),
            Phase::Verifying(Run::Third),
            Phase::RollingBack,
        ];
        match self.cell {
            Cell::Length => open.len = other(open.len),
            Cell::First => open.first = if self.choice & 1 == 0 { open.last } else { entry ^ 1 },
            Cell::Count => attempt.written = other(attempt.written),
            Cell::Agreed => attempt.agreed = !attempt.agreed,
            Cell::Turned => {
                attempt.turned = Run::ALL[self.choice as usize % 3];
            }
            Cell::Witnessed => attempt.witnessed = !attempt.witnessed,
            Cell::Phase | Cell::Triple | Cell::Failed | Cell::Done => {
                let Some(life) = &mut inside.life else { return false };
                // Behind the last phase there is nothing to compare any more.
                if matches!(life.phase, Phase::Committing(_) | Phase::GivingUp(_)) {
                    return false;
                }
                match self.cell {
                    Cell::Phase => life.phase = phases[self.choice as usize % phases.len()],
                    Cell::Triple => life.rules.triple = !life.rules.triple,
                    Cell::Failed => life.failed = self.choice as u8 % 3,
                    _ => life.arrived = [true, true, self.choice & 1 == 0],
                }
            }
            _ => {
                let Some(entry) = inside.pool.entries.get_mut(usize::from(entry)) else { return false };
                let [checkpoint, second, spare] = entry.frames;
                match self.cell {
                    Cell::Written => entry.written = !entry.written,
                    Cell::Idle => entry.idle = self.choice as u8 % 4,
                    Cell::SecondIsHome => entry.frames = [checkpoint, entry.page.frame, spare],
                    Cell::CheckpointIsSecond => entry.frames = [second, second, spare],
                    Cell::SpareIsHome => entry.frames = [checkpoint, second, entry.page.frame],
                    _ => entry.resting = !entry.resting,
                }
            }
        }
        true
    }
}

/// Adds to some of four pages, other ones in each PE: what is added twice is wrong, and not all of it shows in registers.
fn program() -> Vec<Op> {
    let page = |at: u64| Op::MovImm(3, DATA + at * PAGE_LEN);
    let add = [Op::Load(8, (3, 0)), Op::AddImm(8, 1), Op::Store((3, 0), 8), Op::MovImm(8, 0)];
    let part = |at: u64| [&[page(at)], &add[..]].concat();
    let pes = [[0, 1], [1, 2], [0, 3]].map(|pages| [part(pages[0]), part(pages[1])].concat());
    let [one, two, three] = pes;
    let end = || Vec::from([Op::MovImm(0, 0), Op::Syscall]);
    [
        one,
        end(),
        two,
        end(),
        three,
        end(),
        Vec::from([Op::Jump(Condition::Always, 0), Op::Alu(Alu::Add, 0, 0)]),
    ]
    .concat()
}

/// PEs of a case.
const PES: u64 = 8;

#[test]
fn no_page_is_committed_that_was_not_compared() {
    let mut struck: BTreeMap<Cell, [u64; 3]> = BTreeMap::new();
    // Only this test's panics are expected.
    let (told, here) = (std::panic::take_hook(), std::thread::current().id());
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() != here {
            told(panic);
        }
    }));
    let mut wrong = Vec::new();
    for (mode, comparison, private) in [
        (Mode::Dual, Comparison::Bytes, false),
        (Mode::Dual, Comparison::Hash, false),
        (Mode::Triple, Comparison::Bytes, false),
        (Mode::Dual, Comparison::Bytes, true),
    ] {
        let policy = Policy { mode, comparison, limit: 50, max_dirty: 64, ..Policy::DEFAULT };
        for cell in CELLS {
            for visit in 0..80 {
                for choice in 0..6 {
                    let setup = Setup { policy, private, ..Setup::default() };
                    let mut session = Session::new(&program(), setup);
                    let damage = Damage { visit, cell, choice };
                    session.damage(damage);
                    let ran = catch_unwind(AssertUnwindSafe(|| {
                        for _ in 0..PES {
                            let (outcome, _) = session.execute_alone();
                            let Outcome::Committed(end) = outcome else { return 1 };
                            if session.lost(end).is_some() {
                                return 3;
                            }
                            session.serve(end.delimiter);
                        }
                        0
                    }));
                    if session.machine.damage.is_some() {
                        continue;
                    }
                    let row = struck.entry(cell).or_default();
                    match ran {
                        Ok(3) => wrong.push((damage, mode, comparison, private)),
                        Ok(0) => row[0] += 1,
                        Ok(_) => row[1] += 1,
                        Err(_) => row[2] += 1,
                    }
                }
            }
        }
    }
    let _ = std::panic::take_hook();
    for (cell, [right, verdicts, stops]) in &struck {
        let wrong = wrong.iter().filter(|it| it.0.cell == *cell).count();
        println!("{cell:?}: {wrong} wrong, {right} right, {verdicts} verdicts, {stops} stops");
    }
    assert!(wrong.is_empty(), "{} wrong: {:?}", wrong.len(), &wrong[..wrong.len().min(12)]);
    assert_eq!(struck.len(), CELLS.len(), "not everything was damaged");
}
