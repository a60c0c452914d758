// SPDX-License-Identifier: MIT
//! What documents name is there: folders, crates, rooms, decisions, files, programs, attacks.

use std::collections::BTreeSet;
use std::fs;

use super::{all_documents, decisions, read};
use crate::docs::markdown::{quoted, rows, section};
use crate::workload::artifacts::{self, Guest};
use crate::workload::catalogue::{self, FUZZER, Kind};
use crate::workload::init;

/// The page that has the table of folders.
const ARCHITECTURE: &str = "docs/src/architecture.md";
const NORMAL_FORM: &str = "ci/decisions/0001-normal-form.md";

#[test]
fn the_table_of_folders_is_complete() {
    let page = read(ARCHITECTURE).unwrap();
    let named: BTreeSet<String> = rows(section(&page, "Folders").unwrap())
        .into_iter()
        .filter_map(|cells| cells.first()?.strip_prefix('`')?.strip_suffix("/`").map(str::to_owned))
        .filter(|name| !name.contains('/'))
        .collect();
    let entries = fs::read_dir(artifacts::root()).unwrap().map(Result::unwrap);
    let real: BTreeSet<String> = entries
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    assert_eq!(named, real);
}

#[test]
fn the_table_of_folders_has_every_crate() {
    let page = read(ARCHITECTURE).unwrap();
    let named: BTreeSet<&str> = rows(section(&page, "Folders").unwrap())
        .into_iter()
        .filter_map(|cells| cells.first()?.strip_prefix('`')?.strip_suffix("/`"))
        .collect();
    let manifest: toml::Table = read("Cargo.toml").unwrap().parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    assert!(!members.is_empty());
    for member in members {
        let member = member.as_str().unwrap();
        assert!(named.contains(member), "{ARCHITECTURE} has no row for {member}/");
    }
}

#[test]
fn the_rooms_of_the_kernel_are_those_that_exist() {
    let page = read(ARCHITECTURE).unwrap();
    let rows = rows(section(&page, "The rooms of the kernel").unwrap());
    let named: BTreeSet<&str> =
        rows.iter().filter_map(|cells| cells.first()?.strip_prefix('`')?.strip_suffix('`')).collect();
    let kernel = artifacts::root().join("kernel/src");
    for room in &named {
        assert!(kernel.join(format!("{room}.rs")).exists(), "the kernel has no room {room}");
    }
    for entry in fs::read_dir(kernel).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let Some(module) = name.strip_suffix(".rs") else { continue };
        let is_room = !["lib", "batch", "panic", "run", "selftest", "system"].contains(&module);
        assert!(!is_room || named.contains(module), "{ARCHITECTURE} does not name the room {module}");
    }
}

#[test]
fn decisions_have_numbers_of_their_own_and_all_parts() {
    let all = decisions();
    assert!(!all.is_empty());
    let number = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.split('-').next().unwrap_or_default().to_owned()
    };
    let numbers: BTreeSet<String> = all.iter().map(|(name, _)| number(name)).collect();
    assert_eq!(numbers.len(), all.len(), "two decisions have one number");
    let page = read(ARCHITECTURE).unwrap();
    for (name, text) in &all {
        assert!(page.contains(name.as_str()), "{ARCHITECTURE} does not list {name}");
        let number = number(name);
        assert!(number.len() == 4 && number.parse::<u16>().is_ok(), "{name} has no number");
        let title = format!("# {number}: ");
        for part in
            [&title, "\n- Status: ", "\n- Date: ", "\n## Context\n", "\n## Decision\n", "\n## Consequences\n"]
        {
            assert!(text.contains(part), "{name}: no {part:?}");
        }
    }
}

/// The words of a text that look like a path in the tree: parts with `/` between them, of which the first is one of
/// the tree's folders or the last has the ending of a source or document.
fn paths(text: &str) -> Vec<&str> {
    const FOLDERS: [&str; 8] = ["kernel", "pe-replay", "pmu", "harness", "user", "benches", "ci", "docs"];
    const ENDINGS: [&str; 8] = [".rs", ".c", ".h", ".md", ".toml", ".svg", ".txt", ".x"];
    let is_in_name = |letter: char| letter.is_ascii_alphanumeric() || "_-./".contains(letter);
    let words = text.split(|letter: char| !is_in_name(letter) && letter != ':' && letter != '$');
    let path = |word: &&str| {
        let Some((first, _)) = word.split_once('/') else { return false };
        let inside = FOLDERS.contains(&first) || ENDINGS.iter().any(|ending| word.ends_with(ending));
        let elsewhere =
            first.is_empty() || first == "target" || word.contains("//") || word.contains([':', '$']);
        // A placeholder is in capitals.
        let placeholder = word.split(['/', '.', '-']).any(|part| ["NAME", "NNNN"].contains(&part));
        inside && !elsewhere && !placeholder
    };
    words.map(|word| word.trim_end_matches(['.', ':', '-'])).filter(path).collect()
}

#[test]
fn paths_are_known_among_words() {
    let text = "see `kernel/src/main.rs`, (user/c), src/lib.rs: and/or 3/4 n/a, /etc/x.c, target/x.c, user/c/NAME.c; ci/.";
    assert_eq!(paths(text), ["kernel/src/main.rs", "user/c", "src/lib.rs", "ci/"]);
}

#[test]
fn files_that_documents_name_are_there() {
    let mut seen = 0;
    for (name, text) in all_documents() {
        let folder = artifacts::root().join(&name).parent().unwrap().to_owned();
        for path in paths(&text) {
            let found = [artifacts::root(), &folder].iter().any(|place| place.join(path).exists());
            assert!(found, "{name} names {path}");
            seen += 1;
        }
    }
    assert!(seen > 80, "only {seen} paths were found");
}

#[test]
fn the_list_of_user_programs_is_complete() {
    let readme = read("user/README.md").unwrap();
    let named: BTreeSet<String> = rows(&readme)
        .into_iter()
        .filter_map(|cells| quoted(cells.first()?).next()?.split(' ').next().map(str::to_owned))
        .collect();
    let own = [Guest::RT.package, Guest::NOVA_RT.package, FUZZER, init::NAME].map(str::to_owned).to_vec();
    let (tasks, components) = (catalogue::root_tasks().unwrap(), catalogue::component_names().unwrap());
    let all = [catalogue::names(&Kind::ALL).unwrap(), tasks, components, own];
    let real: BTreeSet<String> = all.concat().into_iter().collect();
    let differing: Vec<_> = named.symmetric_difference(&real).collect();
    assert!(differing.is_empty(), "named but not there, or the other way: {differing:?}");
}

#[test]
fn the_attacks_of_decision_1_exist_and_none_is_left_out() {
    let text = read(NORMAL_FORM).unwrap();
    let expectations = read("user/hostile/expect.toml").unwrap();
    let mut named = BTreeSet::new();
    for cells in rows(&text) {
        let Some(attacks) = cells.iter().find(|cell| cell.starts_with("`hostile-")) else { continue };
        let mut program = "";
        for word in quoted(attacks) {
            if word.starts_with("hostile-") {
                program = word;
                named.insert(word.to_owned());
                continue;
            }
            let section = expectations.split(&format!("[expect.{program}]")).nth(1).unwrap_or_default();
            let section = section.split("\n[").next().unwrap_or_default();
            assert!(section.contains(&format!("\"{word}\"")), "{program} has no case {word}");
        }
    }
    let real: BTreeSet<String> = Kind::Hostile.names().unwrap().into_iter().collect();
    assert_eq!(named, real);
}
