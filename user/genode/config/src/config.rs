// SPDX-License-Identifier: MIT
//! A whole configuration, and where it sends the sessions of children and of those above.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::message::Message;
use crate::policy::Policies;
use crate::priority::Levels;
use crate::quota::{PRESERVED, Quota};
use crate::read::Reader;
use crate::route::{Destination, Request, Route, Target};
use crate::service::{Provider, Services};
use crate::start::{Common, MOST_NAME, Start, resource};
use crate::xml::{self, Element, Fault};

/// Whom messages name that are about the configuration as a whole.
const WHO: &str = "config";
/// Whom messages name that are about sessions that somebody above asks for.
const ABOVE: &str = "parent";

/// A service that init offers to those above, on behalf of its children.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Offer {
    service: String,
    policies: Policies<Target>,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether init describes what it does.
    pub verbose: bool,
    /// The levels of priority.
    pub levels: Levels,
    /// What init keeps for itself.
    pub preserved: Quota,
    /// Who provides which service.
    pub services: Services,
    /// The children in their order.
    pub starts: Vec<Start>,
    default_route: Route,
    offers: Vec<Offer>,
}

impl Config {
    /// Reads a configuration, and what is to be said about it.
    ///
    /// # Errors
    /// It fails if the text is no XML.
    pub fn read(text: &str) -> Result<(Self, Vec<Message>), Fault> {
        let document = xml::parse(text)?;
        let root = Element::root(&document);
        let mut said = Vec::new();
        let mut reader = Reader { who: WHO, said: &mut said };
        let (levels, warning) = Levels::new(reader.value(root, "prio_levels", 0));
        reader.said.extend(warning);
        let mut config = Self {
            verbose: reader.flag(root, "verbose"),
            levels,
            preserved: PRESERVED,
            services: Services::default(),
            starts: Vec::new(),
            default_route: Route::default(),
            offers: Vec::new(),
        };
        let mut common = Common { levels, ..Common::default() };
        let mut nodes: Vec<(String, Element<'_>)> = Vec::new();
        for element in root.children() {
            match element.name() {
                "parent-provides" => config.services.parent = reader.services(element),
                "default-route" => config.default_route = Route::read(&mut reader, element),
                "default" => {
                    common.quota.ram = reader.value(element, "ram", common.quota.ram);
                    common.quota.caps = reader.value(element, "caps", common.quota.caps);
                }
                "affinity-space" => {
                    let mut of = |name| reader.value(element, name, 1);
                    common.space = Some((of("width"), of("height")));
                }
                "resource" => resource(&mut reader, element, "preserve", &mut config.preserved),
                "service" => config.offers.extend(Offer::read(&mut reader, element)),
                "alias" => config.services.aliases.extend(alias(&mut reader, element)),
                "start" => list(&mut reader, element, &mut nodes),
                "report" | "heartbeat" => reader.unsupported(element),
                _ => reader.ignore(element),
            }
        }
        for (alias, _) in &config.services.aliases {
            if nodes.iter().any(|(name, _)| name == alias) {
                reader.warn(&format!("alias \"{alias}\" hides the child of this name"));
            }
        }
        config.starts =
            nodes.iter().map(|(name, node)| Start::read(name, *node, &common, &mut said)).collect();
        config.services.children = config
            .starts
            .iter()
            .map(|start| Provider { name: start.name.clone(), services: start.provides.clone() })
            .collect();
        Ok((config, said))
    }

    /// Where a session of a child goes by the child's rules, or nowhere; adds what is to be said about it.
    #[must_use]
    pub fn route(
        &self,
        start: &Start,
        service: &str,
        label: &str,
        said: &mut Vec<Message>,
    ) -> Option<Destination> {
        let request = Request { client: &start.name, service, label };
        start.route.as_ref().unwrap_or(&self.default_route).resolve(request, &self.services, said)
    }

    /// Where a session goes that somebody above asks for, or nowhere; adds what is to be said about it.
    #[must_use]
    pub fn offer(&self, service: &str, label: &str, said: &mut Vec<Message>) -> Option<Destination> {
        let offer = self.offers.iter().find(|offer| offer.service == service)?;
        match offer.policies.select(label) {
            Ok(target) => target.find(Request { client: ABOVE, service, label }, &self.services, said),
            Err(message) => {
                said.push(message);
                None
            }
        }
    }

    /// The services that are offered to those above.
    pub fn offered(&self) -> impl Iterator<Item = &str> {
        self.offers.iter().map(|offer| offer.service.as_str())
    }

    /// The lines that describe what the parent provides.
    #[must_use]
    pub fn description(&self) -> Vec<String> {
        let services = self.services.parent.iter().map(|service| format!("  service \"{service}\""));
        core::iter::once("parent provides".to_string()).chain(services).collect()
    }
}

impl Offer {
    fn read(reader: &mut Reader<'_>, element: Element<'_>) -> Option<Self> {
        let service = reader.needed(element, "name")?;
        let policies = Policies::read(reader, element.children(), |reader, policy| {
            let child = policy.child("child");
            if child.is_none() {
                reader.warn(&format!("policy without <child> is ignored (line {})", policy.line()));
            }
            Target::read(reader, child?)
        });
        Some(Self { service, policies })
    }
}

fn alias(reader: &mut Reader<'_>, element: Element<'_>) -> Option<(String, String)> {
    let name = reader.needed(element, "name")?;
    let child = element.owned("child");
    if child.is_none() {
        reader.warn_all(&format!("alias node \"{name}\" lacks child attribute"));
    }
    Some((name, child?))
}

/// Adds a `<start>` node to the list, in the place of an earlier one of its name.
fn list<'a>(reader: &mut Reader<'_>, node: Element<'a>, nodes: &mut Vec<(String, Element<'a>)>) {
    let Some(name) = node.owned("name") else {
        reader.warn_all("missing 'name' attribute in '<start>' entry");
        reader.warn_all("skipped startup of nameless child");
        reader.said.push(Message::error("child creation failed".to_string()));
        return;
    };
    if name.len() > MOST_NAME {
        let line = node.line();
        return reader.fail(&format!("name of a child is longer than {MOST_NAME} bytes (line {line})"));
    }
    match nodes.iter_mut().find(|(own, _)| *own == name) {
        None => nodes.push((name, node)),
        Some((name, own)) => {
            let line = node.line();
            let text = format!("{name}: duplicate start node, last one wins (line {line})");
            reader.warn_all(&text);
            *own = node;
        }
    }
}

#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod tests;
