// SPDX-License-Identifier: MIT
//! The ROM `session_requests`, by which a parent tells a server what its clients want.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter};

use crate::bytes::Bytes;
use crate::quota::Quota;
use crate::xml::{self, Element, Fault, escaped};

/// A session is to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// The session's number between parent and server.
    pub id: u64,
    /// The service.
    pub service: String,
    /// The label that the server sees.
    pub label: String,
    /// The session arguments.
    pub args: String,
}

/// A session's quota is to be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The session's number between parent and server.
    pub id: u64,
    /// What is added.
    pub by: Quota,
}

/// All open requests to a server, in the order in which it takes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// Sessions to upgrade.
    pub upgrades: Vec<Upgrade>,
    /// Sessions to close.
    pub closes: Vec<u64>,
    /// Sessions to create.
    pub creates: Vec<Create>,
}

impl Requests {
    /// Reads the ROM. Elements that are no requests, or have no number, are left out.
    ///
    /// # Errors
    /// It fails if the text is no XML.
    pub fn read(text: &str) -> Result<Self, Fault> {
        let document = xml::parse(text)?;
        let mut requests = Self::default();
        for element in Element::root(&document).children() {
            let Some(id) = element.attribute("id").and_then(|id| id.parse().ok()) else { continue };
            let of = |name| element.attribute(name).unwrap_or_default();
            match element.name() {
                "create" => requests.creates.push(Create {
                    id,
                    service: of("service").to_string(),
                    label: of("label").to_string(),
                    args: element.child("args").map(Element::content).unwrap_or_default().to_string(),
                }),
                "upgrade" => {
                    let ram = of("ram_quota").parse().unwrap_or_default();
                    let caps = of("cap_quota").parse().unwrap_or_default();
                    requests.upgrades.push(Upgrade { id, by: Quota { ram, caps } });
                }
                "close" => requests.closes.push(id),
                _ => {}
            }
        }
        Ok(requests)
    }
}

impl Display for Requests {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "<session_requests>")?;
        for Upgrade { id, by: Quota { ram: Bytes(ram), caps } } in &self.upgrades {
            writeln!(out, "\t<upgrade id=\"{id}\" ram_quota=\"{ram}\" cap_quota=\"{caps}\"/>")?;
        }
        for id in &self.closes {
            writeln!(out, "\t<close id=\"{id}\"/>")?;
        }
        for Create { id, service, label, args } in &self.creates {
            let (service, label, args) = (escaped(service), escaped(label), escaped(args));
            writeln!(out, "\t<create id=\"{id}\" service=\"{service}\" label=\"{label}\">")?;
            writeln!(out, "\t\t<args>{args}</args>\n\t</create>")?;
        }
        writeln!(out, "</session_requests>")
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::{Bytes, Create, Quota, Requests, Upgrade};

    #[test]
    fn a_server_reads_what_its_parent_wrote() {
        let requests = Requests {
            upgrades: vec![Upgrade { id: 2, by: Quota { ram: Bytes(4096), caps: 4 } }],
            closes: vec![3, 4],
            creates: vec![Create {
                id: 5,
                service: "LOG".to_string(),
                label: "c3 -> \"y\" & <z>".to_string(),
                args: "label=\"c3 -> \\\"y\\\" & <z>\", ram_quota=8K".to_string(),
            }],
        };
        assert_eq!(Requests::read(&requests.to_string()), Ok(requests));
    }

    #[test]
    fn nothing_is_asked_for_by_an_empty_list_or_by_nonsense() {
        let nothing = Requests::default();
        assert_eq!(nothing.to_string(), "<session_requests>\n</session_requests>\n");
        assert_eq!(Requests::read(&nothing.to_string()), Ok(nothing.clone()));
        assert_eq!(
            Requests::read(
                "<session_requests><create/><close id=\"x\"/><other id=\"1\"/></session_requests>"
            ),
            Ok(nothing)
        );
    }
}
