// SPDX-License-Identifier: MIT
//! Which labels a rule is for.

use alloc::string::{String, ToString};

use crate::label;
use crate::read::Reader;
use crate::xml::Element;

/// A condition on labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every label fulfils it.
    Any,
    /// The whole label is this one.
    Unscoped(String),
    /// The label's last element is this one.
    Last(String),
    /// What the client asks for itself, without its name, is, begins with and ends with these.
    Scoped {
        /// What it is.
        exact: Option<String>,
        /// What it begins with.
        prefix: Option<String>,
        /// What it ends with.
        suffix: Option<String>,
    },
}

impl Condition {
    /// Reads the attributes of a rule.
    #[must_use]
    pub fn read(reader: &mut Reader<'_>, rule: Element<'_>) -> Self {
        let of = |name| rule.attribute(name).map(|text: &str| text.trim().to_string());
        let (exact, prefix, suffix) = (of("label"), of("label_prefix"), of("label_suffix"));
        let (whole, last) = (rule.owned("unscoped_label"), rule.owned("label_last"));
        let scoped = exact.is_some() || prefix.is_some() || suffix.is_some();
        if let Some(whole) = whole {
            if scoped || last.is_some() {
                reader.warn_all("service node contains both scoped and unscoped label attributes");
            }
            return Self::Unscoped(whole);
        }
        match last {
            Some(last) => Self::Last(last),
            None if scoped => Self::Scoped { exact, prefix, suffix },
            None => Self::Any,
        }
    }

    /// Whether a client's label fulfils the condition.
    #[must_use]
    pub fn matches(&self, label: &str, client: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Unscoped(whole) => label == whole,
            Self::Last(last) => label::last(label) == last,
            Self::Scoped { exact, prefix, suffix } => label::scoped(label, client).is_some_and(|own| {
                exact.as_ref().is_none_or(|exact| own == exact)
                    && prefix.as_ref().is_none_or(|prefix| own.starts_with(prefix.as_str()))
                    && suffix.as_ref().is_none_or(|suffix| own.ends_with(suffix.as_str()))
            }),
        }
    }
}
