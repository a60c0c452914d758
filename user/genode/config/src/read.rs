// SPDX-License-Identifier: MIT
//! Attributes and elements with their defaults, and what is said about those that are wrong.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use crate::message::Message;
use crate::xml::Element;

/// What a yes or no is written as.
const FLAGS: [(&str, bool); 6] =
    [("yes", true), ("no", false), ("true", true), ("false", false), ("on", true), ("off", false)];

/// Who reads a configuration, and collects what is to be said.
#[derive(Debug)]
pub struct Reader<'a> {
    /// Whom the messages name: a child, or the configuration.
    pub who: &'a str,
    /// What was said so far.
    pub said: &'a mut Vec<Message>,
}

impl Reader<'_> {
    /// Says a warning.
    pub fn warn(&mut self, text: &str) {
        self.said.push(Message::warning(format!("{}: {text}", self.who)));
    }

    /// Says a warning that names nobody.
    pub fn warn_all(&mut self, text: &str) {
        self.said.push(Message::warning(text.into()));
    }

    /// Says an error.
    pub fn fail(&mut self, text: &str) {
        self.said.push(Message::error(format!("{}: {text}", self.who)));
    }

    /// An element is not known here.
    pub fn ignore(&mut self, element: Element<'_>) {
        self.warn(&format!("ignoring unknown element <{}> (line {})", element.name(), element.line()));
    }

    /// An element is known, and does nothing here.
    pub fn unsupported(&mut self, element: Element<'_>) {
        self.warn(&format!("<{}> is not supported (line {})", element.name(), element.line()));
    }

    /// An attribute that has to be there.
    pub fn needed(&mut self, element: Element<'_>, attribute: &str) -> Option<String> {
        let value = element.owned(attribute);
        if value.is_none() {
            self.warn(&format!(
                "<{}> without '{attribute}' attribute is ignored (line {})",
                element.name(),
                element.line()
            ));
        }
        value
    }

    /// An attribute's value as a function reads it; the default if it is absent or the function refuses it.
    pub fn parsed<T>(
        &mut self,
        element: Element<'_>,
        attribute: &str,
        default: T,
        read: impl Fn(&str) -> Option<T>,
    ) -> T {
        let Some(text) = element.attribute(attribute) else { return default };
        read(text).unwrap_or_else(|| {
            self.warn(&format!(
                "invalid value \"{text}\" of attribute \"{attribute}\" (line {})",
                element.line()
            ));
            default
        })
    }

    /// A value of an attribute, or its default.
    pub fn value<T: FromStr>(&mut self, element: Element<'_>, attribute: &str, default: T) -> T {
        self.parsed(element, attribute, default, |text| text.parse().ok())
    }

    /// A yes or no.
    pub fn flag(&mut self, element: Element<'_>, attribute: &str) -> bool {
        self.parsed(element, attribute, false, |text| {
            FLAGS.iter().find(|(name, _)| *name == text).map(|&(_, flag)| flag)
        })
    }

    /// The names in `<service name="..."/>` elements.
    pub fn services(&mut self, list: Element<'_>) -> Vec<String> {
        let mut names = Vec::new();
        for element in list.children() {
            match element.name() {
                "service" => names.extend(self.needed(element, "name")),
                _ => self.ignore(element),
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::Reader;
    use crate::xml::{Element, parse};

    #[test]
    fn a_wrong_value_is_named_and_the_default_holds() {
        let document = parse("<a b=\"yes\"\n c=\"maybe\" d=\"-3\" e=\"x\"/>").unwrap();
        let element = Element::root(&document);
        let mut said = Vec::new();
        let mut reader = Reader { who: "config", said: &mut said };
        assert!(reader.flag(element, "b"));
        assert!(!reader.flag(element, "c"));
        assert!(!reader.flag(element, "absent"));
        assert_eq!(reader.value(element, "d", 0), -3);
        assert_eq!(reader.value(element, "e", 7), 7);
        let said: Vec<_> = said.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "Warning: config: invalid value \"maybe\" of attribute \"c\" (line 1)",
                "Warning: config: invalid value \"x\" of attribute \"e\" (line 1)",
            ]
        );
    }
}
