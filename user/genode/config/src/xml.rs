// SPDX-License-Identifier: MIT
//! Texts as XML: the elements with their lines, or the place where a text is none.

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Display, Formatter};
use core::str;

use roxmltree::{Document, Error, Node, ParsingOptions};

/// The number of nodes that a text may have, so that a small one cannot fill the memory.
const MOST_NODES: u32 = 100_000;

/// Why a text is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no XML.
    Malformed {
        /// The line where it ceases to be, from 1 on.
        line: u32,
        /// The character of the line, from 1 on.
        column: u32,
    },
    /// It has too many nodes.
    TooLarge,
}

impl Display for Fault {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line, column } => write!(out, "malformed XML at line {line} column {column}"),
            Self::TooLarge => write!(out, "more than {MOST_NODES} nodes"),
        }
    }
}

/// The text in a ROM, which ends at its first zero byte.
///
/// # Errors
/// It fails if the bytes are no UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let bytes = &bytes[..end];
    str::from_utf8(bytes).map_err(|error| {
        let good = str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
        behind(good)
    })
}

/// The place behind a text.
fn behind(text: &str) -> Fault {
    let line = 1 + text.matches('\n').count();
    let column = 1 + text.rsplit('\n').next().unwrap_or_default().chars().count();
    Fault::Malformed { line: line as u32, column: column as u32 }
}

/// Reads a text as XML.
///
/// # Errors
/// It fails if the text is none, or has too many nodes.
pub fn parse(text: &str) -> Result<Document<'_>, Fault> {
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| match error {
        Error::NodesLimitReached => Fault::TooLarge,
        // What is missing is missing at the end.
        Error::UnclosedRootNode | Error::UnexpectedEndOfStream | Error::NoRootNode => behind(text),
        error => Fault::Malformed { line: error.pos().row, column: error.pos().col },
    })
}

/// An element of a text.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a>(Node<'a, 'a>);

impl<'a> Element<'a> {
    /// The outermost element.
    #[must_use]
    pub fn root(document: &'a Document<'a>) -> Self {
        Self(document.root_element())
    }

    /// The element's name.
    #[must_use]
    pub fn name(self) -> &'a str {
        self.0.tag_name().name()
    }

    /// The line that the element begins in.
    #[must_use]
    pub fn line(self) -> u32 {
        self.0.document().text_pos_at(self.0.range().start).row
    }

    /// The elements within, in their order.
    pub fn children(self) -> impl DoubleEndedIterator<Item = Self> {
        self.0.children().filter(Node::is_element).map(Self)
    }

    /// The first element of a name within.
    #[must_use]
    pub fn child(self, name: &str) -> Option<Self> {
        self.children().find(|child| child.name() == name)
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(self, name: &str) -> Option<&'a str> {
        self.0.attribute(name)
    }

    /// All attributes, each with its name and its value.
    pub fn attributes(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.attributes().map(|attribute| (attribute.name(), attribute.value()))
    }

    /// The value of an attribute as a text of its own.
    #[must_use]
    pub fn owned(self, name: &str) -> Option<String> {
        self.attribute(name).map(String::from)
    }

    /// The text between the element's tags.
    #[must_use]
    pub fn content(self) -> &'a str {
        self.0.text().unwrap_or_default()
    }

    /// The element as it stands in its text.
    #[must_use]
    pub fn source(self) -> &'a str {
        &self.0.document().input_text()[self.0.range()]
    }
}

/// A text as it stands in an attribute or between tags.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, char| {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Blanks in attributes are made spaces by who reads them.
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(char))),
            // No XML has these, in whatever form.
            char if char.is_control() && u32::from(char) < 0x20 => out.push('\u{fffd}'),
            char => out.push(char),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use super::{Element, Fault, MOST_NODES, escaped, parse, text};

    fn fault(text: &str) -> Fault {
        parse(text).expect_err(text)
    }

    #[test]
    fn what_is_no_xml_is_said_with_its_place() {
        for (text, line, column) in [
            ("<config>\n  <start name=\"a\">\n</config>", 3, 1),
            ("<config>\n  <start name=a/>\n</config>", 2, 15),
            ("<config>\n  <start/>\n", 3, 1),
            ("<config", 1, 8),
            ("", 1, 1),
            ("plain text", 1, 1),
            ("<config/>\n<config/>", 2, 1),
            ("<config a=\"1\" a=\"2\"/>", 1, 15),
            ("<config>&nothing;</config>", 1, 9),
        ] {
            assert_eq!(fault(text), Fault::Malformed { line, column }, "{text}");
        }
        assert_eq!(fault("<config").to_string(), "malformed XML at line 1 column 8");
    }

    #[test]
    fn document_types_are_refused() {
        assert!(matches!(fault("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"), Fault::Malformed { .. }));
    }

    #[test]
    fn a_small_text_cannot_become_large() {
        let many = format!("<config>{}</config>", "<a/>".repeat(MOST_NODES as usize));
        assert_eq!(fault(&many), Fault::TooLarge);
        let deep = "<a>".repeat(MOST_NODES as usize / 2);
        assert!(matches!(fault(&deep), Fault::Malformed { .. }));
    }

    #[test]
    fn a_text_ends_at_its_first_zero_byte_and_is_utf8() {
        assert_eq!(text(b"<config/>\0\0rest"), Ok("<config/>"));
        assert_eq!(text(b"<config>\n \xff"), Err(Fault::Malformed { line: 2, column: 2 }));
    }

    #[test]
    fn elements_know_where_and_how_they_stand() {
        let document = parse("<config>\n <a x='1'/>\n <!-- no --> <b> t </b>\n</config>").unwrap();
        let root = Element::root(&document);
        let seen: Vec<_> =
            root.children().map(|child| (child.name(), child.line(), child.source())).collect();
        assert_eq!(seen, [("a", 2, "<a x='1'/>"), ("b", 3, "<b> t </b>")]);
        assert_eq!(root.child("b").unwrap().content(), " t ");
        assert_eq!(root.child("a").unwrap().attribute("x"), Some("1"));
    }

    #[test]
    fn an_escaped_text_is_read_as_it_was() {
        let odd = "a<b>&\"'\n\t -> é";
        let within = format!("<a x=\"{0}\">{0}</a>", escaped(odd));
        let document = parse(&within).unwrap();
        assert_eq!(Element::root(&document).attribute("x"), Some(odd));
        assert_eq!(Element::root(&document).content(), odd);
        assert!(parse(&format!("<a>{}</a>", escaped("\u{1}\u{7f}"))).is_ok());
    }
}
