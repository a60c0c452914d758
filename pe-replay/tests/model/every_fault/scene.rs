// SPDX-License-Identifier: MIT
//! A program with a policy and a counter, and where in its course faults may hit.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use flips::{Copy, Injection, Saved, Target};
use pe_replay::{Comparison, Delimiter, Flush, Mode, Outcome, Policy, Recovery, Run};

use super::tally::Tally;
use crate::counter::{late, noise};
use crate::cpu::INJECTABLE_FLAGS;
use crate::cpu::Op;
use crate::generate::{busy, restless};
use crate::session::{Session, Setup};
use crate::space::{ALIAS, CONSTANT, DATA, LAZY, PAGE_LEN};

/// PEs that faults are aimed at.
const PES: u64 = 8;

#[derive(Clone)]
pub struct Scene {
    pub program: Vec<Op>,
    pub policy: Policy,
    /// Runs go on at once, in frames of their own.
    pub private: bool,
    pub margin: u64,
    /// How late the counter's interrupt may come.
    pub skid: u64,
    pub noise: u64,
    pub pool: usize,
    /// Each makes a fault.
    pub aims: Vec<u64>,
}

impl fmt::Debug for Scene {
    /// On few lines, however it is asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, policy, private, margin, skid, noise, pool, aims } = self;
        writeln!(f, "{}", format_args!("{program:?}"))?;
        writeln!(
            f,
            "{policy:?}, private {private}, margin {margin}, skid {skid}, noise {noise}, pool {pool}, aims {aims:?}"
        )
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    let flush = select(&[Flush::Never, Flush::Lines, Flush::All, Flush::Retry][..]);
    (
        select(&[Mode::Dual, Mode::Triple][..]),
        select(&[Recovery::Restart, Recovery::Vote][..]),
        select(&[Comparison::Bytes, Comparison::Hash][..]),
        flush,
        10..60u64,
        select(&[2, 3, 5, 8, 64, 64, 64, 64][..]),
    )
        .prop_map(|(mode, recovery, comparison, flush, limit, max_dirty)| Policy {
            mode,
            recovery,
            comparison,
            flush,
            limit,
            max_dirty,
        })
}

/// Margin and skid of the counter.
fn counter() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![
        4 => Just((0, 0)),
        1 => (Just(0), 1..20u64),
        1 => (1..30u64, 0..20u64),
        2 => (1..4u64, 8..40u64),
        1 => (Just(100), 0..3u64),
    ]
}

pub fn scenes(faults: usize) -> impl Strategy<Value = Scene> {
    let placed = (policy(), select(&[false, false, true][..]));
    let bounds = (placed, counter(), any::<u64>(), select(&[2, 3, 5, 40, 40, 40, 40][..]));
    bounds.prop_flat_map(move |((policy, private), (margin, skid), noise, pages)| {
        let (policy, private) = placement(policy, private);
        // The frames of a page by bytes, or in private frames, and by hash.
        let frames = if policy.comparison == Comparison::Bytes { 3 } else { 1 };
        let pool = pages * frames;
        let aims = vec(any::<u64>(), faults);
        (busy(margin + skid > 0), aims).prop_map(move |(program, aims)| Scene {
            program,
            policy,
            private,
            margin,
            skid,
            noise,
            pool,
            aims,
        })
    })
}

/// Scenes whose runs differ by nature. Their counter is exact.
pub fn restless_scenes() -> impl Strategy<Value = Scene> {
    (policy(), any::<bool>(), restless(), any::<u64>()).prop_map(|(policy, private, program, noise)| {
        let (policy, private) = placement(Policy { max_dirty: 64, ..policy }, private);
        Scene { program, policy, private, margin: 0, skid: 0, noise, pool: 120, aims: Vec::new() }
    })
}

/// By hash all runs share a frame.
fn placement(policy: Policy, private: bool) -> (Policy, bool) {
    (policy, private && policy.comparison == Comparison::Bytes)
}

impl Scene {
    pub fn session(&self, injections: Vec<Injection>) -> Session {
        let Self { policy, private, margin, pool, .. } = *self;
        let setup = Setup { policy, private, margin, pool, injections, ..Setup::default() };
        let mut session = Session::new(&self.program, setup);
        session.machine.quiet = self.noise.is_multiple_of(2);
        if self.skid > 0 {
            session.machine.counter = late(self.noise, self.skid);
        }
        session
    }

    /// Whether each PE ends where the plain interpreter would end it.
    pub fn is_plain(&self) -> bool {
        self.skid == 0 && self.policy.max_dirty == 64 && self.pool > 20
    }

    /// Runs without a fault, which goes without a divergence; and in mode `off`.
    pub fn undisturbed(&self, tally: &mut Tally) -> Course {
        let policy = Policy { mode: Mode::Off, ..self.policy };
        let mut off = Self { policy, private: false, ..self.clone() }.session(Vec::new());
        assert!(matches!(off.run(PES), Outcome::Committed(_)));
        tally.add_steps(&off);
        let mut session = self.session(Vec::new());
        let mut pes = Vec::new();
        loop {
            let (outcome, account) = session.execute();
            let Outcome::Committed(committed) = outcome else { panic!("{outcome:?} without a fault") };
            assert!(account.divergences.is_empty(), "{:?} without a fault", account.divergences);
            let by_counter = committed.delimiter == Delimiter::Limit;
            pes.push(Pe { count: committed.count, by_counter, hot: session.machine.hot().collect() });
            if !session.serve(committed.delimiter) || session.sums.pes == PES {
                break;
            }
        }
        tally.add_steps(&session);
        Course { pes }
    }
}

