// SPDX-License-Identifier: MIT
//! The keys of the JSON that commands write, held against the page that explains them.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::super::Context;
use super::read;
use crate::docs::markdown::{quoted, rows, section};

/// The page that has a section for each command.
const PAGE: &str = "docs/src/json.md";

/// The rows of the table of keys in a section: key and meaning.
fn key_rows<'a>(page: &'a str, title: &str) -> Result<Vec<(&'a str, &'a str)>> {
    let section = section(page, title).with_context(|| format!("no section {title}"))?;
    let row = |cells: Vec<&'a str>| Some((quoted(cells.first()?).next()?, *cells.last()?));
    Ok(rows(section).into_iter().filter_map(row).collect())
}

pub fn are_named(context: &Context) -> Result<()> {
    of_command(context, "run", "The summary of a run")?;
    of_command(context, "native", "The summary of a native run")
}

/// What a command writes and what a section names are the same keys.
fn of_command(context: &Context, command: &str, title: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("summary");
    let words = [command, "tiny", "--json", path.to_str().context("a path that is not text")?];
    let output = context.reprise(&words, |_| ())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let object = value.as_object().context("the summary is no object")?;
    let page = read(PAGE)?;
    let rows = key_rows(&page, title)?;
    let named: BTreeSet<&str> = rows.iter().map(|(key, _)| *key).collect();
    let real: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    let differing: Vec<_> = named.symmetric_difference(&real).collect();
    ensure!(differing.is_empty(), "named but not there, or the other way: {differing:?}");
    for (key, meaning) in rows {
        let Value::Object(inner) = &object[key] else { continue };
        for name in inner.keys() {
            ensure!(quoted(meaning).any(|word| word == name), "{key}.{name} is not named");
        }
    }
    Ok(())
}
