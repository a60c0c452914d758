// SPDX-License-Identifier: MIT
//! Who provides which service: the parent, and the children by what they declare.

use alloc::string::String;
use alloc::vec::Vec;

/// A child and the services that it declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The child's name.
    pub name: String,
    /// The services.
    pub services: Vec<String>,
}

impl Provider {
    /// Whether the child declares a service.
    #[must_use]
    pub fn provides(&self, service: &str) -> bool {
        self.services.iter().any(|own| own == service)
    }
}

/// All that provide services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// The services of the parent that may be used.
    pub parent: Vec<String>,
    /// The children, in their order.
    pub children: Vec<Provider>,
    /// Second names, each with the child's first one.
    pub aliases: Vec<(String, String)>,
}

impl Services {
    /// Whether a service of the parent may be used.
    #[must_use]
    pub fn of_parent(&self, service: &str) -> bool {
        self.parent.iter().any(|own| own == service)
    }

    /// The child of a name, which may be its second one.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Provider> {
        let alias = self.aliases.iter().find(|(alias, _)| alias == name);
        let name = alias.map_or(name, |(_, child)| child);
        self.children.iter().find(|child| child.name == name)
    }

    /// The children that declare a service.
    pub fn providers(&self, service: &str) -> impl Iterator<Item = &Provider> {
        self.children.iter().filter(move |child| child.provides(service))
    }
}
