// SPDX-License-Identifier: MIT
//! Where a path leads: to the module that declares what it names, behind all re-exports and globs.

use std::collections::BTreeSet;

use super::source::Source;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// A module.
    Module(usize),
    /// Something that is declared in a module.
    Item(usize),
}

impl Found {
    /// The module, or the one that it is declared in.
    pub fn module(self) -> usize {
        match self {
            Self::Module(module) | Self::Item(module) => module,
        }
    }
}

/// Names that are being looked up, so that two globs or imports that lead to each other come to an end.
type Pending = Vec<(usize, String)>;

impl Source {
    /// What a path of a module leads to in this crate; nothing if it leads to another one. A name may stand for a
    /// module and for an item at once.
    pub fn resolve(&self, module: usize, path: &[String]) -> BTreeSet<Found> {
        self.follow(module, path, &mut Vec::new())
    }

    fn follow(&self, module: usize, path: &[String], pending: &mut Pending) -> BTreeSet<Found> {
        let Some((first, rest)) = path.split_first() else { return BTreeSet::new() };
        let first = match first.as_str() {
            "crate" => BTreeSet::from([Found::Module(0)]),
            "self" => BTreeSet::from([Found::Module(module)]),
            "super" => self.modules[module].parent.map(Found::Module).into_iter().collect(),
            name => self.lookup(module, name, pending),
        };
        rest.iter().fold(first, |found, name| {
            found.into_iter().flat_map(|one| self.step(one, name, pending)).collect()
        })
    }

    fn step(&self, from: Found, name: &str, pending: &mut Pending) -> BTreeSet<Found> {
        let Found::Module(module) = from else { return BTreeSet::from([from]) };
        if name == "super" {
            return self.modules[module].parent.map(Found::Module).into_iter().collect();
        }
        let found = self.lookup(module, name, pending);
        // What a macro has made there, perhaps; or an import that leads back to the one that is followed.
        if found.is_empty() { BTreeSet::from([Found::Item(module)]) } else { found }
    }

    /// What a name means in a module.
    fn lookup(&self, module: usize, name: &str, pending: &mut Pending) -> BTreeSet<Found> {
        let key = (module, name.to_owned());
        if pending.contains(&key) {
            return BTreeSet::new();
        }
        pending.push(key);
        let found = self.meanings(module, name, pending);
        pending.pop();
        found
    }

    fn meanings(&self, module: usize, name: &str, pending: &mut Pending) -> BTreeSet<Found> {
        let declared = &self.modules[module];
        let mut found: BTreeSet<Found> =
            declared.children.get(name).copied().map(Found::Module).into_iter().collect();
        if declared.items.contains(name) {
            found.insert(Found::Item(module));
        }
        for import in declared.imports.iter().filter(|import| import.name.as_deref() == Some(name)) {
            found.extend(self.follow(module, &import.path, pending));
        }
        if !found.is_empty() {
            return found;
        }
        for glob in declared.imports.iter().filter(|import| import.name.is_none()) {
            for behind in self.follow(module, &glob.path, pending) {
                if let Found::Module(behind) = behind {
                    found.extend(self.lookup(behind, name, pending));
                }
            }
        }
        if found.is_empty() && module == 0 {
            found.extend(self.macros.get(name).copied().map(Found::Item));
        }
        found
    }
}