/// What a PE did.
struct Pe {
    count: u64,
    /// Nothing but the counter ended it.
    by_counter: bool,
    /// Pages that were hot after it.
    hot: Vec<u64>,
}

/// The undisturbed course of a scene.
pub struct Course {
    pes: Vec<Pe>,
}

impl Course {
    /// Two faults that the plain interpreter knows, in two runs of one PE; run 3 may come
    /// by a vote.
    pub fn pair(&self, scene: &Scene, first: u64, second: u64) -> [Injection; 2] {
        let votes = scene.policy.mode == Mode::Triple || scene.policy.recovery == Recovery::Vote;
        let pairs = [(Run::First, Run::Second), (Run::First, Run::Third), (Run::Second, Run::Third)];
        let (one, other) = pairs[if votes { first as usize % 3 } else { 0 }];
        let one = Injection { run: one, ..self.aimed(scene, first, 6) };
        let at = |flip: Injection| flip.at.min(self.pes[one.pe as usize].count.saturating_sub(1));
        let other = Injection { run: other, pe: one.pe, ..self.aimed(scene, second, 6) };
        [one, Injection { at: at(other), ..other }]
    }

    /// A fault, the same for the same `aim`.
    pub fn flip(&self, scene: &Scene, aim: u64) -> Injection {
        let flip = self.aimed(scene, aim, 14);
        let pe = &self.pes[flip.pe as usize];
        let by_hash = scene.policy.comparison == Comparison::Hash;
        let may_miss = scene.margin > 0 && scene.skid > scene.margin && !by_hash;
        // What only few faults bring about.
        match (pe.by_counter, may_miss, aim % 8) {
            // A run that nothing but the watchdog ends.
            (true, _, 0) => Injection { run: Run::First, target: Target::Rflags, bit: 9, ..flip },
            // A copy of PM0 that run 2 starts from once more, beside the checkpoint.
            (true, true, 1..4) if !pe.hot.is_empty() => {
                let address = pe.hot[flip.at as usize % pe.hot.len()] + aim % PAGE_LEN;
                let copy = if aim & 8 == 0 { Copy::Checkpoint } else { Copy::Spare };
                let (target, bit) = (Target::Copy(copy, address), flip.bit % 8);
                Injection { run: Run::Second, at: 0, target, bit, ..flip }
            }
            _ => flip,
        }
    }

    /// A fault in one of the first `kinds` of targets.
    fn aimed(&self, scene: &Scene, aim: u64, kinds: usize) -> Injection {
        let mut noise = noise(aim);
        let mut below = |bound: usize| noise(bound as u64 - 1) as usize;
        let index = below(self.pes.len());
        let pe = &self.pes[index];
        let runs: &[Run] = match scene.policy.mode {
            Mode::Triple => &[Run::First, Run::Second, Run::Third, Run::Third],
            Mode::Off | Mode::Dual => &[Run::First, Run::Second],
        };
        let run = runs[below(runs.len())];
        // Often before the first instruction, or the last one.
        let last = pe.count.saturating_sub(1);
        let at = match below(6) {
            0 => 0,
            1 => last,
            _ => below(last as usize + 1) as u64,
        };
        let others = [DATA, DATA + PAGE_LEN, DATA + 5 * PAGE_LEN, CONSTANT, LAZY, ALIAS];
        let page = match below(4) {
            0 => others[below(others.len())],
            _ if pe.hot.is_empty() => others[below(others.len())],
            _ => pe.hot[below(pe.hot.len())],
        };
        let address = page + below(PAGE_LEN as usize) as u64;
        let register = below(16) as u8;
        let by_hash = scene.policy.comparison == Comparison::Hash;
        let (target, bit) = match below(kinds) {
            // There are none.
            7 | 8 | 12 | 13 if by_hash => (Target::Copy(Copy::Checkpoint, address), below(8) as u8),
            // Bits that move a pointer to another byte or page, or out of all.
            0 | 1 => (Target::Gpr(register), below(if register.is_multiple_of(2) { 64 } else { 16 }) as u8),
            2 => (Target::Rip, below(if register.is_multiple_of(4) { 64 } else { 9 }) as u8),
            3 => {
                let flags = (0..22).filter(|bit| INJECTABLE_FLAGS >> bit & 1 != 0);
                // IF more often than the others: without it only the watchdog is left.
                let flags: Vec<u8> = flags.chain([9; 6]).collect();
                (Target::Rflags, flags[below(flags.len())])
            }
            4 => (Target::Xmm(register), below(128) as u8),
            5 => (Target::Memory(address), below(8) as u8),
            6 => (Target::Copy(Copy::Checkpoint, address), below(8) as u8),
            7 | 12 => (Target::Copy(Copy::Second, address), below(8) as u8),
            8 | 13 => (Target::Copy(Copy::Spare, address), below(8) as u8),
            9 => (Target::Saved(Saved::Start, register), below(64) as u8),
            10 => (Target::Saved(Saved::Shadow, register), below(64) as u8),
            _ => (Target::Saved(Saved::Result, register), below(64) as u8),
        };
        Injection { pe: index as u64, run, at, target, bit }
    }
}
