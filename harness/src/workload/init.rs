// SPDX-License-Identifier: MIT
//! What `run init` boots: core with init, a configuration, and all components as its modules, each by its name.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::artifacts::root;
use super::catalogue;

/// The word of the command line that means it.
pub const NAME: &str = "init";
pub use super::catalogue::CORE;
/// The module that init reads.
pub const CONFIG: &str = "config";
/// The scenarios that have names.
const SCENARIOS: &str = "user/genode/scenarios";
/// The scenario that is booted if none is named.
pub const DEFAULT: &str = "default";

/// What a command line says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// The file of the configuration.
    pub config: Option<PathBuf>,
    /// Modules by name, beside the components or in their place.
    pub modules: Vec<(String, PathBuf)>,
}

/// The scenario of a name.
pub fn scenario(name: &str) -> PathBuf {
    root().join(SCENARIOS).join(format!("{name}.xml"))
}

/// Builds what there is to build, and returns the modules with their names.
pub fn modules(given: &Given) -> Result<Vec<(PathBuf, Option<String>)>> {
    for (at, (name, _)) in given.modules.iter().enumerate() {
        ensure!(name != CONFIG, "--module {name}: --config names the configuration");
        let is_twice = given.modules[..at].iter().any(|(other, _)| other == name);
        ensure!(!is_twice, "--module {name}: it is named twice");
    }
    let mut modules = vec![(CONFIG.to_owned(), given.config.clone().unwrap_or_else(|| scenario(DEFAULT)))];
    modules.extend(catalogue::components()?);
    for (name, path) in &given.modules {
        match modules.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.clone_from(path),
            None => modules.push((name.clone(), path.clone())),
        }
    }
    Ok(modules.into_iter().map(|(name, path)| (path, Some(name))).collect())
}
