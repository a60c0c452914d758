// SPDX-License-Identifier: MIT
//! The checker itself, on small crates that are planted.

use std::fs;

use super::check::complaints;
use super::plan::{Circles, Plan, ROOT};
use super::source::Source;

const PLAN: Plan = Plan {
    root: "lib.rs",
    storeys: &[&["low"], &["middle", "beside"], &["high"], &[ROOT]],
    circles: Circles::InARoom,
    open: &[],
};

/// What is wrong with a crate of these files, by name and text, under a plan.
fn found(plan: &Plan, files: &[(&str, &str)]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    complaints(plan, &Source::read(&directory.path().join("lib.rs")).unwrap())
}

/// What is wrong with a crate of four rooms, of which only `low` and `high` have something in them.
fn in_rooms(low: &str, high: &str) -> Vec<String> {
    let root = "mod low; mod middle; mod beside; mod high; pub use high::shown; fn main() {}";
    let files = [("lib.rs", root), ("middle.rs", ""), ("beside.rs", ""), ("low.rs", low), ("high.rs", high)];
    found(&PLAN, &files)
}

const HIGH: &str = "pub mod deep { pub struct Deep; impl Deep { pub const N: u32 = 1; } } pub use deep::Deep; \
    pub fn shown() {} #[macro_export] macro_rules! loud { () => {} }";

#[test]
fn imports_that_run_downwards_are_right() {
    let high =
        "use crate::low::{self, Thing}; use super::low::*; fn f() -> low::Thing { crate::low::make() }";
    assert_eq!(in_rooms("pub struct Thing; pub fn make() -> Thing { Thing }", high), [""; 0]);
}

#[test]
fn every_way_to_import_from_above_is_seen() {
    for low in [
        "use crate::high::Deep;",
        "use crate::high;",
        "use super::high::deep as other;",
        "use crate::{high::*};",
        "use super::{high::{self as up}};",
        "use super::shown;",
        "use super::*; fn f() { high::shown() }",
        "fn f() { crate::high::shown() }",
        "fn f() -> u32 { super::high::Deep::N }",
        "fn f() { use crate::high::shown; shown() }",
        "fn f(of: Option<crate::high::Deep>) {}",
        "fn f() { println!(\"{}\", 1 + crate::high::Deep::N) }",
        "fn f() { loud!() }",
        "#[arg(default_value_t = crate::high::Deep::N)] struct Args;",
        "mod inner { fn f() { super::super::high::shown() } }",
        "macro_rules! m { () => { $crate::high::shown() } }",
        "impl crate::high::Shown for u32 {}",
    ] {
        let found = in_rooms(low, HIGH);
        assert!(found.iter().any(|one| one.starts_with("low.rs imports from above")), "{low}: {found:?}");
    }
}

#[test]
fn what_is_no_import_or_only_for_tests_is_not_counted() {
    for low in [
        "#[cfg(test)] mod tests { use crate::high::Deep; }",
        "#[cfg(all(test, unix))] use crate::high::Deep;",
        "#[test] fn f() { crate::high::shown() }",
        "/// See [`crate::high::Deep`].\nfn f() {}",
        "fn f() -> &'static str { \"crate::high::Deep\" }",
        "use std::high::Deep; use ::high::Deep;",
        "pub(in crate::high) struct Seen;",
    ] {
        assert_eq!(in_rooms(low, HIGH), [""; 0], "{low}");
    }
    assert_eq!(in_rooms("#[cfg(not(test))] use crate::high::Deep;", HIGH).len(), 1);
}

#[test]
fn a_re_export_is_followed_to_what_it_names() {
    // `high` names a thing of `low` through the root, which stands above it: that is no arrow upwards.
    let root = "mod low; mod middle; mod beside; mod high; pub use low::Thing;";
    let files = |high| {
        [
            ("lib.rs", root),
            ("low.rs", "pub struct Thing;"),
            ("middle.rs", ""),
            ("beside.rs", ""),
            ("high.rs", high),
        ]
    };
    assert_eq!(found(&PLAN, &files("use crate::Thing;")), [""; 0]);
    assert_eq!(found(&PLAN, &files("use super::Thing as It;")), [""; 0]);
}

