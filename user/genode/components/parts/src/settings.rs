// SPDX-License-Identifier: MIT
//! The attributes of a component's configuration.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};

use genode_config::bytes::number;
use genode_config::xml::{self, Element};

use crate::script::Unclear;

/// The attributes of the outermost element, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Reads a configuration as it is in a ROM.
    ///
    /// # Errors
    /// It fails if the bytes are no XML.
    pub fn read(bytes: &[u8]) -> Result<Self, Unclear> {
        let document =
            xml::text(bytes).and_then(xml::parse).map_err(|fault| Unclear(format!("config: {fault}")))?;
        let root = Element::root(&document);
        Ok(Self(root.attributes().map(|(name, value)| (name.to_string(), value.to_string())).collect()))
    }

    /// The text of an attribute; empty if it is not there.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The whole number in an attribute, or another one if it is not there.
    ///
    /// # Errors
    /// It fails if the text is no number.
    pub fn amount(&self, name: &str, absent: u64) -> Result<u64, Unclear> {
        let Some(text) = self.0.get(name) else { return Ok(absent) };
        number(text).map_err(|_| Unclear(format!("config: {name}=\"{text}\": expected a whole number")))
    }

    /// Whether an attribute says yes.
    ///
    /// # Errors
    /// It fails if the text says neither yes nor no.
    pub fn flag(&self, name: &str) -> Result<bool, Unclear> {
        match self.text(name) {
            "yes" | "true" | "on" => Ok(true),
            "no" | "false" | "off" | "" => Ok(false),
            text => Err(Unclear(format!("config: {name}=\"{text}\": expected yes or no"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read() {
        let settings = Settings::read(b"<config text=\"good morning\" count=\"3\" exit=\"yes\"/>\0").unwrap();
        assert_eq!((settings.text("text"), settings.text("other")), ("good morning", ""));
        assert_eq!((settings.amount("count", 1), settings.amount("other", 7)), (Ok(3), Ok(7)));
        assert_eq!((settings.flag("exit"), settings.flag("other")), (Ok(true), Ok(false)));
    }

    #[test]
    fn what_is_no_number_and_no_flag_is_named() {
        let settings = Settings::read(b"<config count=\"-3\" exit=\"maybe\"/>").unwrap();
        let told = |wrong: Unclear| wrong.0;
        assert_eq!(
            settings.amount("count", 1).map_err(told),
            Err("config: count=\"-3\": expected a whole number".to_string())
        );
        assert_eq!(
            settings.flag("exit").map_err(told),
            Err("config: exit=\"maybe\": expected yes or no".to_string())
        );
        assert_eq!(
            Settings::read(b"<config").map_err(told),
            Err("config: malformed XML at line 1 column 8".to_string())
        );
    }
}
