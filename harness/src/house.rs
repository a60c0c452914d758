// SPDX-License-Identifier: MIT
//! The rooms of the workspace, held by a test: imports run downwards, and files of different rooms do not stand in a
//! circle.
//!
//! A room is a module of a crate's root with all below it. [`plan`] lists each crate's rooms from the bottom to the
//! top; [`source`] reads the crates as Rust, [`scope`] finds where each path leads, through re-exports and globs, and
//! [`check`] compares. What is compiled for tests only may import what it likes. Crates themselves cannot stand in a
//! circle: cargo sees to that.

mod check;
mod plan;
mod scope;
mod source;
mod tests;

use std::path::Path;

use check::complaints;
use plan::PLANS;
use source::Source;

#[test]
fn imports_run_downwards_in_every_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut all = Vec::new();
    for plan in PLANS {
        let source = Source::read(&root.join(plan.root)).unwrap();
        assert!(source.modules.len() > 2, "{}: only {} modules were found", plan.root, source.modules.len());
        all.extend(
            complaints(plan, &source).into_iter().map(|complaint| format!("{}: {complaint}", plan.root)),
        );
    }
    assert!(all.is_empty(), "{} complaints:\n{}", all.len(), all.join("\n"));
}