#[test]
fn circles_are_allowed_in_a_room_or_nowhere() {
    let root = "mod low; mod middle; mod beside; mod high;";
    let inside = [
        ("lib.rs", root),
        ("low.rs", "mod one; pub struct Low;"),
        ("low/one.rs", "use super::Low; use crate::low::two::Two; pub struct One;"),
        ("middle.rs", ""),
        ("beside.rs", ""),
        ("high.rs", ""),
    ];
    let mut inside = inside.to_vec();
    inside[1].1 = "mod one; mod two; pub struct Low;";
    inside.push(("low/two.rs", "use super::one::One; pub struct Two;"));
    assert_eq!(found(&PLAN, &inside), [""; 0]);
    let nowhere = Plan { storeys: &[], circles: Circles::Nowhere, ..PLAN };
    let complaints = found(&nowhere, &inside);
    assert!(
        complaints.len() == 1 && complaints[0].starts_with("2 files stand in a circle"),
        "{complaints:?}"
    );
    assert!(complaints[0].contains("low/one.rs -> low/two.rs: crate::low::two::Two"), "{complaints:?}");

    let mut between = inside;
    between[3].1 = "use crate::beside::B; pub struct M;";
    between[4].1 = "use crate::middle::M; pub struct B;";
    let complaints = found(&PLAN, &between);
    assert!(complaints.len() == 1 && complaints[0].contains("beside.rs -> middle.rs"), "{complaints:?}");
}

#[test]
fn a_room_that_is_not_in_the_table_or_not_there_is_named() {
    let files =
        [("lib.rs", "mod low; mod middle; mod beside; mod attic;"), ("low.rs", ""), ("middle.rs", "")];
    let files = [&files[..], &[("beside.rs", ""), ("attic/mod.rs", "")]].concat();
    assert_eq!(
        found(&PLAN, &files),
        ["room attic is not in the table", "room high of the table does not exist"]
    );
}

#[test]
fn an_open_arrow_is_left_out_as_long_as_it_is_there() {
    let open = Plan { open: &[("low.rs", "high.rs")], ..PLAN };
    let files = |low| {
        let root = "mod low; mod middle; mod beside; mod high; fn main() {}";
        [("lib.rs", root), ("middle.rs", ""), ("beside.rs", ""), ("low.rs", low), ("high.rs", HIGH)]
    };
    assert_eq!(found(&open, &files("use crate::high::shown;")), [""; 0]);
    assert_eq!(found(&open, &files("")), ["low.rs -> high.rs is not there any more: take it off the table"]);
    let both = files("use crate::high::shown; use crate::middle;");
    assert_eq!(found(&open, &both), ["low.rs imports from above, from middle.rs: crate::middle"]);
}

#[test]
fn a_module_is_read_under_every_configuration() {
    let root = "mod low; mod middle; mod beside; mod high;";
    let low = "#[cfg_attr(unix, path = \"low/other.rs\")] mod usual; #[path = \"low/odd.rs\"] mod even;";
    let files = |usual, other, odd| {
        let rooms =
            [("lib.rs", root), ("middle.rs", ""), ("beside.rs", ""), ("high.rs", ""), ("low.rs", low)];
        [&rooms[..], &[("low/usual.rs", usual), ("low/other.rs", other), ("low/odd.rs", odd)]].concat()
    };
    let up = "use crate::high;";
    assert_eq!(found(&PLAN, &files("", "", "")), [""; 0]);
    for (files, name) in
        [(files(up, "", ""), "usual"), (files("", up, ""), "other"), (files("", "", up), "odd")]
    {
        assert_eq!(
            found(&PLAN, &files),
            [format!("low/{name}.rs imports from above, from high.rs: crate::high")]
        );
    }
}
