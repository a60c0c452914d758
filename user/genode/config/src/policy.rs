// SPDX-License-Identifier: MIT
//! Policies of servers: which of them holds for a session's label.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::message::Message;
use crate::read::Reader;
use crate::xml::Element;

/// The labels that a policy is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Labels {
    exact: Option<String>,
    prefix: Option<String>,
    suffix: Option<String>,
}

impl Labels {
    fn read(element: Element<'_>) -> Self {
        let of = |name| element.attribute(name).map(|text| text.trim().to_string());
        Self { exact: of("label"), prefix: of("label_prefix"), suffix: of("label_suffix") }
    }

    fn is_empty(&self) -> bool {
        self.exact.is_none() && self.prefix.is_none() && self.suffix.is_none()
    }

    fn matches(&self, label: &str) -> bool {
        self.exact.as_deref().is_none_or(|exact| exact == label)
            && self.prefix.as_deref().is_none_or(|prefix| label.starts_with(prefix))
            && self.suffix.as_deref().is_none_or(|suffix| label.ends_with(suffix))
    }

    /// How much a policy says about its labels: the whole beats a prefix, which beats a suffix; longer beats shorter.
    fn rank(&self) -> (bool, Option<usize>, Option<usize>) {
        (self.exact.is_some(), self.prefix.as_ref().map(String::len), self.suffix.as_ref().map(String::len))
    }
}

/// The policies of a server, each with what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies<T> {
    listed: Vec<(Labels, T)>,
    default: Option<T>,
}

impl<T> Policies<T> {
    /// Reads `<policy>` and `<default-policy>` elements, each with a function that may refuse it.
    pub fn read<'a>(
        reader: &mut Reader<'_>,
        elements: impl Iterator<Item = Element<'a>>,
        mut say: impl FnMut(&mut Reader<'_>, Element<'a>) -> Option<T>,
    ) -> Self {
        let mut policies = Self { listed: Vec::new(), default: None };
        for element in elements {
            match element.name() {
                "policy" => {
                    let labels = Labels::read(element);
                    if labels.is_empty() {
                        reader.warn(&format!("policy without label is never used (line {})", element.line()));
                    }
                    policies.listed.extend(say(reader, element).map(|what| (labels, what)));
                }
                "default-policy" => policies.default = say(reader, element),
                _ => reader.ignore(element),
            }
        }
        policies
    }

    /// What holds for a label.
    ///
    /// # Errors
    /// It fails with what is to be said if no policy is for the label.
    pub fn select(&self, label: &str) -> Result<&T, Message> {
        let fitting = self.listed.iter().filter(|(labels, _)| !labels.is_empty() && labels.matches(label));
        // The first of two that say as much holds.
        let best = fitting.min_by_key(|(labels, _)| Reverse(labels.rank())).map(|(_, what)| what);
        best.or(self.default.as_ref())
            .ok_or_else(|| Message::warning(format!("no policy defined for label '{label}'")))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use super::Policies;
    use crate::message::Message;
    use crate::read::Reader;
    use crate::xml::{Element, parse};

    fn policies(text: &str) -> (Policies<String>, Vec<Message>) {
        let document = parse(text).unwrap();
        let mut said = Vec::new();
        let mut reader = Reader { who: "config", said: &mut said };
        let policies = Policies::read(&mut reader, Element::root(&document).children(), |_, element| {
            element.owned("is")
        });
        (policies, said)
    }

    #[test]
    fn the_policy_that_says_most_holds() {
        let (policies, said) = policies(
            "<a><policy label_suffix=\"log\" is=\"suffix\"/> <policy label_prefix=\"vip\" is=\"prefix\"/>
             <policy label_prefix=\"vip -> \" is=\"longer\"/> <policy label=\"vip -> log\" is=\"exact\"/>
             <policy label_prefix=\"s\" label_suffix=\"t\" is=\"both\"/> <policy label_suffix=\"a log\" is=\"long\"/>
             <default-policy is=\"default\"/></a>",
        );
        assert_eq!(said, []);
        for (label, what) in [
            ("vip -> log", "exact"),
            ("vip -> a log", "longer"),
            ("vip2", "prefix"),
            ("a -> log", "suffix"),
            ("not a log", "long"),
            ("salt", "both"),
            ("sal", "default"),
            ("", "default"),
        ] {
            assert_eq!(policies.select(label).unwrap(), what, "{label}");
        }
    }

    #[test]
    fn no_policy_is_said() {
        let (none, said) = policies("<a><policy is=\"x\"/><police/></a>");
        let said: Vec<_> = said.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "Warning: config: policy without label is never used (line 1)",
                "Warning: config: ignoring unknown element <police> (line 1)",
            ]
        );
        let message = none.select("plain").unwrap_err();
        assert_eq!(message.to_string(), "Warning: no policy defined for label 'plain'");
    }
}
