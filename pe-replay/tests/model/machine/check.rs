// SPDX-License-Identifier: MIT
//! The checker that watches the engine. It panics when
//! - user mode is entered for a later run while a home is mapped writable; where
//!   all runs work in the home, while one is that no run wrote or met a write fault
//!   on, and no flip hit,
//! - a mapping is wider than what the process may truly do,
//! - between PEs something is not mapped to its home; it is mapped writable, but
//!   already written, or without its frames of the pool, of which checkpoint and
//!   second hold the same; or others of the pool are missing.

use std::collections::{BTreeMap, BTreeSet};

use pe_replay::{Comparison, Pool};

use super::{Model, Use};

/// What happened in an attempt at a PE.
#[derive(Default)]
pub struct Attempt {
    /// Runs begun.
    pub runs: u64,
    /// Homes that were open when its first run began.
    pub hot: BTreeSet<usize>,
    /// Homes that user code wrote, that were hit by a flip, or that run 1 was refused
    /// to write at first.
    pub touched: BTreeSet<usize>,
    /// Homes that a later run was refused to write.
    pub refused: BTreeSet<usize>,
}

impl Model {
    /// What must hold whenever no PE is being executed. A flip that hit one of the
    /// engine's copies may stay there unseen: then these are not `whole`.
    pub fn check_between_pes(&self, whole: bool, pool: &Pool<usize, u64>) {
        let mut hot = BTreeSet::new();
        let mut own = BTreeSet::new();
        for (address, entry) in &self.entries {
            for view in &entry.views {
                // An alias that may only be read shows what is written through the others.
                if self.private && view.frame != entry.home {
                    own.insert(view.frame);
                } else {
                    assert_eq!(view.frame, entry.home, "{address:#x} is not mapped to its home");
                }
                if !self.tracking {
                    assert_eq!(view.open, entry.writable, "{address:#x} is not mapped as it may be used");
                } else if view.open {
                    assert!(entry.writable, "{address:#x} is wider open than the process may use it");
                    assert!(!view.dirty || !whole, "{address:#x} is hot and already written");
                    hot.insert(entry.home);
                }
            }
        }
        assert_eq!(own.len(), if self.private { 3 * hot.len() } else { 0 }, "runs share frames");
        let held = |kind| self.frames.iter().filter(move |(_, it)| *it == kind);
        // By bytes checkpoint and second, by hash the checkpoint.
        let (frames, copies) = match self.comparison {
            _ if self.private => (3, 3),
            Comparison::Bytes => (3, 2),
            Comparison::Hash => (1, 1),
        };
        for home in hot.iter().filter(|_| whole) {
            let content = &self.frames[*home].0;
            let alike = hot.iter().filter(|home| self.frames[**home].0 == *content).count();
            let found = held(Use::Taken).filter(|(page, _)| page == content).count();
            assert!(found >= copies * alike, "home {home} is hot without its copies");
        }
        let free = held(Use::Free).count();
        let supplied: usize = pool.entries.iter().map(|entry| entry.copies().len()).sum();
        assert_eq!(free + supplied, self.pool, "frames of the pool are missing");
        assert_eq!(pool.entries.len() - pool.vacant, hot.len(), "entries of the pool are missing");
        assert!(supplied >= frames * hot.len(), "an entry has no frames");
    }

    /// What must hold when user mode is entered.
    pub fn check_entry(&self) {
        let Attempt { runs, hot, touched, refused } = &self.attempt;
        for (address, entry) in &self.entries {
            let view = entry.views[self.view];
            assert!(entry.writable || !view.open, "{address:#x} is wider open than the process may use it");
            if self.private {
                assert!(!view.open || view.frame != entry.home, "{address:#x} maps its home writable");
                continue;
            }
            assert!(*runs > 1 || view.frame == entry.home, "{address:#x} is not mapped to its home in run 1");
            if *runs < 2 || !view.open || view.frame != entry.home {
                continue;
            }
            assert!(
                self.comparison == Comparison::Hash,
                "{address:#x} maps its home writable in a later run"
            );
            let home = &entry.home;
            let met = touched.contains(home) || hot.contains(home) && refused.contains(home);
            let wanted = met || self.moments.made_up(*home);
            assert!(wanted, "{address:#x} maps an unwritten home writable in a later run");
        }
        let mut seen = BTreeMap::new();
        for entry in self.entries.values() {
            let frame = entry.views[self.view].frame;
            assert_eq!(*seen.entry(entry.home).or_insert(frame), frame, "aliases part");
        }
    }
}
