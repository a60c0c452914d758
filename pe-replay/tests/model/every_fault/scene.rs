// SPDX-License-Identifier: MIT
//! A program with a policy and a counter, and where in its course faults may hit.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use pe_replay::inject::{Copy, INJECTABLE_FLAGS, Saved};
use pe_replay::{Comparison, Flush, Injection, Mode, Outcome, Policy, Recovery, Run, Target};

use super::tally::Tally;
use crate::counter::{late, noise};
use crate::cpu::Op;
use crate::generate::busy;
use crate::session::{Session, Setup};
use crate::space::{ALIAS, CONSTANT, DATA, LAZY, PAGE_LEN};

/// PEs that faults are aimed at.
const PES: u64 = 8;

#[derive(Clone)]
pub struct Scene {
    pub program: Vec<Op>,
    pub policy: Policy,
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
        let Self { program, policy, margin, skid, noise, pool, aims } = self;
        writeln!(f, "{}", format_args!("{program:?}"))?;
        writeln!(f, "{policy:?}, margin {margin}, skid {skid}, noise {noise}, pool {pool}, aims {aims:?}")
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
        1 => (Just(100), 0..3u64),
    ]
}

pub fn scenes(faults: usize) -> impl Strategy<Value = Scene> {
    let bounds = (policy(), counter(), any::<u64>(), select(&[2, 3, 5, 40, 40, 40, 40][..]));
    bounds.prop_flat_map(move |(policy, (margin, skid), noise, pages)| {
        let pool = pages * usize::from(policy.frames_per_page());
        let aims = vec(any::<u64>(), faults);
        (busy(margin + skid > 0), aims).prop_map(move |(program, aims)| Scene {
            program,
            policy,
            margin,
            skid,
            noise,
            pool,
            aims,
        })
    })
}

impl Scene {
    pub fn session(&self, injections: Vec<Injection>) -> Session {
        let (policy, margin, pool) = (self.policy, self.margin, self.pool);
        let setup = Setup { policy, margin, pool, injections, ..Setup::default() };
        let mut session = Session::new(&self.program, setup);
        if self.skid > 0 {
            session.machine.counter = late(self.noise, self.skid);
        }
        session
    }

    /// Whether each PE ends where the plain interpreter would end it.
    pub fn is_plain(&self) -> bool {
        self.skid == 0 && self.policy.max_dirty == 64 && self.pool > 20
    }

    /// Runs without a fault, which goes without a divergence.
    pub fn undisturbed(&self, tally: &mut Tally) -> Course {
        let mut session = self.session(Vec::new());
        let mut pes = Vec::new();
        loop {
            let (outcome, account) = session.execute();
            let Outcome::Committed(committed) = outcome else { panic!("{outcome:?} without a fault") };
            assert!(account.divergences.is_empty(), "{:?} without a fault", account.divergences);
            pes.push(Pe { count: committed.count, hot: session.machine.hot().collect() });
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
    /// Pages that were hot after it.
    hot: Vec<u64>,
}

/// The undisturbed course of a scene.
pub struct Course {
    pes: Vec<Pe>,
}

impl Course {
    /// A fault, the same for the same `aim`.
    pub fn flip(&self, scene: &Scene, aim: u64) -> Injection {
        let mut noise = noise(aim);
        let mut below = |bound: usize| noise(bound as u64 - 1) as usize;
        let index = below(self.pes.len());
        let pe = &self.pes[index];
        let runs = if scene.policy.mode == Mode::Triple { 3 } else { 2 };
        let run = Run::ALL[below(runs)];
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
        let (target, bit) = match below(12) {
            // Bits that move a pointer to another byte or page, or out of all.
            0 | 1 => (Target::Gpr(register), below(if register % 2 == 0 { 64 } else { 16 }) as u8),
            2 => (Target::Rip, below(if register % 4 == 0 { 64 } else { 9 }) as u8),
            3 => {
                let flags: Vec<u8> = (0..22).filter(|bit| INJECTABLE_FLAGS >> bit & 1 != 0).collect();
                (Target::Rflags, flags[below(flags.len())])
            }
            4 => (Target::Xmm(register), below(128) as u8),
            5 => (Target::Memory(address), below(8) as u8),
            6 => (Target::Copy(Copy::Checkpoint, address), below(8) as u8),
            7 => (Target::Copy(Copy::Second, address), below(8) as u8),
            8 => (Target::Copy(Copy::Spare, address), below(8) as u8),
            9 => (Target::Saved(Saved::Start, register), below(64) as u8),
            10 => (Target::Saved(Saved::Shadow, register), below(64) as u8),
            _ => (Target::Saved(Saved::Result, register), below(64) as u8),
        };
        Injection { pe: index as u64, run, at, target, bit }
    }
}
