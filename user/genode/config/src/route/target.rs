// SPDX-License-Identifier: MIT
//! Where a rule sends sessions.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::label::Rewrite;
use crate::message::Message;
use crate::read::Reader;
use crate::service::Services;
use crate::xml::Element;

/// A session that somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Who asks.
    pub client: &'a str,
    /// The service.
    pub service: &'a str,
    /// The label: the client's name, and what it asks for itself.
    pub label: &'a str,
}

/// Who serves a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// The parent.
    Parent,
    /// A child, by its first name.
    Child(String),
}

/// A server, and the label that it sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The server.
    pub server: Server,
    /// The label.
    pub label: String,
}

/// A target of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The parent.
    Parent(Rewrite),
    /// The child of a name.
    Child(String, Rewrite),
    /// The only child that has the service.
    AnyChild,
}

impl Rewrite {
    fn read(element: Element<'_>) -> Self {
        Self {
            label: element.owned("label"),
            identity: element.owned("identity"),
            resource: element.owned("resource"),
            prepend: element.owned("prepend_resource").unwrap_or_default(),
        }
    }
}

impl Target {
    /// Reads a target; one that is not known is said and left out.
    #[must_use]
    pub fn read(reader: &mut Reader<'_>, element: Element<'_>) -> Option<Self> {
        match element.name() {
            "parent" => Some(Self::Parent(Rewrite::read(element))),
            "child" => reader.needed(element, "name").map(|name| Self::Child(name, Rewrite::read(element))),
            "any-child" => Some(Self::AnyChild),
            _ => {
                reader.ignore(element);
                None
            }
        }
    }

    /// The destination of a session, if the target has the service; adds what is to be said about it.
    #[must_use]
    pub fn find(
        &self,
        request: Request<'_>,
        services: &Services,
        said: &mut Vec<Message>,
    ) -> Option<Destination> {
        let Request { client, service, label } = request;
        let mut fail = |text: String| said.push(Message::error(format!("{client}: {text}")));
        let (name, label) = match self {
            Self::Parent(rewrite) => {
                return services
                    .of_parent(service)
                    .then(|| Destination { server: Server::Parent, label: rewrite.apply(label) });
            }
            Self::Child(name, rewrite) => {
                let Some(child) = services.child(name) else {
                    fail(format!("route of \"{service}\" to unknown child \"{name}\""));
                    return None;
                };
                if !child.provides(service) {
                    return None;
                }
                (&child.name, rewrite.apply(label))
            }
            Self::AnyChild => {
                let mut providers = services.providers(service);
                let child = providers.next()?;
                if providers.next().is_some() {
                    fail(format!("ambiguous routes to service \"{service}\""));
                    return None;
                }
                (&child.name, label.to_string())
            }
        };
        if name == client {
            fail(format!("route of \"{service}\" leads to itself"));
            return None;
        }
        Some(Destination { server: Server::Child(name.clone()), label })
    }
}
