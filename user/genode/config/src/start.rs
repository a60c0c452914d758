// SPDX-License-Identifier: MIT
//! A child, as its `<start>` node says it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::label;
use crate::message::Message;
use crate::priority::Levels;
use crate::quota::Quota;
use crate::read::Reader;
use crate::replay::Replay;
use crate::route::Route;
use crate::xml::Element;

/// The most bytes of a child's name, by which its sessions are labelled.
pub const MOST_NAME: usize = 64;

/// The label of the ROM of a dynamic linker, for which a child gets its own executable.
const LINKER: &str = "ld.lib.so";

/// What all children have in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct Common {
    /// The quota of those that do not say theirs.
    pub quota: Quota,
    /// The levels of priority.
    pub levels: Levels,
    /// The width and height of the grid of processors, if there is one.
    pub space: Option<(u32, u32)>,
}

/// A child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The child's name.
    pub name: String,
    /// The ROM of its executable.
    pub binary: String,
    /// What it can use of its quota, if there is so much.
    pub usable: Quota,
    /// Its level of priority, counted downwards from 0.
    pub level: u32,
    /// The services that it may announce.
    pub provides: Vec<String>,
    /// Its rules, if it has some of its own.
    pub route: Option<Route>,
    /// Its configuration as it stands in the text.
    pub config: Option<String>,
    /// Whether its exit is the exit of its init.
    pub propagates: bool,
    /// How its PEs are run, if that is said.
    pub replay: Option<Replay>,
}

/// Where a child's session comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The configuration in its own node.
    Config,
    /// What its clients ask it for.
    Requests,
    /// Whoever the rules say for this label.
    Rules(String),
}

impl Start {
    /// Reads a node that has this name.
    #[must_use]
    pub fn read(name: &str, node: Element<'_>, common: &Common, said: &mut Vec<Message>) -> Self {
        let mut reader = Reader { who: name, said };
        let Common { quota, levels, space } = *common;
        let mut configured =
            Quota { ram: reader.value(node, "ram", quota.ram), caps: reader.value(node, "caps", quota.caps) };
        let (level, warning) = levels.level(name, reader.value(node, "priority", 0));
        reader.said.extend(warning);
        let mut start = Self {
            name: name.to_string(),
            binary: name.to_string(),
            usable: Quota::default(),
            level,
            provides: Vec::new(),
            route: None,
            config: None,
            propagates: false,
            replay: None,
        };
        for element in node.children() {
            match element.name() {
                "binary" => start.binary = reader.needed(element, "name").unwrap_or(start.binary),
                "provides" => start.provides = reader.services(element),
                "route" => start.route = Some(Route::read(&mut reader, element)),
                "config" => start.config = Some(element.source().to_string()),
                "exit" => start.propagates = reader.flag(element, "propagate"),
                "replay" => start.replay = Some(Replay::read(&mut reader, element)),
                "resource" => resource(&mut reader, element, "quantum", &mut configured),
                "affinity" => affinity(&mut reader, element, space),
                "heartbeat" => reader.unsupported(element),
                _ => reader.ignore(element),
            }
        }
        let (usable, warnings) = configured.usable(name);
        said.extend(warnings);
        Self { usable, ..start }
    }

    /// Where a session of the child comes from.
    #[must_use]
    pub fn origin(&self, service: &str, label: &str) -> Origin {
        let mut label = label;
        if service == "ROM" {
            if label == self.name || label == LINKER {
                label = &self.binary;
            }
            match label::last(label) {
                "config" if self.config.is_some() => return Origin::Config,
                "session_requests" => return Origin::Requests,
                _ => {}
            }
        }
        Origin::Rules(label.to_string())
    }

    /// What is to be said if the child announces a service that it does not declare.
    ///
    /// # Errors
    /// It fails with that if it does not.
    pub fn announce(&self, service: &str) -> Result<(), Message> {
        if self.provides.iter().any(|own| own == service) {
            return Ok(());
        }
        Err(Message::error(format!("{}: illegal announcement of service \"{service}\"", self.name)))
    }

    /// The lines that describe the child.
    #[must_use]
    pub fn description(&self) -> Vec<String> {
        let mut lines = [
            format!("child \"{}\"", self.name),
            format!("  RAM quota:  {}", self.usable.ram),
            format!("  cap quota:  {}", self.usable.caps),
            format!("  ELF binary: {}", self.binary),
            format!("  priority:   {}", self.level),
        ]
        .to_vec();
        lines.extend(self.provides.iter().map(|service| format!("  provides service {service}")));
        lines
    }
}

/// Reads an amount of a resource into a quota.
pub fn resource(reader: &mut Reader<'_>, element: Element<'_>, amount: &str, quota: &mut Quota) {
    match element.attribute("name") {
        Some("RAM") => quota.ram = reader.value(element, amount, quota.ram),
        Some("CAP") => quota.caps = reader.value(element, amount, quota.caps),
        name => reader.fail(&format!(
            "unknown resource name \"{}\" (line {})",
            name.unwrap_or_default(),
            element.line()
        )),
    }
}

/// Checks that an area lies on the grid. There is one processor, so that nothing else follows from it.
fn affinity(reader: &mut Reader<'_>, element: Element<'_>, space: Option<(u32, u32)>) {
    let Some((width, height)) = space else {
        let child = reader.who;
        return reader.warn_all(&format!(
            "affinity-space configuration missing, but affinity defined for child {child}"
        ));
    };
    let mut of = |name, default| u64::from(reader.value::<u32>(element, name, default));
    let (right, lower) = (of("xpos", 0) + of("width", 1), of("ypos", 0) + of("height", 1));
    if right > u64::from(width) || lower > u64::from(height) {
        reader.warn("affinity location exceeds affinity-space boundary");
    }
}

#[cfg(test)]
mod tests;
