// SPDX-License-Identifier: MIT
//! Routes: which server a session goes to, and the label that the server sees.
//!
//! Rules are tried from the top. The targets of the first one that matches are tried in their order. If none of them
//! has the service, a rule for a service ends the search, and one for any service lets the next rule try.

mod condition;
mod target;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use self::condition::Condition;
pub use self::target::{Destination, Request, Server, Target};
use crate::message::Message;
use crate::read::Reader;
use crate::service::Services;
use crate::xml::Element;

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// The service, or any.
    service: Option<String>,
    condition: Condition,
    targets: Vec<Target>,
}

/// The rules of a child, or of all that have none of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route(Vec<Rule>);

impl Route {
    /// Reads `<route>` or `<default-route>`.
    #[must_use]
    pub fn read(reader: &mut Reader<'_>, element: Element<'_>) -> Self {
        let mut rules = Vec::new();
        for rule in element.children() {
            let service = match rule.name() {
                "service" => match reader.needed(rule, "name") {
                    None => continue,
                    name => name,
                },
                "any-service" => None,
                _ => {
                    reader.ignore(rule);
                    continue;
                }
            };
            let condition = Condition::read(reader, rule);
            let targets = rule.children().filter_map(|target| Target::read(reader, target)).collect();
            rules.push(Rule { service, condition, targets });
        }
        Self(rules)
    }

    /// Where a session goes, or nowhere; adds what is to be said about it.
    #[must_use]
    pub fn resolve(
        &self,
        request: Request<'_>,
        services: &Services,
        said: &mut Vec<Message>,
    ) -> Option<Destination> {
        for rule in &self.0 {
            let fits = rule.service.as_ref().is_none_or(|service| service == request.service);
            if !fits || !rule.condition.matches(request.label, request.client) {
                continue;
            }
            let found = rule.targets.iter().find_map(|target| target.find(request, services, said));
            if found.is_some() || rule.service.is_some() {
                return found;
            }
        }
        let Request { client, service, label } = request;
        said.push(Message::warning(format!(
            "{client}: no route to service \"{service}\" (label=\"{label}\")"
        )));
        None
    }
}

#[cfg(test)]
mod tests;
